"""Permutations that are no copies: who reads the result takes strides, or who wrote the operand could."""

from __future__ import annotations

from typing import Any

from tfmbs.dialect.mlir import ir

STRIDED: dict[str, tuple[int, ...]] = {
    "tensor.insert_slice": (0,),
    "tfmbs.attention": (0, 1, 2, 3),
}
"""Ops that read some operands wherever their elements lie, as fast: the numbers of these. They copy no others."""

VIEWED = frozenset({"tensor.collapse_shape", "tensor.expand_shape", "tensor.extract_slice"})
"""Ops whose result is a view of their first operand, where strides can say so."""


def permutation(op: Any) -> tuple[int, ...] | None:
    """The order of an op that only permutes the dimensions of a tensor: its result's number d is number `order[d]`."""
    if op.name != "linalg.generic" or len(op.operands) != 2 or len(op.results) != 1:
        return None
    if not isinstance(op.operands[0].type, ir.RankedTensorType):  # a scalar
        return None
    block = op.regions[0].blocks[0]
    if len(block.operations) != 1 or block.operations[0].operation.operands[0] != block.arguments[0]:
        return None
    source, target = (_positions(attribute.value) for attribute in op.attributes["indexing_maps"])
    if source is None or target is None:
        return None
    return tuple(source.index(loop) for loop in target)


def _positions(map_: Any) -> list[int] | None:
    """The loop of each dimension under a map that permutes all loops."""
    if not map_.is_permutation or map_.n_dims != len(map_.results):
        return None
    return [ir.AffineDimExpr(expr).position for expr in map_.results]


def inverse(order: tuple[int, ...]) -> tuple[int, ...]:
    """The order that leads back."""
    return tuple(order.index(dim) for dim in range(len(order)))


def takes_strides(tensor: Any) -> bool:
    """Whether all that reads the result of an op does so as well where its elements do not follow each other."""
    uses = list(tensor.uses)
    return bool(uses) and all(_takes_strides(use, tensor) for use in uses)


def _takes_strides(use: Any, tensor: Any) -> bool:
    user, number = use.owner.operation, use.operand_number
    if user.block != tensor.owner.operation.block:
        return False
    if user.name in VIEWED or permutation(user) is not None:
        return number == 0 and takes_strides(user.results[0])
    return number in STRIDED.get(user.name, ())
