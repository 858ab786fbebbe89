"""Run-time numbers of code generation: what they answer holds for every size of their range."""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmbs.passes.siw.machine import CodegenError
from tfmbs.passes.siw.size import Box, Size, bounds, divides, polynomial, value_of

FACTORS = st.integers(-70, 70)
EXPONENTS = [e for e in product(range(4), repeat=2) if sum(e) <= 3]
TERMS = st.dictionaries(st.sampled_from(EXPONENTS), FACTORS, max_size=4)
COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge]


@st.composite
def boxes(draw: st.DrawFn) -> tuple[tuple[int, int], tuple[int, int]]:
    low = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    return low, (low[0] + draw(st.integers(0, 5)), low[1] + draw(st.integers(0, 5)))


def at_all(terms: dict[tuple[int, ...], int], low: tuple[int, int], high: tuple[int, int]) -> list[int]:
    """The number at every point of the range."""
    points = product(*(range(a, b + 1) for a, b in zip(low, high, strict=True)))
    return [value_of(polynomial(terms, Box(low, high, point))) for point in points]


@given(TERMS, TERMS, boxes())
def test_sums_and_products(a: dict, b: dict, box: tuple) -> None:
    low, high = box
    x, y = (polynomial(terms, Box(low, high, high)) for terms in (a, b))
    i, j = at_all(a, low, high)[-1], at_all(b, low, high)[-1]
    assert [value_of(n) for n in (x + y, x - y, x * y, -x, 3 * x, 3 - y)] == [i + j, i - j, i * j, -i, 3 * i, 3 - j]
    assert not isinstance(x - x, Size)
    assert x - x == 0


@given(TERMS, TERMS, boxes(), st.sampled_from(COMPARISONS))
def test_decisions_hold_at_every_size(a: dict, b: dict, box: tuple, compare: Callable[[int, int], bool]) -> None:
    low, high = box
    x, y = (polynomial(terms, Box(low, high, low)) for terms in (a, b))
    everywhere = {compare(i, j) for i, j in zip(at_all(a, low, high), at_all(b, low, high), strict=True)}
    try:
        decided = compare(x, y)
    except CodegenError:
        return
    assert everywhere == {decided}


@given(TERMS, boxes())
def test_bounds_and_signs(terms: dict, box: tuple) -> None:
    low, high = box
    number = polynomial(terms, Box(low, high, low))
    least, greatest = bounds(number)
    values = at_all(terms, low, high)
    assert least <= min(values)
    assert max(values) <= greatest
    assert all(value % 16 == 0 for value in values) or not divides(16, number)
    try:
        sign = bool(number)
    except CodegenError:
        return
    assert {bool(value) for value in values} == {sign}


def test_what_only_grows_is_decided() -> None:
    n = polynomial({(1,): 1}, Box((2,), (4096,), (7,)))
    assert n * n > n > 1
    assert max(64, n * 64) == n * 64
    assert n * n - n >= 2
    assert bounds(n * n - 3 * n + 1)[1] == 4096**2 - 3 * 4096 + 1


def test_equal_by_chance_is_not_equal() -> None:
    n = polynomial({(1,): 1}, Box((1,), (64,), (8,)))
    assert n != 8
    assert n != 64
    assert n * 8 == 8 * n
    assert {n: 1, 64: 2}[n * 1] == 1


@pytest.mark.parametrize("use", [range, int, lambda n: n // 3, lambda n: n < 5, lambda n: bool(n - 5)])
def test_what_depends_on_the_size_is_refused(use: Callable[[int], object]) -> None:
    n = polynomial({(1,): 2}, Box((1,), (64,), (8,)))
    with pytest.raises(CodegenError):
        use(n)
    assert value_of((n * 8) // 16) == 8
