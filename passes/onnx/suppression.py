"""NonMaxSuppression: of overlapping boxes the one of the highest score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tfmbs.dialect.mlir import arith, ir, tensor
from tfmbs.passes.linalg.scalar import constant, select
from tfmbs.passes.linalg.structured import filled
from tfmbs.passes.onnx import build
from tfmbs.passes.onnx.arithmetic import F32, SI64, Arithmetic
from tfmbs.passes.onnx.node import Node, Results

Value = Any

_F, _I = Arithmetic(F32), Arithmetic(SI64)


def suppression(node: Node) -> Results:
    """NonMaxSuppression: rows (batch, class, box), by batch and class, the best box first; of equals the first.

    The declared shape says how many rows there are; more are left out, missing ones are zeros.
    """
    rows = node.result_shape()[0]
    (batches, boxes, _), classes = node.shape(0), node.shape(1)[1]
    if rows == 0:
        return filled((0, 3), SI64.mlir, 0)
    limit = _operand(node, 2, _I.constant(0))
    i64 = SI64.mlir

    def one_class(number: Value, carried: Sequence[Value]) -> Sequence[Value]:
        batch, kind = (op(number, build.index(classes)).result for op in (arith.DivUIOp, arith.RemUIOp))
        alive = _candidates(node, batch, kind)

        def pick(_: Value, state: Sequence[Value]) -> Sequence[Value]:
            found, place, taken, alive = state
            best, score = _best(node, alive, batch, kind)
            valid = arith.AndIOp(_F.less(_F.constant(-float("inf")), score), _I.less(taken, limit)).result
            valid = arith.AndIOp(valid, _I.less(place, _I.constant(rows))).result
            found = _written(found, place, [batch, kind, best], valid, rows)
            one = arith.ExtUIOp(i64, valid).result
            alive = _suppressed(node, alive, batch, best)
            return [found, _I.add(place, one), _I.add(taken, one), alive]

        found, place, _, _ = build.count_loop(boxes, [*carried, _I.constant(0), alive], pick)
        return [found, place]

    start = [filled((rows, 3), i64, 0), _I.constant(0)]
    return build.count_loop(batches * classes, start, one_class)[0]


def _operand(node: Node, index: int, default: Value) -> Value:
    """The one element of an optional operand."""
    return build.extract(build.reshape(node.tensor(index), ()), []) if node.has(index) else default


def _candidates(node: Node, batch: Value, kind: Value) -> Value:
    """Which boxes of a class have a score above the threshold: 1 or 0 by box."""
    threshold = _operand(node, 4, _F.constant(-float("inf")))
    boxes = node.shape(0)[1]

    def alive(number: Value, carried: Sequence[Value]) -> Sequence[Value]:
        score = build.extract(node.tensor(1), [batch, kind, number])
        above = arith.ExtUIOp(SI64.mlir, _F.less(threshold, score)).result
        return [tensor.InsertOp(above, carried[0], [number]).result]

    return build.count_loop(boxes, [filled((boxes,), SI64.mlir, 0)], alive)[0]


def _best(node: Node, alive: Value, batch: Value, kind: Value) -> tuple[Value, Value]:
    """The first of the boxes in play with the highest score, and that score, −∞ where none is left."""

    def compare_one(number: Value, carried: Sequence[Value]) -> Sequence[Value]:
        best, most = carried
        score = build.extract(node.tensor(1), [batch, kind, number])
        plays = _I.less(_I.constant(0), build.extract(alive, [number]))
        better = arith.AndIOp(plays, _F.less(most, score)).result
        return [select(better, number, best), select(better, score, most)]

    start = [build.index(0), constant(ir.F32Type.get(), -float("inf"))]
    best, most = build.count_loop(node.shape(0)[1], start, compare_one)
    return best, most


def _written(found: Value, place: Value, row: Sequence[Value], valid: Value, rows: int) -> Value:
    """`found` with a row at `place` where it is valid."""
    at = build.as_index(_I.minimum(place, _I.constant(rows - 1)))
    for column, value in enumerate(row):
        before = build.extract(found, [at, build.index(column)])
        written = select(valid, arith.IndexCastOp(SI64.mlir, value).result, before)
        found = tensor.InsertOp(written, found, [at, build.index(column)]).result
    return found


def _suppressed(node: Node, alive: Value, batch: Value, best: Value) -> Value:
    """The boxes still in play without the best one and those that overlap it too much."""
    threshold = _operand(node, 3, _F.constant(0))

    def check(number: Value, carried: Sequence[Value]) -> Sequence[Value]:
        same = arith.CmpIOp(arith.CmpIPredicate.eq, number, best).result
        gone = arith.OrIOp(same, _overlap(node, batch, best, number, threshold)).result
        kept = select(gone, _I.constant(0), build.extract(carried[0], [number]))
        return [tensor.InsertOp(kept, carried[0], [number]).result]

    return build.count_loop(node.shape(0)[1], [alive], check)[0]


def _overlap(node: Node, batch: Value, first: Value, second: Value, threshold: Value) -> Value:
    """Whether intersection / union of two boxes exceeds the threshold; boxes without an area never do."""
    one, other = (_corners(node, batch, number) for number in (first, second))
    sides = []
    for axis in (0, 1):
        low = _F.maximum(one[axis][0], other[axis][0])
        sides.append(_F.subtract(_F.minimum(one[axis][1], other[axis][1]), low))
    shared = _F.multiply(*sides)
    areas = [_F.multiply(*(_F.subtract(high, low) for low, high in box)) for box in (one, other)]
    union = _F.subtract(_F.add(*areas), shared)
    result = _F.less(threshold, _F.divide(shared, union))
    for positive in (*sides, *areas, union):
        result = arith.AndIOp(result, _F.less(_F.constant(0), positive)).result
    return result


def _corners(node: Node, batch: Value, number: Value) -> list[tuple[Value, Value]]:
    """(low, high) of a box on each of two axes, from two opposite corners or from center and size."""
    a, b, c, d = (build.extract(node.tensor(0), [batch, number, build.index(i)]) for i in range(4))
    if node.integer("center_point_box"):
        halves = [_F.divide(size, _F.constant(2)) for size in (c, d)]
        return [(_F.subtract(m, h), _F.add(m, h)) for m, h in zip((a, b), halves, strict=True)]
    return [(_F.minimum(x, y), _F.maximum(x, y)) for x, y in ((a, c), (b, d))]


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {"NonMaxSuppression": suppression}
