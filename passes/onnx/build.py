"""Builders that many lowerings share, over tensors of static shape: views, single elements, broadcasts, reductions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from tfmbs.dialect.mlir import arith, ir, linalg, scf, tensor
from tfmbs.dialect.shapes import Shape, element_of, shape_of, tensor_type
from tfmbs.passes.linalg.scalar import constant
from tfmbs.passes.linalg.structured import (
    PARALLEL,
    REDUCTION,
    elementwise,
    empty,
    generic,
    identity,
    mapping,
)
from tfmbs.passes.onnx.arithmetic import cast
from tfmbs.passes.onnx.elements import Element

Value = Any


def index(value: int) -> Value:
    """A constant of index type."""
    return constant(ir.IndexType.get(), value)


def as_index(value: Value) -> Value:
    """A scalar signed integer as index."""
    return value if isinstance(value.type, ir.IndexType) else arith.IndexCastOp(ir.IndexType.get(), value).result


def loop_index(loop: int) -> Value:
    """The index of a loop, inside of a `linalg.generic`."""
    return linalg.IndexOp(ir.IntegerAttr.get(ir.IntegerType.get_signless(64), loop)).result


def reshape(value: Value, sizes: Shape) -> Value:
    """`value` with its elements, in row-major order, in another static shape of as many elements."""
    current, element = shape_of(value.type), element_of(value)
    if current == tuple(sizes):
        return value
    if prod(current) != prod(sizes):
        raise ValueError(f"{current} has other elements than {sizes}")
    flat = value if len(current) == 1 else _flat(value)
    if len(sizes) == 1:
        return flat
    target = tensor_type(tuple(sizes), element)
    if not sizes:
        return tensor.CollapseShapeOp(target, flat, ir.ArrayAttr.get([])).result
    return tensor.ExpandShapeOp(target, flat, _one_group(len(sizes)), [], list(sizes)).result


def _flat(value: Value) -> Value:
    """`value` as a vector."""
    shape = shape_of(value.type)
    target = tensor_type((prod(shape),), element_of(value))
    if not shape:
        return tensor.ExpandShapeOp(target, value, ir.ArrayAttr.get([]), [], [1]).result
    return tensor.CollapseShapeOp(target, value, _one_group(len(shape))).result


def _one_group(rank: int) -> Any:
    """The reassociation between one dimension and `rank` of them."""
    i64 = ir.IntegerType.get_signless(64)
    return ir.ArrayAttr.get([ir.ArrayAttr.get([ir.IntegerAttr.get(i64, i) for i in range(rank)])])


def transpose(value: Value, order: Sequence[int]) -> Value:
    """The tensor whose dimension i is dimension `order[i]` of `value`."""
    if list(order) == list(range(len(order))):
        return value
    shape = shape_of(value.type)
    source = mapping(len(order), [list(order).index(axis) for axis in range(len(order))])
    return elementwise([(value, source)], tuple(shape[axis] for axis in order), element_of(value), lambda x: x)


def at_places(sizes: Shape, element: Any, body: Callable[[Sequence[Value]], Value]) -> Value:
    """The tensor of shape `sizes` whose elements `body` computes from their indices (of index type)."""
    return elementwise([], sizes, element, lambda: body([loop_index(loop) for loop in range(len(sizes))]))


def extract(value: Value, places: Sequence[Value]) -> Value:
    """One element of a tensor."""
    return tensor.ExtractOp(value, list(places)).result


def broadcast_map(shape: Shape, sizes: Shape) -> Any:
    """The map that reads an operand of `shape` under loops of `sizes`, by ONNX's (numpy's) multidirectional rule."""
    first = len(sizes) - len(shape)
    still = ir.AffineConstantExpr.get(0)
    return mapping(len(sizes), [still if size == 1 else first + axis for axis, size in enumerate(shape)])


def broadcasting(values: Sequence[Value], sizes: Shape, element: Any, body: Callable[..., Value]) -> Value:
    """`body` of the elements of `values`, each broadcast to `sizes`."""
    inputs = [(value, broadcast_map(shape_of(value.type), sizes)) for value in values]
    return elementwise(inputs, sizes, element, body)


def reduce(
    value: Value,
    axes: Sequence[int],
    init: Value,
    body: Callable[[Value, Value], Value],
    element: Any = None,
) -> Value:
    """The reduction of `value` over `axes`, from the scalar `init`, without those axes; `body(x, accumulator)`.

    A body of one `arith.addf` of f32 or f64 is the fabric's sum in 16 partial sums, any other runs in ascending order.
    """
    shape = shape_of(value.type)
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    sizes = tuple(shape[axis] for axis in kept)
    start = linalg.fill(init, outs=[empty(sizes, element or init.type)])
    iterators = [REDUCTION if axis in axes else PARALLEL for axis in range(len(shape))]
    maps = (identity(len(shape)), mapping(len(shape), kept))
    return generic([(value, maps[0])], [(start, maps[1])], iterators, body).results[0]


def count_loop(
    count: int | Value, carried: Sequence[Value], body: Callable[[Value, Sequence[Value]], Sequence[Value]]
) -> list[Value]:
    """An `scf.for` from 0 to `count` by 1; `body` gets the counter and what is carried, and returns what goes on."""
    end = index(count) if isinstance(count, int) else count
    loop = scf.ForOp(index(0), end, index(1), list(carried))
    with ir.InsertionPoint(loop.body):
        scf.YieldOp(list(body(loop.induction_variable, list(loop.inner_iter_args))))
    return list(loop.results)


def slice_at(value: Value, at: Value, axis: int, size: int = 1) -> Value:
    """`size` elements of an axis from a run-time index on, all of the other axes."""
    shape = list(shape_of(value.type))
    shape[axis] = size
    dynamic = ir.ShapedType.get_dynamic_stride_or_offset()
    offsets = [dynamic if i == axis else 0 for i in range(len(shape))]
    target = tensor_type(tuple(shape), element_of(value))
    return tensor.ExtractSliceOp(target, value, [at], [], [], offsets, shape, [1] * len(shape)).result


def insert_at(piece: Value, into: Value, at: Value, axis: int) -> Value:
    """`into` with `piece` from a run-time index of an axis on, over all of the other axes."""
    shape = list(shape_of(piece.type))
    dynamic = ir.ShapedType.get_dynamic_stride_or_offset()
    offsets = [dynamic if i == axis else 0 for i in range(len(shape))]
    return tensor.InsertSliceOp(piece, into, [at], [], [], offsets, shape, [1] * len(shape)).result


def slice_from(value: Value, start: int, axis: int, size: int) -> Value:
    """`size` elements of an axis from index `start` on, all of the other axes."""
    shape = list(shape_of(value.type))
    shape[axis] = size
    offsets = [start if i == axis else 0 for i in range(len(shape))]
    target = tensor_type(tuple(shape), element_of(value))
    return tensor.ExtractSliceOp(target, value, [], [], [], offsets, shape, [1] * len(shape)).result


def cast_all(value: Value, source: Element, target: Element) -> Value:
    """A tensor with its elements converted, as `arithmetic.cast` does it."""
    sizes = shape_of(value.type)
    if source == target:
        return value
    return elementwise([(value, identity(len(sizes)))], sizes, target.mlir, lambda x: cast(x, source, target))
