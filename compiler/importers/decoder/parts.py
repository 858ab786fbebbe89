"""The parts of a decoder as graph-level ops. Activations are (tokens, width) of f32; all build where the caller is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmbs.compiler.importers.decoder.config import RELU2
from tfmbs.compiler.importers.decoder.weights import BYTES, F32, NIBBLES, TRITS, Grouped, Matrix
from tfmbs.dialect import graph, scalars
from tfmbs.dialect.mlir import arith, ir, linalg, math, tensor
from tfmbs.dialect.resources import resource_attr
from tfmbs.dialect.shapes import Shape, shape_of
from tfmbs.dialect.types import int4, packing_of, quantized, ternary
from tfmbs.passes.linalg import scalar
from tfmbs.passes.linalg.structured import PARALLEL, REDUCTION, elementwise, filled, generic, identity
from tfmbs.passes.linalg.structured import mapping as map_of
from tfmbs.runtime.abi.packing import pack_rows
from tfmbs.runtime.abi.types import Packing

Value = Any


def constant(array: np.ndarray[Any, Any], name: str) -> Value:
    """A constant tensor of plain elements."""
    return _plain(resource_attr(array, name))


@dataclass(frozen=True)
class Stored:
    """Weights as attributes that all entry points share: `values` of `shape` and `element`, and scales (rows, groups).

    Rows of integers in `values` are groups; of floats there are no scales.
    """

    values: Any
    shape: Shape
    element: Any
    scales: Any = None

    @classmethod
    def product(cls, matrix: Matrix, name: str, packing: Packing) -> Stored:
        """The right operand of a product, packed where integers are narrower than a byte; trits with `packing`."""
        if not isinstance(matrix, Grouped):
            real = np.asarray(matrix, np.float32)
            return cls(resource_attr(real, name), real.shape, _f32())
        rows = matrix.stored.reshape(-1, matrix.group)
        element = ternary(packing) if matrix.bits == TRITS else {NIBBLES: int4(), BYTES: quantized(1.0)}[matrix.bits]
        dense = packing_of(element) is Packing.DENSE
        stored = rows if dense else pack_rows(rows, packing_of(element)).view(np.int8)
        return cls(_attribute(stored, name), rows.shape, element, _attribute(matrix.scales, f"{name}.scales"))

    @classmethod
    def table(cls, matrix: Matrix, name: str) -> Stored:
        """A table of rows that are looked up: integers of a byte and scales, or floats as they are."""
        if isinstance(matrix, Grouped):
            scales = _attribute(matrix.scales, f"{name}.scales")
            return cls(_attribute(matrix.stored, name), matrix.stored.shape, quantized(1.0), scales)
        attribute = _attribute(matrix, name)
        return cls(attribute, matrix.shape, attribute.type.element_type)


def _attribute(array: np.ndarray[Any, Any], name: str) -> Any:
    array.setflags(write=False)
    return resource_attr(array, name)


def _plain(attribute: Any) -> Value:
    return arith.ConstantOp(attribute.type, attribute).result


def embed(ids: Value, stored: Stored) -> Value:
    """Rows of a table by ids (tokens,) of i64, in f32: (tokens, columns)."""
    table = _plain(stored.values)
    scales = None if stored.scales is None else _plain(stored.scales)
    columns = stored.shape[1]

    def body(number: Value) -> Value:
        row, column = arith.IndexCastOp(ir.IndexType.get(), number).result, linalg.IndexOp(1).result
        value = tensor.ExtractOp(table, [row, column]).result
        if scales is None:
            return value if isinstance(value.type, ir.F32Type) else arith.ExtFOp(_f32(), value).result
        group = scalar.constant(ir.IndexType.get(), columns // shape_of(scales.type)[1])
        part = arith.DivUIOp(column, group).result
        return arith.MulFOp(scalar.to_float(value), tensor.ExtractOp(scales, [row, part]).result).result

    return elementwise([(ids, map_of(2, [0]))], (shape_of(ids.type)[0], columns), _f32(), body)


def linear(x: Value, stored: Stored, activations: str) -> Value:
    """x times the transpose of the weights: (tokens, rows)."""
    if stored.scales is None:
        return graph.matmul(x, _plain(stored.values)).result
    rows = graph.constant(stored.values, stored.shape, stored.element).result
    return graph.group_matmul(x, rows, _plain(stored.scales), activations).result


def rms_norm(x: Value, gamma: F32, epsilon: float, name: str) -> Value:
    """x · rsqrt(Σ x² / width + ε) · γ, from left to right (Zhang and Sennrich, 2019)."""
    tokens, width = shape_of(x.type)
    squares = generic(
        [(x, identity(2))],
        [(filled((tokens,), _f32(), 0), map_of(2, [0]))],
        [PARALLEL, REDUCTION],
        lambda value, total: arith.AddFOp(total, arith.MulFOp(value, value).result).result,
    ).results[0]

    def root(total: Value) -> Value:
        mean = arith.DivFOp(total, scalar.f32(width)).result
        return math.RsqrtOp(arith.AddFOp(mean, scalar.f32(float(np.float32(epsilon)))).result).result

    factor = elementwise([(squares, identity(1))], (tokens,), _f32(), root)
    inputs = [(x, identity(2)), (factor, map_of(2, [0])), (constant(gamma, name), map_of(2, [1]))]

    def scaled(value: Value, by: Value, weight: Value) -> Value:
        return arith.MulFOp(arith.MulFOp(value, by).result, weight).result

    return elementwise(inputs, (tokens, width), _f32(), scaled)


def add(x: Value, y: Value) -> Value:
    """The sum of two tensors."""
    shape = shape_of(x.type)
    pair = [(x, identity(len(shape))), (y, identity(len(shape)))]
    return elementwise(pair, shape, _f32(), lambda a, b: arith.AddFOp(a, b).result)


def gated(gate: Value, up: Value, activation: str) -> Value:
    """The activation of the gate, times the other half."""

    def body(g: Value, u: Value) -> Value:
        if activation == RELU2:
            positive = arith.MaximumFOp(g, scalar.f32(0)).result
            active = arith.MulFOp(positive, positive).result
        else:
            active = arith.MulFOp(g, scalars.function("sigmoid", g)).result
        return arith.MulFOp(active, u).result

    shape = shape_of(gate.type)
    return elementwise([(gate, identity(2)), (up, identity(2))], shape, _f32(), body)


def _f32() -> Any:
    return ir.F32Type.get()
