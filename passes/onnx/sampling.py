"""GridSample: reads a tensor between its elements, at coordinates that are an operand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmbs.dialect.mlir import arith, math
from tfmbs.passes.linalg.scalar import compare, select
from tfmbs.passes.linalg.structured import PARALLEL, REDUCTION, filled, generic, mapping
from tfmbs.passes.onnx import build
from tfmbs.passes.onnx.arithmetic import SI64, Arithmetic, accumulator, cast
from tfmbs.passes.onnx.interpolation import cubic, place_of
from tfmbs.passes.onnx.node import Node, Results

Value = Any

_TAPS = {"nearest": 1, "linear": 2, "bilinear": 2, "cubic": 4, "bicubic": 4}
_PADDINGS = ("zeros", "border", "reflection")
_CUBIC_COEFFICIENT = -0.75


@dataclass(frozen=True)
class Grid:
    """How the taps of one axis follow from a coordinate; `a` computes with coordinates."""

    node: Node
    a: Arithmetic
    taps: int
    padding: str
    align_corners: bool

    def tap(self, at: Sequence[Value]) -> tuple[Value, Value]:
        """Place (i64) and weight of tap `at[-1]` on spatial axis `at[-2]`, for the result's element `at[:-2]`.

        The last axis of the grid runs from the innermost spatial axis to the outermost.
        """
        a, node, axis = self.a, self.node, at[-2]
        sizes = node.literal(np.array(node.shape(0)[2:], np.float64), a.element)
        size = build.extract(sizes, [axis])
        reverse = arith.SubIOp(build.index(len(node.shape(0)) - 3), axis).result
        given = build.extract(node.tensor(1), [*at[:-2], reverse])
        x = self._moved(self._coordinate(cast(given, node.element(1), a.element), size), size)
        if self.taps == 1:
            tap, weight = x, a.constant(1)
        else:
            offset = arith.SIToFPOp(a.element.mlir, arith.IndexCastOp(SI64.mlir, at[-1]).result).result
            tap = a.add(math.FloorOp(x).result, a.add(offset, a.constant(1 - self.taps // 2)))
            distance = a.absolute(a.subtract(tap, x))
            linear = a.maximum(a.subtract(a.constant(1), distance), a.constant(0))
            weight = linear if self.taps == 2 else cubic(a, distance, _CUBIC_COEFFICIENT)
        last = a.subtract(size, a.constant(1))
        if self.padding == "zeros":
            inside = arith.AndIOp(a.at_most(a.constant(0), tap), a.at_most(tap, last)).result
            weight = select(inside, weight, a.constant(0))
        elif self.padding == "reflection":
            tap = self._reflected(tap, size)
        return place_of(a, tap, last), weight

    def _coordinate(self, given: Value, size: Value) -> Value:
        """From −1 … 1 to elements; in mode `nearest` the nearest one, half to even."""
        a = self.a
        shifted = a.add(given, a.constant(1))
        if self.align_corners:
            x = a.multiply(a.divide(shifted, a.constant(2)), a.subtract(size, a.constant(1)))
        else:
            x = a.divide(a.subtract(a.multiply(shifted, size), a.constant(1)), a.constant(2))
        return math.RoundEvenOp(x).result if self.taps == 1 else x

    def _moved(self, x: Value, size: Value) -> Value:
        """A coordinate outside of the borders as the padding has it."""
        a = self.a
        if self.padding == "reflection":
            return self._reflected(x, size)
        if self.padding == "border":
            return a.minimum(a.maximum(x, a.constant(0)), a.subtract(size, a.constant(1)))
        return x

    def _reflected(self, x: Value, size: Value) -> Value:
        """A coordinate reflected at the borders until it is between them: those of the elements, or their centers."""
        a = self.a
        half = 0.0 if self.align_corners else 0.5
        low, high = a.constant(-half), a.subtract(size, a.constant(1 - half))
        below, span = a.less(x, low), a.subtract(high, low)
        over = select(below, a.subtract(low, x), a.subtract(x, high))
        times = math.FloorOp(a.divide(over, span)).result
        rest = a.subtract(over, a.multiply(times, span))
        odd = compare("une", arith.RemFOp(times, a.constant(2)).result, a.constant(0))
        from_low, from_high = a.add(low, rest), a.subtract(high, rest)
        outside = arith.OrIOp(below, a.less(high, x)).result
        # An even number of reflections ends at the border that was passed first.
        return select(outside, select(arith.XOrIOp(below, odd).result, from_low, from_high), x)


def grid_sample(node: Node) -> Results:
    """GridSample of N×C×D… at N×O…×k: the sum of weight · element over the taps around each coordinate.

    Coordinates and weights are f32, f64 of an f64 grid; a tap of weight 0 is left out.
    """
    mode, padding = node.string("mode", "linear"), node.string("padding_mode", "zeros")
    if mode not in _TAPS:
        raise node.refuse("mode", ", ".join(_TAPS), mode)
    if padding not in _PADDINGS:
        raise node.refuse("padding_mode", ", ".join(_PADDINGS), padding)
    a = Arithmetic(accumulator(node.element(1)))
    grid = Grid(node, a, _TAPS[mode], padding, bool(node.integer("align_corners")))
    spatial, outer = len(node.shape(0)) - 2, node.shape(1)[:-1]
    table = (*outer, spatial, grid.taps)
    places = build.at_places(table, SI64.mlir, lambda at: grid.tap(at)[0])
    weights = build.at_places(table, a.element.mlir, lambda at: grid.tap(at)[1])
    if grid.taps == 1:
        return _nearest(node, places, weights)
    return _weighted(node, grid, places, weights)


def _nearest(node: Node, places: Value, weights: Value) -> Value:
    spatial, element = len(node.shape(0)) - 2, node.element(0)

    def pick(at: Sequence[Value]) -> Value:
        where = [at[0], *at[2:]]
        entries = [[*where, build.index(axis), build.index(0)] for axis in range(spatial)]
        source = [build.as_index(build.extract(places, entry)) for entry in entries]
        value = build.extract(node.tensor(0), [at[0], at[1], *source])
        for entry in entries:
            weight = build.extract(weights, entry)
            zero = Arithmetic(accumulator(node.element(1))).constant(0)
            value = select(compare("oeq", weight, zero), node.scalar(0, element), value)
        return value

    return build.at_places(node.result_shape(), element.mlir, pick)


def _weighted(node: Node, grid: Grid, places: Value, weights: Value) -> Value:
    """Loops over the result's elements, and over the taps of each spatial axis."""
    source, sizes = node.element(0), node.result_shape()
    wide, spatial = accumulator(source), len(node.shape(0)) - 2
    rank = len(sizes)
    a = Arithmetic(wide)

    def add(x: Value, total: Value) -> Value:
        at = [build.loop_index(loop) for loop in range(rank + spatial)]
        outer, taps = [at[0], *at[2:rank]], at[rank:]
        entries = [[*outer, build.index(axis), taps[axis]] for axis in range(spatial)]
        where = [build.as_index(build.extract(places, entry)) for entry in entries]
        weight = None
        for entry in entries:
            factor = cast(build.extract(weights, entry), grid.a.element, wide)
            weight = factor if weight is None else a.multiply(weight, factor)
        value = cast(build.extract(node.tensor(0), [at[0], at[1], *where]), source, wide)
        joined = math.FmaOp(weight, value, total).result
        return select(compare("oeq", weight, a.constant(0)), total, joined)

    # The taps are loops of no operand's own: one of their sizes, never read, gives them their lengths.
    taps = filled((grid.taps,) * spatial, wide.mlir, 0)
    inputs = [(taps, mapping(rank + spatial, list(range(rank, rank + spatial))))]
    out = (filled(sizes, wide.mlir, 0), mapping(rank + spatial, list(range(rank))))
    result = generic(inputs, [out], [PARALLEL] * rank + [REDUCTION] * spatial, add).results[0]
    return build.cast_all(result, wide, source)


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {"GridSample": grid_sample}
