"""A BitNet b1.58 decoder of 2 billion weights: compiled, run, and compared with numpy token by token."""
