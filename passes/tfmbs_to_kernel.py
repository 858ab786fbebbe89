"""Lowering of the graph level to the kernel level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.mlir import func
from tfmbs.passes.functions import functions, inline_calls
from tfmbs.passes.graph.kernels import ops_of
from tfmbs.passes.kernel.bufferize import Bufferizer
from tfmbs.passes.kernel.generalize import GENERIC, generalize
from tfmbs.passes.kernel.launches import LAUNCH_RULES
from tfmbs.passes.kernel.outline import hoist_constants
from tfmbs.passes.kernel.tensors import TENSOR_RULES
from tfmbs.passes.registry import Pass


@dataclass(frozen=True)
class TfmbsToKernel(Pass):
    """Gives every tensor a place in memory and turns kernels into launches.

    Arguments become memrefs, followed by the results, which carry `tfmbs.output`. Reshapes and slices are views,
    constants live in the weights region, and a result is written straight into the output that it becomes. So are
    permutations around attention, which reads and writes heads side by side. Elementwise work stays `linalg.generic`,
    now on memrefs. An op without a kernel-level form is refused by name.

    Before:

        func.func @main(%x: tensor<2x4xf32> {tfmbs.name = "x"}) -> (tensor<6xf32> {tfmbs.name = "y"}) {
          %w = arith.constant dense<1.0> : tensor<3x4xf32>
          %0 = "tfmbs.matmul"(%x, %w) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []
          } : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
          %1 = tensor.collapse_shape %0 [[0, 1]] : tensor<2x3xf32> into tensor<6xf32>
          return %1 : tensor<6xf32>
        }

    After:

        func.func @main(%x: memref<2x4xf32> {tfmbs.name = "x"}, %y: memref<6xf32> {tfmbs.name = "y", tfmbs.output}) {
          %w = "tfmbs.kernel_constant"() {
            packing = "dense", shape = array<i64: 3, 4>, value = dense<1.0> : tensor<3x4xf32>
          } : () -> memref<3x4xf32>
          %0 = memref.reinterpret_cast %y to offset: [0], sizes: [2, 3], strides: [3, 1]
              : memref<6xf32> to memref<2x3xf32>
          "tfmbs.kernel_gemm"(%x, %w, %0) ({}) {
            kind = "gemm", lhs_zero = 0 : i64, rhs_packing = "dense", roles = [],
            operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>
          } : (memref<2x4xf32>, memref<3x4xf32>, memref<2x3xf32>) -> ()
          return
        }

    Before:

        func.func @main(%x: tensor<5x12xf32>) -> tensor<5x12xf32> {
          %0 = tensor.expand_shape %x [[0, 1], [2, 3]] output_shape [1, 5, 3, 4]
              : tensor<5x12xf32> into tensor<1x5x3x4xf32>
          %1 = tensor.empty() : tensor<1x3x5x4xf32>
          %2 = linalg.transpose ins(%0 : tensor<1x5x3x4xf32>) outs(%1 : tensor<1x3x5x4xf32>) permutation = [0, 2, 1, 3]
          %3 = "tfmbs.attention"(%2, %2, %2) {
            causal = true, clear = false, fill = 0xFF800000 : f32, mask_mode = "none", offset = 0 : i64,
            scale = 0.5 : f32
          } : (tensor<1x3x5x4xf32>, tensor<1x3x5x4xf32>, tensor<1x3x5x4xf32>) -> tensor<1x3x5x4xf32>
          %4 = tensor.empty() : tensor<1x5x3x4xf32>
          %5 = linalg.transpose ins(%3 : tensor<1x3x5x4xf32>) outs(%4 : tensor<1x5x3x4xf32>) permutation = [0, 2, 1, 3]
          %6 = tensor.collapse_shape %5 [[0, 1], [2, 3]] : tensor<1x5x3x4xf32> into tensor<5x12xf32>
          return %6 : tensor<5x12xf32>
        }

    After:

        func.func @main(%x: memref<5x12xf32>, %y: memref<5x12xf32> {tfmbs.output}) {
          %0 = memref.reinterpret_cast %x to offset: [0], sizes: [1, 3, 5, 4], strides: [60, 4, 12, 1]
              : memref<5x12xf32> to memref<1x3x5x4xf32, strided<[60, 4, 12, 1]>>
          %1 = memref.reinterpret_cast %y to offset: [0], sizes: [1, 3, 5, 4], strides: [60, 4, 12, 1]
              : memref<5x12xf32> to memref<1x3x5x4xf32, strided<[60, 4, 12, 1]>>
          "tfmbs.kernel_attention"(%0, %0, %0, %1) {
            causal = true, clear = false, fill = 0xFF800000 : f32, mask_mode = "none", offset = 0 : i64,
            scale = 0.5 : f32
          } : (memref<1x3x5x4xf32, strided<[60, 4, 12, 1]>>, memref<1x3x5x4xf32, strided<[60, 4, 12, 1]>>,
              memref<1x3x5x4xf32, strided<[60, 4, 12, 1]>>, memref<1x3x5x4xf32, strided<[60, 4, 12, 1]>>) -> ()
          return
        }
    """

    def run(self, module: Any) -> None:
        """Rewrites every function of the module, after the functions that it calls became part of it."""
        if ops_of(module, func.CallOp):
            inline_calls(module)
        rules = {**TENSOR_RULES, **LAUNCH_RULES}
        for function in functions(module):
            generalize(function, GENERIC | {"linalg.fill"})
            hoist_constants(function)
            Bufferizer(function, rules).run()
