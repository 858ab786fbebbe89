"""Builtin tensors in another shape."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from tfmbs.dialect.mlir import ir, tensor
from tfmbs.dialect.shapes import element_of, shape_of


def reshaped(value: Any, sizes: Sequence[int]) -> Any:
    """The same elements in row-major order as another shape."""
    current = shape_of(value.type)
    if current == tuple(sizes):
        return value
    groups = _groups(current, tuple(sizes))
    if groups is None:
        flat = reshaped(value, (prod(current),)) if len(current) != 1 else value
        return reshaped(flat, sizes)
    type_ = ir.RankedTensorType.get(list(sizes), element_of(value))
    if len(sizes) < len(current):
        return tensor.CollapseShapeOp(type_, value, groups).result
    return tensor.ExpandShapeOp(type_, value, groups, [], list(sizes)).result


def _groups(current: tuple[int, ...], sizes: tuple[int, ...]) -> list[list[int]] | None:
    """Which dimensions of the longer shape make each of the shorter one's, None where they do not."""
    longer, shorter = (current, sizes) if len(current) > len(sizes) else (sizes, current)
    if len(longer) == len(shorter):
        return None
    groups: list[list[int]] = []
    position = 0
    for number, size in enumerate(shorter):
        group, count = [position], longer[position]
        position += 1
        left = len(shorter) - number - 1
        while position < len(longer) - left and (count < size or not left or longer[position] == 1):
            count *= longer[position]
            group.append(position)
            position += 1
        if count != size:
            return None
        groups.append(group)
    return groups if position == len(longer) else None
