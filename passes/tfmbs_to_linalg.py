"""The pass ``tfmbs-to-linalg``: every level of the IR as linalg, for the byte reference or for other toolchains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tfmbs.dialect.fabric import RECORD_OPS
from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import func, ir
from tfmbs.passes.graph.kernels import ops_of
from tfmbs.passes.linalg import from_kernel, portable
from tfmbs.passes.linalg.composed import compose_functions
from tfmbs.passes.linalg.from_fabric import lower_fabric
from tfmbs.passes.linalg.from_graph import GraphLowering
from tfmbs.passes.registry import Pass
from tfmbs.passes.tfmbs_compose_functions import TfmbsComposeFunctions
from tfmbs.passes.tfmbs_decompose import TfmbsDecompose
from tfmbs.passes.tfmbs_expand_arith import TfmbsExpandArith
from tfmbs.passes.tfmbs_expand_attention import TfmbsExpandAttention
from tfmbs.passes.tfmbs_expand_lstm import TfmbsExpandLstm
from tfmbs.passes.tfmbs_expand_reductions import TfmbsExpandReductions
from tfmbs.passes.tfmbs_expand_special import TfmbsExpandSpecial
from tfmbs.runtime.abi.errors import TfmbsError

NUMERICS = "numerics"  # no prefix of a dialect: portable IR keeps it


@dataclass(frozen=True)
class TfmbsToLinalg(Pass):
    """Lower the graph, the kernel or the fabric level to linalg.

    `numerics=exact` spells the arithmetic of docs/numerics.md out, so that the JIT computes the fabric's bits: fused
    multiply-adds in ascending k, partial sums, canonical NaN, the steps of special functions. `numerics=portable`, for
    the graph level only, gives named ops, upstream's own functions and no attribute of a dialect that other toolchains
    do not know. Telemetry stays on the op that does the work. Functions say in `numerics` which of the two they are,
    and are left alone then.

    Before:

        func.func @f(%x: tensor<2x8xf32>, %w: tensor<4x8xf32>) -> tensor<2x4xf32> {
          %0 = "tfmbs.matmul"(%x, %w) ({
          }) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []}
              : (tensor<2x8xf32>, tensor<4x8xf32>) -> tensor<2x4xf32>
          return %0 : tensor<2x4xf32>
        }

    After:

        #map = affine_map<(d0, d1, d2) -> (d0, d2)>
        #map1 = affine_map<(d0, d1, d2) -> (d1, d2)>
        #map2 = affine_map<(d0, d1, d2) -> (d0, d1)>
        #map3 = affine_map<(d0, d1) -> (d0, d1)>
        func.func @f(%arg0: tensor<2x8xf32>, %arg1: tensor<4x8xf32>) -> tensor<2x4xf32> attributes {numerics = "exact"}
            {
          %cst = arith.constant 0.000000e+00 : f32
          %0 = tensor.empty() : tensor<2x4xf32>
          %1 = linalg.fill ins(%cst : f32) outs(%0 : tensor<2x4xf32>) -> tensor<2x4xf32>
          %2 = linalg.generic {indexing_maps = [#map, #map1, #map2], iterator_types = ["parallel", "parallel",
              "reduction"]} ins(%arg0, %arg1 : tensor<2x8xf32>, tensor<4x8xf32>) outs(%1 : tensor<2x4xf32>) {
          ^bb0(%in: f32, %in_0: f32, %out: f32):
            %5 = math.fma %in, %in_0, %out : f32
            linalg.yield %5 : f32
          } -> tensor<2x4xf32>
          %3 = tensor.empty() : tensor<2x4xf32>
          %4 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel"]} ins(%2 :
              tensor<2x4xf32>) outs(%3 : tensor<2x4xf32>) {
          ^bb0(%in: f32, %out: f32):
            %5 = arith.bitcast %in : f32 to i32
            %c2147483647_i32 = arith.constant 2147483647 : i32
            %6 = arith.andi %5, %c2147483647_i32 : i32
            %c2139095040_i32 = arith.constant 2139095040 : i32
            %7 = arith.cmpi ugt, %6, %c2139095040_i32 : i32
            %c2143289344_i32 = arith.constant 2143289344 : i32
            %8 = arith.select %7, %c2143289344_i32, %5 : i32
            %9 = arith.bitcast %8 : i32 to f32
            linalg.yield %9 : f32
          } -> tensor<2x4xf32>
          return %4 : tensor<2x4xf32>
        }
    """

    numerics: Literal["exact", "portable"] = "exact"

    def run(self, module: Any) -> None:
        functions = ops_of(module, func.FuncOp)
        if functions and all(NUMERICS in function.attributes for function in functions):
            return
        self._check_level(module)
        TfmbsExpandAttention().run(module)
        TfmbsExpandLstm().run(module)
        TfmbsDecompose().run(module)
        if self.numerics == "exact":
            TfmbsComposeFunctions().run(module)
            # Before the kernels: an average pool adds in plain order, and their bodies are made exact.
            TfmbsExpandReductions().run(module)
            TfmbsExpandArith().run(module)
            TfmbsExpandSpecial().run(module)
        else:
            compose_functions(module)
        GraphLowering(self.numerics).run(module)
        from_kernel.lower_kernels(module)
        lower_fabric(module)
        if self.numerics == "portable":
            portable.drop_foreign_attributes(module)
        for function in ops_of(module, func.FuncOp):
            function.attributes[NUMERICS] = ir.StringAttr.get(self.numerics, module.context)

    def _check_level(self, module: Any) -> None:
        """Launches and programs have one meaning: named ops exist for the graph only."""
        if self.numerics == "portable":
            for op in ops_of(module, *from_kernel.LOWERINGS, *RECORD_OPS.values()):
                where = place(op.operation.location)
                raise TfmbsError("unsupported", where, "numerics=portable", "graph-level ops", op.operation.name)
