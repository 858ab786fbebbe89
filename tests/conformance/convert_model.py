"""What lanes hold and how they convert between element types, by the text of the instruction set; in exact arithmetic.

A lane is a Python int: its 32 or 64 bits. Small and slow, and independent of any device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from tfmbs.runtime.abi.siw import WIDE
from tfmbs.runtime.abi.types import DTYPES, DType


@dataclass(frozen=True)
class Format:
    """A binary floating-point format: bits of the significand with the hidden one, and of the exponent."""

    significand: int
    exponent: int

    @property
    def least_exponent(self) -> int:
        """That of the least normal number."""
        return 2 - (1 << (self.exponent - 1))

    @property
    def bits(self) -> int:
        return self.significand + self.exponent

    @property
    def infinity(self) -> int:
        """Its bit pattern."""
        return ((1 << self.exponent) - 1) << (self.significand - 1)

    @property
    def quiet(self) -> int:
        """The bit that makes a NaN quiet."""
        return 1 << (self.significand - 2)


FORMATS = {
    DType.F16: Format(11, 5),
    DType.BF16: Format(8, 8),
    DType.F32: Format(24, 8),
    DType.F64: Format(53, 11),
}


def lane_bits(dtype: DType) -> int:
    """32 or 64."""
    return 64 if dtype in WIDE else 32


def lane_format(dtype: DType) -> Format:
    """The format of the lanes that hold a float type."""
    return FORMATS[DType.F64 if dtype is DType.F64 else DType.F32]


def signed(value: int, bits: int) -> int:
    """The low bits as a two's complement number."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


# --- floats -----------------------------------------------------------------------------------------------------------


def encode(value: float | Fraction, form: Format) -> int:
    """The pattern of the number of the format nearest to `value`, ties to even; canonical for a NaN."""
    if isinstance(value, float) and math.isnan(value):
        return form.infinity | form.quiet
    is_negative = value < 0 or (value == 0 and math.copysign(1, value) < 0)
    sign = is_negative << (form.bits - 1)
    return _magnitude(abs(value), form) | sign


@cache
def _magnitude(value: float | Fraction, form: Format) -> int:
    if value in (0, math.inf):
        return form.infinity if value else 0
    exact = Fraction(value)
    exponent = exact.numerator.bit_length() - exact.denominator.bit_length()
    exponent -= exact < Fraction(2) ** exponent
    exponent = max(exponent, form.least_exponent)
    steps = round(exact / Fraction(2) ** (exponent - form.significand + 1))
    # Counting on from the least normal number of an exponent carries into the next one, and at last to infinity.
    return min(steps + ((exponent - form.least_exponent) << (form.significand - 1)), form.infinity)


def decode(bits: int, form: Format) -> float:
    """The number that a pattern means."""
    pattern = bits & ((1 << form.bits) - 1)
    magnitude = pattern & ((1 << (form.bits - 1)) - 1)
    if magnitude >= form.infinity:
        value = math.nan if magnitude > form.infinity else math.inf
    else:
        code, rest = divmod(magnitude, 1 << (form.significand - 1))
        steps = rest + ((1 << (form.significand - 1)) if code else 0)
        value = math.ldexp(steps, max(code, 1) - 1 + form.least_exponent - form.significand + 1)
    return -value if pattern != magnitude else value


# --- conversions ------------------------------------------------------------------------------------------------------


def number(lane: int, dtype: DType) -> float:
    """What a lane means as an element type."""
    if DTYPES[dtype].is_float:
        return decode(lane, lane_format(dtype))
    if dtype is DType.BOOL:
        return int(lane != 0)
    bits = DTYPES[dtype].bits
    return signed(lane, bits) if DTYPES[dtype].is_signed else lane & ((1 << bits) - 1)


def _integer(value: float, dtype: DType) -> int:
    if dtype is DType.BOOL:
        return int(value != 0)
    bits, is_signed = DTYPES[dtype].bits, DTYPES[dtype].is_signed
    if isinstance(value, float):
        low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if is_signed else (0, (1 << bits) - 1)
        return 0 if math.isnan(value) else low if value < low else high if value > high else int(value)
    return signed(value, bits) if is_signed else value & ((1 << bits) - 1)


def convert(lane: int, source: DType, target: DType) -> int:
    """CVT and CAST of one lane."""
    if source is target and DTYPES[source].is_float:
        return lane
    value = number(lane, source)
    if not DTYPES[target].is_float:
        return _integer(value, target) & ((1 << lane_bits(target)) - 1)
    rounded = encode(value, FORMATS[target])
    return encode(decode(rounded, FORMATS[target]), lane_format(target))


# --- memory -----------------------------------------------------------------------------------------------------------


def widen(element: int, dtype: DType) -> int:
    """The lane of a loaded element (its bits)."""
    if dtype is DType.BOOL:
        return int(element != 0)
    if dtype in (DType.F16, DType.BF16):
        return _move_payload(element, FORMATS[dtype], FORMATS[DType.F32])
    bits = DTYPES[dtype].bits
    value = signed(element, bits) if DTYPES[dtype].is_signed else element
    return value & ((1 << lane_bits(dtype)) - 1)


def narrow(lane: int, dtype: DType) -> int:
    """The bits of the element that a lane is stored as."""
    if dtype is DType.BOOL:
        return int(lane != 0)
    if dtype in (DType.F16, DType.BF16):
        return _move_payload(lane, FORMATS[DType.F32], FORMATS[dtype])
    return lane & ((1 << DTYPES[dtype].bits) - 1)


def _move_payload(bits: int, source: Format, target: Format) -> int:
    """From format to format; of a NaN the upper bits are kept, and none without any is made."""
    value = decode(bits, source)
    if not math.isnan(value):
        return encode(value, target)
    payload = bits & (source.infinity ^ ((1 << (source.bits - 1)) - 1))
    shift = target.significand - source.significand
    kept = payload << shift if shift >= 0 else payload >> -shift
    return (bits >> (source.bits - 1)) << (target.bits - 1) | target.infinity | (kept or target.quiet)
