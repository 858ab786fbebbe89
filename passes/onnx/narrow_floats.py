"""Floats of 8 and 4 bits as bytes: their values in a wider type, exactly, and values rounded once to them.

Formats and conversions are those of ONNX's Cast, which follow the OCP 8-bit and MX specifications and, for the FNUZ
types, arXiv 2206.02915. Finite codes ascend with the values they stand for, so code arithmetic is bit arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.mlir import arith, ir, math
from tfmbs.passes.linalg.scalar import bits_constant, compare, constant, integer_type, select

Value = Any


@dataclass(frozen=True)
class Format:
    """A sign, an exponent and `mantissa` bits; the value of exponent field e is 2^(e − `bias`). Codes without sign:

    `greatest` is the largest finite value, `nan` and `infinity` are what there is of those. `signed_zero`: whether
    there is a −0; without it the code of the sign alone is the NaN.
    """

    bits: int
    mantissa: int
    bias: int
    greatest: int
    nan: int | None
    infinity: int | None = None
    signed_zero: bool = True

    @property
    def sign(self) -> int:
        """The code of the sign bit."""
        return 1 << (self.bits - 1)


FORMATS = {
    "f8E4M3FN": Format(8, 3, 7, greatest=0x7E, nan=0x7F),
    "f8E4M3FNUZ": Format(8, 3, 8, greatest=0x7F, nan=0x80, signed_zero=False),
    "f8E5M2": Format(8, 2, 15, greatest=0x7B, nan=0x7E, infinity=0x7C),
    "f8E5M2FNUZ": Format(8, 2, 16, greatest=0x7F, nan=0x80, signed_zero=False),
    "f4E2M1FN": Format(4, 1, 1, greatest=0x7, nan=None),
}
"""Formats by element name."""


@dataclass(frozen=True)
class Wide:
    """The type that is computed in: f32 or f64, its mantissa bits and exponent bias."""

    bits: int
    mantissa: int
    bias: int

    @property
    def type(self) -> Any:
        """The float type."""
        return ir.F32Type.get() if self.bits == 32 else ir.F64Type.get()

    def power(self, exponent: int) -> Value:
        """The constant 2^exponent."""
        return constant(self.type, 2.0**exponent)

    def code(self, value: int) -> Value:
        """A constant of the integer type of as many bits."""
        return bits_constant(integer_type(self.bits), value)

    def bits_of(self, x: Value) -> Value:
        """The bits of a float."""
        return arith.BitcastOp(integer_type(self.bits), x).result

    def float_of(self, code: Value) -> Value:
        """The float of given bits."""
        return arith.BitcastOp(self.type, code).result


F32, F64 = Wide(32, 23, 127), Wide(64, 52, 1023)


def decode(code: Value, form: Format) -> Value:
    """The f32 that a byte stands for.

    The fields move to those of an f32 with the wrong bias, which a product with a power of two puts right: exactly,
    for normal and denormal values.
    """
    wide = F32
    word = arith.ExtUIOp(integer_type(32), code).result
    magnitude = arith.AndIOp(word, wide.code(form.sign - 1)).result
    shifted = arith.ShLIOp(magnitude, wide.code(wide.mantissa - form.mantissa)).result
    scaled = arith.MulFOp(wide.float_of(shifted), wide.power(wide.bias - form.bias)).result
    if form.infinity is not None:
        scaled = select(_is(magnitude, form.infinity, wide), constant(wide.type, float("inf")), scaled)
    sign = arith.ShLIOp(arith.ShRUIOp(word, wide.code(form.bits - 1)).result, wide.code(31)).result
    value = wide.float_of(arith.OrIOp(wide.bits_of(scaled), sign).result)
    if form.nan is None:
        return value
    if form.signed_zero:
        first = form.greatest + 1 if form.infinity is None else form.infinity + 1
        is_nan = compare("uge", magnitude, wide.code(first))
    else:
        is_nan = _is(word, form.nan, wide)
    return select(is_nan, constant(wide.type, float("nan")), value)


def encode(x: Value, form: Format, saturate: bool) -> Value:
    """The byte of a float (f32 or f64), rounded to the nearest, ties to even.

    What is too large becomes the greatest value with `saturate`, else an infinity, or a NaN where there is none. A
    format without NaN always saturates, and has 0 for it.
    """
    wide = F32 if isinstance(x.type, ir.F32Type) else F64
    dropped = wide.mantissa - form.mantissa
    magnitude = math.AbsFOp(x).result
    bits = wide.bits_of(magnitude)
    # Normal: half of what is dropped, less one unit unless the last kept bit is odd, carries where it should.
    odd = arith.AndIOp(arith.ShRUIOp(bits, wide.code(dropped)).result, wide.code(1)).result
    carried = arith.AddIOp(arith.AddIOp(bits, wide.code((1 << (dropped - 1)) - 1)).result, odd).result
    rebias = wide.code((wide.bias - form.bias) << form.mantissa)
    normal = arith.SubIOp(arith.ShRUIOp(carried, wide.code(dropped)).result, rebias).result
    # Denormal: added to a number whose last place is the format's least value, x is rounded by the addition.
    anchor = wide.power(1 - form.bias - form.mantissa + wide.mantissa)
    small = arith.SubIOp(wide.bits_of(arith.AddFOp(magnitude, anchor).result), wide.bits_of(anchor)).result
    code = select(compare("olt", magnitude, wide.power(1 - form.bias)), small, normal)

    over = form.greatest if saturate or form.nan is None else form.nan if form.infinity is None else form.infinity
    code = select(compare("ugt", code, wide.code(form.greatest)), wide.code(over), code)
    is_nan = compare("uno", x, x)
    code = select(is_nan, wide.code(form.nan or 0), code)
    sign = arith.ShRUIOp(wide.bits_of(x), wide.code(wide.bits - 1)).result
    signed = arith.OrIOp(code, arith.ShLIOp(sign, wide.code(form.bits - 1)).result).result
    if not form.signed_zero:
        signed = select(_is(code, 0, wide), code, signed)
    return arith.TruncIOp(integer_type(8), select(is_nan, code, signed)).result


def _is(code: Value, value: int, wide: Wide) -> Value:
    return compare("eq", code, wide.code(value))
