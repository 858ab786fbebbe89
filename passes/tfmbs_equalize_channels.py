"""The pass ``tfmbs-equalize-channels``: channels between two products get weights of like size on both sides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmbs.dialect.attributes import INPUT_CHANNELS, INPUT_MEAN, INPUT_RANGE, SECOND_MOMENT, WEIGHT_SCALES
from tfmbs.dialect.graph_windows import ConvolutionOp, PoolOp
from tfmbs.dialect.mlir import arith, ir
from tfmbs.dialect.resources import resource_attr
from tfmbs.dialect.shapes import shape_of
from tfmbs.passes.graph.found_grids import LARGEST, find_grid
from tfmbs.passes.graph.grids import F32, F64
from tfmbs.passes.graph.kernels import channel_axis, kernel_name, left, ops_where, refusal, replace_right, sole_user
from tfmbs.passes.linalg.generics import Elementwise, added_channels, as_elementwise, is_relu
from tfmbs.passes.linalg.structured import identity
from tfmbs.passes.registry import Pass
from tfmbs.passes.tfmbs_migrate_outliers import scalings
from tfmbs.passes.tfmbs_quantize import constant_weights
from tfmbs.passes.tfmbs_telemetry import layer_name

ROUNDS = 16
"""How often all pairs are gone through at most; in a chain of products one pair moves what another has settled."""

OBSERVED = (INPUT_RANGE, INPUT_CHANNELS, INPUT_MEAN, SECOND_MOMENT)


@dataclass(frozen=True)
class TfmbsEqualizeChannels(Pass):
    """Scale the channels between two products so that the weights on both sides of each are of like size.

    Of two products with constant weights between which there are only biases, ReLU and pooling, which
    f(s · x) = s · f(x) holds for, output channel i of the first (weights and biases) is divided by
    sᵢ = √(r¹ᵢ · r²ᵢ) / r²ᵢ, and input channel i of the second is multiplied by it; r is the largest magnitude of the
    channel's weights. All pairs are gone through until nothing moves. s is rounded to powers of two, so that no bit of
    the second product changes in f32 (but of values that overflow or are denormal). Weights of a second product that
    are on a grid already stay there. It goes before calibration. Source: Nagel, van Baalen, Blankevoort and Welling,
    "Data-free quantization through weight equalization and bias correction", ICCV 2019, §4.1.

    Before:

        func.func @f(%x: tensor<1x2xf32>) -> tensor<1x1xf32> {
          %w = arith.constant dense<[[16.0, 4.0], [0.5, 1.0]]> : tensor<2x2xf32>
          %v = arith.constant dense<[[1.0, 1.0]]> : tensor<1x2xf32>
          %0 = "tfmbs.matmul"(%x, %w) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []
          } : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
          %1 = "tfmbs.matmul"(%0, %v) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []
          } : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x1xf32>
          return %1 : tensor<1x1xf32>
        }

    After:

        func.func @f(%x: tensor<1x2xf32>) -> tensor<1x1xf32> {
          %w = arith.constant dense<[[4.0, 1.0], [0.5, 1.0]]> : tensor<2x2xf32>
          %0 = "tfmbs.matmul"(%x, %w) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []
          } : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
          %v = arith.constant dense<[[4.0, 1.0]]> : tensor<1x2xf32>
          %1 = "tfmbs.matmul"(%0, %v) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []
          } : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x1xf32>
          return %1 : tensor<1x1xf32>
        }
    """

    def run(self, module: Any) -> None:
        layers = [
            _Layer(op, weights)
            for op in ops_where(module, lambda op: constant_weights(op) is not None)
            if (weights := constant_weights(op)) is not None and np.isfinite(weights).all()
        ]
        pairs = list(_pairs(layers))
        for _ in range(ROUNDS):
            moved = [pair.equalize() for pair in pairs]
            if not any(moved):
                break
        for pair in pairs:
            pair.scale_biases()
        for layer in layers:
            layer.store()


@dataclass(eq=False)
class _Layer:
    """A product and its weights, which change."""

    op: Any
    weights: F32
    is_scaled: bool = False

    def outputs(self) -> F32:
        """The weights by output channel, N×K."""
        return self.weights.reshape(len(self.weights), -1)

    def inputs(self) -> F32:
        """The weights by input channel: G×(N/G)×(C/G)×taps for G groups of channels."""
        groups = self.op.groups if isinstance(self.op, ConvolutionOp) else 1
        return self.weights.reshape(groups, len(self.weights) // groups, self.weights.shape[1], -1)

    def set(self, weights: F32) -> None:
        """Takes weights of any shape of as many elements."""
        self.weights, self.is_scaled = weights.reshape(self.weights.shape), True

    def store(self) -> None:
        """Gives the product its weights, if they have changed."""
        if self.is_scaled:
            _replace(self.op, self.weights, f"{layer_name(self.op) or kernel_name(self.op)}.equalized")


@dataclass(eq=False)
class _Pair:
    """Two products of which only the second reads what the first makes, behind `additions` of biases and the like.

    An addition is its op, the number of the operand that is the bias, and its values. `steps` are log₂ s, so far.
    """

    first: _Layer
    second: _Layer
    additions: list[tuple[Elementwise, int, F32]]
    steps: F64

    def equalize(self) -> bool:
        """Scales the channels between both; whether there was anything to scale."""
        ranges = np.abs(self.first.outputs()).max(axis=1), np.abs(self.second.inputs()).max(axis=(1, 3)).reshape(-1)
        # √(r¹ · r²) / r² = √r¹ / √r²: the formula of migration, of weights instead of inputs.
        steps = scalings(*ranges, alpha=0.5)
        if not steps.any():
            return False
        scale = np.exp2(steps).astype(np.float32)
        self.first.set(self.first.outputs() / scale[:, None])
        inputs = self.second.inputs()
        self.second.set(inputs * scale.reshape(len(inputs), 1, -1, 1))
        self.steps = self.steps + steps
        return True

    def scale_biases(self) -> None:
        """Divides the biases between both by the scale."""
        if not self.steps.any():
            return
        factor = np.exp2(-self.steps).astype(np.float32)
        name = f"{layer_name(self.first.op) or kernel_name(self.first.op)}.bias"
        for view, index, values in self.additions:
            shape = shape_of(view.inputs[index].type)
            with view.op.location, ir.InsertionPoint(view.op):
                view.op.operation.operands[index] = _constant((values * factor).reshape(shape), name)


def _pairs(layers: list[_Layer]) -> Iterator[_Pair]:
    """Products whose result goes into another one, and nowhere else."""
    for first in layers:
        axis = channel_axis(first.op)
        value, additions = _passed(first.op.result, axis)
        user = sole_user(value)
        for second in layers:
            if user is not None and second.op == user and _is_fit(first, second, value, axis):
                yield _Pair(first, second, additions, np.zeros(len(first.weights)))


def _passed(value: Any, axis: int) -> tuple[Any, list[tuple[Elementwise, int, F32]]]:
    """What becomes of a value in biases, ReLU and pooling, as far as nothing else reads it, and the biases."""
    additions = []
    while True:
        user = sole_user(value)
        view, is_pool = as_elementwise(user), isinstance(user, PoolOp)
        bias = None if view is None else added_channels(view, value, axis)
        if view is not None and bias is not None:
            additions.append((view, *bias))
        elif not is_pool and not (view is not None and is_relu(view) and view.maps[0] == identity(len(view.shape))):
            return value, additions
        value = user.result if is_pool else user.results[0]


def _is_fit(first: _Layer, second: _Layer, value: Any, axis: int) -> bool:
    """Whether channels on `axis` of `value` are the input channels of `second`, and both products' weights may move."""
    reads = 1 if isinstance(second.op, ConvolutionOp) else len(shape_of(value.type)) - 1
    if left(second.op) != value or reads != axis:
        return False
    for op in (first.op, second.op):
        for name in OBSERVED:
            if name in op.attributes:
                raise refusal(op, "quantize", name, "no calibration before channels are equalized", "one")
    on_grid = WEIGHT_SCALES in first.op.attributes or WEIGHT_SCALES in second.op.attributes
    return not on_grid and find_grid(second.weights, LARGEST) is None


def _replace(op: Any, weights: F32, name: str) -> None:
    with op.location, ir.InsertionPoint(op):
        replace_right(op, _constant(weights, name))


def _constant(values: F32, name: str) -> Any:
    attribute = resource_attr(values, name)
    return arith.ConstantOp(attribute.type, attribute).result
