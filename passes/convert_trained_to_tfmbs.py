"""The pass ``convert-trained-to-tfmbs``: layers trained with ternary weights, as `tfmbs.torch` exports them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmbs.dialect import graph
from tfmbs.dialect.mlir import arith, ir
from tfmbs.dialect.resources import resource_attr
from tfmbs.dialect.types import ternary
from tfmbs.passes.graph.kernels import refusal
from tfmbs.passes.graph.quantization import F32, absmean, ternarize
from tfmbs.passes.registry import Pass
from tfmbs.passes.torch import values as tv
from tfmbs.runtime.abi.types import Packing

OPERATOR = "torch.operator"


@dataclass(frozen=True)
class ConvertTrainedToTfmbs(Pass):
    """Give layers of `tfmbs.torch` their trits: weights become trit · scale, and a `bit_linear` a `tfmbs.group_matmul`.

    `tfmbs.ternary_weight` of a parameter is the constant that the layer computed with while it was trained, which
    `tfmbs-detect-grids` recognizes. `tfmbs.bit_linear` becomes the product of the trits, with the one scale for every
    channel and `absmax` activations. Both take their weights from a parameter only; what else they are given is
    refused.

    Before:

        func.func @f(%x: !torch.vtensor<[1,4],f32>) -> !torch.vtensor<[1,2],f32> {
          %w = torch.vtensor.literal(dense<[[1.0, -3.0, 0.5, 0.5], [2.0, 0.0, 0.5, -0.5]]> : tensor<2x4xf32>)
              : !torch.vtensor<[2,4],f32>
          %0 = torch.operator "torch.tfmbs.bit_linear"(%x, %w)
              : (!torch.vtensor<[1,4],f32>, !torch.vtensor<[2,4],f32>) -> !torch.vtensor<[1,2],f32>
          return %0 : !torch.vtensor<[1,2],f32>
        }

    After:

        func.func @f(%x: !torch.vtensor<[1,4],f32>) -> !torch.vtensor<[1,2],f32> {
          %0 = "tfmbs.constant"() {value = dense<[[1, -1, 0, 0], [1, 0, 0, 0]]> : tensor<2x4xi8>}
              : () -> tensor<2x4x!tfmbs.ternary<"i8">>
          %scales = arith.constant dense<1.0> : tensor<2x1xf32>
          %1 = torch_c.to_builtin_tensor %x : !torch.vtensor<[1,4],f32> -> tensor<1x4xf32>
          %2 = "tfmbs.group_matmul"(%1, %0, %scales) ({}) {
            activations = "absmax", operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []
          } : (tensor<1x4xf32>, tensor<2x4x!tfmbs.ternary<"i8">>, tensor<2x1xf32>) -> tensor<1x2xf32>
          %3 = torch_c.from_builtin_tensor %2 : tensor<1x2xf32> -> !torch.vtensor<[1,2],f32>
          return %3 : !torch.vtensor<[1,2],f32>
        }
    """

    def run(self, module: Any) -> None:
        found: list[Any] = []

        def collect(op: Any) -> Any:
            if op.name == OPERATOR and op.attributes["name"].value in _CONVERSIONS:
                found.append(op)
            return ir.WalkResult.ADVANCE

        module.operation.walk(collect)
        for op in found:
            weight = list(op.operands)[-1]
            with op.location, ir.InsertionPoint(op):
                converted = _CONVERSIONS[op.attributes["name"].value](op, _parameter(op, weight))
            op.results[0].replace_all_uses_with(converted)
            op.erase()
            if not any(True for _ in weight.uses):
                weight.owner.erase()


def _parameter(op: Any, weight: Any) -> F32:
    """The real weights that a layer was trained with."""
    array = tv.literal(weight)
    name = op.attributes["name"].value.removeprefix("torch.")
    if array is None or array.dtype != np.float32:
        raise refusal(op, "unsupported", f"weights of {name}", "a parameter of f32", f"computed, {weight.type}")
    if not np.isfinite(array).all():
        raise refusal(op, "quantize", f"weights of {name} are not finite")
    return array


def _ternary_weight(op: Any, weights: F32) -> Any:
    """The literal of what the trits are worth."""
    trits, scales = ternarize(weights)
    real = trits * scales.reshape(-1, *[1] * (trits.ndim - 1))
    return tv.literal_of(real, tv.label(op.operands[0]), op.results[0].type)


def _bit_linear(op: Any, weights: F32) -> Any:
    """The product with trits in one group for each channel."""
    trits, scale = absmean(weights)
    name = tv.label(op.operands[1])
    rows = graph.constant(resource_attr(trits, name), trits.shape, ternary(Packing.I8)).result
    scales = resource_attr(np.full((len(trits), 1), scale, np.float32), f"{name}.scale")
    factors = arith.ConstantOp(scales.type, scales).result
    product = graph.group_matmul(tv.to_builtin(op.operands[0]), rows, factors, "absmax").result
    return tv.from_builtin(product, op.results[0])


_CONVERSIONS: dict[str, Callable[[Any, F32], Any]] = {
    "torch.tfmbs.ternary_weight": _ternary_weight,
    "torch.tfmbs.bit_linear": _bit_linear,
}
"""Operator → what builds the value that takes its place."""
