"""Ops that write elements into a copy of a tensor: caches, and scatters whose duplicates are joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from tfmbs.dialect.mlir import arith, tensor
from tfmbs.passes.linalg.scalar import compare, select
from tfmbs.passes.onnx import build
from tfmbs.passes.onnx.arithmetic import SI64, Arithmetic, cast
from tfmbs.passes.onnx.node import Node, Results
from tfmbs.passes.onnx.slices import clamped, modulo

Value = Any

_JOINS = {"add": "add", "mul": "multiply", "max": "maximum", "min": "minimum"}


def tensor_scatter(node: Node) -> Results:
    """TensorScatter: a cache with an update written from each batch's index on; `circular` wraps around."""
    shape = node.shape(0)
    axis, size = node.integer("axis", -2) % len(shape), node.shape(0)[node.integer("axis", -2) % len(shape)]
    mode, count = node.string("mode", "linear"), node.shape(1)[axis]
    if mode not in ("linear", "circular"):
        raise node.refuse("mode", "linear or circular", mode)

    def element(at: Sequence[Value]) -> Value:
        start = build.as_index(build.extract(node.tensor(2), [at[0]])) if node.has(2) else build.index(0)
        offset = arith.SubIOp(at[axis], start).result
        if mode == "circular":
            offset = modulo(offset, size)
        source = list(at)
        source[axis] = clamped(offset, count)
        new = build.extract(node.tensor(1), source)
        return select(compare("ult", offset, build.index(count)), new, build.extract(node.tensor(0), list(at)))

    return build.at_places(shape, node.result_element().mlir, element)


def scatter_elements(node: Node) -> Results | None:
    """ScatterElements with a reduction, in row-major order of the updates; without one it stays with torch-mlir.

    An index counts from the end where it is negative; one outside of the axis is moved to its nearest end.
    """
    reduction = node.string("reduction", "none")
    if reduction == "none":
        return None
    if reduction not in _JOINS:
        raise node.refuse("reduction", f"none, {', '.join(_JOINS)}", reduction)
    shape, updates, a = node.shape(0), node.shape(1), Arithmetic(node.element(0))
    axis, count = node.integer("axis") % len(shape), prod(node.shape(1))
    indices, values = (build.reshape(node.tensor(operand), (count,)) for operand in (1, 2))

    def write(number: Value, carried: Sequence[Value]) -> Sequence[Value]:
        rest = number
        at: list[Value] = []
        for size in reversed(updates):
            at.insert(0, arith.RemUIOp(rest, build.index(size)).result)
            rest = arith.DivUIOp(rest, build.index(size)).result
        given = build.as_index(cast(build.extract(indices, [number]), node.element(1), SI64))
        negative = compare("slt", given, build.index(0))
        counted = select(negative, arith.AddIOp(given, build.index(shape[axis])).result, given)
        at[axis] = clamped(counted, shape[axis])
        joined = getattr(a, _JOINS[reduction])(build.extract(carried[0], at), build.extract(values, [number]))
        return [tensor.InsertOp(joined, carried[0], at).result]

    return build.count_loop(count, [node.tensor(0)], write)[0]


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {
    "ScatterElements": scatter_elements,
    "TensorScatter": tensor_scatter,
}
