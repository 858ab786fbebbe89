"""How much of ONNX computes correctly: the cases of `onnx.backend.test`, compiled, run elsewhere and compared."""
