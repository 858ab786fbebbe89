"""Ops whose results are the elements or places that a condition picks; the declared shape says how many there are.

Where fewer are picked than the declared shape has, the first place of the tensor stands for the missing ones; more are
left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from tfmbs.dialect.mlir import arith, ir, tensor
from tfmbs.passes.linalg.scalar import compare, select
from tfmbs.passes.linalg.structured import filled
from tfmbs.passes.onnx import build
from tfmbs.passes.onnx.arithmetic import BOOL, SI64, cast
from tfmbs.passes.onnx.node import Node, Results

Value = Any


def compress(node: Node) -> Results:
    """Compress: the slices along an axis, or the elements of the flat tensor, whose condition holds."""
    shape, value = node.shape(0), node.tensor(0)
    if node.attribute("axis") is None:
        shape, axis = (prod(shape),), 0
        value = build.reshape(value, shape)
    else:
        axis = node.integer("axis") % len(shape)
    count = min(node.shape(1)[0], shape[axis])
    found = positions(count, node.result_shape()[axis], lambda at: build.extract(node.tensor(1), [at]))

    def element(at: Sequence[Value]) -> Value:
        places = list(at)
        places[axis] = build.as_index(build.extract(found, [at[axis]]))
        return build.extract(value, places)

    return build.at_places(node.result_shape(), node.result_element().mlir, element)


def nonzero(node: Node) -> Results:
    """NonZero: rank × count, the indices of the elements that are not zero, in row-major order."""
    shape, element = node.shape(0), node.element(0)
    flat = build.reshape(node.tensor(0), (prod(shape),))

    def holds(at: Value) -> Value:
        return cast(build.extract(flat, [at]), element, BOOL)

    found = positions(prod(shape), node.result_shape()[1], holds)

    def coordinate(at: Sequence[Value]) -> Value:
        place = build.as_index(build.extract(found, [at[1]]))
        result = build.index(0)
        for axis, size in enumerate(shape):
            along = arith.DivUIOp(place, build.index(prod(shape[axis + 1 :]))).result
            along = arith.RemUIOp(along, build.index(size)).result
            result = select(compare("eq", at[0], build.index(axis)), along, result)
        return arith.IndexCastOp(SI64.mlir, result).result

    return build.at_places(node.result_shape(), SI64.mlir, coordinate)


def positions(count: int, wanted: int, holds: Callable[[Value], Value]) -> Value:
    """The first `wanted` of the numbers below `count` for which `holds` (an i1 by index), as i64 tensor."""
    if wanted == 0:
        return filled((0,), SI64.mlir, 0)

    def step(number: Value, carried: Sequence[Value]) -> Sequence[Value]:
        found, so_far = carried
        last = build.index(wanted - 1)
        place = arith.MinUIOp(so_far, last).result
        taken = arith.AndIOp(holds(number), compare("ule", so_far, last)).result
        kept = select(taken, arith.IndexCastOp(SI64.mlir, number).result, build.extract(found, [place]))
        more = arith.AddIOp(so_far, arith.IndexCastUIOp(ir.IndexType.get(), taken).result).result
        return [tensor.InsertOp(kept, found, [place]).result, more]

    return build.count_loop(count, [filled((wanted,), SI64.mlir, 0), build.index(0)], step)[0]


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {"Compress": compress, "NonZero": nonzero}
