"""How much of PyTorch's core ATen computes correctly: sample inputs of torch's OpInfo, compiled, run and compared."""
