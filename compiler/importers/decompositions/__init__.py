"""What ATen ops mean in terms of others, where neither torch's own decompositions nor torch-mlir's lowerings serve."""
