"""Loops in lanes: where accesses are said to allow it, vectors do to memory what iterations in turn do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmbs.passes.fabric.program_lanes import is_apart
from tfmbs.passes.fabric.program_straight import Touched
from tfmbs.passes.siw.nest import Access
from tfmbs.runtime.abi.types import DType

LANES = 4
BASE = 40  # so that no element has a negative number


@dataclass(frozen=True)
class Use:
    """An access to element `offset` + iteration * `stride`."""

    offset: int
    stride: int
    is_store: bool

    @property
    def touched(self) -> Touched:
        return Touched(Access(0, DType.F32, self.offset, (self.stride,)), None, self.is_store)

    def element(self, iteration: int) -> int:
        return BASE + self.offset + iteration * self.stride


def stored(uses: Sequence[Use], number: int, iteration: int, loaded: dict[tuple[int, int], int]) -> int:
    """What a store writes: it tells itself from all others, and depends on what was loaded before it."""
    return hash((number, iteration, *(loaded[n, iteration] for n in range(number) if not uses[n].is_store)))


def one_by_one(uses: Sequence[Use], count: int) -> list[int]:
    memory, loaded = list(range(100)), {}
    for iteration in range(count):
        for number, use in enumerate(uses):
            if use.is_store:
                memory[use.element(iteration)] = stored(uses, number, iteration, loaded)
            else:
                loaded[number, iteration] = memory[use.element(iteration)]
    return memory


def in_vectors(uses: Sequence[Use], count: int) -> list[int]:
    memory, loaded = list(range(100)), {}
    for first in range(0, count, LANES):
        lanes = range(first, min(first + LANES, count))
        for number, use in enumerate(uses):
            if not use.is_store:
                loaded.update(((number, i), memory[use.element(i)]) for i in lanes)
        for number, use in enumerate(uses):
            if use.is_store:
                for i in lanes:
                    memory[use.element(i)] = stored(uses, number, i, loaded)
    return memory


USES = st.integers(-3, 3).flatmap(
    lambda stride: st.lists(st.builds(Use, st.integers(-4, 4), st.just(stride), st.booleans()), min_size=1, max_size=4)
)


@settings(max_examples=400, deadline=None)
@given(USES, st.integers(2, 11), st.booleans())
def test_vectors_do_what_iterations_do(uses: list[Use], count: int, is_known: bool) -> None:
    if is_apart([use.touched for use in uses], count if is_known else None):
        assert in_vectors(uses, count) == one_by_one(uses, count)


@pytest.mark.parametrize(
    ("uses", "apart"),
    [
        ([Use(0, 1, False), Use(0, 1, True)], True),  # in place
        ([Use(1, 1, False), Use(0, 1, True)], True),  # what a later iteration stores
        ([Use(-1, 1, False), Use(0, 1, True)], False),  # what the iteration before stored
        ([Use(0, 2, False), Use(1, 2, False), Use(0, 2, True), Use(1, 2, True)], True),  # an exchange of neighbours
        ([Use(0, 1, True), Use(0, 1, False)], False),  # what this iteration has just stored
        ([Use(0, 0, True)], True),  # the last iteration wins
        ([Use(0, 0, False), Use(0, 0, True)], False),  # an accumulator in memory
    ],
)
def test_some_loops(uses: list[Use], apart: bool) -> None:
    assert is_apart([use.touched for use in uses], None) is apart
