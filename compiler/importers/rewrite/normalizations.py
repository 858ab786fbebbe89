"""LayerNormalization, GroupNormalization and MeanVarianceNormalization by deviations from the mean.

ONNX's own bodies take the mean square minus the squared mean, which cancels where the mean is large.
"""

from __future__ import annotations

from onnx import NodeProto, TensorProto

from tfmbs.compiler.importers.rewrite.builder import Builder, attribute, operand, result
from tfmbs.compiler.importers.rewrite.scope import Scope

_OPERATORS = frozenset({"GroupNormalization", "LayerNormalization", "MeanVarianceNormalization"})
_MVN_EPSILON = 1e-9  # added to the standard deviation by the operator's definition


def write_out_normalization(node: NodeProto, scope: Scope) -> list[NodeProto] | None:
    """What computes a normalization that is not the one that the fabric has a kernel for."""
    if node.domain != "" or node.op_type not in _OPERATORS:
        return None
    b = Builder(node, scope)
    if node.op_type == "GroupNormalization":
        return b.nodes if _groups(b, node, scope) else None
    if node.op_type == "MeanVarianceNormalization":
        _mean_variance(b, node, scope)
        return b.nodes
    if scope.types[node.input[0]].tensor_type.elem_type != TensorProto.FLOAT or any(node.output[1:]):
        return b.nodes if _layer(b, node, scope) else None
    shape = scope.shape(node.input[1])
    if operand(node, 2) or shape is None:
        return None
    completed = NodeProto()
    completed.CopyFrom(node)
    completed.input[:] = [*node.input[:2], b.zeros(shape, TensorProto.FLOAT)]
    return [*b.nodes, completed]


def _deviations(b: Builder, value: str, axes: list[int]) -> tuple[str, str, str]:
    """The mean, x − mean, and the mean square of that; the axes stay, with size 1."""
    places = b.ints(*axes)
    mean = b("ReduceMean", value, places)
    centered = b("Sub", value, mean)
    return mean, centered, b("ReduceMean", b("Mul", centered, centered), places)


def _mean_variance(b: Builder, node: NodeProto, scope: Scope) -> None:
    element = scope.types[node.input[0]].tensor_type.elem_type
    _, centered, variance = _deviations(b, node.input[0], list(attribute(node, "axes", [0, 2, 3])))
    deviation = b("Add", b("Sqrt", variance), b.number(_MVN_EPSILON, element))
    b.give(b("Div", centered, deviation), node.output[0])


def _layer(b: Builder, node: NodeProto, scope: Scope) -> bool:
    """LayerNormalization with all of its results, in `stash_type`; False where the rank is not known."""
    shape = scope.shape(node.input[0])
    if shape is None:
        return False
    element = scope.types[node.input[0]].tensor_type.elem_type
    wide = element if element == TensorProto.DOUBLE else attribute(node, "stash_type", TensorProto.FLOAT)
    first = attribute(node, "axis", -1) % len(shape)
    value = b("Cast", node.input[0], to=wide)
    mean, centered, variance = _deviations(b, value, list(range(first, len(shape))))
    deviation = b("Sqrt", b("Add", variance, b.number(attribute(node, "epsilon", 1e-5), wide)))
    inverse = b("Reciprocal", deviation)
    scaled = b("Mul", b("Cast", b("Mul", centered, inverse), to=element), node.input[1])
    b.give(b("Add", scaled, node.input[2]) if operand(node, 2) else scaled, node.output[0])
    stash = attribute(node, "stash_type", TensorProto.FLOAT)
    for value, name in ((mean, result(node, 1)), (inverse, result(node, 2))):
        b.give(b("Cast", value, to=stash), name)
    return True


def _groups(b: Builder, node: NodeProto, scope: Scope) -> bool:
    """GroupNormalization: groups of channels one by one, in `stash_type`; False where the shape is not known."""
    shape = scope.shape(node.input[0])
    if shape is None:
        return False
    element = scope.types[node.input[0]].tensor_type.elem_type
    wide = element if element == TensorProto.DOUBLE else attribute(node, "stash_type", TensorProto.FLOAT)
    batch, channels, *sizes = shape
    value = b.reshape(b("Cast", node.input[0], to=wide), batch, attribute(node, "num_groups"), -1)
    _, centered, variance = _deviations(b, value, [2])
    deviation = b("Sqrt", b("Add", variance, b.number(attribute(node, "epsilon", 1e-5), wide)))
    normalized = b.reshape(b("Div", centered, deviation), *shape)
    scale, bias = (b.reshape(b("Cast", name, to=wide), channels, *(1 for _ in sizes)) for name in node.input[1:])
    b.give(b("Cast", b("Add", b("Mul", normalized, scale), bias), to=element), node.output[0])
    return True
