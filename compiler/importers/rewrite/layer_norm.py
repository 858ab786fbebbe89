"""LayerNormalization without a bias: with one of zeros it is what the fabric has a kernel for."""

from __future__ import annotations

from onnx import NodeProto, TensorProto

from tfmbs.compiler.importers.rewrite.builder import Builder, operand
from tfmbs.compiler.importers.rewrite.scope import Scope


def complete_layer_norm(node: NodeProto, scope: Scope) -> list[NodeProto] | None:
    """The node with a bias, where it is one of f32 that gives nothing but the normalized values."""
    if node.op_type != "LayerNormalization" or node.domain != "" or operand(node, 2) or any(node.output[1:]):
        return None
    shape, element = scope.shape(node.input[1]), scope.types[node.input[0]].tensor_type.elem_type
    if shape is None or element != TensorProto.FLOAT:
        return None
    b = Builder(node, scope)
    completed = NodeProto()
    completed.CopyFrom(node)
    completed.input[:] = [*node.input[:2], b.zeros(shape, element)]
    return [*b.nodes, completed]
