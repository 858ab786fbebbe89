"""The Reduce family: one reduction over axes that are constants, or that the declared shape of the result tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from math import prod
from typing import Any

from tfmbs.dialect.mlir import arith, math
from tfmbs.dialect.shapes import Shape
from tfmbs.passes.linalg.scalar import compare, select
from tfmbs.passes.linalg.structured import elementwise, filled, identity, mapping
from tfmbs.passes.onnx import build
from tfmbs.passes.onnx.arithmetic import F64, SI64, Arithmetic, accumulator, cast
from tfmbs.passes.onnx.elements import Element
from tfmbs.passes.onnx.node import Node, Results

Value = Any


@dataclass(frozen=True)
class Kind:
    """One reduction: `before` maps elements, `join` folds them from `start`, `after` maps the result (and the count).

    `real`: integers are computed in f64 and truncated. All work on the accumulator's type.
    """

    join: str
    start: Callable[[Arithmetic], float]
    before: Callable[[Arithmetic, Value], Value] = lambda a, x: x
    after: Callable[[Arithmetic, Value, int], Value] = lambda a, x, count: x
    real: bool = False


def _zero(a: Arithmetic) -> float:
    return 0


def _square(a: Arithmetic, x: Value) -> Value:
    return a.multiply(x, x)


def _log(a: Arithmetic, x: Value, count: int) -> Value:
    return math.LogOp(x).result


KINDS = {
    "ReduceSum": Kind("add", _zero),
    "ReduceSumSquare": Kind("add", _zero, _square),
    "ReduceL1": Kind("add", _zero, lambda a, x: a.absolute(x)),
    "ReduceL2": Kind("add", _zero, _square, lambda a, x, count: math.SqrtOp(x).result, real=True),
    "ReduceLogSum": Kind("add", _zero, after=_log, real=True),
    "ReduceMean": Kind("add", _zero, after=lambda a, x, count: a.divide(x, a.constant(count))),
    "ReduceProd": Kind("multiply", lambda a: 1),
    "ReduceMax": Kind("maximum", lambda a: a.element.lowest),
    "ReduceMin": Kind("minimum", lambda a: a.element.highest),
}
"""ONNX op → its reduction. ReduceLogSumExp is two of them."""


def reduce(node: Node, kind: Kind) -> Results:
    """A reduction of KINDS; f16 and bf16 are computed in f32, the mean of integers in 64 bits."""
    source, target = node.element(0), node.result_element()
    wide = accumulator(source)
    if kind.real and not source.is_float:
        wide = F64
    if node.op == "ReduceMean" and source.is_integer:
        wide = Element("ui64") if source.is_unsigned else SI64
    value, axes = _operand(node)
    result = _folded(value, axes, kind, Arithmetic(wide), source)
    return _finished(node, result, wide, target)


def log_sum_exp(node: Node) -> Results:
    """ReduceLogSumExp: m + log Σ exp(x − m) with m = max x where that is finite, else 0."""
    source, target = node.element(0), node.result_element()
    wide = accumulator(source) if source.is_float else F64
    a = Arithmetic(wide)
    value, axes = _operand(node)
    shape = tuple(value.type.shape)
    peak = _folded(value, axes, KINDS["ReduceMax"], a, source)
    sizes = tuple(peak.type.shape)

    def finite(x: Value) -> Value:
        return select(compare("olt", a.absolute(x), a.constant(float("inf"))), x, a.constant(0))

    peak = elementwise([(peak, identity(len(sizes)))], sizes, wide.mlir, finite)
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    inputs = [(value, identity(len(shape))), (peak, mapping(len(shape), kept))]

    def shifted(x: Value, m: Value) -> Value:
        return math.ExpOp(a.subtract(cast(x, source, wide), m)).result

    powers = elementwise(inputs, shape, wide.mlir, shifted)
    total = _folded(powers, axes, KINDS["ReduceSum"], a, wide)
    both = [(total, identity(len(sizes))), (peak, identity(len(sizes)))]
    result = elementwise(both, sizes, wide.mlir, lambda s, m: a.add(math.LogOp(s).result, m))
    return _finished(node, result, wide, target)


def _folded(value: Value, axes: Sequence[int], kind: Kind, a: Arithmetic, source: Element) -> Value:
    """The reduction in the type of `a`, without the reduced axes."""
    shape = tuple(value.type.shape)
    sizes = tuple(size for axis, size in enumerate(shape) if axis not in axes)
    count = prod(shape[axis] for axis in axes)
    start = kind.start(a)

    def join(x: Value, total: Value) -> Value:
        x = kind.before(a, cast(x, source, a.element))
        joined: Value = getattr(a, kind.join)(total, x)
        return joined

    # Nothing to read: the value itself has no elements then, or an axis that is kept has none.
    result = build.reduce(value, axes, a.constant(start), join) if count else filled(sizes, a.element.mlir, start)
    finish = [(result, identity(len(sizes)))]
    return elementwise(finish, sizes, a.element.mlir, lambda x: kind.after(a, x, count))


def _finished(node: Node, result: Value, wide: Element, target: Element) -> Value:
    sizes = tuple(result.type.shape)
    if wide != target:
        result = elementwise([(result, identity(len(sizes)))], sizes, target.mlir, lambda x: cast(x, wide, target))
    return build.reshape(result, node.result_shape())


def _operand(node: Node) -> tuple[Value, Sequence[int]]:
    """The tensor to reduce and the axes to reduce.

    Axes that are only known at run time are those that the declared shape of the result lost. Where several sets of
    axes give that shape, the tensor is brought into an order in which the last axis is all that are to be reduced.
    """
    shape, value = node.shape(0), node.tensor(0)
    axes = _constant_axes(node)
    if axes is not None:
        return value, axes
    sets = _possible_axes(node)
    if not sets:
        raise node.refuse("declared shape", f"one that reducing {_text(shape)} gives", _text(node.result_shape()))
    if len(sets) == 1:
        return value, sets[0]
    ordered = _ordered(node, value, sets)
    return ordered, [len(ordered.type.shape) - 1]


def _constant_axes(node: Node) -> Sequence[int] | None:
    """The axes by attribute or constant, or all, or none; None where they are run-time values."""
    rank = len(node.shape(0))
    axes: Sequence[int] | None = node.integers("axes")
    if axes is None and node.has(1):
        given = node.constant(1)
        if given is None and node.shape(1) != (0,):
            return None
        axes = [] if given is None else [int(axis) for axis in given.reshape(-1)]
    if not axes:
        return [] if node.integer("noop_with_empty_axes") else list(range(rank))
    if any(not -rank <= axis < rank for axis in axes):
        raise node.refuse("axes", f"axes of a tensor of rank {rank}", list(axes))
    return sorted({axis % rank for axis in axes})


def _possible_axes(node: Node) -> list[tuple[int, ...]]:
    """Sets of axes that lead to the declared shape, without those that differ in axes of size 1 only."""
    shape, result = node.shape(0), node.result_shape()
    if node.integer("keepdims", 1):
        fits = len(shape) == len(result) and all(r in (s, 1) for s, r in zip(shape, result, strict=True))
        return [tuple(axis for axis, size in enumerate(result) if size == 1)] if fits else []
    found: dict[tuple[int, ...], tuple[int, ...]] = {}
    for axes in combinations(range(len(shape)), len(shape) - len(result)):
        if tuple(size for axis, size in enumerate(shape) if axis not in axes) == result:
            found.setdefault(tuple(axis for axis in axes if shape[axis] != 1), axes)
    return list(found.values())


def _ordered(node: Node, value: Value, sets: Sequence[Sequence[int]]) -> Value:
    """`value` as kept sizes × reduced elements, for the set of axes that operand 1 names at run time.

    Operand 1 that names none of `sets` contradicts the declared shape; the last of `sets` is taken then.
    """
    shape, kept = node.shape(0), node.result_shape()
    rank, count = len(shape), node.shape(1)[0]
    axes = node.tensor(1)
    sizes = (*kept, prod(shape) // prod(kept))

    def named(axis: int) -> Value:
        """Whether the operand names an axis, by its number from either end."""
        hits = []
        for position in range(count):
            given = build.extract(axes, [build.index(position)])
            hits += [compare("eq", given, Arithmetic(SI64).constant(a)) for a in (axis, axis - rank)]
        result = hits[0]
        for hit in hits[1:]:
            result = arith.OrIOp(result, hit).result
        return result

    def holds(wanted: Sequence[int]) -> Value:
        tests = [named(axis) for axis in wanted]
        result = tests[0]
        for test in tests[1:]:
            result = arith.AndIOp(result, test).result
        return result

    conditions = [holds([axis for axis in axes if shape[axis] != 1]) for axes in sets[:-1]]

    def place(at: Sequence[Value]) -> Value:
        *places, last = (_coordinates(at, shape, axes) for axes in sets)
        for condition, place in zip(reversed(conditions), reversed(places), strict=True):
            last = [select(condition, yes, no) for yes, no in zip(place, last, strict=True)]
        return build.extract(value, last)

    return build.at_places(sizes, node.element(0).mlir, place)


def _coordinates(at: Sequence[Value], shape: Shape, axes: Sequence[int]) -> list[Value]:
    """Where an element stands in the tensor: kept indices, and the last one split into those of the reduced axes."""
    kept, rest = iter(at[:-1]), at[-1]
    split: dict[int, Value] = {}
    for axis in reversed(axes):
        size = build.index(shape[axis])
        split[axis] = arith.RemUIOp(rest, size).result
        rest = arith.DivUIOp(rest, size).result
    return [split[axis] if axis in axes else next(kept) for axis in range(len(shape))]


def _text(shape: Shape) -> str:
    return "×".join(map(str, shape)) or "a scalar"


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {
    **{op: partial(reduce, kind=kind) for op, kind in KINDS.items()},
    "ReduceLogSumExp": log_sum_exp,
}
