"""The ONNX-level stage: one walk over a checked model infers types, folds constants, replaces nodes by simpler ones."""
