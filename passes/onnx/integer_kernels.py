"""Products of 8-bit activations and constant integer weights as kernels: exact sums in i32.

For activations a with zero point z and weights w = stored + offset, Σ (a − z)·w is the kernel's Σ (a − z)·stored, plus
offset · Σ (a − z), which is a product with ones. A zero point that is known at run time only is left out of the kernel:
z · Σ w is subtracted behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmbs.dialect import graph
from tfmbs.dialect.mlir import arith, ir, linalg, tensor
from tfmbs.dialect.resources import resource_attr
from tfmbs.dialect.shapes import element_of, shape_of, tensor_type
from tfmbs.dialect.types import storage_bounds, zero_points_of
from tfmbs.passes.graph.quantization import I32, I32_MAX
from tfmbs.passes.linalg.structured import elementwise, empty, identity, mapping
from tfmbs.passes.onnx import build
from tfmbs.passes.onnx.arithmetic import SI32, cast
from tfmbs.passes.onnx.elements import Element
from tfmbs.passes.onnx.integer_weights import IntegerWeights, byte_constant
from tfmbs.passes.onnx.node import Node
from tfmbs.passes.onnx.stored_bytes import as_quantized, lowered
from tfmbs.passes.onnx.windows import geometry, padding_after

Value = Any

_BYTE = 255


@dataclass(frozen=True)
class Activations:
    """Integers less their zero point: `value` is of quantized type.

    `shift` is a scalar tensor of i32 that is to be subtracted from each of them besides, None for nothing.
    """

    value: Value
    shift: Value | None = None

    @classmethod
    def shifted(cls, value: Value, element: Element, zero_point: Value) -> Activations:
        """Of a builtin tensor of 8-bit ONNX integers and its zero point, a builtin tensor of one element."""

        def body(point: Value) -> Value:
            return arith.SubIOp(cast(point, element, SI32), node_scalar(lowered(element))).result

        return cls(
            as_quantized(value, element, 1.0, lowered(element)), build.broadcasting([zero_point], (), SI32.mlir, body)
        )

    @property
    def largest(self) -> int:
        """The largest magnitude of an integer less its zero point."""
        if self.shift is not None:
            return _BYTE
        element = element_of(self.value)
        low, high = storage_bounds(element)
        point = zero_points_of(element)[0]
        return max(point - low, high - point)


def node_scalar(value: int) -> Value:
    """A scalar constant of i32."""
    return arith.ConstantOp(SI32.mlir, ir.IntegerAttr.get(SI32.mlir, value)).result


Product = Callable[[Value, Value], Value]
"""The kernel of activations and weights, both tensors of quantized type: i32."""


def linear(node: Node, a: Activations, weights: IntegerWeights, bias: I32 | None, name: str) -> Value:
    """The product of `a` …×K with `weights` N×K: i32 …×N, plus a constant bias per column. `name` is the weights'."""
    *rows, k = shape_of(a.value.type)
    flat = Activations(build.reshape(a.value, (int(np.prod(rows)), k)), a.shift)
    ones = np.ones((1, k), np.int8)
    sums = _sums(node, flat, weights, bias, ones, lambda x, w: graph.matmul(x, w).result, name)
    return build.reshape(sums, (*rows, len(weights.stored)))


def convolution(node: Node, a: Activations, weights: IntegerWeights, bias: I32 | None, name: str) -> Value | None:
    """The convolution of `a` N×C×… with `weights` O×(C/groups)×…, by the node's attributes; i32, plus the bias.

    Padding counts as the zero point. None for another number of spatial axes than a kernel has (1, 2 or 3).
    """
    image, kernel, places = shape_of(a.value.type)[2:], weights.stored.shape[2:], node.result_shape()[2:]
    groups = node.integer("group", 1)
    if len(kernel) not in (1, 2, 3):
        return None
    window = geometry(node, kernel, places, image)
    before, after = list(window.before), padding_after(window, kernel, places, image)
    if a.shift is not None and any((*before, *after)):
        a, before, after = _padded(a, before, after), [0] * len(before), [0] * len(after)
    strides, dilations = list(window.strides), list(window.dilations)
    stored = weights.stored
    if len(kernel) == 1:  # an image of one row
        a, stored = Activations(_as_row(a.value), a.shift), stored[:, :, None]
        before, after, strides, dilations = [0, *before], [0, *after], [1, *strides], [1, *dilations]
    kind: Any = graph.conv2d if stored.ndim == 4 else graph.conv3d

    def product(x: Value, w: Value) -> Value:
        return kind(x, w, tuple(strides), tuple(dilations), (*before, *after), groups).result

    ones = np.ones((groups, *stored.shape[1:]), np.int8)
    sums = _sums(node, a, IntegerWeights(stored, weights.offset), bias, ones, product, name)
    return build.reshape(sums, node.result_shape())


def _sums(
    node: Node, a: Activations, weights: IntegerWeights, bias: I32 | None, ones: Any, product: Product, name: str
) -> Value:
    """The kernel and what is added behind it; channels are axis 1 of the result, as axis 0 of `ones` are groups."""
    bound = weights.bound(a.largest, bias)
    if bound > I32_MAX:
        raise node.refuse("accumulators can exceed i32", f"a bound of at most {I32_MAX}", bound)
    sums = product(a.value, weights.constant(name))
    channels = shape_of(sums.type)[1]
    rank = len(shape_of(sums.type))
    inputs: list[tuple[Value, Any]] = [(sums, identity(rank))]
    terms: list[str] = []
    if weights.offset.any():
        totals = product(a.value, byte_constant(ones, f"{name}.ones"))
        group = ir.AffineExpr.get_floor_div(ir.AffineDimExpr.get(1), channels // len(ones))
        which = ir.AffineConstantExpr.get(0) if len(ones) == 1 else group
        inputs.append((totals, mapping(rank, [which if d == 1 else d for d in range(rank)])))
        inputs.append((_constant(weights.offset, f"{name}.offset"), mapping(rank, [1])))
        terms.append("offset")
    if a.shift is not None:
        inputs.append((a.shift, mapping(rank, [])))
        inputs.append((_constant(weights.sums, f"{name}.sums"), mapping(rank, [1])))
        terms.append("shift")
    if bias is not None:
        inputs.append((_constant(bias, f"{name}.bias"), mapping(rank, [1])))

    def body(total: Value, *rest: Value) -> Value:
        values = iter(rest)
        for term in terms:
            combine = arith.AddIOp if term == "offset" else arith.SubIOp
            total = combine(total, arith.MulIOp(next(values), next(values)).result).result
        for value in values:
            total = arith.AddIOp(total, value).result
        return total

    return elementwise(inputs, shape_of(sums.type), SI32.mlir, body) if len(inputs) > 1 else sums


def _padded(a: Activations, before: Sequence[int], after: Sequence[int]) -> Activations:
    """The image with its zero point around it, which is what is still to be subtracted."""
    assert a.shift is not None
    shape, i8 = shape_of(a.value.type), ir.IntegerType.get_signless(8)
    low, high = [0, 0, *before], [0, 0, *after]
    sizes = tuple(size + x + y for size, x, y in zip(shape, low, high, strict=True))
    fill = arith.TruncIOp(i8, build.extract(a.shift, [])).result
    target = linalg.fill(fill, outs=[empty(sizes, i8)])
    stored = ir.Operation.create("quant.scast", results=[tensor_type(shape, i8)], operands=[a.value]).result
    none: list[Any] = []
    padded = tensor.InsertSliceOp(stored, target, none, none, none, low, list(shape), [1] * len(shape)).result
    type_ = tensor_type(sizes, element_of(a.value))
    return Activations(ir.Operation.create("quant.scast", results=[type_], operands=[padded]).result, a.shift)


def _as_row(value: Value) -> Value:
    count, channels, width = shape_of(value.type)
    return build.reshape(value, (count, channels, 1, width))


def _constant(values: I32, name: str) -> Value:
    attribute = resource_attr(values.astype(np.int32), name)
    return arith.ConstantOp(attribute.type, attribute).result
