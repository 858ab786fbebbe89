"""Compiling in forked processes with limits, and running binaries in a process that has nothing of the compiler."""
