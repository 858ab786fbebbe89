"""When rows become integers: before which step of the product each part is brought and worked on.

A queue keeps the order of the program: what is far ahead of its use would keep back the operands of the steps before,
and what comes late keeps the array waiting. So blocks of rows of the first panel are made while the array works on the
blocks before, and those of a later panel, evenly, while it works on the panel before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from tfmbs.runtime.abi.movement.made_rows import Use
from tfmbs.runtime.abi.movement.row_plan import Making


class _Window(NamedTuple):
    """Blocks of rows `first` to `end`, made in the steps from `start` on, and done before step `due`."""

    first: int
    end: int
    start: int
    due: int


def paced(uses: Sequence[Use], rounds: Sequence[Sequence[int]], steps: int, making: Making) -> list[int]:
    """The step before which each use is made, in ascending order; `rounds` are the blocks of rows of output tiles."""
    starts: dict[int, int] = {}
    ends: dict[int, int] = {}
    for number, one in enumerate(rounds):
        for row in one:
            starts.setdefault(row, number * steps)
            ends[row] = (number + 1) * steps
    count, last = dict[int, int](), 0
    for use in uses:
        count[use.tile] = count.get(use.tile, 0) + 1
    found: list[int] = []
    for window in _windows(starts, ends, making):
        whole = sum(count[row] for row in range(window.first, window.end))
        for number in range(whole):
            last = max(last, window.start + number * (window.due - window.start) // whole)
            found.append(last)
    return found


def _windows(starts: dict[int, int], ends: dict[int, int], making: Making) -> Iterator[_Window]:
    before = 0
    for due, rows in groupby(range(min(making.panel, len(starts))), key=starts.__getitem__):
        block = list(rows)
        yield _Window(block[0], block[-1] + 1, before, due)
        before = due
    for first in range(making.panel, len(starts), making.panel):
        end, due = min(first + making.panel, len(starts)), starts[first]
        free = max((ends[row - making.kept] for row in range(first, end) if row >= making.kept), default=0)
        yield _Window(first, end, min(due, max(free, starts[first - making.panel])), due)
