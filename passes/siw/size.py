"""Numbers of a nest that depend on run-time sizes: polynomials, so that code is right for every size of a range.

Code that is generated from such numbers may add and multiply them. A decision (a comparison, a test for zero) is taken
only where it is the same for all sizes in the range; where it is not, there is no code of one form for the range, and
`UndecidedError` says so. What is only a matter of speed decides by `most`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import comb, prod
from typing import TYPE_CHECKING

from tfmbs.passes.siw.machine import CodegenError, Reg

# A `Size` stands wherever a number does, but it is none: what is not defined here (a range, a shift) fails.
if TYPE_CHECKING:
    _Number = int
else:
    _Number = object

Exponents = tuple[int, ...]


class UndecidedError(CodegenError):
    """Code that would not be the same for all sizes of the range."""


@dataclass(frozen=True)
class Box:
    """The sizes that a program is for: from `low` to `high` each, at least 1; `point` are those at hand."""

    low: tuple[int, ...]
    high: tuple[int, ...]
    point: tuple[int, ...]


class Size(_Number):
    """A polynomial in the sizes of a box: coefficients by exponents, one exponent per size; not a constant."""

    __slots__ = ("_bounds", "_box", "_key", "_terms")

    def __init__(self, terms: Mapping[Exponents, int], box: Box) -> None:
        """Not for constants: `polynomial` makes numbers of both kinds."""
        self._terms, self._box = terms, box
        self._key = tuple(sorted(terms.items()))
        self._bounds: tuple[int, int] | None = None

    @property
    def value(self) -> int:
        """The number for the sizes at hand."""
        return self._at(self._box.point)

    @property
    def bounds(self) -> tuple[int, int]:
        """Numbers that it never leaves: the exact ones where it only grows, or only falls, from `low` on."""
        if self._bounds is None:
            terms, reach = self._from_low(), tuple(b - a for a, b in zip(self._box.low, self._box.high, strict=True))
            ends = [(factor * _power(reach, exponents), any(exponents)) for exponents, factor in terms.items()]
            start = sum(end for end, varies in ends if not varies)
            least = start + sum(min(end, 0) for end, varies in ends if varies)
            greatest = start + sum(max(end, 0) for end, varies in ends if varies)
            self._bounds = least, greatest
        return self._bounds

    def _from_low(self) -> dict[Exponents, int]:
        """The polynomial in what the sizes have above `low`: coefficients of one sign show how it moves."""
        found: dict[Exponents, int] = {}
        for exponents, factor in self._terms.items():
            for chosen in product(*(range(e + 1) for e in exponents)):
                part = (comb(e, c) * low ** (e - c) for e, c, low in zip(exponents, chosen, self._box.low, strict=True))
                found[chosen] = found.get(chosen, 0) + factor * prod(part)
        return found

    @property
    def monomials(self) -> list[tuple[int, list[Size]]]:
        """Factors, and the sizes that each is to be multiplied with; those of the highest degree first."""
        rank = len(self._box.low)
        sizes = [Size({tuple(int(i == j) for j in range(rank)): 1}, self._box) for i in range(rank)]
        return [
            (factor, [size for size, times in zip(sizes, exponents, strict=True) for _ in range(times)])
            for exponents, factor in sorted(self._terms.items(), key=lambda t: (-sum(t[0]), t[0]))
        ]

    def _at(self, point: tuple[int, ...]) -> int:
        return sum(factor * _power(point, exponents) for exponents, factor in self._terms.items())

    def __repr__(self) -> str:
        """For people."""
        return " + ".join(f"{factor}·n^{exponents}" for exponents, factor in self._key)

    def __hash__(self) -> int:
        """That of the polynomial."""
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        """Whether both are the same polynomial: numbers that agree at some sizes are different ones."""
        return isinstance(other, Size) and self._key == other._key

    def __bool__(self) -> bool:
        """Whether it is other than 0. Raises UndecidedError where that depends on the sizes."""
        least, greatest = self.bounds
        if least <= 0 <= greatest:
            raise UndecidedError(f"a run-time number from {least} to {greatest} is compared with 0")
        return True

    def __add__(self, other: int) -> int:
        """The sum."""
        terms = dict(self._terms)
        for exponents, factor in _terms(other, self._box).items():
            terms[exponents] = terms.get(exponents, 0) + factor
        return polynomial(terms, self._box)

    __radd__ = __add__

    def __neg__(self) -> int:
        """The negative number."""
        return polynomial({exponents: -factor for exponents, factor in self._terms.items()}, self._box)

    def __sub__(self, other: int) -> int:
        """The difference."""
        return self + -other

    def __rsub__(self, other: int) -> int:
        """The difference."""
        return -self + other

    def __mul__(self, other: int) -> int:
        """The product."""
        terms: dict[Exponents, int] = {}
        for a, x in self._terms.items():
            for b, y in _terms(other, self._box).items():
                exponents = tuple(i + j for i, j in zip(a, b, strict=True))
                terms[exponents] = terms.get(exponents, 0) + x * y
        return polynomial(terms, self._box)

    __rmul__ = __mul__

    def __floordiv__(self, other: int) -> int:
        """The quotient. Raises UndecidedError where a coefficient is no multiple."""
        if not divides(other, self):
            raise UndecidedError(f"a run-time number is divided by {other}")
        return polynomial({exponents: factor // other for exponents, factor in self._terms.items()}, self._box)

    def __index__(self) -> int:
        """Raises UndecidedError: it is not known when code is generated."""
        raise UndecidedError("a run-time number is needed when code is generated")

    def __abs__(self) -> int:
        """The number without its sign. Raises UndecidedError where that depends on the sizes."""
        return self if self >= 0 else -self

    def __lt__(self, other: int) -> bool:
        """Whether it is less. Raises UndecidedError where that depends on the sizes; so do the other comparisons."""
        return self._always(self - other, least=None, greatest=-1)

    def __le__(self, other: int) -> bool:
        """Whether it is not more."""
        return self._always(self - other, least=None, greatest=0)

    def __gt__(self, other: int) -> bool:
        """Whether it is more."""
        return self._always(self - other, least=1, greatest=None)

    def __ge__(self, other: int) -> bool:
        """Whether it is not less."""
        return self._always(self - other, least=0, greatest=None)

    @staticmethod
    def _always(number: int, least: int | None, greatest: int | None) -> bool:
        """Whether a number is in an interval with one end, for all sizes."""
        low, high = bounds(number)
        if (least is None or low >= least) and (greatest is None or high <= greatest):
            return True
        if (least is not None and high < least) or (greatest is not None and low > greatest):
            return False
        raise UndecidedError(f"a run-time number from {low} to {high} is compared with {least or greatest or 0}")


def _power(point: tuple[int, ...], exponents: Exponents) -> int:
    return prod(size**exponent for size, exponent in zip(point, exponents, strict=True))


def _terms(number: int, box: Box) -> Mapping[Exponents, int]:
    return number._terms if isinstance(number, Size) else {(0,) * len(box.low): number}


def polynomial(terms: Mapping[Exponents, int], box: Box) -> int:
    """The number with these coefficients by exponents: a `Size`, or an int where it is constant."""
    kept = {exponents: factor for exponents, factor in terms.items() if factor}
    return Size(kept, box) if any(any(exponents) for exponents in kept) else sum(kept.values())


class Counted(_Number):
    """A number of lanes that only a register holds, from 1 to `bounds[1]`."""

    __slots__ = ("bounds", "register")

    def __init__(self, register: Reg, greatest: int) -> None:
        """What scalar register `register` holds."""
        self.register, self.bounds = register, (1, greatest)


def bounds(number: int) -> tuple[int, int]:
    """The least and the greatest that a number can be, in any of the sizes that code is for."""
    return number.bounds if isinstance(number, Size | Counted) else (number, number)


def most(number: int) -> int:
    """The greatest that a number can be."""
    return bounds(number)[1]


def value_of(number: int) -> int:
    """The number for the sizes at hand."""
    return number.value if isinstance(number, Size) else number


def divides(divisor: int, number: int) -> bool:
    """Whether a number is a multiple of `divisor` for all sizes, as far as its coefficients tell."""
    factors = number._terms.values() if isinstance(number, Size) else [number]
    return not any(factor % divisor for factor in factors)
