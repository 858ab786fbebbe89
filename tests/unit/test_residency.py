"""Which chunk stays in which slot: against the definition, use by use, and the fewest misses there can be."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.movement.misses import cyclic
from tfmbs.runtime.abi.movement.residency import outer_memories, residency

CHUNKS = st.lists(st.integers(0, 5), min_size=1, max_size=12)


@given(CHUNKS, st.integers(1, 5), st.integers(0, 3), st.booleans())
def test_uses_find_what_was_brought_last(chunks: list[int], slots: int, guard: int, holds_on: bool) -> None:
    held: dict[int, int] = {}
    uses = list(zip(chunks, range(12), strict=False))
    for chunk, one in zip(chunks, residency(uses, slots, guard, holds_on=holds_on), strict=True):
        assert 0 <= one.slot < slots
        assert one.is_brought == (chunk not in held.values())
        if one.is_brought:
            held[one.slot] = chunk
        assert held[one.slot] == chunk


@given(CHUNKS, st.integers(1, 4))
def test_without_a_guard_no_choice_brings_less(chunks: list[int], slots: int) -> None:
    @cache
    def least(number: int, held: frozenset[int]) -> int:
        if number == len(chunks):
            return 0
        chunk = chunks[number]
        if chunk in held:
            return least(number + 1, held)
        rests = [held] if len(held) < slots else [held - {gone} for gone in held]
        return 1 + min(least(number + 1, rest | {chunk}) for rest in rests)

    found = residency([(chunk, step) for step, chunk in enumerate(chunks)], slots, 0)
    assert sum(one.is_brought for one in found) == least(0, frozenset())


@pytest.mark.parametrize(("chunks", "slots", "turns"), [(8, 5, 10), (20, 12, 30), (16, 16, 4)])
def test_the_closed_model_counts_a_cyclic_sequence(chunks: int, slots: int, turns: int) -> None:
    uses = [(number % chunks, number) for number in range(chunks * turns)]
    brought = sum(one.is_brought for one in residency(uses, slots, 0))
    assert brought <= cyclic(chunks, slots, turns, 0) <= 1.2 * brought


@pytest.mark.parametrize(("chunks", "slots", "guards"), [(24, (15, 15), (4, 4)), (30, (12, 24), (2, 4))])
def test_two_memories_together_keep_what_neither_could(
    chunks: int, slots: tuple[int, int], guards: tuple[int, int]
) -> None:
    uses = [(number % chunks, number) for number in range(10 * chunks)]
    held2, held3 = outer_memories(uses, slots, guards)
    assert sum(one.is_brought for one in held3) == chunks
    assert sum(one.is_brought for one in held2) == len(held3)
    assert len(held3) == pytest.approx(cyclic(chunks, slots[0], 10, guards[0]), rel=0.05)


def test_a_step_keeps_what_it_uses() -> None:
    with pytest.raises(TfmbsError, match="slots of an operand in a step"):
        residency([(0, 0), (1, 0), (2, 0)], 2, 0)


@given(CHUNKS, st.integers(0, 3))
def test_where_every_chunk_has_a_slot_each_is_brought_once(chunks: list[int], guard: int) -> None:
    order = list(dict.fromkeys(chunks))
    found = residency([(chunk, step // 2) for step, chunk in enumerate(chunks)], len(order), guard)
    assert [one.slot for one in found] == [order.index(chunk) for chunk in chunks]
    assert [number for number, one in enumerate(found) if one.is_brought] == [chunks.index(chunk) for chunk in order]
