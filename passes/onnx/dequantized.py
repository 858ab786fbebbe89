"""Operands that a DequantizeLinear gives: which integers they are, with what scales."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tfmbs.dialect.mlir import ir
from tfmbs.dialect.resources import resource_attr
from tfmbs.passes.graph.quantization import F32
from tfmbs.passes.onnx.integer_kernels import Activations
from tfmbs.passes.onnx.integer_weights import IntegerWeights
from tfmbs.passes.onnx.node import Node
from tfmbs.passes.onnx.stored_bytes import BYTES, as_quantized, scale_of, zero_point_of

DEQUANTIZE = "DequantizeLinear"

BYTE, MATRIX = 8, 2

_EXACT = 16
"""Bits of the widest integers whose difference is an f32."""

_WEIGHTS = BYTES | {"si4", "ui4", "si2", "ui2"}
"""Element types of at most 8 bits."""


@dataclass(frozen=True)
class Grid:
    """Constant integers: real value = (integer − zero point) · scale, of f32; one scale and zero point, or one for
    each index of `axis`."""

    integers: npt.NDArray[np.int64]
    scales: F32
    zero_points: npt.NDArray[np.int64]
    axis: int
    label: str

    def weights(self, axis: int) -> IntegerWeights | None:
        """The integers with output channels first, which are those of `axis`; None where scales are of other axes."""
        if max(self.scales.size, self.zero_points.size) > 1 and self.axis != axis:
            return None
        return IntegerWeights.of(np.moveaxis(self.integers, axis, 0), self.zero_points)

    def matches(self, units: F32) -> bool:
        """Whether each integer is worth one of `units`, to the last bit."""
        sizes = np.broadcast_shapes(self.scales.shape, units.shape)
        return not self.zero_points.any() and np.array_equal(
            np.broadcast_to(self.scales, sizes), np.broadcast_to(units, sizes)
        )


def grid_of(node: Node, index: int) -> Grid | None:
    """The grid that a constant operand lies on, or a matrix that it is the transpose of; None for any other operand."""
    source, turned = _dequantizer(node, index)
    grid = None if source is None else _grid(source)
    return replace(grid, integers=grid.integers.T, axis=1 - grid.axis) if grid is not None and turned else grid


def _grid(source: Node) -> Grid | None:
    found = _constants(source)
    if found is None:
        return None
    integers, scales, points = found
    shape, axis = source.shape(0), _axis(source)
    for given in (scales, points):
        if given.size > 1 and (given.ndim > 1 or not (0 <= axis < len(shape) and given.size == shape[axis])):
            return None
    return Grid(integers, scales.reshape(-1), points.reshape(-1), axis, source.label(0))


def _constants(source: Node) -> tuple[npt.NDArray[np.int64], F32, npt.NDArray[np.int64]] | None:
    """Integers, scales of f32 and zero points of a DequantizeLinear, in their shapes; None where one is no constant."""
    if source.element(1).name != "f32" or not source.element(0).is_integer:
        return None
    integers, scales = source.constant(0), source.constant(1)
    points = source.constant(2) if source.has(2) else np.zeros((), np.int64)
    if integers is None or scales is None or points is None:
        return None
    return integers.astype(np.int64), scales, points.astype(np.int64)


def _axis(source: Node) -> int:
    axis = source.integer("axis", 1)
    return axis + len(source.shape(0)) if axis < 0 else axis


@dataclass(frozen=True)
class Blocks:
    """Integers K×N less their zero points, with scales (K/block)×N: each of `block` rows has its own."""

    integers: npt.NDArray[np.int64]
    scales: F32
    block: int
    label: str


def blocks_of(node: Node, index: int) -> Blocks | None:
    """A constant matrix with a scale for each block of a column; None for any other operand."""
    source, turned = _dequantizer(node, index)
    return None if source is None or turned else _blocks(source)


def _blocks(source: Node) -> Blocks | None:
    found = None if source.element(0).bits > BYTE else _constants(source)
    if found is None or found[0].ndim != MATRIX or _axis(source) != 0:
        return None
    integers, scales, points = found
    block = source.integer("block_size")
    if not block or len(integers) % block or scales.shape != (len(integers) // block, integers.shape[1]):
        return None
    if points.shape not in ((), scales.shape) or not np.isfinite(scales).all():
        return None
    less = np.repeat(np.broadcast_to(points, scales.shape), block, axis=0)
    return Blocks(integers - less, scales, block, source.label(0))


def weights_of(node: Node, index: int) -> Grid | None:
    """`grid_of` constant weights, of at most 8 bits and with finite scales."""
    grid = grid_of(node, index)
    if grid is None or not grid.integers.size or not np.isfinite(grid.scales).all():
        return None
    source, _ = _dequantizer(node, index)
    return grid if source is not None and source.element(0).name in _WEIGHTS else None


@dataclass(frozen=True)
class Dequantized:
    """Activations, and what one unit of them is worth."""

    integers: Activations
    scale: float


def activations_of(node: Node, index: int) -> Dequantized | None:
    """Operand `index` as 8-bit integers with one scale and zero point for all; None where it is no such thing."""
    source, turned = _dequantizer(node, index)
    if source is None or turned or source.element(0).name not in BYTES or source.constant(0) is not None:
        return None
    if source.result_element().name != "f32":
        return None
    scale, point = scale_of(source, 1), zero_point_of(source, 2)
    if scale is None or point is None:
        return None
    value = as_quantized(source.tensor(0), source.element(0), scale, point)
    return Dequantized(Activations(value), scale)


def _dequantizer(node: Node, index: int) -> tuple[Node | None, bool]:
    """The DequantizeLinear that gives an operand, and whether the operand is the transpose of the matrix it gives."""
    source = node.producer(index)
    turned = source is not None and source.op == "Transpose" and source.is_static and len(source.shape(0)) == MATRIX
    if source is not None and turned and source.integers("perm") in (None, (1, 0)):
        source = source.producer(0)
    found = source is not None and source.op == DEQUANTIZE and source.is_static
    return (source, turned) if found else (None, False)


def dequantized_literal(node: Node) -> Any:
    """A constant that a DequantizeLinear gives, as a literal of the torch level; None where it gives no such thing.

    (integer − zero point) is exact in f32, and multiplied once.
    """
    if node.element(0).bits > _EXACT or node.result_element().name != "f32":
        return None
    if (grid := _grid(node)) is not None:
        sizes = [-1 if d == grid.axis else 1 for d in range(grid.integers.ndim)]
        scales, points = (a.reshape(sizes if a.size > 1 else ()) for a in (grid.scales, grid.zero_points))
        real, label = (grid.integers - points).astype(np.float32) * scales, grid.label
    elif (blocks := _blocks(node)) is not None:
        real, label = blocks.integers.astype(np.float32) * np.repeat(blocks.scales, blocks.block, axis=0), blocks.label
    else:
        return None
    with node.operation.location, ir.InsertionPoint(node.operation):
        value = {"value": resource_attr(real.astype(np.float32), label)}
        return ir.Operation.create("torch.vtensor.literal", [node.operation.results[0].type], [], value).results[0]
