"""Placing buffers in one arena: those that live at the same time get disjoint bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ALIGNMENT = 64


@dataclass(frozen=True)
class Interval:
    """A buffer of `size` bytes that is in use from step `first` to step `last`, both included."""

    first: int
    last: int
    size: int


@dataclass(frozen=True)
class Plan:
    """Byte offsets in the order of the buffers, and the size of the arena."""

    offsets: tuple[int, ...]
    peak: int


def plan(buffers: Sequence[Interval]) -> Plan:
    """Greedy best fit: larger buffers first, each into the tightest gap between those it meets, else behind them.

    Offsets are multiples of `ALIGNMENT`. The same buffers in the same order give the same plan.
    """
    order = sorted(range(len(buffers)), key=lambda i: (-buffers[i].size, buffers[i].first, i))
    offsets: dict[int, int] = {}
    for index in order:
        buffer = buffers[index]
        taken = sorted(
            (offset, _aligned(offset + buffers[other].size))
            for other, offset in offsets.items()
            if buffers[other].first <= buffer.last and buffer.first <= buffers[other].last
        )
        offsets[index] = _best_gap(taken, buffer.size)
    peak = max((offset + buffers[index].size for index, offset in offsets.items()), default=0)
    return Plan(tuple(offsets[index] for index in range(len(buffers))), _aligned(peak))


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT


def _best_gap(taken: Sequence[tuple[int, int]], size: int) -> int:
    """The start of the smallest gap of at least `size` bytes between `taken` ranges, or their end."""
    gaps, end = [], 0
    for start, stop in taken:
        if start - end >= size:
            gaps.append((start - end, end))
        end = max(end, stop)
    return min(gaps)[1] if gaps else end
