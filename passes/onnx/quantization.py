"""QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear: the steps of ONNX's descriptions, each rounded once."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from tfmbs.dialect import graph
from tfmbs.dialect.mlir import arith, ir, math
from tfmbs.dialect.types import quantized
from tfmbs.passes.linalg.scalar import compare, constant, select
from tfmbs.passes.linalg.structured import elementwise, identity, mapping
from tfmbs.passes.onnx import build
from tfmbs.passes.onnx.arithmetic import F32, F64, SI32, Arithmetic
from tfmbs.passes.onnx.casts import Rounding, cast
from tfmbs.passes.onnx.elements import Element
from tfmbs.passes.onnx.node import Node, Results
from tfmbs.passes.onnx.stored_bytes import BYTES, as_quantized, as_stored, lowered, scale_of, zero_point_of

Value = Any

_PRECISIONS = {1: "f32", 10: "f16", 11: "f64", 16: "bf16"}  # by onnx's TensorProto.DataType


def quantize(node: Node) -> Results:
    """QuantizeLinear: saturate(round half even(x / scale) + zero point); to floats a cast, without rounding before.

    The division is in the type of attribute `precision`, else in the wider of x's and the scale's.
    """
    x, scale, target = node.element(0), node.element(1), node.result_element()
    through = _precision(node, x, scale)
    if x == F32 and through == F32 and target.name in BYTES and (type_ := _type(node, target)) is not None:
        return as_stored(graph.quantize(node.tensor(0), quantized(*type_)).result, target)
    rounding = Rounding(bool(node.integer("saturate", 1)))

    def body(element: Value, factor: Value, *zero: Value) -> Value:
        quotient = arith.DivFOp(cast(element, x, through), cast(factor, scale, through)).result
        if target.is_float:
            return cast(quotient, through, target, rounding)
        point = cast(zero[0], target, _sums(through)) if zero else None
        return rounded(quotient, through, point, target)

    return elementwise(_operands(node), node.shape(0), target.mlir, body)


def dequantize(node: Node) -> Results:
    """DequantizeLinear: (x − zero point) · scale in f32, or f64 for scales of it, rounded to the result's type."""
    x, scale, target = node.element(0), node.element(1), node.result_element()
    through = F32 if scale.bits <= F32.bits else scale
    if target == F32 and x.name in BYTES and (type_ := _type(node, x)) is not None:
        return graph.dequantize(as_quantized(node.tensor(0), x, type_[0], type_[1] + lowered(x))).result

    def body(element: Value, factor: Value, *zero: Value) -> Value:
        if x.is_float or not zero:
            number = cast(element, x, through)
        elif x.bits < SI32.bits:  # exact in 32 bits
            number = cast(arith.SubIOp(cast(element, x, SI32), cast(zero[0], x, SI32)).result, SI32, through)
        else:
            number = arith.SubFOp(cast(element, x, through), cast(zero[0], x, through)).result
        return cast(arith.MulFOp(number, cast(factor, scale, through)).result, through, target)

    return elementwise(_operands(node), node.shape(0), target.mlir, body)


def dynamic_quantize(node: Node) -> Results:
    """DynamicQuantizeLinear: scale and zero point of the range of x, made to hold 0, then x quantized to ui8."""
    x, shape, kind = node.tensor(0), node.shape(0), Arithmetic(F32)
    axes = range(len(shape))
    low = build.reduce(x, axes, constant(F32.mlir, 0.0), kind.minimum)
    high = build.reduce(x, axes, constant(F32.mlir, 0.0), kind.maximum)

    def spread(least: Value, most: Value) -> Value:
        width = select(compare("oeq", least, most), constant(F32.mlir, 1.0), arith.SubFOp(most, least).result)
        return arith.DivFOp(width, constant(F32.mlir, 255.0)).result

    scale = build.broadcasting([low, high], (), F32.mlir, spread)
    byte = Element("ui8")

    def point(least: Value, step: Value) -> Value:
        ratio = arith.DivFOp(least, step).result
        return rounded(arith.NegFOp(ratio).result, F32, None, byte)

    zero_point = build.broadcasting([low, scale], (), byte.mlir, point)
    quantized = build.broadcasting(
        [x, scale, zero_point], shape, byte.mlir,
        lambda a, step, offset: rounded(arith.DivFOp(a, step).result, F32, cast(offset, byte, F32), byte),
    )  # fmt: skip
    return [quantized, scale, zero_point]


def _type(node: Node, element: Element) -> tuple[float, int] | None:
    """Scale and stored zero point of a quantized type that says the same; None where there is none."""
    scale, point = scale_of(node, 1), zero_point_of(node, 2)
    return None if scale is None or point is None else (scale, point - lowered(element))


def rounded(x: Value, source: Element, zero: Value | None, target: Element) -> Value:
    """saturate(round half even(x) + zero) of a float as a stored integer of at most 16 bits.

    `zero` is of the type `_sums(source)`, in which the sum is exact unless it is out of range anyway; NaN gives 0.
    """
    through = _sums(source)
    kind = Arithmetic(through)
    whole = cast(math.RoundEvenOp(x).result, source, through)
    if zero is not None:
        whole = kind.add(whole, zero)
    whole = kind.minimum(kind.maximum(whole, kind.constant(target.lowest)), kind.constant(target.highest))
    return cast(cast(whole, through, SI32), SI32, target)


def _sums(source: Element) -> Element:
    """The type that a zero point is added in."""
    return F64 if source == F64 else F32


def _precision(node: Node, x: Element, scale: Element) -> Element:
    """The type of the division."""
    asked = node.integer("precision")
    if asked:
        if asked not in _PRECISIONS:
            raise node.refuse("precision", "FLOAT, FLOAT16, DOUBLE or BFLOAT16", asked)
        return Element(_PRECISIONS[asked])
    return x if x.is_float and x.bits >= scale.bits else scale


def _operands(node: Node) -> list[tuple[Value, Any]]:
    """x, scale and, where there is one, zero point, each with the map that reads it under the loops over x."""
    shape = node.shape(0)
    scales = [(node.tensor(index), _scale_map(node, index)) for index in (1, 2) if node.has(index)]
    return [(node.tensor(0), identity(len(shape))), *scales]


def _scale_map(node: Node, index: int) -> Any:
    """How a scale or zero point is read: one for all, one per index of the axis, or one per block of the axis."""
    shape, given = node.shape(0), node.shape(index)
    rank, axis, block = len(shape), node.integer("axis", 1), node.integer("block_size")
    if prod(given) == 1:
        return mapping(rank, [ir.AffineConstantExpr.get(0)] * len(given))
    axis += rank if axis < 0 else 0
    if not 0 <= axis < rank:
        raise node.refuse("axis", f"one of {rank} axes", axis)
    if len(given) == 1 and given[0] == shape[axis]:
        return mapping(rank, [axis])
    blocks = tuple(-(-size // block) if d == axis and block else size for d, size in enumerate(shape))
    if given != blocks or not block:
        raise node.refuse(f"shape of operand {index}", "1, one per index of the axis or one per block", given)
    along = ir.AffineExpr.get_floor_div(ir.AffineDimExpr.get(axis), block)
    return mapping(rank, [along if d == axis else d for d in range(rank)])


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {
    "QuantizeLinear": quantize,
    "DequantizeLinear": dequantize,
    "DynamicQuantizeLinear": dynamic_quantize,
}
