"""The contract with the device: declarative tables from which codecs, verifiers, C++ header and docs derive."""
