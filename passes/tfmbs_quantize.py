"""The pass ``tfmbs-quantize``: products with constant weights compute on integers or trits."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tfmbs.dialect import graph
from tfmbs.dialect.attributes import INPUT_RANGE
from tfmbs.dialect.mlir import arith, ir
from tfmbs.dialect.resources import resource_attr
from tfmbs.dialect.shapes import element_of, shape_of
from tfmbs.dialect.telemetry import set_telemetry, telemetry_of
from tfmbs.dialect.types import int4, int4_per_axis, quantized, quantized_per_axis, ternary
from tfmbs.passes.graph.kernels import (
    channel_axis,
    constant_elements,
    erase,
    kernel_name,
    left,
    ops_of,
    rebuild,
    refusal,
    right,
    sole_user,
)
from tfmbs.passes.graph.quantization import (
    F32,
    I8,
    I32_MAX,
    Activation,
    accumulator_bound,
    accumulator_scales,
    activation_for,
    quantize_bias,
    quantize_int4,
    quantize_weights,
    ternarize,
)
from tfmbs.passes.linalg.generics import Elementwise, as_elementwise, channel_constant, is_addition
from tfmbs.passes.linalg.structured import elementwise, identity, mapping
from tfmbs.passes.registry import Pass
from tfmbs.passes.tfmbs_telemetry import count_weights
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.packing import pack_rows
from tfmbs.runtime.abi.types import Packing

QUANTIZABLE = (graph.MatmulOp, graph.GemvOp, graph.Conv2dOp, graph.Conv3dOp)


@dataclass(frozen=True)
class TfmbsQuantize(Pass):
    """Quantize matmul, gemv, conv2d and conv3d with constant f32 weights to int8, or their weights to int4 or trits.

    int8: the input by its calibrated range (asymmetric, per tensor), weights symmetrically per output channel. int4:
    linear layers whose reduction `group` divides become `tfmbs.group_matmul`; others have a scale per channel. ternary:
    trits by the threshold 0.7 · mean|w| per output channel. With int4 and ternary weights the input is quantized too
    where it has a range. Integer products accumulate in i32, proved not to overflow; a constant bias is added there,
    and `tfmbs.dequantize` follows. Everything else stays f32. The arithmetic is in docs/quantization.md.

    Options: precision=ternary

    Before:

        func.func @f(%x: tensor<2x4xf32>) -> tensor<2x2xf32> {
          %w = arith.constant dense<[[0.5, 0.0, -0.5, 0.5], [0.0, 2.0, 0.0, 0.0]]> : tensor<2x4xf32>
          %0 = "tfmbs.matmul"(%x, %w) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []
          } : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x2xf32>
          return %0 : tensor<2x2xf32>
        }

    After:

        #id = affine_map<(d0, d1) -> (d0, d1)>
        #channel = affine_map<(d0, d1) -> (d1)>
        func.func @f(%x: tensor<2x4xf32>) -> tensor<2x2xf32> {
          %w = "tfmbs.constant"() {value = dense<[[1, 0, -1, 1], [0, 1, 0, 0]]> : tensor<2x4xi8>}
              : () -> tensor<2x4x!tfmbs.ternary<"i8">>
          %0 = "tfmbs.matmul"(%x, %w) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [],
            telemetry = {layer = "matmul_0", sparsity = 5.000000e-01 : f64, total = 8 : i64, zero_count = 4 : i64}
          } : (tensor<2x4xf32>, tensor<2x4x!tfmbs.ternary<"i8">>) -> tensor<2x2xf32>
          %scale = arith.constant dense<[0.5, 2.0]> : tensor<2xf32>
          %1 = tensor.empty() : tensor<2x2xf32>
          %2 = linalg.generic {indexing_maps = [#id, #channel, #id], iterator_types = ["parallel", "parallel"]}
              ins(%0, %scale : tensor<2x2xf32>, tensor<2xf32>) outs(%1 : tensor<2x2xf32>) {
          ^bb0(%acc: f32, %s: f32, %out: f32):
            %3 = arith.mulf %acc, %s : f32
            linalg.yield %3 : f32
          } -> tensor<2x2xf32>
          return %2 : tensor<2x2xf32>
        }
    """

    precision: Literal["int8", "int4", "ternary", "fp32"] = "int8"
    group: int = 32

    def run(self, module: Any) -> None:
        if self.precision == "fp32":
            return
        if self.group < 1:
            raise TfmbsError("usage", "pass tfmbs-quantize", "group", "at least 1", self.group)
        numbers: Counter[str] = Counter()
        inputs: list[Any] = []
        for op in ops_of(module, *QUANTIZABLE):
            name = kernel_name(op)
            with op.location, ir.InsertionPoint(op):
                _Product(op, self.precision, f"{name}_{numbers[name]}", inputs, self.group).quantize()
            numbers[name] += 1


def constant_weights(op: Any) -> F32 | None:
    """The weights of an op that the pass quantizes; None for any other op."""
    if not isinstance(op, QUANTIZABLE) or op.has_epilogue:
        return None
    weights = constant_elements(right(op))
    return weights if weights is not None and weights.dtype == np.float32 else None


@dataclass
class _Product:
    """One product on its way to integers. `inputs` are the `tfmbs.quantize` ops made so far, shared by siblings."""

    op: Any
    precision: str
    fallback: str
    inputs: list[Any]
    group: int

    def quantize(self) -> None:
        """Replaces the op, unless it has no constant f32 weights or something is fused into it already."""
        weights = constant_weights(self.op)
        if weights is None:
            return
        try:
            activation = self.activation()
            if self.has_groups(weights):
                self.replace_by_groups(activation, *quantize_int4(weights, self.group))
                return
            stored, scales = self.quantized_weights(weights)
        except ValueError as error:
            raise refusal(self.op, "quantize", str(error)) from error
        if activation is None:
            self.replace_by_trits(stored, scales)
        else:
            self.replace_by_integers(activation, stored, scales)

    def quantized_weights(self, weights: F32) -> tuple[I8, F32]:
        """Stored weights, and the scale of each channel."""
        if self.precision == "int4":
            stored, scales = quantize_int4(weights)
            return stored, scales[:, 0]
        return quantize_weights(weights) if self.precision == "int8" else ternarize(weights)

    def has_groups(self, weights: F32) -> bool:
        """Whether weights of 4 bits are of a matrix whose rows are whole groups."""
        return self.precision == "int4" and weights.ndim == 2 and weights.shape[1] % self.group == 0

    def replace_by_groups(self, activation: Activation | None, stored: I8, scales: F32) -> None:
        """The product with a scale for each group; that of an i8 input is multiplied into them, in f32."""
        lhs = left(self.op)
        if activation is not None:
            lhs, scales = self.quantized_input(activation), scales * np.float32(activation.scale)
        rows = self.nibbles(stored.reshape(-1, self.group), int4())
        new = graph.group_matmul(lhs, rows, self.constant(scales, "scales"), discardable=self.op.discardable())
        self.count(new)
        self.op.result.replace_all_uses_with(new.result)
        erase(self.op)

    def nibbles(self, stored: I8, element: Any) -> Any:
        """A constant of 4-bit integers in pairs."""
        packed = pack_rows(stored.reshape(stored.shape[0], -1), Packing.NIBBLES).view(np.int8)
        return graph.constant(resource_attr(packed, f"{self.layer}.weight"), stored.shape, element).result

    def activation(self) -> Activation | None:
        """Quantization of the input, from its calibrated range; None for int4 and ternary weights with f32 input."""
        if INPUT_RANGE in self.op.attributes:
            found = self.op.attributes[INPUT_RANGE]
            if not isinstance(found, ir.DenseF32ArrayAttr) or len(found) != 2:
                raise refusal(self.op, "quantize", INPUT_RANGE, "array<f32: smallest, largest>", found)
            return activation_for(*found)
        if self.precision in ("int4", "ternary"):
            return None
        raise refusal(self.op, "quantize", "no input range: int8 needs calibration", f"attribute {INPUT_RANGE}", "none")

    def weight_constant(self, stored: I8, scales: F32) -> Any:
        """The weights as `tfmbs.constant`."""
        exact = [float(scale) for scale in scales]
        if self.precision == "int4":
            return self.nibbles(stored, int4_per_axis(exact))
        element = quantized_per_axis(exact) if self.precision == "int8" else ternary(Packing.I8)
        return graph.constant(resource_attr(stored, f"{self.layer}.weight"), stored.shape, element).result

    @property
    def layer(self) -> str:
        telemetry = telemetry_of(self.op)
        return self.fallback if telemetry is None else telemetry.layer

    def product(self, lhs: Any, rhs: Any, element: Any) -> Any:
        """The op on other operands, with its weights counted again."""
        new = rebuild(self.op, [lhs, rhs], element)
        self.count(new)
        return new.result

    def count(self, new: Any) -> None:
        """Counts the weights of the op that replaces this one, which needs no range any more."""
        if INPUT_RANGE in new.attributes:
            del new.attributes[INPUT_RANGE]
        counted, before = count_weights(new, self.fallback), telemetry_of(self.op)
        if before is not None:
            counted = dataclasses.replace(before, zero_count=counted.zero_count, total=counted.total)
        set_telemetry(new, counted)

    def replace_by_trits(self, trits: I8, scales: F32) -> None:
        """f32 accumulators of products with stored weights, times the scale of their channel."""
        f32 = ir.F32Type.get()
        product = self.product(left(self.op), self.weight_constant(trits, scales), f32)
        scaled = self.with_channels(product, scales, "scale", f32, lambda x, s: arith.MulFOp(x, s).result)
        self.op.result.replace_all_uses_with(scaled)
        erase(self.op)

    def replace_by_integers(self, activation: Activation, stored: I8, scales: F32) -> None:
        """i32 accumulators, the bias added there, and what one unit of them is worth."""
        added = self.bias()
        bias = None if added is None else added[1]
        units = accumulator_scales(activation, stored, scales, bias)
        integers = None if bias is None else quantize_bias(bias, units)
        bound = accumulator_bound(stored, activation.largest, integers)
        if bound > I32_MAX:
            raise refusal(self.op, "quantize", "accumulators can exceed i32", f"a bound of at most {I32_MAX}", bound)
        i32 = ir.IntegerType.get_signless(32)
        result = self.product(self.quantized_input(activation), self.weight_constant(stored, scales), i32)
        if added is not None:
            with added[0].op.location:
                result = self.with_channels(result, integers, "bias", i32, lambda x, b: arith.AddIOp(x, b).result)
        unit = self.constant(units, "scale")
        result = graph.dequantize(result, unit, channel_axis(self.op)).result
        replaced = self.op.result if added is None else added[0].result
        replaced.replace_all_uses_with(result)
        if added is not None:
            erase(added[0].op)
        erase(self.op)

    def bias(self) -> tuple[Elementwise, F32] | None:
        """The addition of a constant per channel that is all the op's result is used for, and that constant."""
        view = as_elementwise(sole_user(self.op.result))
        if view is None or not is_addition(view):
            return None
        index = 1 if view.inputs[0] == self.op.result else 0
        values = channel_constant(view, index, channel_axis(self.op))
        if values is None or view.maps[1 - index] != identity(len(view.shape)):
            return None
        if not np.isfinite(values).all():
            raise refusal(self.op, "quantize", "the bias is not finite")
        return view, values

    def quantized_input(self, activation: Activation) -> Any:
        """The quantized left operand; one `tfmbs.quantize` for all products of the same tensor and range."""
        source, element = left(self.op), quantized(activation.scale, activation.zero_point)
        for made in self.inputs:
            if made.input == source and element_of(made.result) == element:
                return made.result
        made = graph.quantize(source, element)
        self.inputs.append(made)
        return made.result

    def with_channels(self, value: Any, channels: Any, what: str, element: Any, body: Any) -> Any:
        """`body(value, channel's constant)` elementwise."""
        shape = shape_of(value.type)
        inputs = [
            (value, identity(len(shape))),
            (self.constant(channels, what), mapping(len(shape), [channel_axis(self.op)])),
        ]
        return elementwise(inputs, shape, element, body)

    def constant(self, values: Any, what: str) -> Any:
        """An `arith.constant` of the layer."""
        attribute = resource_attr(values, f"{self.layer}.{what}")
        return arith.ConstantOp(attribute.type, attribute).result
