"""Products of vectors with batches of matrices, which torch-mlir lacks: a vector is a matrix of one row or column."""

from __future__ import annotations

from onnx import NodeProto

from tfmbs.compiler.importers.rewrite.builder import Builder
from tfmbs.compiler.importers.rewrite.scope import Scope


def write_out_vector_product(node: NodeProto, scope: Scope) -> list[NodeProto] | None:
    """MatMul of a vector and a tensor of three or more axes, in either order; None for any other node."""
    if node.domain != "" or node.op_type != "MatMul":
        return None
    ranks = [None if (shape := scope.shape(name)) is None else len(shape) for name in node.input]
    for vector, new, axis in ((0, 0, -2), (1, 1, -1)):
        other = ranks[1 - vector]
        if ranks[vector] == 1 and other is not None and other > 2:
            b = Builder(node, scope)
            operands = list(node.input)
            operands[vector] = b("Unsqueeze", node.input[vector], b.ints(new))
            b.give(b("Squeeze", b("MatMul", *operands), b.ints(axis)), node.output[0])
            return b.nodes
    return None
