"""Products of operands that DequantizeLinear gives, as kernels of integers; their sums are dequantized behind.

What a model says is a product of floats. The integers' is the same but for the roundings of its steps
(docs/quantization.md says what holds). Quantize ops that follow are merged by `tfmbs-fold-requantize`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfmbs.dialect import graph
from tfmbs.dialect.mlir import arith, ir
from tfmbs.dialect.resources import resource_attr
from tfmbs.dialect.shapes import shape_of
from tfmbs.passes.graph.quantization import F32, I32, I32_MAX, I32_MIN
from tfmbs.passes.linalg.structured import elementwise, identity, mapping
from tfmbs.passes.onnx import build, integer_kernels
from tfmbs.passes.onnx.activation_products import product
from tfmbs.passes.onnx.dequantized import (
    MATRIX,
    Blocks,
    Dequantized,
    Grid,
    activations_of,
    blocks_of,
    grid_of,
    weights_of,
)
from tfmbs.passes.onnx.integer_weights import byte_constant
from tfmbs.passes.onnx.node import Node, Results

Value = Any

I8_MIN, I8_MAX = -128, 127


def conv(node: Node) -> Results | None:
    """Conv of quantized activations with weights on a grid; None for any other."""
    grid, a = weights_of(node, 1), activations_of(node, 0)
    weights = None if grid is None else grid.weights(0)
    if a is None or grid is None or weights is None:
        return None
    units = _units(a, grid)
    bias = _integers(node, 2, units)
    sums = integer_kernels.convolution(node, a.integers, weights, bias, grid.label)
    if sums is None:
        return None
    real = graph.dequantize(sums, _vector(units, f"{grid.label}.scale"), 1).result
    return real if bias is not None or not node.has(2) else _biased(node, real, 1)


def gemm(node: Node) -> Results | None:
    """Gemm of quantized activations with weights on a grid, with no factors and nothing but a bias added; else None."""
    if node.integer("transA") or node.number("alpha", 1.0) != 1.0 or node.number("beta", 1.0) != 1.0:
        return None
    if node.has(2) and node.shape(2) not in ((node.result_shape()[1],), (1, node.result_shape()[1])):
        return None
    return _linear(node, 0 if node.integer("transB") else 1, has_bias=node.has(2))


def matmul(node: Node) -> Results | None:
    """MatMul of quantized activations with a matrix on a grid, or with others; None for any other."""
    if len(node.shape(0)) < 2 or len(node.shape(1)) < 2:
        return None
    if len(node.shape(1)) == MATRIX and weights_of(node, 1) is not None:
        return _linear(node, 1, has_bias=False)
    blocks = blocks_of(node, 1)
    return _product(node) if blocks is None else _by_blocks(node, blocks)


def _by_blocks(node: Node, blocks: Blocks) -> Results | None:
    """A product of floats with weights that have a scale for each block; None where they leave i8."""
    if blocks.integers.min() < I8_MIN or blocks.integers.max() > I8_MAX or node.element(0).name != "f32":
        return None
    *rows, k = node.shape(0)
    groups, n = blocks.scales.shape
    stored = blocks.integers.T.reshape(n * groups, blocks.block).astype(np.int8)
    scales = _vector(np.ascontiguousarray(blocks.scales.T), f"{blocks.label}.scales")
    lhs = build.reshape(node.tensor(0), (int(np.prod(rows)), k))
    return build.reshape(graph.group_matmul(lhs, byte_constant(stored, blocks.label), scales).result, (*rows, n))


def _linear(node: Node, channels: int, *, has_bias: bool) -> Results | None:
    """A product with weights whose output channels are axis `channels`."""
    grid, a = weights_of(node, 1), activations_of(node, 0)
    weights = None if grid is None else grid.weights(channels)
    if a is None or grid is None or weights is None:
        return None
    units = _units(a, grid)
    bias = _integers(node, 2, units) if has_bias else None
    sums = integer_kernels.linear(node, a.integers, weights, bias, grid.label)
    axis = len(node.result_shape()) - 1
    real = graph.dequantize(sums, _vector(units, f"{grid.label}.scale"), axis).result
    return _biased(node, real, axis) if has_bias and bias is None else real


def _product(node: Node) -> Results | None:
    """A product of two activations with the same batches; None for any other."""
    a, b = activations_of(node, 0), activations_of(node, 1)
    if a is None or b is None:
        return None
    sums = product(node, a.integers.value, b.integers.value)
    if sums is None:
        return None
    scale = np.float32(a.scale) * np.float32(b.scale)
    return graph.dequantize(sums, _vector(np.array([scale], np.float32), "scale")).result


def _units(a: Dequantized, grid: Grid) -> F32:
    """What one unit of the sums is worth, of each output channel or of all."""
    units: F32 = (np.float32(a.scale) * grid.scales).astype(np.float32)
    return units


def _integers(node: Node, index: int, units: F32) -> I32 | None:
    """A bias of integers that are worth one unit of the sums each; None for any other, or none."""
    grid = grid_of(node, index) if node.has(index) else None
    if grid is None or not grid.matches(units):
        return None
    integers = grid.integers.reshape(-1)
    return integers.astype(np.int32) if integers.min() >= I32_MIN and integers.max() <= I32_MAX else None


def _biased(node: Node, value: Value, axis: int) -> Value:
    """Plus operand 2, a float for each index of `axis`."""
    sizes = shape_of(value.type)
    inputs = [
        (value, identity(len(sizes))),
        (build.reshape(node.tensor(2), (sizes[axis],)), mapping(len(sizes), [axis])),
    ]
    return elementwise(inputs, sizes, ir.F32Type.get(), lambda x, b: arith.AddFOp(x, b).result)


def _vector(values: F32, name: str) -> Value:
    attribute = resource_attr(values, name)
    return arith.ConstantOp(attribute.type, attribute).result


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {"Conv": conv, "Gemm": gemm, "MatMul": matmul}
