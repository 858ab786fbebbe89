"""AffineGrid over a grid whose size the model knows or declares: one product with the places of its points.

ONNX's own body computes the places from the size at run time, with shapes that depend on values.
"""

from __future__ import annotations

import numpy as np
from onnx import NodeProto, helper

from tfmbs.compiler.importers.rewrite.builder import Builder, attribute
from tfmbs.compiler.importers.rewrite.scope import Scope
from tfmbs.compiler.importers.rewrite.types import static_shape


def write_out_affine_grid(node: NodeProto, scope: Scope) -> list[NodeProto] | None:
    """AffineGrid: theta N×r×(r+1) → N×sizes×r, r = 2 or 3; None where the sizes are not known, and for other nodes."""
    if node.domain != "" or node.op_type != "AffineGrid":
        return None
    size, declared = scope.known.get(node.input[1]), static_shape(scope.declared.get(node.output[0]))
    theta = scope.shape(node.input[0])
    if theta is None or (size is None and declared is None):
        return None
    sizes = tuple(int(n) for n in size[2:]) if size is not None else (declared or ())[1:-1]
    align_corners = bool(attribute(node, "align_corners", 0))
    if align_corners and 1 in sizes:  # a point that would lie on both borders
        return None
    dtype = helper.tensor_dtype_to_np_dtype(scope.types[node.input[0]].tensor_type.elem_type)
    b = Builder(node, scope)
    points = b.tensor(_points(sizes, align_corners).astype(dtype))
    product = b("MatMul", points, b("Transpose", node.input[0], perm=[0, 2, 1]))
    b.give(b.reshape(product, theta[0], *sizes, len(sizes)), node.output[0])
    return b.nodes


def _points(sizes: tuple[int, ...], align_corners: bool) -> np.ndarray:
    """Homogeneous places of all points, the last axis of the grid first: prod(sizes)×(r+1), each axis over [-1, 1].

    With `align_corners` the outermost points lie on the border, else half a step inside.
    """
    axes = [np.linspace(-1, 1, n) if align_corners else (2 * np.arange(n) + 1) / n - 1 for n in sizes]
    places = np.meshgrid(*axes, indexing="ij")
    return np.stack([*(place.ravel() for place in reversed(places)), np.ones(int(np.prod(sizes)))], axis=1)
