"""The pass ``tfmbs-to-linalg``: every level of the IR as linalg, for the byte reference or for other toolchains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tfmbs.passes import portable
from tfmbs.passes.graph_to_linalg import GraphLowering
from tfmbs.passes.kernel_to_linalg import lower_kernels
from tfmbs.passes.registry import Pass
from tfmbs.passes.tfmbs_decompose import TfmbsDecompose
from tfmbs.passes.tfmbs_expand_arith import TfmbsExpandArith
from tfmbs.passes.tfmbs_expand_reductions import TfmbsExpandReductions
from tfmbs.passes.tfmbs_expand_special import TfmbsExpandSpecial


@dataclass(frozen=True)
class TfmbsToLinalg(Pass):
    """Lower the graph or the kernel level to linalg.

    `numerics=exact` spells the arithmetic of docs/numerics.md out, so that the JIT computes the fabric's bits: fused
    multiply-adds in ascending k, partial sums, canonical NaN, the steps of special functions. `numerics=portable` gives
    named ops and upstream's own functions, and no attribute of a dialect that other toolchains do not know. Telemetry
    stays on the op that does the work.

    Options: numerics=portable

    Before:

        func.func @f(%x: tensor<2x8xf32>, %w: tensor<4x8xf32>) -> tensor<2x4xf32> {
          %0 = "tfmbs.matmul"(%x, %w) <{operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>}> ({
          }) {roles = []} : (tensor<2x8xf32>, tensor<4x8xf32>) -> tensor<2x4xf32>
          return %0 : tensor<2x4xf32>
        }

    After:

        func.func @f(%x: tensor<2x8xf32>, %w: tensor<4x8xf32>) -> tensor<2x4xf32> {
          return
        }
    """

    numerics: Literal["exact", "portable"] = "exact"

    def run(self, module: Any) -> None:
        TfmbsDecompose().run(module)
        if self.numerics == "exact":
            # Before the kernels: an average pool adds in plain order, and their bodies are made exact.
            TfmbsExpandReductions().run(module)
            TfmbsExpandArith().run(module)
            TfmbsExpandSpecial().run(module)
        GraphLowering(self.numerics).run(module)
        lower_kernels(module)
        if self.numerics == "portable":
            portable.drop_foreign_attributes(module)
