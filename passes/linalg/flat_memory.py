"""Memrefs over the elements of flat memory, and flat memory of memrefs."""

from __future__ import annotations

from math import prod
from typing import Any

from tfmbs.dialect.mlir import ir, memref
from tfmbs.dialect.shapes import Shape


def flattened(value: Any) -> Any:
    """The elements of a dense memref in one dimension."""
    shape = value.type.shape
    type_ = ir.MemRefType.get([prod(shape)], value.type.element_type)
    return memref.CollapseShapeOp(type_, value, [list(range(len(shape)))]).result


def strided(flat: Any, shape: Shape, strides: Shape) -> Any:
    """Elements of a flat memref, `strides` apart."""
    layout = ir.StridedLayoutAttr.get(0, list(strides))
    type_ = ir.MemRefType.get(list(shape), flat.type.element_type, layout=layout)
    none: list[Any] = []
    return memref.ReinterpretCastOp(type_, flat, none, none, none, [0], list(shape), list(strides)).result
