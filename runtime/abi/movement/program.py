"""Movement programs: what each engine does, in which order, what it waits for, and which bytes it reads and writes.

Each engine has queues: a transfer engine one for data on its way to the array and one for results on their way back; an
array or a vector engine one. What is in a queue is done in its order, one after the other. A movement starts when the
one before it in its queue has ended, all movements that it waits for have ended, and its engine is free. Its bytes are
read and written when it ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.abi.movement.timed_words import TimedWords

Table = npt.NDArray[np.int64]


class Op(IntEnum):
    """What a movement does (parameters in `Program.parameters`, by the field tables below)."""

    COPY = 0
    """Its `parts`, in order."""
    GATHER = 1
    """Pixels under the taps of a window, from blocks of input rows in L2 to a tile in L1, see `GATHER_FIELDS`."""
    FOLD = 2
    """A tile of a product in the array, see `FOLD_FIELDS`."""
    EPILOGUE = 3
    """A program on the results of a tile, see `EPILOGUE_FIELDS`."""
    VECTOR = 4
    """A part of a vector program, see `VECTOR_FIELDS`."""
    POOL = 5
    """The windows of a pooling for outputs of channels, see `POOL_FIELDS`."""
    SOFTMAX = 6
    """Scores of an attention become weights, see `SOFTMAX_FIELDS`."""


class Level(IntEnum):
    """A level of the memory hierarchy."""

    EXTERNAL = 0
    L3 = 1
    L2 = 2
    L1 = 3


class Memory(IntEnum):
    """Codes of memories; inputs, outputs and L1s count on from theirs."""

    WEIGHTS = 0
    SCRATCH = 1
    STATE = 2
    L3 = 3
    L2 = 4
    L1 = 1 << 10
    INPUT = 1 << 16
    OUTPUT = 1 << 32


FOLD_FIELDS = (
    "memory", "lhs", "rhs", "sums", "rows", "columns", "depth", "is_float", "is_first", "lhs_zero", "packing",
    "rhs_row_bytes", "is_window", "pixel", "rhs_is_float",
    "lhs_stride", "sums_stride",
)  # fmt: skip
"""lhs and rhs are byte addresses in `memory`. lhs is rows×depth, its rows `lhs_stride` elements apart, or dense
depth×rows of a window (`is_window`), whose first row is output `pixel`; rhs has `columns` rows of `rhs_row_bytes`. Sums
are rows×columns words, columns×rows of a window, with rows `sums_stride` words apart; `is_first`: they start from 0."""

GATHER_FIELDS = (
    "memory", "address", "pixel", "rows", "channels", "element_bytes", "rows_per_block", "zero", "blocks",
)  # fmt: skip
"""`rows` outputs from `pixel` on; what is not there reads as `zero`. Then, for each of `blocks`, its number (each plane
has whole blocks of `rows_per_block` input rows) and its address in L2: (channels, rows of it, width) elements."""

EPILOGUE_FIELDS = (
    "memory", "sums", "out", "rows", "columns", "is_window", "element", "stride", "channel", "channel_step",
    "element_bytes", "windows",
)  # fmt: skip
"""Chunks are the rows of the tile as it lies there, the first being at result `element`, the next `stride` further;
their lanes have channels from `channel` on, `channel_step` apart. Then for each of `windows`: number, first L1 address,
and count of segments, and for each of these first byte in the tensor and bytes; they follow each other in L1."""

VECTOR_FIELDS = (
    "memory", "turns", "depth", "is_first", "is_direct", "timed", "load", "store", "stored_bytes", "loads", "stores",
)  # fmt: skip
"""`turns` of loops at most `depth` deep, -1 for all that are left. Addresses in L1 of what it loads and stores, where
runs follow each other; then these, `loads` and then `stores`: memory, first byte, bytes of each, how many, and the
bytes from one to the next. `is_direct`: the program accesses external memory itself, and stores `stored_bytes` of its
bytes. Where its control depends on operands, `timed` is its number in `Program.timed`, else -1: then it is executed
when it starts, and takes what the walk says that knows the scalars taken from lanes."""

POOL_FIELDS = ("memory", "in", "out", "is_wide", "channels", "first", "lanes", "first_row", "rows")
"""Outputs `first` to `first + lanes` of each of `channels`, of whose input rows `rows` from `first_row` on lie in L1.
Results are 32-bit lanes (`is_wide`) or elements."""

SOFTMAX_FIELDS = (
    "memory", "scores", "rows", "columns", "first", "mask", "mask_row_stride", "mask_column_stride",
)  # fmt: skip
"""Scores of queries `first` to `first + rows` become weights; the mask lies in L1 with strides in elements."""

PARAMETERS = {
    Op.COPY: (),
    Op.GATHER: GATHER_FIELDS,
    Op.FOLD: FOLD_FIELDS,
    Op.EPILOGUE: EPILOGUE_FIELDS,
    Op.VECTOR: VECTOR_FIELDS,
    Op.POOL: POOL_FIELDS,
    Op.SOFTMAX: SOFTMAX_FIELDS,
}

MOVEMENT_FIELDS = (
    "op", "engine", "queue", "launch", "tile", "busy_ps", "pipe_ps", "bytes", "source", "target", "macs", "operations",
    "wait_first", "wait_count", "part_first", "part_count", "parameter_first", "parameter_count",
)  # fmt: skip
"""Columns of the table of movements. `engine` is its number in the machine, `queue` that of all queues; `busy_ps` is
how long it keeps its engine, `pipe_ps` how long external memory; `bytes` move from level `source` to level `target`;
`macs` are multiply-accumulates, `operations` elements of vector code or pooling taps."""

PART_FIELDS = (
    "source", "from", "target", "to", "count0", "from0", "to0", "count1", "from1", "to1", "run",
)  # fmt: skip
"""Columns of the table of copies: memory and byte address on both sides; run bytes, count1 times by strides from1 and
to1, that count0 times by from0 and to0."""


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
    def runs(self) -> int:
        """Runs of bytes that follow each other, on both sides together as far as that goes."""
        count0, count1, run = self.count0, self.count1, self.run
        if count1 == 1 or (self.from1 == run and self.to1 == run):
            run, count1 = run * count1, 1
            if count0 == 1 or (self.from0 == run and self.to0 == run):
                return 1
        return count0 * count1

    def beats(self, width: int) -> int:
        """Cycles of an engine that moves `width` bytes in each; a run starts a new one."""
        return self.runs * -(-(self.bytes // self.runs) // width)


class Access(NamedTuple):
    """Bytes `low` to `high` of a memory that a movement reads or writes, beside those of its copies."""

    movement: int
    memory: int
    low: int
    high: int
    writes: bool


class Timed(NamedTuple):
    """A vector program whose time is known when it has run, its windows, and `TIMED_ENGINE_FIELDS`."""

    words: TimedWords
    windows: Sequence[tuple[int, int, int, int]]
    engine: tuple[int, ...]


@dataclass(frozen=True)
class What:
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


@dataclass
class Program:
    """A movement program, built by the rule. `waits` are movements, before the waiting one."""

    machine: Machine
    movements: list[tuple[int, ...]] = field(default_factory=list)
    waits: list[int] = field(default_factory=list)
    parts: list[Copy] = field(default_factory=list)
    parameters: list[int] = field(default_factory=list)
    accesses: list[Access] = field(default_factory=list)
    timed: list[Timed] = field(default_factory=list)
    predicted: dict[int, int] = field(default_factory=dict)
    """By launch, the cycles of the core clock that the closed model expects."""
    work: Counter[int] = field(default_factory=Counter)
    """By queue, cycles that its movements keep its engine busy."""

    def add(self, op: Op, engine: int, launch: int, busy: int, waits: Iterable[int], what: What) -> int:
        """Adds a movement that keeps its engine `busy` cycles; returns its number.

        Of the movements it waits for, the last of each queue is kept, and none of its own queue.
        """
        machine, number = self.machine, len(self.movements)
        queue = machine.queue(engine, what.outbound)
        kept = self.last_of_queues(waits)
        kept.pop(queue, None)
        self.work[queue] += busy
        external = Level.EXTERNAL in (what.source, what.target) and what.bytes
        self.movements.append(
            (
                op, engine, queue, launch, what.tile, busy * machine.engines[engine].period_ps,
                machine.external_ps(what.bytes) if external else 0, what.bytes, what.source, what.target,
                what.macs, what.operations, len(self.waits), len(kept), len(self.parts), len(what.parts),
                len(self.parameters), len(what.parameters),
            )
        )  # fmt: skip
        self.waits += sorted(kept.values())
        self.parts += what.parts
        self.parameters += what.parameters
        self.accesses += [Access(number, *place, False) for place in what.reads]
        self.accesses += [Access(number, *place, True) for place in what.writes]
        return number

    def last_of_queues(self, movements: Iterable[int]) -> dict[int, int]:
        """By queue, the last of some movements: when it has ended, all of them in its queue have."""
        last: dict[int, int] = {}
        for number in movements:
            queue = self.movements[number][2]
            if number > last.get(queue, -1):
                last[queue] = number
        return last

    def tables(self) -> tuple[Table, Table, Table, Table]:
        """Movements, waits, parts and parameters as arrays."""
        return (
            np.array(self.movements, np.int64).reshape(-1, len(MOVEMENT_FIELDS)),
            np.array(self.waits, np.int64),
            np.array(self.parts, np.int64).reshape(-1, len(PART_FIELDS)),
            np.array(self.parameters, np.int64),
        )


def level_of(memory: int) -> Level:
    """The level that a memory belongs to."""
    if memory == Memory.L3:
        return Level.L3
    if memory == Memory.L2:
        return Level.L2
    return Level.L1 if Memory.L1 <= memory < Memory.INPUT else Level.EXTERNAL
