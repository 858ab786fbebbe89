"""The pass ``tfmbs-telemetry``: counts the weights of every kernel."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmbs.dialect.location import UNKNOWN, place
from tfmbs.dialect.telemetry import Telemetry, set_telemetry
from tfmbs.passes.graph.kernels import KERNELS, kernel_name, ops_of, weights_of
from tfmbs.passes.registry import Pass


@dataclass(frozen=True)
class TfmbsTelemetry(Pass):
    """Attach telemetry to every kernel: its layer, and how many of its weights are zero.

    The layer is the name in the op's location (the model's node), else the op's name and its number among those of its
    kind. Counts are exact, from the constants; a kernel without constant weights has a total of 0.

    Before:

        func.func @f(%x: tensor<1x4xf32>) -> tensor<1x2xf32> {
          %w = arith.constant dense<[[1.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 3.0]]> : tensor<2x4xf32>
          %0 = "tfmbs.matmul"(%x, %w) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []
          } : (tensor<1x4xf32>, tensor<2x4xf32>) -> tensor<1x2xf32>
          return %0 : tensor<1x2xf32>
        }

    After:

        func.func @f(%x: tensor<1x4xf32>) -> tensor<1x2xf32> {
          %w = arith.constant dense<[[1.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 3.0]]> : tensor<2x4xf32>
          %0 = "tfmbs.matmul"(%x, %w) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [],
            telemetry = {layer = "matmul_0", sparsity = 6.250000e-01 : f64, total = 8 : i64, zero_count = 5 : i64}
          } : (tensor<1x4xf32>, tensor<2x4xf32>) -> tensor<1x2xf32>
          return %0 : tensor<1x2xf32>
        }
    """

    def run(self, module: Any) -> None:
        numbers: Counter[str] = Counter()
        with module.context:
            for op in ops_of(module, *KERNELS):
                name = kernel_name(op)
                set_telemetry(op, count_weights(op, f"{name}_{numbers[name]}"))
                numbers[name] += 1


def count_weights(op: Any, fallback: str) -> Telemetry:
    """Telemetry of a kernel from its constants; `fallback` names the layer when its location does not."""
    arrays = weights_of(op)
    zeros = sum(array.size - int(np.count_nonzero(array)) for array in arrays)
    return Telemetry(layer_name(op) or fallback, zeros, sum(array.size for array in arrays))


def layer_name(op: Any) -> str | None:
    """The name in an op's location, None where it has only a position in a file."""
    where = place(op.location)
    return where.name if where != UNKNOWN and not where.line else None
