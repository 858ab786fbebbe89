"""Code generation for the sentron vector engine: loop nests in, scheduled instruction words out. Knows no MLIR."""
