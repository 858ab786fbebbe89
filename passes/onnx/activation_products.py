"""Products of two tensors of 8-bit activations as kernels: exact sums in i32.

A right operand counts as stored in the kernel. For a left one with zero point y, a right one with z:
Σ (a − y)·(b − z) = Σ (a − y)·b − z · Σ (a − y), where the sums of rows are of vector code.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tfmbs.dialect import graph
from tfmbs.dialect.mlir import arith, ir
from tfmbs.dialect.shapes import element_of, shape_of, tensor_type
from tfmbs.dialect.types import quantized, scales_of, zero_points_of
from tfmbs.passes.graph.quantization import I32_MAX
from tfmbs.passes.linalg.scalar import constant
from tfmbs.passes.onnx import build
from tfmbs.passes.onnx.arithmetic import SI32
from tfmbs.passes.onnx.node import Node

Value = Any

_BYTE = 255


def product(node: Node, a: Value, b: Value) -> Value | None:
    """…×M×K times …×K×N, both of quantized type with the same batches: i32 …×M×N. None where batches differ."""
    left, right = shape_of(a.type), shape_of(b.type)
    if min(len(left), len(right)) < 2 or left[:-2] != right[:-2]:
        return None
    (*batch, m, k), n = left, right[-1]
    if k * _BYTE * _BYTE > I32_MAX:
        raise node.refuse("terms of a 32-bit sum", f"at most {I32_MAX // _BYTE**2}", k)
    count = int(np.prod(batch, dtype=np.int64))
    rows = build.reshape(a, (count, m, k))
    sums = graph.batch_matmul(rows, build.reshape(_as_stored(b), (count, k, n)), "kn").result
    if point := zero_points_of(element_of(b))[0]:

        def less(total: Value, row: Value) -> Value:
            share = arith.MulIOp(row, constant(SI32.mlir, point)).result
            return arith.SubIOp(total, share).result

        sums = build.broadcasting([sums, _row_sums(rows)], (count, m, n), SI32.mlir, less)
    return build.reshape(sums, (*batch, m, n))


def _row_sums(value: Value) -> Value:
    """B×M×K of quantized type → B×M×1, the sums of the integers less their zero point."""
    point, (count, m, _) = zero_points_of(element_of(value))[0], shape_of(value.type)
    stored = _cast(value, ir.IntegerType.get_signless(8))

    def add(x: Value, total: Value) -> Value:
        wide = arith.ExtSIOp(SI32.mlir, x).result
        return arith.AddIOp(total, arith.SubIOp(wide, constant(SI32.mlir, point)).result).result

    sums = build.reduce(stored, [2], constant(SI32.mlir, 0), add)
    return build.reshape(sums, (count, m, 1))


def _as_stored(value: Value) -> Value:
    """The same bytes in a type whose zero point is 0, as right operands have it."""
    (scale,), (point,) = scales_of(element_of(value)), zero_points_of(element_of(value))
    return value if point == 0 else _cast(_cast(value, ir.IntegerType.get_signless(8)), quantized(scale))


def _cast(value: Value, element: Any) -> Value:
    type_ = tensor_type(shape_of(value.type), element)
    return ir.Operation.create("quant.scast", results=[type_], operands=[value]).result
