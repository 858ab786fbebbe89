"""Running sums and products along one axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any

from tfmbs.dialect.mlir import arith, tensor
from tfmbs.passes.linalg.scalar import compare, select
from tfmbs.passes.linalg.structured import elementwise, empty, filled, identity
from tfmbs.passes.onnx import build
from tfmbs.passes.onnx.arithmetic import Arithmetic, accumulator, cast
from tfmbs.passes.onnx.node import Node, Results

Value = Any


def running(node: Node, join: str, start: int) -> Results:
    """CumSum and CumProd, in order from one end of the axis; f16 and bf16 in f32."""
    given = node.constant(1)
    if given is None:
        return _along_unknown_axis(node, join, start)
    axis, shape = int(given.reshape(-1)[0]), node.shape(0)
    if not -len(shape) <= axis < len(shape):
        raise node.refuse("axis", f"an axis of a tensor of rank {len(shape)}", axis)
    axis %= len(shape)
    sizes = (prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :]))
    scanned = _along_middle(node, build.reshape(node.tensor(0), sizes), join, start)
    return build.reshape(scanned, shape)


def _along_middle(node: Node, value: Value, join: str, start: int) -> Value:
    """The scan of A×K×B along K: a loop whose body takes a slice A×1×B."""
    element = node.element(0)
    wide = accumulator(element)
    a, (outer, length, inner) = Arithmetic(wide), tuple(value.type.shape)
    exclusive, slice_sizes = node.integer("exclusive"), (outer, 1, inner)
    whole = identity(3)

    def step(number: Value, carried: Sequence[Value]) -> Sequence[Value]:
        result, total = carried
        at = _from_end(number, length) if node.integer("reverse") else number
        piece = build.slice_at(value, at, 1)
        inputs = [(total, whole), (piece, whole)]
        joined = elementwise(inputs, slice_sizes, wide.mlir, lambda t, x: getattr(a, join)(t, cast(x, element, wide)))
        given = total if exclusive else joined
        narrow = elementwise([(given, whole)], slice_sizes, element.mlir, lambda t: cast(t, wide, element))
        return [build.insert_at(narrow, result, at, 1), joined]

    first = filled(slice_sizes, wide.mlir, start)
    return build.count_loop(length, [empty((outer, length, inner), element.mlir), first], step)[0]


def _from_end(number: Value, length: int) -> Value:
    return arith.SubIOp(build.index(length - 1), number).result


def _along_unknown_axis(node: Node, join: str, start: int) -> Value:
    """Element by element in row-major order, each from its neighbour one stride of the axis before it.

    An axis that does not exist contradicts the tensor: each element is then by itself.
    """
    shape, element = node.shape(0), node.element(0)
    wide, count = accumulator(element), prod(shape)
    a, values = Arithmetic(wide), build.reshape(node.tensor(0), (count,))
    stride, size = _stride_and_size(node)
    reverse, exclusive = node.integer("reverse"), node.integer("exclusive")

    def step(number: Value, carried: Sequence[Value]) -> Sequence[Value]:
        at = _from_end(number, count) if reverse else number
        along = arith.RemUIOp(arith.DivUIOp(at, stride).result, size).result
        end = arith.SubIOp(size, build.index(1)).result if reverse else build.index(0)
        is_first = compare("eq", along, end)
        moved = (arith.AddIOp if reverse else arith.SubIOp)(at, stride).result
        before = select(is_first, at, moved)
        total = select(is_first, a.constant(start), build.extract(carried[0], [before]))
        x = cast(build.extract(values, [before if exclusive else at]), element, wide)
        joined = getattr(a, join)(total, x)
        if exclusive:
            joined = select(is_first, a.constant(start), joined)
        return [tensor.InsertOp(joined, carried[0], [at]).result]

    (result,) = build.count_loop(count, [filled((count,), wide.mlir, start)], step)
    narrow = elementwise([(result, identity(1))], (count,), element.mlir, lambda t: cast(t, wide, element))
    return build.reshape(narrow, shape)


def _stride_and_size(node: Node) -> tuple[Value, Value]:
    """Elements between neighbours along the axis that operand 1 names at run time, and the axis's size, as index."""
    shape = node.shape(0)
    axis = build.extract(build.reshape(node.tensor(1), ()), [])
    stride, size = build.index(1), build.index(1)
    for number, extent in enumerate(shape):
        a = Arithmetic(node.element(1))
        hits = (compare("eq", axis, a.constant(given)) for given in (number, number - len(shape)))
        named = arith.OrIOp(*hits).result
        stride = select(named, build.index(prod(shape[number + 1 :])), stride)
        size = select(named, build.index(extent), size)
    return stride, size


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {
    "CumSum": partial(running, join="add", start=0),
    "CumProd": partial(running, join="multiply", start=1),
}
