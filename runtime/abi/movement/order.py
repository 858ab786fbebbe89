"""What happens before what in a movement program, for certain: whatever the times are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tfmbs.runtime.abi.movement.program import MOVEMENT_FIELDS, Program

Clocks = npt.NDArray[np.int64]

_QUEUE, _FIRST, _COUNT = (MOVEMENT_FIELDS.index(name) for name in ("queue", "wait_first", "wait_count"))


class Order:
    """The happens-before relation of a program's queues and waits.

    A movement ends before another starts if it comes before it in its queue, or is waited for, or through a chain of
    these. Raises ValueError for waits that form a cycle (`deadlock.cycle` tells which).
    """

    def __init__(self, program: Program, waits: Sequence[Sequence[int]] | None = None) -> None:
        rows = program.movements
        self._queues = [row[_QUEUE] for row in rows]
        self._positions = [0] * len(rows)
        self.waits = waits_of(program) if waits is None else waits
        previous, last = [-1] * len(rows), dict[int, int]()
        for number, queue in enumerate(self._queues):
            previous[number] = last.get(queue, -1)
            self._positions[number] = self._positions[previous[number]] + 1 if previous[number] >= 0 else 1
            last[queue] = number
        columns = {queue: i for i, queue in enumerate(sorted(set(self._queues)))}
        self._columns = [columns[queue] for queue in self._queues]
        # Row i: how many movements of each queue have ended before movement i starts.
        self._clocks: Clocks = np.zeros((len(rows), len(columns)), np.int64)
        for number in ascending(self.waits, previous):
            before = [*self.waits[number], *([previous[number]] if previous[number] >= 0 else [])]
            clock = self._clocks[number]
            for earlier in before:
                np.maximum(clock, self._clocks[earlier], out=clock)
                column = self._columns[earlier]
                clock[column] = max(clock[column], self._positions[earlier])

    def is_before(self, first: int, second: int) -> bool:
        """Whether a movement has ended before another starts."""
        return bool(self._clocks[second, self._columns[first]] >= self._positions[first])

    def is_ordered(self, one: int, other: int) -> bool:
        """Whether one of two movements has ended before the other starts."""
        return self.is_before(one, other) or self.is_before(other, one)


def waits_of(program: Program) -> list[list[int]]:
    """What each movement waits for, besides its queue."""
    return [program.waits[row[_FIRST] : row[_FIRST] + row[_COUNT]] for row in program.movements]


def ascending(waits: Sequence[Sequence[int]], previous: Sequence[int]) -> list[int]:
    """The movements, each after all that come before it. Raises ValueError where they form a cycle."""
    followers: list[list[int]] = [[] for _ in waits]
    pending = [0] * len(waits)
    for number, own in enumerate(waits):
        for earlier in (*own, *([previous[number]] if previous[number] >= 0 else [])):
            followers[earlier].append(number)
            pending[number] += 1
    ready = [number for number, count in enumerate(pending) if count == 0]
    order: list[int] = []
    while ready:
        number = ready.pop()
        order.append(number)
        for follower in followers[number]:
            pending[follower] -= 1
            if pending[follower] == 0:
                ready.append(follower)
    if len(order) != len(waits):
        raise ValueError("movements wait for each other")
    return order
