"""Numbers that depend on run-time sizes: polynomials with integer coefficients over a common divisor."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

Degrees = tuple[int, ...]

_POWERS = ("", "", "²", "³")


@dataclass(frozen=True)
class Form:
    """`sum(coefficient · Πᵢ sizeᵢ^degreeᵢ) / divisor`, by degrees in descending order; a constant has degrees of 0.

    `is_f32`: it is the bits of the F32 nearest to the quotient. Of the number, the `shift` low bits are left out; where
    `part`, only as many bits count as its field has.
    """

    terms: tuple[tuple[Degrees, int], ...]
    divisor: int = 1
    shift: int = 0
    part: bool = False
    is_f32: bool = False

    def at(self, sizes: Sequence[int]) -> int:
        """The number for these sizes, before it is shifted. Raises ValueError where the division leaves a remainder."""
        value = 0
        for degrees, coefficient in self.terms:
            powers = (_power(size, degree) for size, degree in zip(sizes, degrees, strict=True))
            value += coefficient * prod(powers)
        quotient, remainder = divmod(value, self.divisor)
        if remainder:
            raise ValueError(f"{value} is no multiple of {self.divisor}")
        return f32_bits(quotient) if self.is_f32 else quotient

    def used(self) -> set[int]:
        """The sizes that it depends on, by number."""
        return {i for degrees, _ in self.terms for i, degree in enumerate(degrees) if degree}

    def text(self, names: Sequence[str]) -> str:
        """The polynomial for people: `16·n² + 3`."""
        parts: list[str] = []
        for degrees, coefficient in self.terms:
            factors = [f"{name}{_POWERS[degree]}" for name, degree in zip(names, degrees, strict=True) if degree]
            number = [] if abs(coefficient) == 1 and factors else [str(abs(coefficient))]
            sign = ("-" if coefficient < 0 else "") if not parts else (" - " if coefficient < 0 else " + ")
            parts.append(sign + "·".join(number + factors))
        shown = "".join(parts) if self.divisor == 1 else f"({''.join(parts)}) / {self.divisor}"
        return f"f32({shown})" if self.is_f32 else shown


def f32_bits(number: int) -> int:
    """The bits of the F32 nearest to a number, ties to even. Raises ValueError for one that F64 does not hold."""
    if abs(number) > 1 << 53:
        raise ValueError(f"{number} has too many digits")
    return int.from_bytes(struct.pack("<f", number), "little")


def _power(size: int, degree: int) -> int:
    """`size` to a power that is not negative; to a type checker, `**` could give a float."""
    return prod([size] * degree)


def solve(form: Form, value: int, unknown: int, sizes: Sequence[int]) -> int | None:
    """The size number `unknown` for which `form` is `value`, the others being `sizes`; None where there is no one.

    The form must be linear in it.
    """
    slope = rest = 0
    for degrees, coefficient in form.terms:
        powers = (_power(size, degree) for size, degree in zip(sizes, degrees, strict=True))
        factor = coefficient * prod(power for i, power in enumerate(powers) if i != unknown)
        if degrees[unknown] > 1:
            return None
        if degrees[unknown]:
            slope += factor
        else:
            rest += factor
    difference = value * form.divisor - rest
    return difference // slope if slope and difference % slope == 0 else None
