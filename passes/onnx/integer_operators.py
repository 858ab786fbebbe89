"""ONNX's integer products with constant weights as kernels: their operands, and what requantizes their sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmbs.dialect import graph
from tfmbs.dialect.mlir import arith
from tfmbs.dialect.resources import resource_attr
from tfmbs.dialect.types import quantized
from tfmbs.passes.graph.quantization import F32, I32
from tfmbs.passes.onnx import integer_kernels
from tfmbs.passes.onnx.activation_products import product
from tfmbs.passes.onnx.integer_kernels import Activations
from tfmbs.passes.onnx.integer_weights import IntegerWeights
from tfmbs.passes.onnx.node import Node
from tfmbs.passes.onnx.stored_bytes import BYTES, as_quantized, as_stored, lowered, scale_of, zero_point_of

Value = Any

MATRIX = 2


@dataclass(frozen=True)
class Operands:
    """Which operands of a node are activations and weights, their zero points, and a bias of i32 (−1: none)."""

    a: int
    a_zero: int
    weights: int
    weights_zero: int
    bias: int = -1


@dataclass(frozen=True)
class Scales:
    """Which operands of a node are the scales of activations, weights and result, and the result's zero point."""

    a: int
    weights: int
    result: int
    zero_point: int


def matmul(node: Node, which: Operands) -> Value | None:
    """The sums of a matrix product in the shape of the result, with a constant matrix K×N, or of two activations with
    the same batches and constant zero points; None for any other.
    """
    if len(node.shape(which.weights)) != MATRIX or len(node.shape(which.a)) < MATRIX:
        return _activation_product(node, which)
    found = _operands(node, which, transposed=True)
    if found is None:
        return _activation_product(node, which)
    a, weights, _ = found
    return integer_kernels.linear(node, a, weights, None, node.label(which.weights))


def _activation_product(node: Node, which: Operands) -> Value | None:
    values = []
    for index, zero in ((which.a, which.a_zero), (which.weights, which.weights_zero)):
        element, point = node.element(index), zero_point_of(node, zero)
        if element.name not in BYTES or point is None or node.constant(index) is not None:
            return None
        values.append(as_quantized(node.tensor(index), element, _scale_beside(node, index, zero), point))
    return product(node, *values)


def convolution(node: Node, which: Operands) -> Value | None:
    """The sums of a convolution with constant weights, and its bias; None for any other."""
    found = _operands(node, which, transposed=False)
    if found is None:
        return None
    a, weights, bias = found
    return integer_kernels.convolution(node, a, weights, bias, node.label(which.weights))


def requantized(node: Node, sums: Value, which: Scales, axis: int) -> Value | None:
    """saturate(round(f32(sums) · (a·w/y)) + zero point), where scales are constants of f32; else None.

    The weights' scale is one, or one for each index of `axis`.
    """
    a, y, point = scale_of(node, which.a), scale_of(node, which.result), zero_point_of(node, which.zero_point)
    weights, element = node.constant(which.weights), node.result_element()
    if a is None or y is None or point is None or weights is None or node.element(which.weights).name != "f32":
        return None
    with np.errstate(all="ignore"):
        factors = np.float32(a) * weights.reshape(-1) / np.float32(y)
    if not np.isfinite(factors).all() or element.name not in BYTES:
        return None
    type_ = quantized(y, point - lowered(element))
    return as_stored(graph.requantize(sums, f32_constant(factors, "multiplier"), type_, axis).result, element)


def f32_constant(values: F32, name: str) -> Value:
    """A constant vector."""
    attribute = resource_attr(values.astype(np.float32), name)
    return arith.ConstantOp(attribute.type, attribute).result


def _operands(
    node: Node, which: Operands, *, transposed: bool
) -> tuple[Activations, IntegerWeights, I32 | None] | None:
    """What a kernel computes with, None where the weights, their zero points or the bias are no constants."""
    weights, zero = node.constant(which.weights), np.zeros(1, np.int32)
    if weights is None or not weights.size or node.element(which.a).name not in BYTES:
        return None
    if node.has(which.weights_zero):
        given = node.constant(which.weights_zero)
        if given is None:
            return None
        zero = given.astype(np.int32).reshape(-1)
        channels = weights.shape[1 if transposed else 0]
        if zero.size not in (1, channels):
            return None
    bias = node.constant(which.bias) if which.bias >= 0 else None
    if which.bias >= 0 and node.has(which.bias) and bias is None:
        return None
    a = _activations(node, which)
    if a is None:
        return None
    return a, IntegerWeights.of(weights.T if transposed else weights, zero), bias


def _activations(node: Node, which: Operands) -> Activations | None:
    element, point = node.element(which.a), zero_point_of(node, which.a_zero)
    if point is not None:
        scale = _scale_beside(node, which.a, which.a_zero)
        return Activations(as_quantized(node.tensor(which.a), element, scale, point))
    if _size(node.shape(which.a_zero)) != 1:
        return None
    return Activations.shifted(node.tensor(which.a), element, node.tensor(which.a_zero))


def _scale_beside(node: Node, index: int, zero: int) -> float:
    """The scale of an operand, which QLinear operators have between it and its zero point; 1 without one."""
    between = index + 1
    is_scale = zero == between + 1 and node.has(between) and node.element(between).is_float
    scale = scale_of(node, between) if is_scale else None
    return 1.0 if scale is None else scale


def _size(shape: Sequence[int]) -> int:
    return int(np.prod(shape, dtype=np.int64))
