"""GGUF files: their header, checked before anything is allocated, their tensors, and what their metadata describes."""
