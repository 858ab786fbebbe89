"""The pass ``tfmbs-detect-grids``: weights that are ternary, int4 or int8 already are recognized."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tfmbs.dialect import graph
from tfmbs.dialect.attributes import INPUT_RANGE, PRECISION, WEIGHT_SCALES
from tfmbs.dialect.mlir import ir
from tfmbs.dialect.resources import resource_attr
from tfmbs.passes.graph.found_grids import LARGEST, find_grid
from tfmbs.passes.graph.kernels import kernel_name, ops_of
from tfmbs.passes.registry import Pass
from tfmbs.passes.tfmbs_quantize import QUANTIZABLE, constant_weights
from tfmbs.passes.tfmbs_telemetry import layer_name


@dataclass(frozen=True)
class TfmbsDetectGrids(Pass):
    """Mark products whose constant f32 weights are small integers times a scale, exactly, for `tfmbs-quantize` to pack.

    Looked for, in this order: trits, integers in −7…7, in −127…127; with a scale for each output channel, or in linear
    layers for each group of 128, 64 or 32 weights. Every weight must be f32(integer) · scale to the last bit, so that
    nothing is lost and no calibration is needed. The product gets `tfmbs.precision` and `tfmbs.weight_scales`; one that
    has either is left alone. `precision` is what the model is compiled at: no more bits are taken than it has. Weights
    of int8 with float inputs have a kernel in linear layers only.

    Before:

        func.func @f(%x: tensor<2x8xf32>) -> tensor<2x2xf32> {
          %w = arith.constant dense<[[0.5, 0.0, -0.5, 0.5, 0.0, 0.0, 0.0, 0.5],
                                     [0.0, 2.0, 0.0, 0.0, -2.0, 0.0, 0.0, 0.0]]> : tensor<2x8xf32>
          %0 = "tfmbs.matmul"(%x, %w) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []
          } : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x2xf32>
          return %0 : tensor<2x2xf32>
        }

    After:

        func.func @f(%x: tensor<2x8xf32>) -> tensor<2x2xf32> {
          %w = arith.constant dense<[[0.5, 0.0, -0.5, 0.5, 0.0, 0.0, 0.0, 0.5],
                                     [0.0, 2.0, 0.0, 0.0, -2.0, 0.0, 0.0, 0.0]]> : tensor<2x8xf32>
          %0 = "tfmbs.matmul"(%x, %w) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [],
            tfmbs.precision = "ternary", tfmbs.weight_scales = dense<[[0.5], [2.0]]> : tensor<2x1xf32>
          } : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x2xf32>
          return %0 : tensor<2x2xf32>
        }
    """

    precision: Literal["ternary", "int4", "int8", "bf16", "fp32", "mixed"] = "fp32"

    def run(self, module: Any) -> None:
        for op in ops_of(module, *QUANTIZABLE):
            if PRECISION in op.attributes or WEIGHT_SCALES in op.attributes:
                continue
            weights = constant_weights(op)
            found = None if weights is None else find_grid(weights, self._wanted(op))
            if found is not None:
                name = layer_name(op) or kernel_name(op)
                with op.location:
                    op.attributes[PRECISION] = ir.StringAttr.get(found.precision)
                    op.attributes[WEIGHT_SCALES] = resource_attr(found.scales, f"{name}.scales")

    def _wanted(self, op: Any) -> list[str]:
        """The precisions that are looked for in a product's weights, the fewest bits first."""
        wanted = list(LARGEST)
        if self.precision in LARGEST:
            wanted = wanted[: wanted.index(self.precision) + 1]
        if not isinstance(op, graph.MatmulOp | graph.GemvOp) and INPUT_RANGE not in op.attributes:
            wanted = [precision for precision in wanted if precision != "int8"]
        return wanted
