"""Resize: one axis after the other, each with tables of places and weights that are computed at run time.

Coordinates and weights are f64, as in ONNX's reference. Between the taps of an element f32 (and narrower) works in f32,
everything else in f64; integers are rounded half to even and saturate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, prod
from typing import Any

from tfmbs.dialect.mlir import arith, math
from tfmbs.dialect.shapes import Shape, shape_of
from tfmbs.passes.linalg.scalar import compare, select
from tfmbs.passes.linalg.structured import PARALLEL, REDUCTION, elementwise, filled, generic, identity, mapping
from tfmbs.passes.onnx import build
from tfmbs.passes.onnx.arithmetic import F64, SI64, Arithmetic, accumulator, cast
from tfmbs.passes.onnx.elements import Element
from tfmbs.passes.onnx.interpolation import cubic, place_of
from tfmbs.passes.onnx.node import Node, Results

Value = Any

ROI, SCALES, SIZES = 1, 2, 3
_F64 = Arithmetic(F64)


@dataclass(frozen=True)
class Axis:
    """One axis to resize: its sizes before and after, its scale as f64 scalar, and its share of the crop window."""

    number: int
    size: int
    result: int
    scale: Value
    length: Value  # of the result, before it was made whole
    window: tuple[Value, Value] | None


def resize(node: Node) -> Results:
    """Resize in all modes. The sizes of the result are the declared ones; scales and sizes tell the rest."""
    mode = node.string("mode", "nearest")
    if mode not in ("nearest", "linear", "cubic"):
        raise node.refuse("mode", "nearest, linear or cubic", mode)
    value, element = node.tensor(0), node.element(0)
    if mode == "nearest":
        for axis in _axes(node):
            value = _nearest(node, value, axis)
        return value
    wide = accumulator(element) if element.is_float else F64
    value = build.cast_all(value, element, wide)
    for axis in _axes(node):
        value = _interpolated(node, value, axis, wide, mode)
    if element.is_float:
        return build.cast_all(value, wide, element)
    return _saturated(value, element)


def _axes(node: Node) -> list[Axis]:
    """The axes that may change."""
    shape, result = node.shape(0), node.result_shape()
    named = node.integers("axes") or range(len(shape))
    numbers = [axis % len(shape) for axis in named]
    cropped = node.string("coordinate_transformation_mode") == "tf_crop_and_resize"
    if cropped and not _given(node, ROI):
        raise node.refuse("operand roi", "one, for tf_crop_and_resize", "none")
    found = []
    for position, number in enumerate(numbers):
        size, after = shape[number], result[number]
        if not cropped and size == after and (size == 1 or _is_one(node, position)):
            continue
        scale, length = _scale(node, position, numbers, size, after)
        window = None
        if cropped:
            first, last = (_number(node, ROI, at) for at in (position, len(numbers) + position))
            window = (first, last)
        found.append(Axis(number, size, after, scale, length, window))
    return found


def _given(node: Node, operand: int) -> bool:
    return node.has(operand) and prod(node.shape(operand)) > 0


def _is_one(node: Node, position: int) -> bool:
    """Whether an axis that keeps its size has scale 1 for sure."""
    if _given(node, SIZES):
        return node.string("keep_aspect_ratio_policy", "stretch") == "stretch"
    scales = node.constant(SCALES)
    return scales is not None and float(scales[position]) == 1.0


def _scale(node: Node, position: int, numbers: Sequence[int], size: int, after: int) -> tuple[Value, Value]:
    """The scale of an axis and the length of the result that it gives, which is not whole in general."""
    policy = node.string("keep_aspect_ratio_policy", "stretch")
    if policy not in ("stretch", "not_larger", "not_smaller"):
        raise node.refuse("keep_aspect_ratio_policy", "stretch, not_larger or not_smaller", policy)
    if not _given(node, SIZES):
        if not _given(node, SCALES):
            raise node.refuse("operands", "scales or sizes", "none")
        scale = _number(node, SCALES, position)
        return scale, _F64.multiply(scale, _F64.constant(size))
    if policy == "stretch":
        return _F64.constant(after / size), _F64.constant(after)
    join = _F64.minimum if policy == "not_larger" else _F64.maximum
    scale = None
    for at, number in enumerate(numbers):
        ratio = _F64.divide(_number(node, SIZES, at), _F64.constant(node.shape(0)[number]))
        scale = ratio if scale is None else join(scale, ratio)
    return scale, _F64.multiply(scale, _F64.constant(size))


def _number(node: Node, operand: int, position: int) -> Value:
    """An element of a vector operand as f64."""
    return cast(build.extract(node.tensor(operand), [build.index(position)]), node.element(operand), F64)


def _coordinate(node: Node, axis: Axis, at: Value) -> Value:
    """Where on the axis of the operand the element `at` (an index) of the result lies."""
    a, c = _F64, _F64.constant
    y = arith.UIToFPOp(F64.mlir, arith.IndexCastOp(SI64.mlir, at).result).result
    mode = node.string("coordinate_transformation_mode", "half_pixel")
    is_one = compare("oeq", axis.length, c(1))
    end = a.subtract(axis.length, c(1))
    middle = a.subtract(a.divide(a.add(y, c(0.5)), axis.scale), c(0.5))
    if mode == "half_pixel":
        return middle
    if mode == "asymmetric":
        return a.divide(y, axis.scale)
    if mode == "pytorch_half_pixel":
        return select(is_one, c(-0.5), middle)
    if mode == "align_corners":
        return select(is_one, c(0), a.divide(a.multiply(y, c(axis.size - 1)), end))
    if mode == "half_pixel_symmetric":
        adjustment = a.divide(c(axis.result), axis.length)
        return a.add(a.multiply(c(axis.size / 2), a.subtract(c(1), adjustment)), middle)
    if mode == "tf_crop_and_resize" and axis.window is not None:
        first, last = axis.window
        span = a.multiply(a.subtract(last, first), c(axis.size - 1))
        inside = select(is_one, a.divide(span, c(2)), a.divide(a.multiply(y, span), end))
        return a.add(inside, a.multiply(first, c(axis.size - 1)))
    raise node.refuse("coordinate_transformation_mode", "one of ONNX's", mode)


def _nearest(node: Node, value: Value, axis: Axis) -> Value:
    mode = node.string("nearest_mode", "round_prefer_floor")
    rounded: dict[str, Callable[[Value], Value]] = {
        "round_prefer_floor": lambda x: math.CeilOp(_F64.subtract(x, _F64.constant(0.5))).result,
        "round_prefer_ceil": lambda x: math.FloorOp(_F64.add(x, _F64.constant(0.5))).result,
        "floor": lambda x: math.FloorOp(x).result,
        "ceil": lambda x: math.CeilOp(x).result,
    }
    if mode not in rounded:
        raise node.refuse("nearest_mode", " or ".join(rounded), mode)

    def place(at: Sequence[Value]) -> Value:
        x = rounded[mode](_coordinate(node, axis, at[0]))
        return place_of(_F64, x, _F64.constant(axis.size - 1))

    places = build.at_places((axis.result,), SI64.mlir, place)
    sizes = _sizes(value, axis)

    def element(at: Sequence[Value]) -> Value:
        source = list(at)
        source[axis.number] = build.as_index(build.extract(places, [at[axis.number]]))
        return build.extract(value, source)

    result = build.at_places(sizes, value.type.element_type, element)
    return _extrapolated(node, result, axis, node.element(0))


def _sizes(value: Value, axis: Axis) -> Shape:
    """The shape of `value` after one axis was resized."""
    shape = shape_of(value.type)
    return (*shape[: axis.number], axis.result, *shape[axis.number + 1 :])


def _interpolated(node: Node, value: Value, axis: Axis, wide: Element, mode: str) -> Value:
    """Σ weight · tap over the taps of each element, in ascending order; a tap of weight 0 is left out."""
    reach = 1 if mode == "linear" else 2
    smooth = bool(node.integer("antialias"))
    if smooth:
        reach = ceil(reach / min(axis.result / axis.size, 1.0))
    first, taps = 1 - reach, 2 * reach
    table = (axis.result, taps)

    def tap(at: Sequence[Value]) -> tuple[Value, Value]:
        """Coordinate of the element and of the tap, f64."""
        x = _coordinate(node, axis, at[0])
        offset = arith.SIToFPOp(F64.mlir, arith.IndexCastOp(SI64.mlir, at[1]).result).result
        return x, _F64.add(math.FloorOp(x).result, _F64.add(offset, _F64.constant(first)))

    last = _F64.constant(axis.size - 1)
    places = build.at_places(table, SI64.mlir, lambda at: place_of(_F64, tap(at)[1], last))
    weights = build.at_places(table, F64.mlir, lambda at: _weight(node, axis, *tap(at), mode))
    if smooth or node.integer("exclude_outside"):
        weights = _normalized(weights, table)
    weights = build.cast_all(weights, F64, wide)
    sizes = _sizes(value, axis)
    rank, a = len(sizes), Arithmetic(wide)
    start = filled(sizes, wide.mlir, 0)
    by_tap = mapping(rank + 1, [axis.number, rank])

    def add(weight: Value, place: Value, total: Value) -> Value:
        at = [build.loop_index(loop) for loop in range(rank)]
        at[axis.number] = build.as_index(place)
        joined = math.FmaOp(weight, build.extract(value, at), total).result
        return select(compare("oeq", weight, a.constant(0)), total, joined)

    inputs = [(weights, by_tap), (places, by_tap)]
    out = (start, mapping(rank + 1, list(range(rank))))
    result = generic(inputs, [out], [PARALLEL] * rank + [REDUCTION], add).results[0]
    return _extrapolated(node, result, axis, wide)


def _weight(node: Node, axis: Axis, x: Value, tap: Value, mode: str) -> Value:
    """The kernel at the distance of a tap; 0 outside of the axis where those are excluded."""
    a, c = _F64, _F64.constant
    distance = a.absolute(a.subtract(tap, x))
    if node.integer("antialias"):
        distance = a.multiply(distance, a.minimum(axis.scale, c(1)))
    if mode == "linear":
        weight = a.maximum(a.subtract(c(1), distance), c(0))
    else:
        weight = cubic(_F64, distance, node.number("cubic_coeff_a", -0.75))
    if not node.integer("exclude_outside"):
        return weight
    outside = arith.OrIOp(a.less(tap, c(0)), a.less(c(axis.size - 1), tap)).result
    return select(outside, c(0), weight)


def _normalized(weights: Value, table: Shape) -> Value:
    """The weights of each element divided by their sum, unless that is zero."""
    total = build.reduce(weights, [1], _F64.constant(0), lambda x, sum_: _F64.add(sum_, x))
    inputs = [(weights, identity(2)), (total, mapping(2, [0]))]

    def divide(x: Value, sum_: Value) -> Value:
        return select(compare("oeq", sum_, _F64.constant(0)), x, _F64.divide(x, sum_))

    return elementwise(inputs, table, F64.mlir, divide)


def _extrapolated(node: Node, value: Value, axis: Axis, element: Element) -> Value:
    """`extrapolation_value` where a crop window reaches out of the tensor."""
    if axis.window is None:
        return value
    sizes = shape_of(value.type)
    filler = node.number("extrapolation_value")
    fill = Arithmetic(element).constant(filler if element.is_float else floor(filler))

    def choose(x: Value) -> Value:
        at = _coordinate(node, axis, build.loop_index(axis.number))
        outside = arith.OrIOp(_F64.less(at, _F64.constant(0)), _F64.less(_F64.constant(axis.size - 1), at)).result
        return select(outside, fill, x)

    return elementwise([(value, identity(len(sizes)))], sizes, element.mlir, choose)


def _saturated(value: Value, element: Element) -> Value:
    """f64 as integers: rounded half to even, then clamped."""
    sizes = shape_of(value.type)

    def convert(x: Value) -> Value:
        low, high = _F64.constant(element.lowest), _F64.constant(element.highest)
        return cast(_F64.minimum(_F64.maximum(math.RoundEvenOp(x).result, low), high), F64, element)

    return elementwise([(value, identity(len(sizes)))], sizes, element.mlir, convert)


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {"Resize": resize}
