"""Placement of buffers: what lives together lies apart, aligned, in an arena that is no larger than it must be."""

from __future__ import annotations

import random
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from tfmbs.passes.kernel.memory_plan import ALIGNMENT, Interval, live_bytes, plan

INTERVALS = st.lists(
    st.builds(
        lambda first, length, size: Interval(first, first + length, size),
        st.integers(0, 20),
        st.integers(0, 8),
        st.integers(1, 1000),
    ),
    max_size=24,
)


def rounded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


@given(INTERVALS)
def test_what_lives_together_lies_apart(buffers: list[Interval]) -> None:
    placed = plan(buffers)
    assert all(offset % ALIGNMENT == 0 for offset in placed.offsets)
    assert all(o + b.size <= placed.peak for o, b in zip(placed.offsets, buffers, strict=True))
    for i, a in enumerate(buffers):
        for j, b in enumerate(buffers[:i]):
            if a.first <= b.last and b.first <= a.last:
                x, y = placed.offsets[i], placed.offsets[j]
                assert x + a.size <= y or y + b.size <= x


@given(INTERVALS)
def test_the_peak_is_between_its_bounds(buffers: list[Interval]) -> None:
    alive = [sum(rounded(b.size) for b in buffers if b.first <= step <= b.last) for step in range(30)]
    assert live_bytes(buffers) == max(alive)
    assert max(alive) <= plan(buffers).peak <= sum(rounded(b.size) for b in buffers)


def least_arena(buffers: list[Interval]) -> int:
    """By brute force: in an arena of least size, buffers can be moved down until each lies on another or on the floor,

    so that one of all orders of placing each as low as it goes finds it.
    """
    best = sum(rounded(b.size) for b in buffers)
    for order in permutations(buffers):
        placed: list[tuple[int, Interval]] = []
        for buffer in order:
            at = 0
            meeting = [(o, o + rounded(b.size)) for o, b in placed if b.first <= buffer.last and buffer.first <= b.last]
            for start, end in sorted(meeting):
                if start - at >= rounded(buffer.size):
                    break
                at = max(at, end)
            placed.append((at, buffer))
        best = min(best, max((o + rounded(b.size) for o, b in placed), default=0))
    return best


@settings(max_examples=40, deadline=None)
@given(INTERVALS.map(lambda buffers: buffers[:6]))
def test_few_buffers_are_placed_as_well_as_possible(buffers: list[Interval]) -> None:
    assert plan(buffers).peak == least_arena(buffers)


def test_many_buffers_take_little_more_than_they_must() -> None:
    for seed in range(8):
        rng = random.Random(seed)
        starts = [rng.randrange(200) for _ in range(120)]
        buffers = [
            Interval(s, s + rng.choice((1, 2, 2, 3, 20)), rng.choice((64, 4096, 70000, 1 << 20))) for s in starts
        ]
        assert plan(buffers).peak <= 1.1 * live_bytes(buffers)


def test_a_chain_needs_two_buffers() -> None:
    chain = [Interval(i, i + 1, 100) for i in range(10)]
    assert plan(chain).peak == 2 * 128


def test_the_tightest_gap_is_taken() -> None:
    first = [Interval(0, 1, 256), Interval(0, 9, 128), Interval(0, 1, 128), Interval(0, 9, 128)]
    assert plan([*first, Interval(5, 9, 64)]).offsets == (0, 256, 384, 512, 384)


def test_nothing_to_place() -> None:
    assert plan([]) == plan([])
    assert plan([]).peak == 0
