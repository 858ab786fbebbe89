"""The pass ``tfmbs-block-rows``: what several steps do to rows of a large tensor is done to a few rows at a time."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from tfmbs.dialect.graph_ops import LayerNormOp, SoftmaxOp
from tfmbs.dialect.mlir import arith, ir, scf, tensor
from tfmbs.dialect.shapes import element_of, shape_of, tensor_type
from tfmbs.passes.graph.kernels import ops_of
from tfmbs.passes.registry import Pass
from tfmbs.runtime.abi.target import Target
from tfmbs.runtime.abi.target_file import load_target

ALIVE = 3
"""Tensors of a block that are in use at once: what comes in, what is between two steps, what goes out."""
F32_BYTES = 4
LEAST_ROWS = 8
"""Fewer than that leave loops with less work than their beginning and end."""


@dataclass(frozen=True)
class TfmbsBlockRows(Pass):
    """Run softmax and layer_norm of a tensor that the chip does not hold in a loop over blocks of rows that L2 holds.

    Both take several steps over their rows: maximum or sum, differences, another sum, quotients. What one step leaves
    then stays on chip for the next. Rows are those of the outermost dimension; a block is the largest number of them
    that divides it and fits, and the op stays whole where there are fewer than 8 in one.

    Before:

        func.func @f(%x: tensor<1024x1024xf32>) -> tensor<1024x1024xf32> {
          %0 = "tfmbs.softmax"(%x) {axis = 1 : i64} : (tensor<1024x1024xf32>) -> tensor<1024x1024xf32>
          return %0 : tensor<1024x1024xf32>
        }

    After:

        func.func @f(%x: tensor<1024x1024xf32>) -> tensor<1024x1024xf32> {
          %0 = tensor.empty() : tensor<1024x1024xf32>
          %c0 = arith.constant 0 : index
          %c1024 = arith.constant 1024 : index
          %c32 = arith.constant 32 : index
          %1 = scf.for %i = %c0 to %c1024 step %c32 iter_args(%out = %0) -> (tensor<1024x1024xf32>) {
            %rows = tensor.extract_slice %x[%i, 0] [32, 1024] [1, 1] : tensor<1024x1024xf32> to tensor<32x1024xf32>
            %2 = "tfmbs.softmax"(%rows) {axis = 1 : i64} : (tensor<32x1024xf32>) -> tensor<32x1024xf32>
            %3 = tensor.insert_slice %2 into %out[%i, 0] [32, 1024] [1, 1] :
                tensor<32x1024xf32> into tensor<1024x1024xf32>
            scf.yield %3 : tensor<1024x1024xf32>
          }
          return %1 : tensor<1024x1024xf32>
        }
    """

    target: str = "kpu-16x16"

    def run(self, module: Any) -> None:
        target = load_target(self.target)
        for op in ops_of(module, SoftmaxOp, LayerNormOp):
            rows = _rows_of_a_block(op, target)
            if rows is not None:
                with op.location, ir.InsertionPoint(op):
                    op.result.replace_all_uses_with(_blocked(op, rows))
                op.operation.erase()


def _rows_of_a_block(op: Any, target: Target) -> int | None:
    """How many of the outermost dimension's rows are done at a time; None where all are."""
    shape = shape_of(op.input.type)
    row = prod(shape[1:]) * F32_BYTES
    if op.axis == 0 or row * shape[0] <= target.l2.size + target.l3.size:
        return None
    most = min(target.l2.size // (ALIVE * row), shape[0] // 2)
    return next((rows for rows in range(most, LEAST_ROWS - 1, -1) if shape[0] % rows == 0), None)


def _blocked(op: Any, rows: int) -> Any:
    """The op in a loop, in front of it."""
    shape, element = shape_of(op.input.type), element_of(op.input)
    block, ones = (rows, *shape[1:]), [1] * len(shape)
    place = [ir.ShapedType.get_dynamic_stride_or_offset(), *[0] * (len(shape) - 1)]
    empty = tensor.EmptyOp(shape, element).result
    loop = scf.ForOp(_index(0), _index(shape[0]), _index(rows), [empty])
    with ir.InsertionPoint(loop.body):
        at: list[Any] = [loop.induction_variable]
        none: list[Any] = []
        piece = tensor.ExtractSliceOp(tensor_type(block, element), op.input, at, none, none, place, block, ones).result
        inside = op.operation.clone()
        inside.operands[0] = piece
        inside.results[0].set_type(tensor_type(block, element))
        out = loop.inner_iter_args[0]
        written = tensor.InsertSliceOp(inside.results[0], out, at, none, none, place, block, ones).result
        scf.YieldOp([written])
    return loop.results[0]


def _index(value: int) -> Any:
    return arith.ConstantOp(ir.IndexType.get(), value).result
