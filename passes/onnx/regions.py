"""Ops that sample an image bilinearly at places that follow from regions or offsets: RoiAlign and DeformConv."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from tfmbs.dialect.mlir import arith, math, tensor
from tfmbs.passes.linalg.scalar import compare, select
from tfmbs.passes.linalg.structured import PARALLEL, REDUCTION, empty, filled, generic, mapping
from tfmbs.passes.onnx import build
from tfmbs.passes.onnx.arithmetic import SI64, Arithmetic, accumulator, cast
from tfmbs.passes.onnx.interpolation import place_of
from tfmbs.passes.onnx.node import Node, Results
from tfmbs.passes.onnx.slices import clamped

Value = Any
Read = Callable[[Value, Value], Value]


def _corners(a: Arithmetic, where: Sequence[Value], sizes: Sequence[int], read: Read) -> list[tuple[Value, Value]]:
    """(weight, element) of the four elements around a place, row by row; places outside are moved to the edge."""
    weights, places = [], []
    for at, size in zip(where, sizes, strict=True):
        last, low = a.constant(size - 1), math.FloorOp(at).result
        share = a.subtract(at, low)
        weights.append((a.subtract(a.constant(1), share), share))
        places.append([build.as_index(place_of(a, p, last)) for p in (low, a.add(low, a.constant(1)))])
    return [
        (a.multiply(weights[0][i], weights[1][j]), read(places[0][i], places[1][j])) for i in (0, 1) for j in (0, 1)
    ]


def roi_align(node: Node) -> Results:
    """RoiAlign: average or maximum of samples in each bin of each region; samples far outside count as zeros.

    As in ONNX's reference, `max` takes the greatest of the weighted elements, not of the interpolated values. The
    number of samples, where `sampling_ratio` is 0, follows from the region at run time.
    """
    mode, alignment = node.string("mode", "avg"), node.string("coordinate_transformation_mode", "half_pixel")
    if mode not in ("avg", "max") or alignment not in ("half_pixel", "output_half_pixel"):
        raise node.refuse("mode", "avg or max, half_pixel or output_half_pixel", f"{mode}, {alignment}")
    element, sizes = node.element(0), node.result_shape()
    wide, count = accumulator(element), prod(node.result_shape())
    a, image, bins = Arithmetic(wide), node.shape(0)[2:], sizes[2:]

    def one(number: Value, carried: Sequence[Value]) -> Sequence[Value]:
        rest = number
        at: list[Value] = []
        for size in reversed(sizes):
            at.insert(0, arith.RemUIOp(rest, build.index(size)).result)
            rest = arith.DivUIOp(rest, build.index(size)).result
        batch = clamped(build.as_index(build.extract(node.tensor(2), [at[0]])), node.shape(0)[0])
        axes = [_bin(node, a, at[0], at[2 + axis], axis, bins[axis]) for axis in (0, 1)]

        def read(row: Value, column: Value) -> Value:
            return cast(build.extract(node.tensor(0), [batch, at[1], row, column]), element, wide)

        def rows(i: Value, state: Sequence[Value]) -> Sequence[Value]:
            def columns(j: Value, inner: Sequence[Value]) -> Sequence[Value]:
                y, x = (_sample(a, axis, k) for axis, k in zip(axes, (i, j), strict=True))
                return [_joined(a, mode, inner[0], _at(a, y, x, image, read), i, j)]

            return build.count_loop(axes[1][2], state, columns)

        (total,) = build.count_loop(axes[0][2], [a.constant(0)], rows)
        if mode == "avg":
            samples = arith.MaxSIOp(arith.MulIOp(axes[0][2], axes[1][2]).result, build.index(1)).result
            total = a.divide(total, _float(a, samples))
        return [tensor.InsertOp(cast(total, wide, element), carried[0], [number]).result]

    (flat,) = build.count_loop(count, [empty((count,), element.mlir)], one)
    return build.reshape(flat, sizes)


def _bin(node: Node, a: Arithmetic, roi: Value, number: Value, axis: int, bins: int) -> tuple[Value, Value, Value]:
    """Start of a bin, its size, and how many samples it has (index), on axis 0 (rows) or 1 (columns)."""
    half = node.string("coordinate_transformation_mode", "half_pixel") == "half_pixel"
    scale, shift = a.constant(node.number("spatial_scale", 1.0)), a.constant(0.5 if half else 0.0)
    ends = []
    for column in (1 - axis, 3 - axis):
        given = cast(build.extract(node.tensor(1), [roi, build.index(column)]), node.element(1), a.element)
        ends.append(a.subtract(a.multiply(given, scale), shift))
    extent = a.subtract(ends[1], ends[0])
    if not half:  # a region without an extent is one element then
        extent = a.maximum(extent, a.constant(1))
    size = a.divide(extent, a.constant(bins))
    ratio = node.integer("sampling_ratio")
    if ratio > 0:
        samples = build.index(ratio)
    else:
        samples = build.as_index(arith.FPToSIOp(SI64.mlir, math.CeilOp(size).result).result)
    return a.add(ends[0], a.multiply(_float(a, number), size)), size, samples


def _float(a: Arithmetic, value: Value) -> Value:
    """An index as a float."""
    return arith.SIToFPOp(a.element.mlir, arith.IndexCastOp(SI64.mlir, value).result).result


def _sample(a: Arithmetic, axis: tuple[Value, Value, Value], number: Value) -> Value:
    """Coordinate of a sample of a bin: the middle of its share."""
    start, size, samples = axis
    share = a.divide(a.multiply(a.add(_float(a, number), a.constant(0.5)), size), _float(a, samples))
    return a.add(start, share)


def _at(a: Arithmetic, y: Value, x: Value, image: Sequence[int], read: Read) -> list[Value]:
    """The four weighted elements around a place; zeros where it is more than one element outside."""
    far = []
    for at, size in ((y, image[0]), (x, image[1])):
        far += [a.less(at, a.constant(-1)), a.less(a.constant(size), at)]
    outside = far[0]
    for condition in far[1:]:
        outside = arith.OrIOp(outside, condition).result
    near = [
        a.minimum(a.maximum(at, a.constant(0)), a.constant(size - 1)) for at, size in zip((y, x), image, strict=True)
    ]
    terms = [a.multiply(weight, value) for weight, value in _corners(a, near, image, read)]
    return [select(outside, a.constant(0), term) for term in terms]


def _joined(a: Arithmetic, mode: str, total: Value, terms: Sequence[Value], i: Value, j: Value) -> Value:
    join = a.add if mode == "avg" else a.maximum
    value = terms[0]
    for term in terms[1:]:
        value = join(value, term)
    if mode == "avg":
        return a.add(total, value)
    first = arith.AndIOp(*(compare("eq", k, build.index(0)) for k in (i, j))).result
    return select(first, value, a.maximum(total, value))


def deform_conv(node: Node) -> Results:
    """DeformConv over two spatial axes: each tap reads the image bilinearly, moved by its offset, zeros outside.

    Products are fused, in ascending channel of the group, kernel row and column, from +0.0; a mask scales the element.
    """
    shape, weights, sizes = node.shape(0), node.shape(1), node.result_shape()
    if len(shape) != 4:
        raise node.refuse("rank", "4", len(shape))
    element = node.element(0)
    wide = accumulator(element)
    a, image, (share, *kernel) = Arithmetic(wide), shape[2:], weights[1:]
    groups, parts = node.integer("group", 1), node.integer("offset_group", 1)
    strides, dilations = node.integers("strides") or (1, 1), node.integers("dilations") or (1, 1)
    pads = node.integers("pads") or (0, 0, 0, 0)
    per_group, per_part = weights[0] // groups, shape[1] // parts

    def add(_: Value, total: Value) -> Value:
        n, o, row, column, c, kh, kw = (build.loop_index(loop) for loop in range(7))
        group = arith.DivUIOp(o, build.index(per_group)).result
        channel = arith.AddIOp(arith.MulIOp(group, build.index(share)).result, c).result
        part = arith.DivUIOp(channel, build.index(per_part)).result
        tap = arith.AddIOp(arith.MulIOp(kh, build.index(kernel[1])).result, kw).result
        entry = arith.AddIOp(arith.MulIOp(part, build.index(kernel[0] * kernel[1])).result, tap).result
        places = []
        for axis, (at, k) in enumerate(((row, kh), (column, kw))):
            fixed = arith.AddIOp(
                arith.MulIOp(at, build.index(strides[axis])).result,
                arith.MulIOp(k, build.index(dilations[axis])).result,
            ).result
            fixed = arith.SubIOp(fixed, build.index(pads[axis])).result
            number = arith.AddIOp(arith.MulIOp(entry, build.index(2)).result, build.index(axis)).result
            offset = cast(build.extract(node.tensor(2), [n, number, row, column]), node.element(2), wide)
            places.append(a.add(_float(a, fixed), offset))

        def read(y: Value, x: Value) -> Value:
            return cast(build.extract(node.tensor(0), [n, channel, y, x]), element, wide)

        value = _inside(a, places, image, read)
        if node.has(4):
            value = a.multiply(value, cast(build.extract(node.tensor(4), [n, entry, row, column]), element, wide))
        w = cast(build.extract(node.tensor(1), [o, c, kh, kw]), element, wide)
        return math.FmaOp(value, w, total).result

    taps = (filled((share, *kernel), wide.mlir, 0), mapping(7, [4, 5, 6]))
    out = (filled(sizes, wide.mlir, 0), mapping(7, [0, 1, 2, 3]))
    result = generic([taps], [out], [PARALLEL] * 4 + [REDUCTION] * 3, add).results[0]
    if node.has(3):
        bias = build.reshape(node.tensor(3), (sizes[1], 1, 1))
        result = build.broadcasting([result, bias], sizes, wide.mlir, lambda x, b: a.add(x, cast(b, element, wide)))
    return build.cast_all(result, wide, element)


def _inside(a: Arithmetic, at: Sequence[Value], image: Sequence[int], read: Read) -> Value:
    """The interpolated element; each of the four around a place that lies outside of the image is a zero."""
    total = a.constant(0)
    lows = [math.FloorOp(x).result for x in at]
    corners = [(i, j) for i in (0, 1) for j in (0, 1)]
    for steps, (weight, value) in zip(corners, _corners(a, at, image, read), strict=True):
        term = a.multiply(weight, value)
        for low, step, size in zip(lows, steps, image, strict=True):
            place = a.add(low, a.constant(step))
            within = arith.AndIOp(a.at_most(a.constant(0), place), a.at_most(place, a.constant(size - 1))).result
            term = select(within, term, a.constant(0))
        total = a.add(total, term)
    return total


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {"DeformConv": deform_conv, "RoiAlign": roi_align}
