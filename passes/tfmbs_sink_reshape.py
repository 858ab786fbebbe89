"""The pass ``tfmbs-sink-reshape``: brings elementwise code next to what computes its input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.mlir import ir, tensor
from tfmbs.dialect.shapes import Shape, element_of, elements, shape_of, tensor_type
from tfmbs.passes.graph.kernels import PRODUCTS, defining_op, erase, ops_where, sole_user
from tfmbs.passes.linalg.generics import ELEMENT, SCALAR, Elementwise, as_elementwise
from tfmbs.passes.linalg.structured import elementwise, identity, inline, mapping
from tfmbs.passes.registry import Pass

Groups = list[list[int]]
"""For each dimension of the narrow shape, the dimensions of the wide one that it is split into."""


@dataclass(frozen=True)
class TfmbsSinkReshape(Pass):
    """Move elementwise code before the `tensor.expand_shape` that it reads, next to the product that fusion wants.

    The code then runs on the product's own shape, and the reshape moves behind it. Other tensors it reads follow where
    that costs nothing: of the same shape, one element, or indexed by dimensions that the reshape does not split. Code
    that permutes what it reads of a product does so behind it.

    Before:

        #id = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
        #last = affine_map<(d0, d1, d2) -> (d2)>
        func.func @f(%x: tensor<6x4xf32>, %w: tensor<5x4xf32>, %bias: tensor<5xf32>) -> tensor<2x3x5xf32> {
          %0 = "tfmbs.matmul"(%x, %w) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []
          } : (tensor<6x4xf32>, tensor<5x4xf32>) -> tensor<6x5xf32>
          %1 = tensor.expand_shape %0 [[0, 1], [2]] output_shape [2, 3, 5] : tensor<6x5xf32> into tensor<2x3x5xf32>
          %2 = tensor.empty() : tensor<2x3x5xf32>
          %3 = linalg.generic {indexing_maps = [#id, #last, #id], iterator_types = ["parallel", "parallel", "parallel"]}
              ins(%1, %bias : tensor<2x3x5xf32>, tensor<5xf32>) outs(%2 : tensor<2x3x5xf32>) {
          ^bb0(%a: f32, %b: f32, %out: f32):
            %4 = arith.addf %a, %b : f32
            linalg.yield %4 : f32
          } -> tensor<2x3x5xf32>
          return %3 : tensor<2x3x5xf32>
        }

    After:

        #id = affine_map<(d0, d1) -> (d0, d1)>
        #last = affine_map<(d0, d1) -> (d1)>
        func.func @f(%x: tensor<6x4xf32>, %w: tensor<5x4xf32>, %bias: tensor<5xf32>) -> tensor<2x3x5xf32> {
          %0 = "tfmbs.matmul"(%x, %w) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []
          } : (tensor<6x4xf32>, tensor<5x4xf32>) -> tensor<6x5xf32>
          %1 = tensor.empty() : tensor<6x5xf32>
          %2 = linalg.generic {indexing_maps = [#id, #last, #id], iterator_types = ["parallel", "parallel"]}
              ins(%0, %bias : tensor<6x5xf32>, tensor<5xf32>) outs(%1 : tensor<6x5xf32>) {
          ^bb0(%a: f32, %b: f32, %out: f32):
            %3 = arith.addf %a, %b : f32
            linalg.yield %3 : f32
          } -> tensor<6x5xf32>
          %4 = tensor.expand_shape %2 [[0, 1], [2]] output_shape [2, 3, 5] : tensor<6x5xf32> into tensor<2x3x5xf32>
          return %4 : tensor<2x3x5xf32>
        }
    """

    def run(self, module: Any) -> None:
        for op in ops_where(module, lambda op: isinstance(op, tensor.ExpandShapeOp)):
            reshape = op
            _permute_behind(reshape)
            while reshape is not None:
                reshape = _sink(reshape)


def _permute_behind(reshape: Any) -> None:
    """Lets code that permutes what it reads of a reshaped product, and else reads single elements, permute behind it.

    Then the code can become the product's epilogue, and a permutation by itself can be strides of what reads it.
    """
    product = defining_op(reshape.src)
    view = as_elementwise(sole_user(reshape.result))
    if view is None or not view.body or not isinstance(product, PRODUCTS) or sole_user(product.result) is None:
        return
    if reshape.result not in view.inputs:  # only where results go
        return
    index = view.inputs.index(reshape.result)
    order, rank = view.maps[index], len(view.shape)
    is_moved = order.is_permutation and len(order.results) == rank and order != ir.AffineMap.get_identity(rank)
    others = [value for value in view.inputs if value != reshape.result]
    if not is_moved or any(elements(shape_of(value.type)) != 1 for value in others):
        return
    first = ir.AffineConstantExpr.get(0)
    with view.op.location, ir.InsertionPoint(view.op):
        inputs = [
            (value, identity(rank) if value == reshape.result else mapping(rank, [first] * len(shape_of(value.type))))
            for value in view.inputs
        ]
        element, read = element_of(view.result), shape_of(reshape.result.type)
        computed = elementwise(inputs, read, element, lambda *scalars: _body(view, scalars))
        permuted = elementwise([(computed, order)], view.shape, element, lambda x: x)
    view.result.replace_all_uses_with(permuted)
    erase(view.op)


def _sink(reshape: Any) -> Any:
    """Moves the code behind an expand_shape before it; the reshape behind that, None when nothing could be moved."""
    view = as_elementwise(sole_user(reshape.result))
    if view is None or shape_of(reshape.result.type) != view.shape:
        return None
    narrow = shape_of(reshape.src.type)
    groups = [[axis.value for axis in group] for group in reshape.reassociation]
    maps = [_narrow_map(view, index, groups) for index in range(len(view.inputs))]
    if any(found is None for found in maps):
        return None
    with view.op.location, ir.InsertionPoint(view.op):
        inputs = [(_narrow(value, view.shape, reshape), found) for value, found in zip(view.inputs, maps, strict=True)]
        result = elementwise(inputs, narrow, element_of(view.result), lambda *scalars: _body(view, scalars))
        type_ = tensor_type(view.shape, element_of(view.result))
        sunk = tensor.ExpandShapeOp(type_, result, reshape.reassociation, [], list(view.shape))
    view.result.replace_all_uses_with(sunk.result)
    erase(view.op)
    erase(reshape)
    return sunk


def _body(view: Elementwise, scalars: tuple[Any, ...]) -> Any:
    return inline(view.block, [*scalars, None])[0]


def _narrow(value: Any, wide: Shape, reshape: Any) -> Any:
    """An input for code on the narrow shape: one of the wide shape is collapsed, any other stays."""
    if value == reshape.result:
        return reshape.src
    if shape_of(value.type) != wide:
        return value
    type_ = tensor_type(shape_of(reshape.src.type), element_of(value))
    return tensor.CollapseShapeOp(type_, value, reshape.reassociation).result


def _narrow_map(view: Elementwise, index: int, groups: Groups) -> Any:
    """The map of an input from the narrow loops; None where following them would move data."""
    shape = shape_of(view.inputs[index].type)
    if shape == view.shape:
        return identity(len(groups)) if view.role(index, 0) in (ELEMENT, SCALAR) else None
    results: list[Any] = []
    for size, expr in zip(shape, view.maps[index].results, strict=True):
        axis = ir.AffineConstantExpr.get(0) if size == 1 else _narrow_axis(expr, view.shape, groups)
        if axis is None:
            return None
        results.append(axis)
    return mapping(len(groups), results)


def _narrow_axis(expr: Any, wide: Shape, groups: Groups) -> int | None:
    """The narrow dimension that is the wide one of `expr`, the others of its group being 1."""
    if not isinstance(expr, ir.AffineDimExpr):
        return None
    position = expr.position
    for axis, group in enumerate(groups):
        if position in group and elements(tuple(wide[other] for other in group)) == wide[position]:
            return axis
    return None
