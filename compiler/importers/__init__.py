"""Front ends: what brings a model file into torch-level IR. The only modules that import onnx."""
