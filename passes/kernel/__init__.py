"""From tensors to the memrefs and launches of the kernel level, and where those lie in memory."""
