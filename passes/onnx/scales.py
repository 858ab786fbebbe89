"""The type f8E8M0FNU of ONNX: powers of two from 2^−127 to 2^127 without sign or zero, and a NaN (code 255)."""

from __future__ import annotations

from typing import Any

from tfmbs.dialect.mlir import arith, math
from tfmbs.passes.linalg.scalar import compare, constant, integer_type, select
from tfmbs.passes.onnx.narrow_floats import F32

Value = Any

NAME = "f8E8M0FNU"
GREATEST, NAN = 0xFE, 0xFF
ROUNDINGS = ("up", "down", "nearest")
_LEAST = 0x0040_0000  # the bits of 2^−127, a denormal f32
_FRACTION = 0x007F_FFFF


def decode(code: Value) -> Value:
    """The f32 that a byte stands for: exactly 2^(code − 127)."""
    word = arith.ExtUIOp(integer_type(32), code).result
    bits = arith.ShLIOp(word, F32.code(F32.mantissa)).result
    value = F32.float_of(select(compare("eq", word, F32.code(0)), F32.code(_LEAST), bits))
    return select(compare("eq", word, F32.code(NAN)), constant(F32.type, float("nan")), value)


def encode(x: Value, rounding: str, saturate: bool) -> Value:
    """The byte of an f32, rounded to a power of two: up, down, or to the nearest one (up from the middle).

    What is out of range becomes the least or greatest power with `saturate`, else NaN; so does a negative number.
    """
    bits = F32.bits_of(math.AbsFOp(x).result)
    exponent = arith.ShRUIOp(bits, F32.code(F32.mantissa)).result
    fraction = arith.AndIOp(bits, F32.code(_FRACTION)).result
    if rounding == "up":
        # Of the denormals, only those above 2^−127 have 2^−126 as the next power.
        least = select(compare("eq", exponent, F32.code(0)), F32.code(_LEAST), F32.code(0))
        raised = compare("ugt", fraction, least)
    elif rounding == "nearest":
        middle = select(compare("eq", exponent, F32.code(0)), F32.code(_LEAST | _LEAST >> 1), F32.code(_LEAST))
        raised = compare("uge", fraction, middle)
    else:
        raised = constant(integer_type(1), 0)
    code = arith.AddIOp(exponent, arith.ExtUIOp(integer_type(32), raised).result).result
    high, low = (GREATEST, 0) if saturate else (NAN, NAN)
    code = select(compare("ugt", code, F32.code(GREATEST)), F32.code(high), code)
    code = select(compare("ult", bits, F32.code(_LEAST)), F32.code(low), code)
    code = select(compare("ult", x, constant(F32.type, 0.0)), F32.code(NAN), code)
    return arith.TruncIOp(integer_type(8), code).result
