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
from tfmbs.dialect.shapes import shape_of
from tfmbs.dialect.telemetry import set_telemetry, telemetry_of
from tfmbs.dialect.types import int4, int4_per_axis, quantized, quantized_per_axis, ternary
from tfmbs.passes.graph.choices import DEFAULT, Choice, Settings, choice_of, forget
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
    ACTIVATION_MIN,
    F32,
    I8,
    I32_MAX,
    Activation,
    accumulator_bound,
    accumulator_scales,
    activation_for,
    quantize_bias,
)
from tfmbs.passes.graph.quantized_operands import Inputs, stored_weights, widened_bf16
from tfmbs.passes.linalg.generics import Elementwise, added_channels, as_elementwise
from tfmbs.passes.linalg.structured import elementwise, identity, mapping
from tfmbs.passes.registry import Pass
from tfmbs.passes.tfmbs_telemetry import count_weights
from tfmbs.runtime.abi.packing import pack_rows
from tfmbs.runtime.abi.types import Packing

MATRIX = 2
"""Axes of the weights of a linear layer."""

QUANTIZABLE = (graph.MatmulOp, graph.GemvOp, graph.Conv2dOp, graph.Conv3dOp)


@dataclass(frozen=True)
class TfmbsQuantize(Pass):
    """Quantize matmul, gemv, conv2d and conv3d with constant f32 weights to int8, or their weights to int4 or trits.

    int8: the input by its calibrated range (asymmetric, per tensor), weights symmetrically per output channel. int4:
    linear layers whose reduction `group-size` divides (32; "channel" for none) become `tfmbs.group_matmul`; others have
    a scale per channel. ternary: trits by the threshold 0.7 · mean|w| per output channel, or group where `group-size`
    says so. With int4 and ternary weights the input is quantized too where it has a range, or rounded to bf16 with
    `activations=bf16`. With `activations=dynamic` each row of a linear layer's input becomes i8 by its largest
    magnitude when it is there, as in BitNet b1.58 (Ma et al., 2024), in any of the three. bf16: both operands are
    rounded. A product's own `tfmbs.precision` and `tfmbs.weight_scales` go before the options; "mixed" has those only.
    Integer products accumulate in i32, proved not to overflow; a constant
    bias is added there, and `tfmbs.dequantize` follows. Everything else stays f32. The arithmetic is in
    docs/quantization.md.

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

    precision: Literal["ternary", "int4", "int8", "bf16", "fp32", "mixed"] = "int8"
    group_size: str = DEFAULT
    activations: Literal["int8", "dynamic", "bf16"] = "int8"

    def run(self, module: Any) -> None:
        settings = Settings(self.precision, self.group_size)
        settings.check("pass tfmbs-quantize")
        numbers: Counter[str] = Counter()
        inputs = Inputs()
        for op in ops_of(module, *QUANTIZABLE):
            name = kernel_name(op)
            weights = constant_weights(op)
            if weights is not None:
                choice = choice_of(op, weights, settings)
                with op.location, ir.InsertionPoint(op):
                    _Product(op, weights, choice, self.activations, f"{name}_{numbers[name]}", inputs).quantize()
            numbers[name] += 1


def constant_weights(op: Any) -> F32 | None:
    """The weights of an op that the pass quantizes; None for any other op."""
    if not isinstance(op, QUANTIZABLE) or op.has_epilogue:
        return None
    weights = constant_elements(right(op))
    return weights if weights is not None and weights.dtype == np.float32 else None


@dataclass
class _Product:
    """One product on its way to integers."""

    op: Any
    weights: F32
    choice: Choice
    activations: str
    fallback: str
    inputs: Inputs

    def quantize(self) -> None:
        """Replaces the op, unless it is to stay f32."""
        if self.choice.precision == "fp32":
            if self.choice.own:
                forget(self.op)
            return
        if self.choice.precision == "bf16":
            self.replace_by_bf16()
            return
        try:
            activation = self.activation()
            stored, scales = stored_weights(self.weights, self.choice)
        except ValueError as error:
            raise refusal(self.op, "quantize", str(error)) from error
        if self.is_dynamic or scales.shape[1] > 1 or (activation is None and self.choice.precision == "int8"):
            self.replace_by_groups(activation, stored, scales)
        elif activation is None:
            self.replace_by_trits(stored, scales[:, 0])
        else:
            self.replace_by_integers(activation, stored, scales[:, 0])

    @property
    def is_dynamic(self) -> bool:
        """Whether rows of the input become i8 by their largest magnitude: those of linear layers do."""
        return self.activations == "dynamic" and self.weights.ndim == 2  # a matrix

    def float_input(self) -> Any:
        """The left operand in f32, rounded to bf16 where activations are that."""
        return self.inputs.rounded(left(self.op)) if self.activations == "bf16" else left(self.op)

    def replace_by_bf16(self) -> None:
        """The product in f32 of operands rounded to bf16; the weights are stored so and widened where they are read."""
        if not np.isfinite(self.weights).all():
            raise refusal(self.op, "quantize", "weights are not finite")
        lhs = self.inputs.rounded(left(self.op))
        new = rebuild(self.op, [lhs, widened_bf16(self.weights, f"{self.layer}.weight")], ir.F32Type.get())
        forget(new)
        self.op.result.replace_all_uses_with(new.result)
        erase(self.op)

    def replace_by_groups(self, activation: Activation | None, stored: I8, scales: F32) -> None:
        """The product with a scale for each group; that of an i8 input is multiplied into them, in f32."""
        if activation is None:
            lhs = self.float_input()
        else:
            lhs, scales = self.quantized_input(activation), scales * np.float32(activation.scale)
        rows, mode = self.group_rows(stored.reshape(scales.size, -1)), "stored"
        if self.is_dynamic:
            mode = "absmax"
            self.check_bound(accumulator_bound(stored.reshape(scales.size, -1), -ACTIVATION_MIN))
        factors = self.constant(scales, "scales")
        new = graph.group_matmul(lhs, rows, factors, mode, discardable=self.op.discardable())
        self.count(new)
        self.op.result.replace_all_uses_with(new.result)
        erase(self.op)

    def group_rows(self, stored: I8) -> Any:
        """A constant of a row for each group, of integers that are worth one."""
        if self.choice.precision == "int4":
            return self.nibbles(stored, int4())
        element = quantized(1.0) if self.choice.precision == "int8" else ternary(Packing.I8)
        return graph.constant(resource_attr(stored, f"{self.layer}.weight"), stored.shape, element).result

    def nibbles(self, stored: I8, element: Any) -> Any:
        """A constant of 4-bit integers in pairs."""
        packed = pack_rows(stored.reshape(stored.shape[0], -1), Packing.NIBBLES).view(np.int8)
        return graph.constant(resource_attr(packed, f"{self.layer}.weight"), stored.shape, element).result

    def activation(self) -> Activation | None:
        """Quantization of the input, from its calibrated range; None for float input: of rows that are quantized in the
        kernel, of int4 and ternary weights, and of int8 ones in linear layers that are on a grid already.
        """
        if self.is_dynamic or (self.activations == "bf16" and self.choice.precision != "int8"):
            return None
        if INPUT_RANGE in self.op.attributes:
            found = self.op.attributes[INPUT_RANGE]
            if not isinstance(found, ir.DenseF32ArrayAttr) or len(found) != 2:
                raise refusal(self.op, "quantize", INPUT_RANGE, "array<f32: smallest, largest>", found)
            return activation_for(*found)
        if self.choice.precision != "int8" or (self.choice.scales is not None and self.weights.ndim == MATRIX):
            return None
        raise refusal(self.op, "quantize", "no input range: int8 needs calibration", f"attribute {INPUT_RANGE}", "none")

    def weight_constant(self, stored: I8, scales: F32) -> Any:
        """The weights as `tfmbs.constant`."""
        exact = [float(scale) for scale in scales]
        if self.choice.precision == "int4":
            return self.nibbles(stored, int4_per_axis(exact))
        element = quantized_per_axis(exact) if self.choice.precision == "int8" else ternary(Packing.I8)
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
        """Counts the weights of the op that replaces this one, which needs no calibration any more."""
        forget(new)
        counted, before = count_weights(new, self.fallback), telemetry_of(self.op)
        if before is not None:
            counted = dataclasses.replace(before, zero_count=counted.zero_count, total=counted.total)
        set_telemetry(new, counted)

    def replace_by_trits(self, trits: I8, scales: F32) -> None:
        """f32 accumulators of products with stored weights, times the scale of their channel."""
        f32 = ir.F32Type.get()
        product = self.product(self.float_input(), self.weight_constant(trits, scales), f32)
        scaled = self.with_channels(product, scales, "scale", f32, lambda x, s: arith.MulFOp(x, s).result)
        self.op.result.replace_all_uses_with(scaled)
        erase(self.op)

    def replace_by_integers(self, activation: Activation, stored: I8, scales: F32) -> None:
        """i32 accumulators, the bias added there, and what one unit of them is worth."""
        added = self.bias()
        bias = None if added is None else added[1]
        units = accumulator_scales(activation, stored, scales, bias)
        integers = None if bias is None else quantize_bias(bias, units)
        self.check_bound(accumulator_bound(stored, activation.largest, integers))
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

    def check_bound(self, bound: int) -> None:
        """Refuses a product whose accumulators can reach `bound` where that is too large."""
        if bound > I32_MAX:
            raise refusal(self.op, "quantize", "accumulators can exceed i32", f"a bound of at most {I32_MAX}", bound)

    def bias(self) -> tuple[Elementwise, F32] | None:
        """The addition of a constant per channel that is all the op's result is used for, and that constant."""
        view = as_elementwise(sole_user(self.op.result))
        added = None if view is None else added_channels(view, self.op.result, channel_axis(self.op))
        if view is None or added is None:
            return None
        if not np.isfinite(added[1]).all():
            raise refusal(self.op, "quantize", "the bias is not finite")
        return view, added[1]

    def quantized_input(self, activation: Activation) -> Any:
        """The quantized left operand."""
        return self.inputs.quantized(left(self.op), quantized(activation.scale, activation.zero_point))

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
