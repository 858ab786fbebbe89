"""The binary formats of the float types: f16, bf16, f32, f64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.mlir import ir


@dataclass(frozen=True)
class Format:
    """An IEEE 754 binary format: bits in all, of the exponent, of the mantissa."""

    bits: int
    exponent: int
    mantissa: int

    @property
    def bias(self) -> int:
        """What the exponent field is for 1.0."""
        return (1 << self.exponent - 1) - 1

    @property
    def infinity(self) -> int:
        """The bits of plus infinity; a larger magnitude is a NaN."""
        return ((1 << self.exponent) - 1) << self.mantissa

    @property
    def quiet_bit(self) -> int:
        """The mantissa of the canonical NaN."""
        return 1 << self.mantissa - 1

    @property
    def canonical_nan(self) -> int:
        """The bits of the NaN that arithmetic gives."""
        return self.infinity | self.quiet_bit

    @property
    def sign(self) -> int:
        """The sign bit."""
        return 1 << self.bits - 1

    def power(self, exponent: int) -> int:
        """The bits of 2**exponent, where it is a normal number."""
        return (exponent + self.bias) << self.mantissa


F16, BF16, F32, F64 = Format(16, 5, 10), Format(16, 8, 7), Format(32, 8, 23), Format(64, 11, 52)


def format_of(type_: Any) -> Format:
    """The format of a float type. Raises KeyError for a type that is none of the four."""
    return {ir.F16Type: F16, ir.BF16Type: BF16, ir.F32Type: F32, ir.F64Type: F64}[type(type_)]


def is_small(type_: Any) -> bool:
    """Whether a type is f16 or bf16."""
    return isinstance(type_, ir.F16Type | ir.BF16Type)
