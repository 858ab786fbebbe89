"""Floats as bits: signs, minima that pass over NaN, f16 and bf16 spelled out in f32, f64 and integer arithmetic.

The JIT never computes in f16 or bf16: what LLVM makes of these types calls functions that are not there, or leaves bits
open. Every function builds at the current insertion point and location.
"""

from __future__ import annotations

from typing import Any

from tfmbs.dialect.mlir import arith, ir
from tfmbs.passes.linalg.formats import F32, Format, format_of, is_small
from tfmbs.passes.linalg.scalar import (
    Value,
    bits_constant,
    bits_of,
    canonical,
    compare,
    constant,
    float_of,
    integer_type,
    magnitude_of,
    select,
)


def negated(x: Value) -> Value:
    """The sign bit flipped, of any float."""
    bits = bits_of(x)
    return float_of(arith.XOrIOp(bits, bits_constant(bits.type, format_of(x.type).sign)).result, x.type)


def absolute(x: Value) -> Value:
    """The sign bit cleared, of any float."""
    return float_of(magnitude_of(bits_of(x), format_of(x.type)), x.type)


def copied_sign(x: Value, sign: Value) -> Value:
    """`x` with the sign bit of `sign`, a float of the same type."""
    form, bits = format_of(x.type), bits_of(sign)
    bit = arith.AndIOp(bits, bits_constant(bits.type, form.sign)).result
    return float_of(arith.OrIOp(magnitude_of(bits_of(x), form), bit).result, x.type)


def widened(x: Value) -> Value:
    """An f16 or bf16 as f32, exactly; the payload of a NaN moves up, a signalling one stays one. Others as they are."""
    if not is_small(x.type):
        return x
    form, wide, f32 = format_of(x.type), integer_type(32), ir.F32Type.get()
    bits = arith.ExtUIOp(wide, bits_of(x)).result
    shift = F32.mantissa - form.mantissa
    if form.exponent == F32.exponent:
        return float_of(arith.ShLIOp(bits, constant(wide, shift)).result, f32)
    magnitude = arith.ShLIOp(magnitude_of(bits, form), constant(wide, shift)).result
    sign = arith.AndIOp(arith.ShLIOp(bits, constant(wide, 32 - form.bits)).result, bits_constant(wide, F32.sign)).result
    # A product with a power of two moves the exponents and makes denormals normal, exactly.
    scale = constant(f32, 2.0 ** (F32.bias - form.bias))
    finite = bits_of(arith.MulFOp(float_of(magnitude, f32), scale).result)
    infinite = arith.OrIOp(magnitude, constant(wide, F32.infinity)).result
    is_finite = compare("ult", magnitude, constant(wide, form.infinity << shift))
    return float_of(arith.OrIOp(select(is_finite, finite, infinite), sign).result, f32)


def rounded(x: Value, type_: Any, keep_nan: bool = False) -> Value:
    """An f32 or f64 rounded once, to nearest even, to f16 or bf16.

    A NaN gives the canonical one, or, with `keep_nan`, its sign and the upper bits of its mantissa, never none of them.
    """
    source, form = format_of(x.type), format_of(type_)
    wide, narrow = integer_type(source.bits), integer_type(form.bits)
    shift, bits = source.mantissa - form.mantissa, bits_of(x)
    magnitude = magnitude_of(bits, source)

    def number(value: int) -> Value:
        return bits_constant(wide, value)

    # Normal results: the exponent is rebiased, half of the last place less one added, one more for an odd one. A carry
    # goes into the exponent, as it must; from the largest number it gives infinity.
    odd = arith.AndIOp(arith.ShRUIOp(magnitude, number(shift)).result, number(1)).result
    rebias = ((source.bias - form.bias) << source.mantissa) - (1 << shift - 1) + 1
    result = arith.ShRUIOp(arith.AddIOp(arith.SubIOp(magnitude, number(rebias)).result, odd).result, number(shift))
    result = result.result
    if source.exponent != form.exponent:
        # Denormal results: an addition whose sum has the last place of a denormal rounds to it.
        magic = number(source.power(source.mantissa - form.mantissa + 1 - form.bias))
        total = arith.AddFOp(float_of(magnitude, x.type), float_of(magic, x.type)).result
        denormal = arith.SubIOp(bits_of(total), magic).result
        result = select(compare("ult", magnitude, number(source.power(1 - form.bias))), denormal, result)
    result = select(compare("uge", magnitude, number(source.power(form.bias + 1))), number(form.infinity), result)
    nan = _narrowed_nan(magnitude, source, form) if keep_nan else number(form.canonical_nan)
    is_nan = compare("ugt", magnitude, number(source.infinity))
    result = arith.TruncIOp(narrow, select(is_nan, nan, result)).result
    sign = arith.TruncIOp(narrow, arith.ShRUIOp(bits, number(source.bits - form.bits)).result).result
    sign = arith.AndIOp(sign, bits_constant(narrow, form.sign)).result
    if not keep_nan:
        sign = select(is_nan, constant(narrow, 0), sign)
    return float_of(arith.OrIOp(result, sign).result, type_)


def _narrowed_nan(magnitude: Value, source: Format, form: Format) -> Value:
    wide = magnitude.type
    mantissa = arith.AndIOp(magnitude, bits_constant(wide, (1 << source.mantissa) - 1)).result
    upper = arith.ShRUIOp(mantissa, constant(wide, source.mantissa - form.mantissa)).result
    lost = compare("eq", upper, constant(wide, 0))
    return arith.OrIOp(select(lost, constant(wide, form.quiet_bit), upper), constant(wide, form.infinity)).result


def number(kind: str, a: Value, b: Value) -> Value:
    """`arith.maxnumf` or `arith.minnumf`: max or min; where one operand is NaN the other one, bits unchanged."""
    build = arith.MaximumFOp if kind == "arith.maxnumf" else arith.MinimumFOp
    x, y = widened(a), widened(b)
    best = build(x, y).result
    result = rounded(best, a.type) if is_small(a.type) else canonical(best)
    result = select(compare("uno", y, y), a, result)
    return select(compare("uno", x, x), b, result)


def has_class(kind: str, x: Value) -> Value:
    """`math.isnan`, `isinf`, `isfinite` or `isnormal` of a float of any type, as an i1."""
    form = format_of(x.type)
    magnitude = magnitude_of(bits_of(x), form)
    infinity = bits_constant(magnitude.type, form.infinity)
    if kind == "math.isnormal":
        least = bits_constant(magnitude.type, 1 << form.mantissa)
        span = bits_constant(magnitude.type, form.infinity - (1 << form.mantissa))
        return compare("ult", arith.SubIOp(magnitude, least).result, span)
    return compare({"math.isnan": "ugt", "math.isinf": "eq", "math.isfinite": "ult"}[kind], magnitude, infinity)
