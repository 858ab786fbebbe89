"""linalg as the passes write it: builders, readers, and the meaning of every level in its terms."""
