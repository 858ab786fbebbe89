"""The pass ``tfmbs-migrate-outliers``: channels of inputs that are large are made smaller, and their weights larger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfmbs.dialect.attributes import INPUT_CHANNELS, INPUT_MEAN, INPUT_RANGE, SECOND_MOMENT
from tfmbs.dialect.mlir import arith, ir
from tfmbs.dialect.resources import read_elements, resource_attr
from tfmbs.dialect.shapes import shape_of
from tfmbs.passes.graph.grids import F32
from tfmbs.passes.graph.kernels import kernel_name, left, ops_where, refusal, replace_right
from tfmbs.passes.graph.moments import mean_of, moment_of, set_mean
from tfmbs.passes.linalg.structured import elementwise, identity, mapping
from tfmbs.passes.registry import Pass
from tfmbs.passes.tfmbs_quantize import constant_weights
from tfmbs.passes.tfmbs_telemetry import layer_name

MOST_STEPS = 16
"""The largest scaling, as a power of two."""


@dataclass(frozen=True)
class TfmbsMigrateOutliers(Pass):
    """Scale the channels of linear layers' inputs so that none is much larger than others, and the weights against it.

    Products with `tfmbs.input_channels`, the smallest and largest value of each channel j of their input on the samples
    (f32, 2×K), get inputs xⱼ / sⱼ and weights wₙⱼ · sⱼ with sⱼ = max|xⱼ|^alpha / max|wⱼ|^(1 − alpha), where max|wⱼ| is
    that of all products of the same input, which share s. s is rounded to powers of two, so that no bit of a product in
    f32 changes (but of results that overflow or are denormal); range, mean and second moment follow. Source: Xiao et
    al., "SmoothQuant: accurate and efficient post-training quantization for large language models", ICML 2023, eq. 4.

    Before:

        func.func @f(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
          %w = arith.constant dense<[[1.0, 0.5], [0.25, 1.0]]> : tensor<2x2xf32>
          %0 = "tfmbs.matmul"(%x, %w) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [],
            tfmbs.input_channels = dense<[[-1.0, 0.0], [0.5, 64.0]]> : tensor<2x2xf32>,
            tfmbs.input_range = array<f32: -1.0, 64.0>
          } : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
          return %0 : tensor<3x2xf32>
        }

    After:

        #id = affine_map<(d0, d1) -> (d0, d1)>
        #column = affine_map<(d0, d1) -> (d1)>
        func.func @f(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
          %s = arith.constant dense<[1.0, 0.125]> : tensor<2xf32>
          %0 = tensor.empty() : tensor<3x2xf32>
          %1 = linalg.generic {indexing_maps = [#id, #column, #id], iterator_types = ["parallel", "parallel"]}
              ins(%x, %s : tensor<3x2xf32>, tensor<2xf32>) outs(%0 : tensor<3x2xf32>) {
          ^bb0(%in: f32, %factor: f32, %out: f32):
            %3 = arith.mulf %in, %factor : f32
            linalg.yield %3 : f32
          } -> tensor<3x2xf32>
          %w = arith.constant dense<[[1.0, 4.0], [0.25, 8.0]]> : tensor<2x2xf32>
          %2 = "tfmbs.matmul"(%1, %w) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [],
            tfmbs.input_range = array<f32: -1.0, 8.0>
          } : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
          return %2 : tensor<3x2xf32>
        }
    """

    alpha: float = 0.5

    def run(self, module: Any) -> None:
        for ops in _siblings(module):
            self._migrate(ops)

    def _migrate(self, ops: list[Any]) -> None:
        """Scales the input that these products share."""
        low, high = _channels(ops[0])
        weights = [_weights(op) for op in ops]
        tops = np.max([np.abs(array).max(axis=0) for array in weights], axis=0)
        steps = scalings(np.maximum(np.abs(low), np.abs(high)), tops, self.alpha)
        scale = np.exp2(steps).astype(np.float32)
        with ops[0].location, ir.InsertionPoint(ops[0]):
            scaled = _scaled(left(ops[0]), np.float32(1) / scale)
        for op, array in zip(ops, weights, strict=True):
            with op.location, ir.InsertionPoint(op):
                op.operation.operands[0] = scaled
                attribute = resource_attr(array * scale, f"{layer_name(op) or kernel_name(op)}.migrated")
                replace_right(op, arith.ConstantOp(attribute.type, attribute).result)
                del op.attributes[INPUT_CHANNELS]
                if INPUT_RANGE in op.attributes:
                    ends = [float((low / scale).min()), float((high / scale).max())]
                    op.attributes[INPUT_RANGE] = ir.DenseF32ArrayAttr.get(ends)
                if INPUT_MEAN in op.attributes:
                    set_mean(op, mean_of(op) / scale)
                moment = moment_of(op)
                if moment is not None:
                    followed = (moment / np.outer(scale, scale).astype(np.float64)).astype(np.float32)
                    op.attributes[SECOND_MOMENT] = resource_attr(followed, "second_moment")


def scalings(inputs: npt.NDArray[Any], weights: npt.NDArray[Any], alpha: float) -> npt.NDArray[np.float64]:
    """log₂ s of each channel, whole numbers; 0 where the input or all weights of a channel are 0."""
    used = (inputs > 0) & (weights > 0)
    x, w = (np.log2(np.where(used, array, 1).astype(np.float64)) for array in (inputs, weights))
    steps: npt.NDArray[np.float64] = np.clip(np.rint(alpha * x - (1 - alpha) * w), -MOST_STEPS, MOST_STEPS)
    return np.where(used, steps, 0)


def _siblings(module: Any) -> Iterator[list[Any]]:
    """Products with channels, by their input and the block they are in."""
    groups: list[list[Any]] = []
    for op in ops_where(module, lambda op: INPUT_CHANNELS in op.operation.attributes):
        for ops in groups:
            if left(ops[0]) == left(op) and ops[0].operation.block == op.operation.block:
                ops.append(op)
                break
        else:
            groups.append([op])
    yield from groups


def _weights(op: Any) -> F32:
    weights = constant_weights(op)
    if weights is None or weights.ndim != len(shape_of(left(op).type)):
        raise refusal(op, "quantize", INPUT_CHANNELS, "a linear layer with constant f32 weights", "another op")
    return weights


def _channels(op: Any) -> tuple[F32, F32]:
    found = read_elements(op.attributes[INPUT_CHANNELS])
    width = shape_of(left(op).type)[-1]
    if found.dtype != np.float32 or found.shape != (2, width) or not np.isfinite(found).all():
        expected = f"finite f32 of 2×{width}"
        raise refusal(op, "quantize", INPUT_CHANNELS, expected, f"{found.dtype} of {found.shape}")
    return found[0], found[1]


def _scaled(value: Any, factors: F32) -> Any:
    attribute = resource_attr(factors, "migration")
    constant = arith.ConstantOp(attribute.type, attribute).result
    shape = shape_of(value.type)
    inputs = [(value, identity(len(shape))), (constant, mapping(len(shape), [len(shape) - 1]))]
    return elementwise(inputs, shape, ir.F32Type.get(), lambda x, factor: arith.MulFOp(x, factor).result)
