"""Operands that say nothing but the result's shape: where that is known, they become constants.

So an operand that is computed at run time does not keep an operator from being compiled whose result's shape the
model declares.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import NodeProto

from tfmbs.compiler.importers.rewrite.scope import Scope
from tfmbs.compiler.importers.rewrite.types import Shape


def _whole(operand: Shape | None, result: Shape) -> Shape | None:
    return result


def _repeats(operand: Shape | None, result: Shape) -> Shape | None:
    if operand is None or len(operand) != len(result) or 0 in operand:
        return None
    return tuple(size // part for size, part in zip(result, operand, strict=True))


_OPERANDS: dict[str, tuple[int, Callable[[Shape | None, Shape], Shape | None]]] = {
    "Reshape": (1, _whole),
    "Expand": (1, _whole),
    "ConstantOfShape": (0, _whole),
    "Tile": (1, _repeats),
}
"""By operator: which operand, and its value from the shapes of the first operand and the result."""


def settle_shape_operand(node: NodeProto, scope: Scope) -> NodeProto:
    """The node with a constant for its shape operand where that follows from the shapes; noted in `scope.nodes`."""
    if node.op_type not in _OPERANDS or node.domain != "":
        return node
    index, value_of = _OPERANDS[node.op_type]
    result = scope.shape(node.output[0])
    if result is None or node.input[index] in scope.known:
        return node
    value = value_of(scope.shape(node.input[0]), result)
    if value is None:
        return node
    name = scope.names.fresh(f"{node.output[0]}.shape")
    scope.nodes.append(scope.constant(name, np.array(value, np.int64), node.name))
    settled = NodeProto()
    settled.CopyFrom(node)
    settled.input[index] = name
    return settled
