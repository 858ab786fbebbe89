"""The pass ``tfmbs-gptq``: weights are rounded to the grid of their precision so that outputs stay what they were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tfmbs.dialect.attributes import SECOND_MOMENT, WEIGHT_SCALES
from tfmbs.dialect.mlir import arith, ir
from tfmbs.dialect.resources import resource_attr
from tfmbs.passes.graph.choices import DEFAULT, Choice, Settings, choice_of
from tfmbs.passes.graph.gptq import DAMPING, round_product
from tfmbs.passes.graph.grids import F32, F64, real_weights
from tfmbs.passes.graph.kernels import kernel_name, ops_where, refusal, replace_right
from tfmbs.passes.graph.moments import moment_of
from tfmbs.passes.registry import Pass
from tfmbs.passes.tfmbs_quantize import constant_weights
from tfmbs.passes.tfmbs_telemetry import layer_name

ROUNDED = ("ternary", "int4")
"""Precisions whose grids are so coarse that the rounding matters."""


@dataclass(frozen=True)
class TfmbsGptq(Pass):
    """Round the weights of products to ternary or int4 by what their inputs were on the samples (GPTQ).

    Products that have a second moment Σ x·xᵀ of their inputs (`tfmbs.second_moment`, G×K×K for G groups of channels)
    get weights on the grid of their precision, in f32, and the scales of that grid as `tfmbs.weight_scales`, from which
    `tfmbs-quantize` stores them exactly. Columns are rounded one after the other; the error of each,
    δ = −(wᵢ − qᵢ) / [H⁻¹]ᵢᵢ · [H⁻¹]ᵢ,ᵢ₊₁…, is spread over those that are not rounded yet, with H the moment plus
    `damping` times the mean of its diagonal. Products of other precisions lose their moment and stay what they are.
    Source: Frantar, Ashkboos, Hoefler and Alistarh, "GPTQ: Accurate post-training quantization for generative
    pre-trained transformers", ICLR 2023.

    Options: precision=ternary

    Before:

        func.func @f(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
          %w = arith.constant dense<[[1.0, 0.375], [0.25, 2.0]]> : tensor<2x2xf32>
          %0 = "tfmbs.matmul"(%x, %w) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [],
            tfmbs.second_moment = dense<[[[1.0, 0.0], [0.0, 1.0]]]> : tensor<1x2x2xf32>
          } : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
          return %0 : tensor<2x2xf32>
        }

    After:

        func.func @f(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {
          %w = arith.constant dense<[[1.0, 0.0], [0.0, 2.0]]> : tensor<2x2xf32>
          %0 = "tfmbs.matmul"(%x, %w) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [],
            tfmbs.weight_scales = dense<[[1.0], [2.0]]> : tensor<2x1xf32>
          } : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
          return %0 : tensor<2x2xf32>
        }
    """

    precision: Literal["ternary", "int4", "int8", "bf16", "fp32", "mixed"] = "int4"
    group_size: str = DEFAULT
    damping: float = DAMPING

    def run(self, module: Any) -> None:
        settings = Settings(self.precision, self.group_size)
        settings.check("pass tfmbs-gptq")
        for op in ops_where(module, lambda op: SECOND_MOMENT in op.operation.attributes):
            weights, moment = constant_weights(op), moment_of(op)
            if weights is None or moment is None:
                continue
            choice = choice_of(op, weights, settings)
            if choice.precision in ROUNDED and choice.scales is None:
                self._round(op, weights, moment, choice)
            del op.attributes[SECOND_MOMENT]

    def _round(self, op: Any, weights: F32, moment: F64, choice: Choice) -> None:
        try:
            stored, scales = round_product(weights, moment, choice.grid, damping=self.damping)
        except ValueError as error:
            raise refusal(op, "quantize", str(error)) from error
        name = layer_name(op) or kernel_name(op)
        with op.location, ir.InsertionPoint(op):
            op.attributes[WEIGHT_SCALES] = resource_attr(scales, f"{name}.scales")
            attribute = resource_attr(real_weights(stored, scales), f"{name}.rounded")
            replace_right(op, arith.ConstantOp(attribute.type, attribute).result)
