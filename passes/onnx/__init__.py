"""Lowerings of ONNX ops to builtin tensors: one module per family, `table.py` brings them together."""
