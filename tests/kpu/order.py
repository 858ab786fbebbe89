"""What happens before what in a movement program, and its conflicts pair by pair: a reference for the native check.

It is simple and slow: a clock for each movement, and each pair of accesses that meet in a byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tfmbs.runtime.abi.movement.fields import MOVEMENT_FIELDS, Memory, Op
from tfmbs.runtime.abi.movement.program import Copy, Program
from tfmbs.runtime.hazards import Conflict

Clocks = npt.NDArray[np.int64]

_OP, _QUEUE, _LAUNCH, _LAG, _PART, _PARTS = (
    MOVEMENT_FIELDS.index(name) for name in ("op", "queue", "launch", "lag_ps", "part_first", "part_count")
)


class Order:
    """The happens-before relation of a program's queues and waits.

    A movement ends before another starts if it is waited for, or comes before it in its queue and has no lag, or
    through a chain of these; one with a lag has only started. Raises ValueError for waits that form a cycle
    (`deadlock.cycle` tells which).
    """

    def __init__(self, program: Program, waits: Sequence[Sequence[int]] | None = None) -> None:
        self._queues = program.movements[:, _QUEUE].tolist()
        rows = self._queues
        self._lags = program.movements[:, _LAG].tolist()
        self._programs = [row[_LAUNCH] if row[_OP] == Op.VECTOR else -1 for row in program.movements.tolist()]
        self._positions = [0] * len(rows)
        self.waits = program.waits_of_each() if waits is None else waits
        previous, last = [-1] * len(rows), dict[int, int]()
        for number, queue in enumerate(self._queues):
            previous[number] = last.get(queue, -1)
            self._positions[number] = self._positions[previous[number]] + 1 if previous[number] >= 0 else 1
            last[queue] = number
        self._previous = previous
        columns = {queue: i for i, queue in enumerate(sorted(set(self._queues)))}
        self._columns = [columns[queue] for queue in self._queues]
        # Row i: how many movements of each queue have ended before movement i starts.
        self._clocks: Clocks = np.zeros((len(rows), len(columns)), np.int64)
        for number in ascending(self.waits, previous):
            clock = self._clocks[number]
            for earlier in (*self.waits[number], *self._ended_before(number)):
                np.maximum(clock, self._clocks[earlier], out=clock)
                column = self._columns[earlier]
                clock[column] = max(clock[column], self._positions[earlier])
            if previous[number] >= 0:
                np.maximum(clock, self._clocks[previous[number]], out=clock)

    def _ended_before(self, number: int) -> list[int]:
        """The movement before it in its queue, where that has ended when this one starts."""
        previous = self._previous[number]
        return [previous] if previous >= 0 and not self._lags[previous] else []

    def is_before(self, first: int, second: int) -> bool:
        """Whether a movement has ended before another starts."""
        return bool(self._clocks[second, self._columns[first]] >= self._positions[first])

    def is_implied(self, number: int, waited: int) -> bool:
        """Whether a movement has ended before another starts also without the wait for it."""
        others = [other for other in self.waits[number] if other != waited] + self._ended_before(number)
        started = self._previous[number]
        if started >= 0 and self.is_before(waited, started):
            return True
        return any(other == waited or self._ends_before(waited, other) for other in others)

    def _ends_before(self, first: int, second: int) -> bool:
        """Whether a movement has ended before another ends: those of a queue end in its order."""
        is_same = self._columns[first] == self._columns[second]
        return self.is_before(first, second) or (is_same and self._positions[first] < self._positions[second])

    def is_ordered(self, one: int, other: int) -> bool:
        """Whether one of two movements has ended before the other starts, or both are parts of a vector program."""
        if self._columns[one] == self._columns[other] and self._programs[one] == self._programs[other] >= 0:
            return True
        return self.is_before(one, other) or self.is_before(other, one)


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


def pairs(program: Program, order: Order | None = None) -> list[Conflict]:
    """Every pair of movements that conflict, once for each memory, with the first bytes where they do.

    Bytes are exact: those between the runs of a copy belong to others. A direct vector program counts as accessing all
    bytes of its windows.
    """
    best: dict[tuple[int, int, int], Conflict] = {}
    for one in _found(program, order or Order(program)):
        key = one[:3]
        if key not in best or one.low < best[key].low:
            best[key] = one
    return list(best.values())


def _found(program: Program, known: Order) -> Iterator[Conflict]:
    """Some pairs may come twice: with bytes in no order, and with those that come too early."""
    yield from _without_tokens(program, known)
    by_memory: dict[int, list[tuple[int, int, int, bool]]] = {}
    for number, memory, low, high, writes in _accesses(program):
        by_memory.setdefault(memory, []).append((low, high, number, writes))
    for memory, accesses in sorted(by_memory.items()):
        if memory == Memory.WEIGHTS or not any(writes for *_, writes in accesses):
            continue
        yield from _in_memory(memory, sorted(accesses), known)


def _without_tokens(program: Program, order: Order) -> Iterator[Conflict]:
    launches = program.movements[:, _LAUNCH].tolist()
    accesses = [one for one in _accesses(program) if _is_external(one[1])]
    for launch, first in program.tokens.tolist():
        told: dict[tuple[int, int], tuple[int, int, bool]] = {}
        for second, memory, low, high, writes in accesses:
            if launches[second] == launch and not order.is_before(first, second):
                told[second, memory] = min(told.get((second, memory), (low, high, writes)), (low, high, writes))
        for (second, memory), (low, high, writes) in told.items():
            yield Conflict(first, second, memory, low, high, True, writes)


def _is_external(memory: int) -> bool:
    return memory in (Memory.SCRATCH, Memory.STATE) or memory >= Memory.INPUT


def _in_memory(memory: int, accesses: Sequence[tuple[int, int, int, bool]], order: Order) -> Iterator[Conflict]:
    """A sweep over bytes: `open_` are the accesses that reach beyond where the sweep is."""
    found: set[tuple[int, int]] = set()
    open_: list[tuple[int, int, bool]] = []
    for low, high, number, writes in accesses:
        open_ = [one for one in open_ if one[0] > low]
        for end, other, other_writes in open_:
            pair = (min(number, other), max(number, other))
            if other == number or not (writes or other_writes) or pair in found or order.is_ordered(*pair):
                continue
            found.add(pair)
            first_writes = other_writes if other == pair[0] else writes
            second_writes = writes if other == pair[0] else other_writes
            yield Conflict(*pair, memory, low, min(high, end), first_writes, second_writes)
        open_.append((high, number, writes))


def _accesses(program: Program) -> Iterator[tuple[int, int, int, int, bool]]:
    """Movement, memory, first byte, end and whether it writes, for every run of bytes."""
    parts = [Copy(*row) for row in program.parts.tolist()]
    for number, row in enumerate(program.movements.tolist()):
        for part in parts[row[_PART] : row[_PART] + row[_PARTS]]:
            for low in _runs(part, is_target=False):
                yield number, part.source, low, low + part.run, False
            for low in _runs(part, is_target=True):
                yield number, part.target, low, low + part.run, True
    for movement, memory, low, high, writes in program.accesses.tolist():
        yield movement, memory, low, high, bool(writes)


def _runs(part: Copy, *, is_target: bool) -> list[int]:
    start = part.to if is_target else part.start
    step0, step1 = (part.to0, part.to1) if is_target else (part.from0, part.from1)
    return [start + i * step0 + j * step1 for i in range(part.count0) for j in range(part.count1)]
