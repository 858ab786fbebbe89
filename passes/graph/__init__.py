"""What the passes over the graph level share: its kernels, the arithmetic of quantization, the choice of tiles."""
