"""Lowering of the graph level to the kernel level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfmbs.passes.bufferize import Bufferizer
from tfmbs.passes.kernel_launches import LAUNCH_RULES
from tfmbs.passes.kernel_tensors import TENSOR_RULES
from tfmbs.passes.registry import Pass


@dataclass(frozen=True)
class TfmbsToKernel(Pass):
    """Gives every tensor a place in memory and turns kernels into launches.

    Arguments become memrefs, followed by the results, which carry `tfmbs.output`. Reshapes and slices are views,
    constants live in the weights region, and a result is written straight into the output that it becomes. Elementwise
    work stays `linalg.generic`, now on memrefs. An op without a kernel-level form is refused by name.

    Before:
        func.func @main(%x: tensor<2x4xf32>, %w: tensor<3x4xf32>) -> tensor<6xf32> {
          %y = "tfmbs.matmul"(%x, %w) <{operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []}> ({
          }) : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
          %z = tensor.collapse_shape %y [[0, 1]] : tensor<2x3xf32> into tensor<6xf32>
          return %z : tensor<6xf32>
        }
    After:
        func.func @main(%x: memref<2x4xf32>, %w: memref<3x4xf32>, %out: memref<6xf32> {tfmbs.output}) {
          return
        }
    """

    def run(self, module: Any) -> None:
        """Rewrites every function of the module."""
        rules = {**TENSOR_RULES, **LAUNCH_RULES}
        for function in [op for op in module.regions[0].blocks[0].operations if op.operation.name == "func.func"]:
            Bufferizer(function, rules).run()
