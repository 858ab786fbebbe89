"""Front ends: each brings one model format to the torch level. Only they import onnx or torch in the compiler."""
