"""Ranges of integers against what the operations give: no value may lie outside of what is known of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.siw_unscheduled import run_unscheduled
from tfmbs.passes.siw.codegen import vector_code
from tfmbs.passes.siw.nest import Access, Compute, Index, Nest
from tfmbs.passes.siw.ranges import INT32, Range, range_of_type, result_range, within
from tfmbs.passes.siw.values import Values
from tfmbs.runtime.abi.types import DType

NUMBERS = st.one_of(st.integers(-20, 20), st.integers(-(1 << 33), 1 << 33), st.sampled_from([-128, 127, *INT32]))


def ranges() -> st.SearchStrategy[Range]:
    return st.tuples(NUMBERS, NUMBERS).map(lambda ends: (min(ends), max(ends)))


def quotient(a: int, b: int) -> int:
    return 0 if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


OPERATIONS = {
    "ADD": lambda a, b: a + b,
    "SUB": lambda a, b: a - b,
    "MUL": lambda a, b: a * b,
    "MIN": min,
    "MAX": max,
    "NEG": lambda a, _: -a,
    "ABS": lambda a, _: abs(a),
    "DIV": quotient,
    "REM": lambda a, b: a - quotient(a, b) * b,
    "AND": lambda a, b: a & b,
    "OR": lambda a, b: a | b,
    "XOR": lambda a, b: a ^ b,
    "SHL": lambda a, b: a << b if 0 <= b < 64 else 0,
    "SHRA": lambda a, b: a >> min(b, 64) if b >= 0 else -(a < 0),
    "SHRL": lambda a, b: (a % (1 << 64)) >> b if 0 <= b < 64 else 0,
}


@pytest.mark.parametrize("op", OPERATIONS)
@given(st.data())
def test_results_are_in_range(op: str, data: st.DataObject) -> None:
    a, b = data.draw(ranges()), data.draw(ranges())
    found = result_range(op, a, b)
    if found is not None:
        for x in (*a, data.draw(st.integers(*a))):
            for y in (*b, data.draw(st.integers(*b))):
                result = OPERATIONS[op](x, y)
                assert within((result, result), found), (x, y)


def test_ranges_are_not_needlessly_wide() -> None:
    assert result_range("DIV", (-7, 9), (2, 2)) == (-3, 4)
    assert result_range("REM", (0, 1000), (7, 7)) == (0, 6)
    assert result_range("AND", (-5, 1000), (0, 15)) == (0, 15)
    assert result_range("SHL", (0, 3), (4, 4)) == (0, 48)


@given(
    st.lists(
        st.tuples(st.sampled_from(["ADD", "SUB", "MUL"]), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8
    ),
    st.lists(st.integers(-300, 300), min_size=3, max_size=3),
)
def test_linear_numbers_stay_linear(steps: list[tuple[str, int, int]], numbers: list[int]) -> None:
    """Sums and products of indices, constants and loads, folded as they are made or not: the same numbers."""
    values = Values((5, 40))
    positions = [values.add(Index(DType.I32, 0, strides)) for strides in ((1, 0), (0, 1))]
    positions += [values.constant(number) for number in numbers]
    positions.append(values.add(Access(0, DType.I8, 0, (40, 1))))
    rows, columns = np.meshgrid(np.arange(5), np.arange(40), indexing="ij")
    loaded = np.random.default_rng(0).integers(-128, 128, (5, 40))
    known = [rows, columns, *(np.full((5, 40), number) for number in numbers), loaded]
    for op, first, second in steps:
        a, b = first % len(positions), second % len(positions)
        positions.append(values.compute(op, DType.I32, positions[a], positions[b]))
        result = OPERATIONS[op](known[a].astype(object), known[b].astype(object))
        known.append(((result + (1 << 31)) % (1 << 32) - (1 << 31)).astype(np.int64))
        low, high = values.range(positions[-1])
        assert low <= known[-1].min()
        assert known[-1].max() <= high
    nest = Nest((5, 40), (False, False), tuple(values.body), (Access(1, DType.I32, 0, (40, 1)),), (positions[-1],), 2)
    target = np.zeros(200, np.int32)
    run_unscheduled(vector_code(nest), [loaded.astype(np.int8).reshape(-1), target])
    np.testing.assert_array_equal(target.reshape(5, 40), known[-1])


def test_conversions_of_known_numbers() -> None:
    values = Values((7,))
    index = values.add(Index(DType.I32, -3, (1,)))
    assert values.body[values.wide(index)] == Index(DType.I64, -3, (1,))
    far = values.add(Index(DType.I32, 0, (1 << 30,)))
    assert isinstance(values.body[values.wide(far)], Compute)  # it wraps, so that it must be extended
    assert values.range(values.compute("CVT", DType.I64, far, aux=DType.U32)) == range_of_type(DType.U32)
