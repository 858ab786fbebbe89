"""The pass ``tfmbs-recall-semantics``: what ops are for is said of them again after passes that dropped it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.attributes import SEMANTICS
from tfmbs.dialect.semantics import semantics_of
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.passes.registry import Pass


@dataclass(frozen=True)
class TfmbsRecallSemantics(Pass):
    """Attach the `tfmbs.semantics` that the location of a `linalg` or `tfmbs` op knows of, where the op has none.

    An op that was made of several has those of the first in its location: of a fused one, its root.

    Before:

        #id = affine_map<(d0) -> (d0)>
        func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
          %0 = tensor.empty() : tensor<4xf32>
          %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
              ins(%x : tensor<4xf32>) outs(%0 : tensor<4xf32>) {
          ^bb0(%in: f32, %out: f32):
            %2 = arith.addf %in, %in : f32
            linalg.yield %2 : f32
          } -> tensor<4xf32> loc(fused<{flops = 4 : i64, bytes = 32 : i64, number = 7 : i64}>["sum"])
          return %1 : tensor<4xf32>
        }

    After:

        #id = affine_map<(d0) -> (d0)>
        func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
          %0 = tensor.empty() : tensor<4xf32>
          %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
              ins(%x : tensor<4xf32>) outs(%0 : tensor<4xf32>)
              attrs = {tfmbs.semantics = {bytes = 32 : i64, flops = 4 : i64, intensity = 1.250000e-01 : f64,
                  number = 7 : i64}} {
          ^bb0(%in: f32, %out: f32):
            %2 = arith.addf %in, %in : f32
            linalg.yield %2 : f32
          } -> tensor<4xf32>
          return %1 : tensor<4xf32>
        }
    """

    def run(self, module: Any) -> None:
        with module.context:
            for op in ops_where(module, _is_work):
                known = semantics_of(op.operation)
                if known is not None:
                    op.operation.attributes[SEMANTICS] = known.to_attribute()


_PARTS = ("linalg.yield", "linalg.index", "tfmbs.yield", "tfmbs.constant", "tfmbs.kernel_constant")
"""Parts of other ops, and what is only there."""


def _is_work(op: Any) -> bool:
    name = op.operation.name
    return name.startswith(("linalg.", "tfmbs.")) and name not in _PARTS and SEMANTICS not in op.operation.attributes
