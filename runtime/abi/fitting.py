"""The polynomial in run-time sizes that a number follows, found from its values at some of them, exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product
from math import lcm, prod

from tfmbs.runtime.abi.forms import Degrees, Form
from tfmbs.runtime.abi.size_records import MAX_DEGREE

Point = tuple[int, ...]

_MOST_RESIDUES = 1 << 12
_MOST = 1 << 63


class _Basis:
    """Monomials, and the points from which their coefficients follow; the other points check them."""

    def __init__(self, degrees: list[Degrees], points: Sequence[Point]) -> None:
        self.degrees = degrees
        self._rows = [[Fraction(_monomial(point, each)) for each in degrees] for point in points]
        self.chosen: list[int] = []
        self._inverse = self._solve()

    @property
    def is_solvable(self) -> bool:
        """Whether the points tell the coefficients."""
        return len(self.chosen) == len(self.degrees)

    def _solve(self) -> list[list[Fraction]]:
        """Chooses independent points; the inverse of the matrix of their monomials."""
        count = len(self.degrees)
        reduced: list[tuple[int, list[Fraction], list[Fraction]]] = []  # pivot, row, what it is made of
        for number, row in enumerate(self._rows):
            left, made = list(row), [Fraction(0)] * len(self._rows)
            made[number] = Fraction(1)
            for pivot, other, its in reduced:
                if factor := left[pivot]:
                    left = [a - factor * b for a, b in zip(left, other, strict=True)]
                    made = [a - factor * b for a, b in zip(made, its, strict=True)]
            pivot = next((i for i, value in enumerate(left) if value), count)
            if pivot == count:
                continue
            head = left[pivot]
            row_made = [value / head for value in left], [value / head for value in made]
            reduced = [(p, *_cleared(r, m, pivot, row_made)) for p, r, m in reduced]
            reduced.append((pivot, *row_made))
            self.chosen.append(number)
            if len(self.chosen) == count:
                break
        return [made for _, _, made in sorted(reduced)]

    def coefficients(self, values: Sequence[int]) -> list[Fraction] | None:
        """Those with these values at the points; None where there are none."""
        found = [sum((row[i] * values[i] for i in self.chosen), Fraction(0)) for row in self._inverse]
        for row, value in zip(self._rows, values, strict=True):
            if sum((a * b for a, b in zip(row, found, strict=True)), Fraction(0)) != value:
                return None
        return found


def _cleared(
    row: list[Fraction], made: list[Fraction], pivot: int, by: tuple[list[Fraction], list[Fraction]]
) -> tuple[list[Fraction], list[Fraction]]:
    factor = row[pivot]
    return [a - factor * b for a, b in zip(row, by[0], strict=True)], [
        a - factor * b for a, b in zip(made, by[1], strict=True)
    ]


def _monomial(point: Point, degrees: Degrees) -> int:
    return prod(prod([size] * degree) for size, degree in zip(point, degrees, strict=True))


class Fitter:
    """Fits numbers over the same points, which are distinct. `whole`: there are no other points than these.

    A polynomial counts only where at least one point more than it has coefficients agrees with it, or all points do.
    """

    def __init__(self, points: Sequence[Point], *, whole: bool = False) -> None:
        self._points = list(points)
        self._bases = list(self._usable(whole))
        self._known: dict[tuple[int, ...], Form | None] = {}

    def _usable(self, whole: bool) -> Iterator[_Basis]:
        values = [len({point[axis] for point in self._points}) for axis in range(len(self._points[0]))]
        for degree in range(MAX_DEGREE + 1):
            all_degrees = product(*(range(min(degree + 1, count)) for count in values))
            degrees = sorted((each for each in all_degrees if sum(each) <= degree), reverse=True)
            if len(degrees) + (not whole) <= len(self._points):
                basis = _Basis(degrees, self._points)
                if basis.is_solvable:
                    yield basis

    def fit(self, values: Sequence[int]) -> Form | None:
        """The polynomial of the least degree, at most `MAX_DEGREE`, that has these values at the points."""
        key = tuple(values)
        if key not in self._known:
            self._known[key] = self._fitted(key)
        return self._known[key]

    def _fitted(self, values: tuple[int, ...]) -> Form | None:
        for basis in self._bases:
            found = basis.coefficients(values)
            if found is not None:
                return _form(basis.degrees, found)
        return None


def _form(degrees: list[Degrees], coefficients: list[Fraction]) -> Form | None:
    """The polynomial as a form; None where it is no whole number at every point, or too large."""
    divisor = lcm(*(coefficient.denominator for coefficient in coefficients))
    terms = tuple(
        (each, int(coefficient * divisor))
        for each, coefficient in zip(degrees, coefficients, strict=True)
        if coefficient
    )
    if any(abs(coefficient) >= _MOST for _, coefficient in terms):
        return None
    form = Form(terms, divisor)
    rank = len(degrees[0])
    if divisor == 1:
        return form
    if divisor**rank > _MOST_RESIDUES:
        return None
    try:
        for point in product(range(divisor), repeat=rank):  # the remainder has this period
            form.at(point)
    except ValueError:
        return None
    return form
