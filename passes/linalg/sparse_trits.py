"""Unpacking of sparse trits as structured ops: flags of what is not zero, then the signs of these in order."""

from __future__ import annotations

from typing import Any

from tfmbs.dialect.mlir import arith, ir, linalg, math
from tfmbs.dialect.shapes import element_of, shape_of
from tfmbs.passes.linalg import scalar
from tfmbs.passes.linalg.structured import PARALLEL, REDUCTION, identity, mapping

_BITS = 8


def unpack_sparse(place: Any, packed: Any, length: int) -> Any:
    """Trits (rows, length) of `packed` (rows, bytes).

    The place of a trit's sign is the number of flags before it: those of all bytes before its own, and of the lower
    bits of that. Both it and the byte of the sign are found by a reduction over bytes.
    """
    rows, size = shape_of(packed.type)
    i32 = scalar.integer_type(32)
    flag_bytes = -(-length // _BITS)
    whole = mapping(3, [0, 2])

    def number(value: int) -> Any:
        return scalar.constant(i32, value)

    def loop(position: int) -> Any:
        return arith.IndexCastOp(i32, linalg.IndexOp(position).result).result

    def byte_of(value: Any) -> Any:
        return arith.ExtUIOp(i32, value).result

    def parts(value: Any) -> tuple[Any, Any]:
        """A number's quotient and remainder by 8."""
        return arith.ShRUIOp(value, number(3)).result, arith.AndIOp(value, number(_BITS - 1)).result

    def count(byte: Any, before: Any) -> Any:
        own, bit = parts(loop(1))
        below = arith.SubIOp(arith.ShLIOp(number(1), bit).result, number(1)).result
        partial = scalar.select(scalar.compare("eq", loop(2), own), below, number(0))
        mask = scalar.select(scalar.compare("slt", loop(2), own), number(255), partial)
        flags = math.CtPopOp(arith.AndIOp(byte_of(byte), mask).result).result
        return arith.AddIOp(before, flags).result

    def signs(byte: Any, place_: Any, found: Any) -> Any:
        wanted = arith.AddIOp(parts(place_)[0], number(flag_bytes)).result
        return arith.AddIOp(
            found, scalar.select(scalar.compare("eq", loop(2), wanted), byte_of(byte), number(0))
        ).result

    def trit(flags: Any, place_: Any, byte: Any, _: Any) -> Any:
        flag = arith.AndIOp(arith.ShRUIOp(byte_of(flags), parts(loop(1))[1]).result, number(1)).result
        sign = arith.AndIOp(arith.ShRUIOp(byte, parts(place_)[1]).result, number(1)).result
        value = arith.SubIOp(number(1), arith.ShLIOp(sign, number(1)).result).result
        return arith.TruncIOp(element_of(packed), arith.MulIOp(flag, value).result).result

    loops = [PARALLEL, PARALLEL, REDUCTION]
    result = mapping(3, [0, 1])

    def zeros() -> Any:
        return place.filled((rows, length), i32, 0)

    # Loop 2 runs over all bytes of a row; those of signs count for no place, and those of flags hold no sign.
    places = place.run([(packed, whole)], (zeros(), result), loops, count)
    found = place.run([(packed, whole), (places, result)], (zeros(), result), loops, signs)
    own_byte = mapping(2, [0, ir.AffineExpr.get_floor_div(ir.AffineDimExpr.get(1), _BITS)])
    inputs = [(packed, own_byte), (places, identity(2)), (found, identity(2))]
    assert size > flag_bytes
    return place.run(inputs, (place.empty((rows, length), element_of(packed)), identity(2)), [PARALLEL] * 2, trit)
