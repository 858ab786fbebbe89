"""What every front end keeps to on its way to the torch level."""

ENTRY = "main"
"""Name of the function that an imported model becomes, and of its entry point in a binary."""

KEPT_TORCH_OPS = (
    "aten.matmul", "aten.linear", "aten.softmax.int", "aten._softmax", "aten.native_layer_norm", "aten.layer_norm",
    "aten.gelu", "aten.avg_pool2d", "aten.max_pool2d", "aten.batch_norm",
)  # fmt: skip
"""Ops that torch-mlir would decompose although convert-torch-to-tfmbs or its own linalg lowering takes them whole."""
