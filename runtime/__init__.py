"""The thin runtime: loads fabric binaries and runs them on a device. Imports nothing of MLIR, onnx or torch."""
