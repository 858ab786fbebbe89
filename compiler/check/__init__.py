"""What of a model is supported: all that is refused at once, and which kernels do the rest."""
