"""The pass ``tfmbs-select-gemv``: products with one row of activations get the kernel for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.graph_ops import GemvOp, MatmulOp
from tfmbs.dialect.mlir import ir
from tfmbs.dialect.shapes import element_of, shape_of
from tfmbs.passes.graph.kernels import left, move_epilogue, ops_of, rebuild
from tfmbs.passes.registry import Pass


@dataclass(frozen=True)
class TfmbsSelectGemv(Pass):
    """Turn each matmul with one row on the left into a gemv.

    Before:

        func.func @f(%x: tensor<1x4xf32>, %w: tensor<2x4xf32>) -> tensor<1x2xf32> {
          %0 = "tfmbs.matmul"(%x, %w) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []
          } : (tensor<1x4xf32>, tensor<2x4xf32>) -> tensor<1x2xf32>
          return %0 : tensor<1x2xf32>
        }

    After:

        func.func @f(%x: tensor<1x4xf32>, %w: tensor<2x4xf32>) -> tensor<1x2xf32> {
          %0 = "tfmbs.gemv"(%x, %w) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []
          } : (tensor<1x4xf32>, tensor<2x4xf32>) -> tensor<1x2xf32>
          return %0 : tensor<1x2xf32>
        }
    """

    def run(self, module: Any) -> None:
        for op in ops_of(module, MatmulOp):
            if shape_of(left(op).type)[0] == 1:
                with op.location, ir.InsertionPoint(op):
                    gemv = rebuild(op, list(op.operation.operands), element_of(op.result), kind=GemvOp)
                move_epilogue(op, gemv)
                op.result.replace_all_uses_with(gemv.result)
                op.operation.erase()
