"""Unpacking of trits from residues as structured ops."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfmbs.dialect.mlir import arith, ir
from tfmbs.dialect.shapes import Shape, element_of, shape_of
from tfmbs.passes.linalg import scalar
from tfmbs.passes.linalg.structured import PARALLEL, dims, identity, mapping
from tfmbs.runtime.abi.abreast import ABREAST
from tfmbs.runtime.abi.residues import BLOCK_BYTES, BLOCK_TRITS, DIGITS

_BYTE = 256


def unpack_residues(place: Any, packed: Any, shape: Shape, *, abreast: bool) -> Any:
    """Trits of `shape` (rows, length) of `packed` bytes: trit k of byte X is floor(3 (3^k X mod 256) / 256) - 1.

    `packed` are (rows, bytes), or where rows lie `abreast` (`abreast_rows(rows)`, bytes) as memory holds them.
    """
    row, column = dims(0, 1)
    powers = place.constant(np.array([3**k for k in range(DIGITS)], np.int32), "powers_of_three")

    def trit(byte: Any, power: Any, _: Any) -> Any:
        i32 = power.type
        product = arith.MulIOp(arith.ExtUIOp(i32, byte).result, power).result
        residue = arith.AndIOp(product, scalar.constant(i32, _BYTE - 1)).result
        tripled = arith.MulIOp(residue, scalar.constant(i32, 3)).result
        digit = arith.ShRUIOp(tripled, scalar.constant(i32, 8)).result
        return arith.TruncIOp(element_of(packed), arith.SubIOp(digit, scalar.constant(i32, 1)).result).result

    block = ir.AffineExpr.get_floor_div(column, BLOCK_TRITS)
    octet = block * BLOCK_BYTES + ir.AffineExpr.get_mod(column, BLOCK_BYTES)
    digit = ir.AffineExpr.get_floor_div(ir.AffineExpr.get_mod(column, BLOCK_TRITS), BLOCK_BYTES)
    at = _abreast(row, octet, shape_of(packed.type)[1]) if abreast else [row, octet]
    inputs = [(packed, mapping(2, at)), (powers, mapping(2, [digit]))]
    return place.run(inputs, (place.empty(shape, element_of(packed)), identity(2)), [PARALLEL] * 2, trit)


def _abreast(row: Any, octet: Any, size: int) -> list[Any]:
    """Where byte `octet` of a row is among rows of `size` bytes, one after the other, that its group's bytes fill."""
    quotient, modulo = ir.AffineExpr.get_floor_div, ir.AffineExpr.get_mod
    place = modulo(quotient(row, 4), 4) * 16 + modulo(quotient(row, 16), 4) * 4 + modulo(row, 4)
    flat = octet * ABREAST + place
    return [quotient(row, ABREAST) * ABREAST + quotient(flat, size), modulo(flat, size)]
