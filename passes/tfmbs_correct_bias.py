"""The pass ``tfmbs-correct-bias``: what rounding weights does to the mean of each output is taken back in the bias."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tfmbs.dialect.attributes import INPUT_MEAN
from tfmbs.dialect.mlir import arith, ir
from tfmbs.dialect.resources import resource_attr
from tfmbs.dialect.shapes import shape_of
from tfmbs.passes.graph.choices import DEFAULT, MOST, Choice, Settings, choice_of
from tfmbs.passes.graph.grids import F32, real_weights
from tfmbs.passes.graph.kernels import channel_axis, kernel_name, ops_where, refusal, sole_user
from tfmbs.passes.graph.moments import mean_of
from tfmbs.passes.graph.quantized_operands import stored_weights
from tfmbs.passes.linalg.generics import added_channels, as_elementwise
from tfmbs.passes.linalg.structured import elementwise, identity, mapping
from tfmbs.passes.registry import Pass
from tfmbs.passes.tfmbs_quantize import constant_weights
from tfmbs.passes.tfmbs_telemetry import layer_name


@dataclass(frozen=True)
class TfmbsCorrectBias(Pass):
    """Add to each output channel of a product what it loses in the mean when its weights are rounded.

    Products with `tfmbs.input_mean`, the mean E[x] of the vectors they multiply on the samples (f32, G×K for G groups
    of channels), get the bias bₙ + Σₖ (wₙₖ − ŵₙₖ) · E[xₖ], where ŵ are the weights as `tfmbs-quantize` will store them,
    to nearest. The constant that is added behind the product is changed; where there is none, one is added. Products
    whose weights stay floats, or are on their grid already, stay what they are. Source: Nagel, van Baalen, Blankevoort
    and Welling, "Data-free quantization through weight equalization and bias correction", ICCV 2019, §4.2.

    Options: precision=int8

    Before:

        func.func @f(%x: tensor<2x2xf32>) -> tensor<2x1xf32> {
          %w = arith.constant dense<[[127.0, 0.25]]> : tensor<1x2xf32>
          %0 = "tfmbs.matmul"(%x, %w) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [],
            tfmbs.input_mean = dense<[[1.0, 2.0]]> : tensor<1x2xf32>
          } : (tensor<2x2xf32>, tensor<1x2xf32>) -> tensor<2x1xf32>
          return %0 : tensor<2x1xf32>
        }

    After:

        #id = affine_map<(d0, d1) -> (d0, d1)>
        #channel = affine_map<(d0, d1) -> (d1)>
        func.func @f(%x: tensor<2x2xf32>) -> tensor<2x1xf32> {
          %w = arith.constant dense<[[127.0, 0.25]]> : tensor<1x2xf32>
          %0 = "tfmbs.matmul"(%x, %w) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []
          } : (tensor<2x2xf32>, tensor<1x2xf32>) -> tensor<2x1xf32>
          %b = arith.constant dense<0.5> : tensor<1xf32>
          %1 = tensor.empty() : tensor<2x1xf32>
          %2 = linalg.generic {indexing_maps = [#id, #channel, #id], iterator_types = ["parallel", "parallel"]}
              ins(%0, %b : tensor<2x1xf32>, tensor<1xf32>) outs(%1 : tensor<2x1xf32>) {
          ^bb0(%in: f32, %bias: f32, %out: f32):
            %3 = arith.addf %in, %bias : f32
            linalg.yield %3 : f32
          } -> tensor<2x1xf32>
          return %2 : tensor<2x1xf32>
        }
    """

    precision: Literal["ternary", "int4", "int8", "bf16", "fp32", "mixed"] = "int8"
    group_size: str = DEFAULT

    def run(self, module: Any) -> None:
        settings = Settings(self.precision, self.group_size)
        settings.check("pass tfmbs-correct-bias")
        for op in ops_where(module, lambda op: INPUT_MEAN in op.operation.attributes):
            weights = constant_weights(op)
            if weights is None:
                raise refusal(op, "quantize", INPUT_MEAN, "a product with constant f32 weights", "another op")
            choice = choice_of(op, weights, settings)
            if choice.precision in MOST:
                lost = _lost(op, weights, choice)
                if lost.any():
                    _add(op, lost)
            del op.attributes[INPUT_MEAN]


def _lost(op: Any, weights: F32, choice: Choice) -> F32:
    """Σₖ (wₙₖ − ŵₙₖ) · E[xₖ] of each output channel n, in f64 and rounded once."""
    mean = mean_of(op)
    try:
        stored, scales = stored_weights(weights, choice)
    except ValueError as error:
        raise refusal(op, "quantize", str(error)) from error
    change = weights.astype(np.float64) - real_weights(stored, scales).reshape(weights.shape)
    groups = change.reshape(len(mean), -1, mean.shape[1])  # output channels of a group lie together
    lost: F32 = np.einsum("gnk,gk->gn", groups, mean).reshape(-1).astype(np.float32)
    return lost


def _add(op: Any, lost: F32) -> None:
    """Adds a constant to each output channel: to the constant that is added there, else by an op behind."""
    name, axis = f"{layer_name(op) or kernel_name(op)}.bias", channel_axis(op)
    view = as_elementwise(sole_user(op.result))
    added = None if view is None else added_channels(view, op.result, axis)
    if view is not None and added is not None:
        index, bias = added
        shape = shape_of(view.inputs[index].type)
        with view.op.location, ir.InsertionPoint(view.op):
            view.op.operation.operands[index] = _constant((bias + lost).reshape(shape), name)
        return
    shape = shape_of(op.result.type)
    with op.location, ir.InsertionPoint.after(op.operation):
        inputs = [(op.result, identity(len(shape))), (_constant(lost, name), mapping(len(shape), [axis]))]
        result = elementwise(inputs, shape, ir.F32Type.get(), lambda x, b: arith.AddFOp(x, b).result)
    op.result.replace_all_uses_except(result, result.owner.operation)


def _constant(values: F32, name: str) -> Any:
    attribute = resource_attr(values, name)
    return arith.ConstantOp(attribute.type, attribute).result
