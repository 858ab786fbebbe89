"""VECTOR: a program in parts, each of which finds in L1 what it reads.

The walk over a program's accesses cuts it at turns of its outermost loops, or, where such a turn accesses too much, of
deeper ones, into parts that read and write about `WANTED` bytes each: small ones, since a part is brought by one engine
of each kind, and as many engines work at once as there are parts on their way. Loads come through L3 and L2, results go
the same way back. Of a program whose accesses depend on its operands, or whose innermost turn needs more than fits,
slot S accesses external memory itself: the program takes what its words take, or, where that is more, the beats of a
DMA engine for each run of neighbouring elements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tfmbs.runtime.abi.image import Row
from tfmbs.runtime.abi.limits import MAX_STEPS
from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.launch import Launch
from tfmbs.runtime.abi.movement.launches import fabric_tiles
from tfmbs.runtime.abi.movement.machine import EngineKind, Machine
from tfmbs.runtime.abi.movement.memory import ALIGNMENT, Ring, Slot, aligned
from tfmbs.runtime.abi.movement.predicted import Bounds, Prediction, Traffic
from tfmbs.runtime.abi.movement.prediction import Stream, predict_streams
from tfmbs.runtime.abi.movement.program import Copy, Level, Memory, Op, Timed, What
from tfmbs.runtime.abi.movement.timed_words import TimedWords, timed_words
from tfmbs.runtime.abi.siw import LOOP_DEPTH
from tfmbs.runtime.abi.siw_timing import Timing
from tfmbs.runtime.abi.types import DTYPES, DType

LEAST_SLOTS = 2  # of loads and of stores, in each memory: the next part's come while one runs
SLOTS = 8  # in each memory, as far as they fit: for as many transfers at once as there are engines, and as many more
WANTED = 4096  # bytes that a part reads or writes, at most where its turns are smaller
PAGE = 1 << 16  # of external memory, by which stores are found again


class Runs(NamedTuple):
    """`times` runs of `bytes` from `first` in a memory on, `stride` apart."""

    memory: int
    first: int
    bytes: int
    times: int
    stride: int

    @property
    def end(self) -> int:
        """The byte behind the last run."""
        return self.first + (self.times - 1) * self.stride + self.bytes


class Part(NamedTuple):
    """Turns of loops (-1: to the end), cycles, and what they read and write."""

    turns: int
    cycles: int
    reads: list[Runs]
    writes: list[Runs]


class Walked(NamedTuple):
    """A program's parts, or a single one without runs where what it accesses is not known.

    `branches`: its control depends on its operands, and its time is known when it has run. `is_large`: a turn accesses
    more than a part may. `bytes` and `beats` are those of all accesses, `stored` the bytes of stores, `words` the
    instruction words.
    """

    is_known: bool
    branches: bool
    is_large: bool
    words: int
    bytes: int
    stored: int
    beats: int
    parts: list[Part]


class Walk(NamedTuple):
    """What is walked: the tables of a program, its windows (`TIMED_WINDOW_FIELDS`), what it runs on
    (`TIMED_ENGINE_FIELDS`), bytes that a part should read and write at most, bytes that a turn may, and the depth of
    the loops at whose turns it is cut."""

    program: TimedWords
    windows: Sequence[tuple[int, int, int, int]]
    engine: tuple[int, ...]
    wanted: int
    most: int
    depth: int


Walker = Callable[[Walk], Walked]


@dataclass
class _Stores:
    """What parts of a launch have stored, by memory and page: hulls and movements."""

    by_page: dict[tuple[int, int], list[tuple[int, int, int]]] = field(default_factory=dict)

    def add(self, runs: Sequence[Runs], movement: int) -> None:
        for run in runs:
            for page in range(run.first // PAGE, (run.end - 1) // PAGE + 1):
                self.by_page.setdefault((run.memory, page), []).append((run.first, run.end, movement))

    def before(self, runs: Sequence[Runs]) -> set[int]:
        """Movements whose hull meets that of some runs."""
        return {
            movement
            for run in runs
            for page in range(run.first // PAGE, (run.end - 1) // PAGE + 1)
            for low, high, movement in self.by_page.get((run.memory, page), ())
            if low < run.end and run.first < high
        }


def expand_vector(x: Expansion, descriptor: Row, where: str) -> Launch:
    """Plans a VECTOR launch, on the first tile of its mask."""
    image = x.image
    tile = fabric_tiles(x, descriptor, where)[0]
    record = image.programs[descriptor["program"]]
    words = image.words[record["first_word"] : record["first_word"] + record["word_count"]]
    args = image.args[descriptor["args_first"] : descriptor["args_first"] + descriptor["args_count"]]
    windows = [_window(x, tensor) for tensor in args]
    timing = Timing.of(x.machine.target.vector)
    target = x.machine.target
    most = min(target.l1.size, target.l2.size, target.l3.size) // (2 * LEAST_SLOTS) // ALIGNMENT * ALIGNMENT
    limit = min(record["max_steps"], MAX_STEPS)
    m = x.machine
    dma = m.engines[m.first(EngineKind.DMA)]
    engine = (timing.lanes, m.core_ps, dma.period_ps, dma.width, m.external_per_million, limit)
    tables = timed_words(words, timing)
    depth = 1
    walked = x.walker(Walk(tables, windows, engine, min(WANTED, most), most, depth))
    while walked.is_large and depth < LOOP_DEPTH:
        depth += 1
        walked = x.walker(Walk(tables, windows, engine, min(WANTED, most), most, depth))
    if walked.is_known:
        return Launch(_prediction(walked, x.machine), lambda: _staged(x, walked, tile, depth))
    if walked.branches:
        timed = Timed(tables, windows, engine)
        return Launch(None, lambda: _direct(x, walked, tile, windows, timed))
    return Launch(_direct_prediction(walked, x.machine), lambda: _direct(x, walked, tile, windows, None))


def _prediction(walked: Walked, machine: Machine) -> Prediction:
    """What parts take that follow each other."""
    reads, writes = [_bytes(part.reads) for part in walked.parts], [_bytes(part.writes) for part in walked.parts]
    into, cycles = sum(reads), sum(part.cycles for part in walked.parts)
    return predict_streams(Stream(0, cycles, (into, into, into), sum(writes), reads[0], writes[-1]), machine)


def _direct_prediction(walked: Walked, machine: Machine) -> Prediction:
    """What a program takes that accesses external memory itself: its words, its beats, or the bytes."""
    vector, external = _direct_cycles(walked, machine) * machine.core_ps, machine.external_ps(walked.bytes)
    moved = walked.bytes - walked.stored
    bounds = Bounds(0, vector, external, 0, 0, 0)
    return Prediction(bounds, Traffic(moved, 0, moved, walked.stored), 0, max(vector, external), machine.core_ps)


def _direct_cycles(walked: Walked, machine: Machine) -> int:
    dma = machine.engines[machine.first(EngineKind.DMA)]
    return max(walked.parts[0].cycles, -(-walked.beats * dma.period_ps // machine.core_ps))


def _window(x: Expansion, tensor: int) -> tuple[int, int, int, int]:
    row = x.image.tensors[tensor]
    e = DTYPES[DType(row["dtype"])].bits // 8
    return (*x.place(tensor), e, row["bytes"] // e)


def _direct(
    x: Expansion, walked: Walked, tile: int, windows: Sequence[tuple[int, int, int, int]], timed: Timed | None
) -> None:
    if timed is not None:
        x.program.timed.append(timed)
    number = len(x.program.timed) - 1 if timed is not None else -1
    engine = x.machine.first(EngineKind.VECTOR) + tile
    queue = x.machine.queue(engine, False)
    waits = [number for memory, *_ in windows for number in x.tokens(queue, memory)]
    places = [(memory, offset, offset + e * elements) for memory, offset, e, elements in windows]
    what = What(
        tile=tile,
        parameters=(Memory.L1 + tile, -1, 1, True, True, number, 0, 0, walked.stored, 0, 0),
        reads=places,
        writes=[place for place in places if place[0] != Memory.WEIGHTS],
        bytes=walked.bytes,
        source=Level.EXTERNAL,
        target=Level.L1,
        operations=walked.words,
    )
    x.stored(x.program.add(Op.VECTOR, engine, x.launch, _direct_cycles(walked, x.machine), waits, what))


def _staged(x: Expansion, walked: Walked, tile: int, depth: int) -> None:
    sizes = [
        max(aligned(_bytes(runs)) for runs in every)
        for every in ([part.reads for part in walked.parts], [part.writes for part in walked.parts])
    ]
    spaces = (x.l3, x.l2, x.l1[tile])
    counts = [min(SLOTS, space.free // max(1, sum(sizes))) for space in spaces]
    loads, results = (
        [Ring(space.slots(count, size)) for space, count in zip(spaces, counts, strict=True)] for size in sizes
    )
    stores = _Stores()
    engine = x.machine.first(EngineKind.VECTOR) + tile
    for number, part in enumerate(walked.parts):
        l3, l2, l1 = (ring.take() for ring in loads) if part.reads else (None, None, None)
        size = 0
        if l3 is not None and l2 is not None and l1 is not None:
            copies, size = _dense(part.reads, l3)
            x.load(copies, l3, stores.before(part.reads))
            x.lift([Copy(l3.memory, l3.address, l2.memory, l2.address, run=size)], l3, l2)
            x.feed([Copy(l2.memory, l2.address, l1.memory, l1.address, run=size)], l2, l1, tile)
        out3, out2, out1 = (ring.take() for ring in results) if part.writes else (None, None, None)
        out_size = _bytes(part.writes)
        parameters = [
            Memory.L1 + tile, part.turns, depth, number == 0, False, -1, l1.address if l1 else 0,
            out1.address if out1 else 0, 0, len(part.reads), len(part.writes),
            *(value for run in (*part.reads, *part.writes) for value in run),
        ]  # fmt: skip
        waits = [*(l1.writers if l1 else ()), *(out1.to_write(out_size) if out1 else ())]
        what = What(
            tile=tile,
            parameters=parameters,
            reads=[l1.place(size)] if l1 else (),
            writes=[out1.place(out_size)] if out1 else (),
            operations=part.cycles,
        )
        done = x.program.add(Op.VECTOR, engine, x.launch, part.cycles, waits, what)
        if l1:
            l1.readers.append(done)
        if out1 and out2 and out3:
            out1.writers.append(done)
            copies = [
                Copy(c.target, c.to, c.source, c.start, 1, 0, 0, c.count1, c.to1, c.from1, c.run)
                for c in _dense(part.writes, out3)[0]
            ]
            before = stores.before(part.writes)
            stores.add(part.writes, x.drop(out1, out_size, out2, out3, copies, tile, before))


def _bytes(runs: Sequence[Runs]) -> int:
    return sum(run.bytes * run.times for run in runs)


def _dense(runs: Sequence[Runs], slot: Slot) -> tuple[list[Copy], int]:
    """Copies of runs to a slot, one after the other, and their bytes."""
    copies, size = [], 0
    for run in runs:
        to = slot.address + size
        copies.append(
            Copy(run.memory, run.first, slot.memory, to, 1, 0, 0, run.times, run.stride, run.bytes, run.bytes)
        )
        size += run.bytes * run.times
    return copies, size
