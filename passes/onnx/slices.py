"""Ops that take a part of a tensor, or place it in a larger one, where the part is known at run time only.

The declared shape of the result says how much; the operands say from where. Operands that ask for another size than the
declared one do not change it: places outside of the tensor are read at its nearest element (Slice) or filled (Pad).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from tfmbs.dialect.mlir import arith
from tfmbs.passes.linalg.scalar import compare, select
from tfmbs.passes.linalg.structured import empty
from tfmbs.passes.onnx import build
from tfmbs.passes.onnx.arithmetic import SI64, Arithmetic, chosen
from tfmbs.passes.onnx.node import Node, Results

Value = Any


def slice_(node: Node) -> Results | None:
    """Slice with operands that are only known at run time, or with a negative step.

    A start counts from the end where it is negative, and is moved into the tensor: to 0 … size, or −1 … size − 1 for a
    negative step.
    """
    constants = [node.constant(i) for i in range(1, len(node)) if node.has(i)]
    steps = node.constant(4)
    if all(given is not None for given in constants) and (steps is None or (steps > 0).all()):
        return None
    shape = node.shape(0)
    starts, strides = _per_axis(node, 1, 0, 3), _per_axis(node, 4, 1, 3)
    first = [_start(start, stride, size) for start, stride, size in zip(starts, strides, shape, strict=True)]

    def element(at: Sequence[Value]) -> Value:
        places = []
        for index, start, stride, size in zip(at, first, strides, shape, strict=True):
            place = arith.AddIOp(start, arith.MulIOp(index, build.as_index(stride)).result).result
            places.append(clamped(place, size))
        return build.extract(node.tensor(0), places)

    return build.at_places(node.result_shape(), node.result_element().mlir, element)


def _start(start: Value, stride: Value, size: int) -> Value:
    """The first place that a slice reads, as index."""
    a = Arithmetic(SI64)
    zero, end = a.constant(0), a.constant(size)
    counted = select(a.less(start, zero), a.add(start, end), start)
    backward = a.less(stride, zero)
    last = select(backward, a.constant(size - 1), end)
    lowest = select(backward, a.constant(-1), zero)
    return build.as_index(a.minimum(a.maximum(counted, lowest), last))


def _per_axis(node: Node, operand: int, default: int, axes: int) -> list[Value]:
    """For each axis of operand 0 the i64 that a vector operand has for it; operand `axes` names axes.

    Of a vector longer than the axes (pads: those at the start, then those at the end) the first elements count.
    """
    a, rank = Arithmetic(SI64), len(node.shape(0))
    if not node.has(operand):
        return [a.constant(default)] * rank
    count = node.shape(axes)[0] if node.has(axes) else min(node.shape(operand)[0], rank)
    values = [_wide(node, operand, position) for position in range(count)]
    if not node.has(axes):
        return values + [a.constant(default)] * (rank - count)
    given = node.constant(axes)
    if given is not None:
        named = [int(axis) % rank for axis in given.reshape(-1)]
        return [
            values[named.index(axis)] if axis in named else a.constant(default)  # a constant axis needs no choice
            for axis in range(rank)
        ]
    names = [_wide(node, axes, position) for position in range(count)]

    def names_axis(name: Value, axis: int) -> Value:
        return arith.OrIOp(*(compare("eq", name, a.constant(number)) for number in (axis, axis - rank))).result

    return [
        chosen([(names_axis(name, axis), v) for name, v in zip(names, values, strict=True)], a.constant(default))
        for axis in range(rank)
    ]


def _wide(node: Node, operand: int, position: int) -> Value:
    """An element of an integer vector as i64."""
    value = build.extract(node.tensor(operand), [build.index(position)])
    return value if node.element(operand).bits == SI64.bits else arith.ExtSIOp(SI64.mlir, value).result


def clamped(place: Value, size: int) -> Value:
    """An index moved into 0 … size − 1."""
    return arith.MinSIOp(arith.MaxSIOp(place, build.index(0)).result, build.index(size - 1)).result


def pad(node: Node) -> Results | None:
    """Pad in all modes, by amounts that may be negative or known at run time only.

    Constant amounts in mode `constant` stay with torch-mlir: a convolution behind them takes them over.
    """
    mode = node.string("mode", "constant")
    fixed = node.constant(1) is not None and (not node.has(3) or node.constant(3) is not None)
    if mode == "constant" and fixed and (not node.has(2) or node.constant(2) is not None):
        return None
    if mode not in ("constant", "edge", "reflect", "wrap"):
        raise node.refuse("mode", "constant, edge, reflect or wrap", mode)
    shape = node.shape(0)
    before = [build.as_index(amount) for amount in _per_axis(node, 1, 0, 3)]
    fill = None
    if mode == "constant":
        element = node.element(0)
        if node.has(2) and prod(node.shape(2)) != 1:
            raise node.refuse("shape of the constant value", "one element", node.shape(2))
        fill = build.extract(build.reshape(node.tensor(2), ()), []) if node.has(2) else node.scalar(0, element)

    def padded(at: Sequence[Value]) -> Value:
        moved = [arith.SubIOp(index, amount).result for index, amount in zip(at, before, strict=True)]
        source = [_source(place, size, mode) for place, size in zip(moved, shape, strict=True)]
        value = build.extract(node.tensor(0), source)
        if fill is None:
            return value
        for place, size in zip(moved, shape, strict=True):
            value = select(compare("ult", place, build.index(size)), value, fill)
        return value

    return build.at_places(node.result_shape(), node.result_element().mlir, padded)


def _source(place: Value, size: int, mode: str) -> Value:
    """Which element of an axis stands at a place outside of it."""
    if mode == "wrap":
        return modulo(place, size)
    if mode == "reflect" and size > 1:
        turn = modulo(place, 2 * size - 2)
        return arith.MinSIOp(turn, arith.SubIOp(build.index(2 * size - 2), turn).result).result
    return clamped(place, size)


def modulo(place: Value, size: int) -> Value:
    """An index modulo `size`, 0 or more."""
    rest = arith.RemSIOp(place, build.index(size)).result
    return select(compare("slt", rest, build.index(0)), arith.AddIOp(rest, build.index(size)).result, rest)


def split(node: Node) -> Results | None:
    """Split by lengths that are known at run time only: the declared shapes of the results say the same."""
    if not node.has(1) or node.constant(1) is not None:
        return None
    axis = node.integer("axis") % len(node.shape(0))
    results, start, value = [], 0, node.tensor(0)
    for number in range(node.results):
        size = node.result_shape(number)[axis]
        if size == 0:
            results.append(empty(node.result_shape(number), node.result_element(number).mlir))
            continue
        results.append(build.slice_from(value, start, axis, size))
        start += size
    if start != node.shape(0)[axis]:
        raise node.refuse("declared sizes of the results together", node.shape(0)[axis], start)
    return results


def center_crop_pad(node: Node) -> Results:
    """CenterCropPad: ⌊difference / 2⌋ elements are cut off, or zeros are added, at the start of each axis."""
    shape, sizes = node.shape(0), node.result_shape()
    before = [
        ((size - have) // 2 if size >= have else -((have - size) // 2)) for have, size in zip(shape, sizes, strict=True)
    ]
    value = node.tensor(0)

    def element(at: Sequence[Value]) -> Value:
        moved = [arith.SubIOp(index, build.index(amount)).result for index, amount in zip(at, before, strict=True)]
        found = build.extract(value, [clamped(place, size) for place, size in zip(moved, shape, strict=True)])
        for place, have, size in zip(moved, shape, sizes, strict=True):
            if size > have:
                found = select(compare("ult", place, build.index(have)), found, node.scalar(0, node.element(0)))
        return found

    return build.at_places(sizes, node.result_element().mlir, element)


def tile(node: Node) -> Results | None:
    """Tile by counts that are known at run time only: the declared shape of the result says the same."""
    if node.constant(1) is not None:
        return None
    shape = node.shape(0)
    for have, size in zip(shape, node.result_shape(), strict=True):
        if size % max(have, 1):
            raise node.refuse("declared size", f"a multiple of {have}", size)

    def element(at: Sequence[Value]) -> Value:
        places = [arith.RemUIOp(index, build.index(size)).result for index, size in zip(at, shape, strict=True)]
        return build.extract(node.tensor(0), places)

    return build.at_places(node.result_shape(), node.result_element().mlir, element)


def expand(node: Node) -> Results | None:
    """Expand to a shape that is known at run time only: the declared shape of the result says the same."""
    if node.constant(1) is not None:
        return None
    return build.broadcasting([node.tensor(0)], node.result_shape(), node.result_element().mlir, lambda x: x)


def reverse_sequence(node: Node) -> Results:
    """ReverseSequence: the first `lengths[b]` elements of each sequence from back to front, the rest as they are."""
    batch, time = node.integer("batch_axis", 1), node.integer("time_axis", 0)
    value, lengths, size = node.tensor(0), node.tensor(1), node.shape(0)[time]

    def element(at: Sequence[Value]) -> Value:
        length = build.as_index(build.extract(lengths, [at[batch]]))
        last = arith.SubIOp(length, build.index(1)).result
        turned = clamped(arith.SubIOp(last, at[time]).result, size)
        places = list(at)
        places[time] = select(compare("slt", at[time], length), turned, at[time])
        return build.extract(value, places)

    return build.at_places(node.result_shape(), node.result_element().mlir, element)


def reshape(node: Node) -> Results | None:
    """Reshape, Squeeze and Unsqueeze by operands known at run time only: the declared shape says the same."""
    sizes = node.result_shape()
    if 0 in sizes:  # which torch-mlir divides by
        return empty(sizes, node.result_element().mlir)
    if not node.has(1) or node.constant(1) is not None:
        return None
    return build.reshape(node.tensor(0), node.result_shape())


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {
    "CenterCropPad": center_crop_pad,
    "Expand": expand,
    "Pad": pad,
    "Reshape": reshape,
    "ReverseSequence": reverse_sequence,
    "Slice": slice_,
    "Split": split,
    "Squeeze": reshape,
    "Tile": tile,
    "Unsqueeze": reshape,
}
