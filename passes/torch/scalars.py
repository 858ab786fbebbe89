"""Elementwise ops of the torch level that torch-mlir lowers to less than what ONNX asks, or the fabric has."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from tfmbs.dialect.mlir import arith, ir
from tfmbs.dialect.scalars import function
from tfmbs.passes.linalg.scalar import f32
from tfmbs.passes.linalg.structured import elementwise, mapping
from tfmbs.passes.torch import values as tv


def maximum(op: Any) -> Any:
    """`aten.maximum`, in which a NaN wins."""
    return _broadcast(op, list(op.operands), lambda a, b: arith.MaximumFOp(a, b).result)


def minimum(op: Any) -> Any:
    """`aten.minimum`, in which a NaN wins."""
    return _broadcast(op, list(op.operands), lambda a, b: arith.MinimumFOp(a, b).result)


def clamp(op: Any) -> Any:
    """`aten.clamp.Tensor`: NaN stays NaN; either bound may be absent."""
    value, low, high = op.operands
    bounds = [
        (bound, build) for bound, build in ((low, arith.MaximumFOp), (high, arith.MinimumFOp)) if not tv.is_none(bound)
    ]

    def body(x: Any, *limits: Any) -> Any:
        for limit, (_, build) in zip(limits, bounds, strict=True):
            x = build(x, limit).result
        return x

    return _broadcast(op, [value, *(bound for bound, _ in bounds)], body)


def reciprocal(op: Any) -> Any:
    """`aten.reciprocal`; torch-mlir asserts that no element is zero, IEEE division needs no such thing."""
    return _broadcast(op, list(op.operands), lambda x: arith.DivFOp(f32(1.0), x).result)


def sigmoid(op: Any) -> Any:
    """`aten.sigmoid`, one instruction of the fabric; torch-mlir composes it of four."""
    return _broadcast(op, list(op.operands), partial(function, "sigmoid"))


def gelu(op: Any) -> Any:
    """`aten.gelu` by erf, one instruction, or by tanh."""
    value, form = op.operands
    return _broadcast(op, [value], _gelu_by_tanh if tv.string(form) == "tanh" else partial(function, "gelu"))


def _gelu_by_tanh(x: Any) -> Any:
    """x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))), Hendrycks and Gimpel 2016; torch-mlir's √(2/π) has four digits."""
    cube = arith.MulFOp(arith.MulFOp(x, x).result, x).result
    inner = arith.AddFOp(x, arith.MulFOp(cube, f32(0.044715)).result).result
    curve = function("tanh", arith.MulFOp(inner, f32(math.sqrt(2 / math.pi))).result)
    return arith.MulFOp(arith.MulFOp(x, f32(0.5)).result, arith.AddFOp(curve, f32(1.0)).result).result


def _broadcast(op: Any, values: list[Any], body: Callable[..., Any]) -> Any:
    """`body` of the elements of f32 `values`, each broadcast to the result; None if they have other elements.

    A literal of one element is a constant in the code, where fusion and quantization look for it.
    """
    if not all(tv.is_f32(value) for value in values):
        return None
    sizes = tv.shape(op.results[0])
    scalars = [array.item() if (array := tv.literal(v)) is not None and array.size == 1 else None for v in values]
    tensors = [value for value, scalar in zip(values, scalars, strict=True) if scalar is None]

    def with_constants(*elements: Any) -> Any:
        given = iter(elements)
        return body(*(next(given) if scalar is None else f32(scalar) for scalar in scalars))

    inputs = [(tv.to_builtin(value), _trailing(tv.shape(value), sizes)) for value in tensors]
    return elementwise(inputs, sizes, ir.F32Type.get(), with_constants)


def _trailing(shape: tuple[int, ...], sizes: tuple[int, ...]) -> Any:
    """The map of an operand of `shape`, aligned with the last loops of `sizes`; axes of one element do not move."""
    first = len(sizes) - len(shape)
    still = ir.AffineConstantExpr.get(0)
    moving = [size == sizes[first + axis] and size > 1 for axis, size in enumerate(shape)]
    return mapping(len(sizes), [first + axis if moves else still for axis, moves in enumerate(moving)])
