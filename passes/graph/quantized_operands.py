"""Operands of products that are quantized: stored weights with their scales, inputs in i8 or rounded to bf16."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfmbs.dialect import graph
from tfmbs.dialect.mlir import arith, ir
from tfmbs.dialect.resources import resource_attr
from tfmbs.dialect.shapes import element_of, shape_of
from tfmbs.passes.graph.choices import Choice
from tfmbs.passes.graph.quantization import F32, I8, quantize_int4, quantize_weights, ternarize
from tfmbs.passes.linalg.structured import elementwise, identity


def stored_weights(weights: F32, choice: Choice) -> tuple[I8, F32]:
    """Stored integers of the shape of `weights`, and their scales N×G: those of the choice, or those of its precision.

    Raises:
        ValueError: weights are not finite.
    """
    if choice.scales is not None:
        if not np.isfinite(weights).all():
            raise ValueError("weights are not finite")
        rows = weights.astype(np.float64).reshape(len(weights), -1)
        return choice.grid.stored(rows, choice.scales).reshape(weights.shape), choice.scales
    if choice.precision == "int4":
        return quantize_int4(weights, choice.group)
    if choice.precision == "ternary":
        return ternarize(weights, choice.group)
    stored, scales = quantize_weights(weights)
    return stored, scales[:, None]


def round_bf16(weights: F32) -> F32:
    """Finite weights rounded to bf16, to nearest even, in f32."""
    bits = np.ascontiguousarray(weights).view(np.uint32)
    upper = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    rounded: F32 = (upper & np.uint32(0xFFFF0000)).view(np.float32)
    return rounded


def widened_bf16(weights: F32, name: str) -> Any:
    """A constant of finite weights rounded to bf16, as f32."""
    bits = (round_bf16(weights).view(np.uint32) >> np.uint32(16)).astype(np.uint16)
    attribute = resource_attr(bits, name, ir.BF16Type.get())
    constant = arith.ConstantOp(attribute.type, attribute).result
    return _converted(constant, ir.F32Type.get(), lambda x: arith.ExtFOp(ir.F32Type.get(), x).result)


class Inputs:
    """The inputs of products that were quantized so far: products of the same tensor in one block share them."""

    def __init__(self) -> None:
        self._quantized: list[Any] = []
        self._rounded: list[tuple[Any, Any]] = []

    def quantized(self, source: Any, element: Any) -> Any:
        """The tensor in a quantized type; one `tfmbs.quantize` for all products that want the same."""
        for made in self._quantized:
            if made.input == source and element_of(made.result) == element and _is_here(made.result):
                return made.result
        made = graph.quantize(source, element)
        self._quantized.append(made)
        return made.result

    def rounded(self, source: Any) -> Any:
        """The f32 tensor rounded to bf16 and widened again."""
        for known, made in self._rounded:
            if known == source and _is_here(made):
                return made
        bf16, f32 = ir.BF16Type.get(), ir.F32Type.get()
        narrow = _converted(source, bf16, lambda x: arith.TruncFOp(bf16, x).result)
        made = _converted(narrow, f32, lambda x: arith.ExtFOp(f32, x).result)
        self._rounded.append((source, made))
        return made


def _is_here(value: Any) -> bool:
    """Whether a value is defined in the block where ops are inserted now, so that those may use it."""
    return bool(value.owner.operation.block == ir.InsertionPoint.current.block)


def _converted(value: Any, element: Any, body: Callable[[Any], Any]) -> Any:
    shape = shape_of(value.type)
    return elementwise([(value, identity(len(shape)))], shape, element, body)
