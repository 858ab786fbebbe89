"""Movement programs: what each engine does, in which order, what it waits for, and which bytes it reads and writes.

Each engine has queues: a transfer engine one for data on its way to the array and one for results on their way back; an
array or a vector engine one. What is in a queue is done in its order, one after the other. A movement starts when the
one before it in its queue has ended, all movements that it waits for have ended, and its engine is free. Its bytes are
read and written when it ends.

An array whose folds overlap takes the operands of the next one while the sums of this one are on their way out: a
movement with a `lag` frees its engine and its queue so much before it ends. Those of a queue still end in its order.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from struct import Struct, pack
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tfmbs.runtime.abi.movement.fields import ACCESS_FIELDS, MOVEMENT_FIELDS, PART_FIELDS, TOKEN_FIELDS, Level, Op
from tfmbs.runtime.abi.movement.machine import QUEUES, Machine
from tfmbs.runtime.abi.movement.predicted import Prediction
from tfmbs.runtime.abi.movement.timed_words import TimedWords

Table = npt.NDArray[np.int64]


CUT = 64
"""Runs are cut after multiples of so many bytes."""


class Copy(NamedTuple):
    """See `PART_FIELDS`."""

    source: int
    start: int
    target: int
    to: int
    count0: int = 1
    from0: int = 0
    to0: int = 0
    count1: int = 1
    from1: int = 0
    to1: int = 0
    run: int = 0

    @property
    def bytes(self) -> int:
        """All bytes that it moves."""
        return self.count0 * self.count1 * self.run

    @property
    def end(self) -> int:
        """The byte behind the last one that it writes."""
        return self.to + (self.count0 - 1) * self.to0 + (self.count1 - 1) * self.to1 + self.run

    @property
    def source_end(self) -> int:
        """The byte behind the last one that it reads."""
        return self.start + (self.count0 - 1) * self.from0 + (self.count1 - 1) * self.from1 + self.run

    @property
    def has_holes(self) -> bool:
        """Whether there are bytes between those that it writes."""
        return self.end - self.to > self.bytes

    def meets(self, low: int, high: int) -> bool:
        """Whether it writes one of these bytes."""
        if self.to >= high or self.end <= low:
            return False
        for number in range(self.count0):
            first = self.to + number * self.to0
            skipped = max(0, (low - first - self.run) // self.to1 + 1) if self.to1 else 0
            if (
                skipped < self.count1
                and first + skipped * self.to1 < high
                and low < first + skipped * self.to1 + self.run
            ):
                return True
        return False

    def by_source(self) -> Copy:
        """The same in the order in which its bytes lie in the source."""
        if self.count0 == 1 or self.count1 == 1 or self.from0 >= self.from1:
            return self
        return self._replace(
            count0=self.count1, from0=self.from1, to0=self.to1, count1=self.count0, from1=self.from0, to1=self.to0
        )

    def cut(self, count: int) -> list[Copy]:
        """It as up to `count` copies of about the same size, along its outermost axis of several."""
        source, start, target, to, count0, from0, to0, count1, from1, to1, run = self
        if count0 > 1:
            size, rest = -(-count0 // count), self[5:]
            return [
                Copy(source, start + i * from0, target, to + i * to0, min(size, count0 - i), *rest)
                for i in range(0, count0, size)
            ]
        if count1 > 1:
            size, outer = -(-count1 // count), self[4:7]
            return [
                Copy(source, start + i * from1, target, to + i * to1, *outer, min(size, count1 - i), from1, to1, run)
                for i in range(0, count1, size)
            ]
        size, axes = -(-run // (count * CUT)) * CUT, self[4:10]
        return [Copy(source, start + i, target, to + i, *axes, min(size, run - i)) for i in range(0, run, size)]

    def cost(self, width: int) -> tuple[int, int]:
        """All bytes, and the cycles of an engine that moves `width` bytes in each.

        A run of bytes that follow each other on both sides, as far as that goes, starts a new cycle.
        """
        _, _, _, _, count0, from0, to0, count1, from1, to1, run = self
        runs = count0 * count1
        total = runs * run
        if count1 == 1 or from1 == to1 == run:
            run *= count1
            runs = count0
            if count0 == 1 or from0 == to0 == run:
                run *= count0
                runs = 1
        return total, runs * -(-run // width)


class Way(NamedTuple):
    """From a level to a neighbouring one; see `What` for `outbound`."""

    source: int
    target: int
    outbound: bool
    is_external: bool

    @classmethod
    def of(cls, source: Level, target: Level) -> Way:
        """The way between two levels."""
        return cls(int(source), int(target), source > target, Level.EXTERNAL in (source, target))


class Timed(NamedTuple):
    """A vector program whose time is known when it has run, its windows, and `TIMED_ENGINE_FIELDS`."""

    words: TimedWords
    windows: Sequence[tuple[int, int, int, int]]
    engine: tuple[int, ...]


class What(NamedTuple):
    """What a movement does: `bytes` from level `source` to level `target`, or a job.

    `outbound`: in the queue for results on their way out. `reads` and `writes` are (memory, first byte, end) besides
    those of `parts`.
    """

    tile: int = 0
    outbound: bool = False
    parts: Sequence[Copy] = ()
    parameters: Sequence[int] = ()
    reads: Sequence[tuple[int, int, int]] = ()
    writes: Sequence[tuple[int, int, int]] = ()
    bytes: int = 0
    source: int = 0
    target: int = 0
    macs: int = 0
    operations: int = 0


_ROW, _PART, _ACCESS = (Struct(f"{len(fields)}q").pack for fields in (MOVEMENT_FIELDS, PART_FIELDS, ACCESS_FIELDS))
"""Rows of the tables as bytes: several times as fast as an array is extended."""
_COPY = Op.COPY  # members of enums take long to look up


class Program:
    """A movement program, built by the rule. Waits are for movements that come before the waiting one.

    `predicted` is, by launch, what the closed model expects, `parked` the bytes of sums that leave L2 and L1 between
    blocks of k; `work`, by queue, the cycles that its movements keep its engine busy; `workspace` the bytes of
    WORKSPACE.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.timed: list[Timed] = []
        self.predicted: dict[int, Prediction] = {}
        self.workspace = 0
        self.parked: dict[int, tuple[int, int]] = {}
        self.work = [0] * (QUEUES * len(machine.engines))
        self._periods = [engine.period_ps for engine in machine.engines]
        self._queues: list[int] = []
        self._lags: set[int] = set()  # movements that have one
        self._lagging: dict[int, tuple[int, int]] = {}  # of queues that end with such: its number and launch
        self._movements, self._waits, self._parts, self._parameters, self._accesses, self._tokens = (
            array("q") for _ in range(6)
        )
        self._part_count = 0

    def add(self, op: Op, engine: int, launch: int, busy: int, waits: Sequence[int], what: What, lag: int = 0) -> int:
        """Adds a movement that takes `busy` cycles, in the last `lag` of which its engine does the next one; returns
        its number.

        Of the movements it waits for, the last of each queue is kept, and of its own queue only one with a lag. Folds
        of different launches do not overlap.
        """
        tile, outbound, parts, parameters, reads, writes, size, source, target, macs, operations = what
        queue = QUEUES * engine + outbound
        is_external = size and not (source and target)  # one is `Level.EXTERNAL`
        pipe = self.machine.external_ps(size) if is_external else 0
        number = len(self._queues)
        if queue in self._lagging:
            before, of_launch = self._lagging.pop(queue)
            waits = [*waits, before] if of_launch != launch else waits
        if lag:
            self._lags.add(number)
            self._lagging[queue] = number, launch
        first, count = self._await(queue, waits)
        self.work[queue] += busy - lag
        period = self._periods[engine]
        self._movements.frombytes(
            _ROW(
                op, engine, queue, launch, tile, busy * period, lag * period, pipe, size, source, target,
                macs, operations, first, count, self._part_count, len(parts), len(self._parameters), len(parameters),
            )
        )  # fmt: skip
        self._queues.append(queue)
        for part in parts:
            self._parts.frombytes(_PART(*part))
        self._part_count += len(parts)
        if parameters:
            self._parameters.frombytes(pack(f"{len(parameters)}q", *parameters))
        for memory, low, high in reads:
            self._accesses.frombytes(_ACCESS(number, memory, low, high, 0))
        for memory, low, high in writes:
            self._accesses.frombytes(_ACCESS(number, memory, low, high, 1))
        return number

    def transfer(
        self, engine: int, launch: int, tile: int, busy: int, waits: Sequence[int], copies: Sequence[Copy], way: Way
    ) -> int:
        """`add` of copies from one level to another, which most movements are."""
        source, target, outbound, is_external = way
        queue = QUEUES * engine + outbound
        size = pipe = 0
        for copy in copies:
            size += copy[4] * copy[7] * copy[10]  # its `bytes`
            self._parts.frombytes(_PART(*copy))
        if is_external:
            pipe = self.machine.external_ps(size)
        first, count = self._await(queue, waits)
        self.work[queue] += busy
        parts, queues = self._part_count, self._queues
        self._part_count = parts + len(copies)
        self._movements.frombytes(
            _ROW(
                _COPY, engine, queue, launch, tile, busy * self._periods[engine], 0, pipe, size, source, target,
                0, 0, first, count, parts, len(copies), len(self._parameters), 0,
            )
        )  # fmt: skip
        queues.append(queue)
        return len(queues) - 1

    def _await(self, queue: int, waits: Sequence[int]) -> tuple[int, int]:
        """Notes what the next movement waits for, which is in a queue: the place of the first, and how many."""
        noted = self._waits
        first = len(noted)
        if len(waits) == 1:
            (number,) = waits
            if self._queues[number] == queue and number not in self._lags:
                return first, 0
            noted.append(number)
            return first, 1
        if not waits:
            return first, 0
        kept = self.last_of_queues(waits)
        if queue in kept and kept[queue] not in self._lags:
            del kept[queue]
        if len(kept) > 1:
            noted.extend(sorted(kept.values()))
        elif kept:
            noted.extend(kept.values())
        return first, len(kept)

    def await_tokens(self, launch: int, movements: Iterable[int]) -> None:
        """Notes the movements that a launch's accesses to external memory come after."""
        for movement in movements:
            self._tokens.extend((launch, movement))

    def last_of_queues(self, movements: Iterable[int]) -> dict[int, int]:
        """By queue, the last of some movements: when it has ended, all of them in its queue have."""
        last: dict[int, int] = {}
        queues = self._queues
        for number in movements:
            queue = queues[number]
            if number > last.get(queue, -1):
                last[queue] = number
        return last

    @property
    def movements(self) -> Table:
        """The table of movements. No movement can be added while somebody has a table."""
        return _table(self._movements, MOVEMENT_FIELDS)

    @property
    def waits(self) -> Table:
        """What movements wait for, one after the other."""
        return _table(self._waits)

    @property
    def parts(self) -> Table:
        """The table of copies."""
        return _table(self._parts, PART_FIELDS)

    @property
    def parameters(self) -> Table:
        """The parameters of movements, one after the other."""
        return _table(self._parameters)

    @property
    def accesses(self) -> Table:
        """The table of accesses beside those of copies."""
        return _table(self._accesses, ACCESS_FIELDS)

    @property
    def tokens(self) -> Table:
        """The table of tokens."""
        return _table(self._tokens, TOKEN_FIELDS)

    def waits_of_each(self) -> list[list[int]]:
        """By movement, what it waits for besides its queue."""
        first, count = (self.movements[:, MOVEMENT_FIELDS.index(name)] for name in ("wait_first", "wait_count"))
        waits = self.waits.tolist()
        return [waits[a : a + n] for a, n in zip(first.tolist(), count.tolist(), strict=True)]

    def describe(self, number: int) -> str:
        """A movement for people: its number, launch, engine and what it does."""
        row = dict(zip(MOVEMENT_FIELDS, self.movements[number].tolist(), strict=True))
        engine = self.machine.engines[row["engine"]]
        what = f"launch {row['launch']}, {engine.kind.name} {engine.number}, {Op(row['op']).name}"
        return f"movement {number} ({what})"

    def tables(self) -> tuple[Table, Table, Table, Table]:
        """Movements, waits, parts and parameters."""
        return self.movements, self.waits, self.parts, self.parameters


def _table(values: array[int], fields: Sequence[str] = ()) -> Table:
    flat = np.frombuffer(values, np.int64) if len(values) else np.zeros(0, np.int64)
    return flat.reshape(-1, len(fields)) if fields else flat
