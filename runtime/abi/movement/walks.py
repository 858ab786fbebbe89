"""What vector programs access, part by part, and when: walks by the timing rule of `siw_cycles`.

A part ends before the word with which it would read or write more than `WANTED` bytes: small ones, since a part is
brought by one engine of each kind, and as many engines work at once as there are parts on their way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tfmbs.runtime.abi.image import Row
from tfmbs.runtime.abi.limits import MAX_STEPS
from tfmbs.runtime.abi.movement.machine import EngineKind
from tfmbs.runtime.abi.movement.memory import ALIGNMENT
from tfmbs.runtime.abi.movement.timed_words import TIMED_OP_FIELDS, TimedWords, timed_words
from tfmbs.runtime.abi.siw_timing import Timing
from tfmbs.runtime.abi.types import DTYPES, DType

if TYPE_CHECKING:
    from tfmbs.runtime.abi.movement.expansion import Expansion

LEAST_SLOTS = 2  # of loads and of stores, in each memory: the next part's come while one runs
WANTED = 4096  # bytes that a part reads or writes at most, but for those of one word


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

    @property
    def total(self) -> int:
        """Bytes of all runs."""
        return self.bytes * self.times

    def each(self) -> list[tuple[int, int]]:
        """First byte and end of each run."""
        starts = (self.first + i * self.stride for i in range(self.times))
        return [(start, start + self.bytes) for start in starts]


class Part(NamedTuple):
    """Accesses to windows (-1: all that are left), cycles until the next part may begin, how many more until the last
    beats of the accesses are over, and what is read and written."""

    accesses: int
    cycles: int
    lag: int
    reads: list[Runs]
    writes: list[Runs]


class Walked(NamedTuple):
    """A program's parts, or a single one without runs where what it accesses is not known.

    `branches`: its control depends on its operands, and its time is known when it has run. `bytes` and `beats` are
    those of all accesses, `stored` the bytes of stores, `words` the instruction words. `written` are all bytes that it
    writes, but for those of strided stores to what it does not load; `exposed` those of windows that it loads and
    stores which it reads before it has written them.
    """

    is_known: bool
    branches: bool
    words: int
    bytes: int
    stored: int
    beats: int
    parts: list[Part]
    written: list[Runs]
    exposed: list[Runs]


class Walk(NamedTuple):
    """What is walked: the tables of a program, its windows (`TIMED_WINDOW_FIELDS`), what it runs on
    (`TIMED_ENGINE_FIELDS`), and bytes that a part of several words, and one of a single word, may read and write."""

    program: TimedWords
    windows: Sequence[tuple[int, int, int, int]]
    engine: tuple[int, ...]
    wanted: int
    most: int

    def used(self) -> tuple[set[int], set[int]]:
        """Numbers of the windows that are loaded, and of those that are stored."""
        window, is_load, is_store = (
            self.program.ops[:, TIMED_OP_FIELDS.index(name)] for name in ("window", "is_load", "is_store")
        )
        accesses = window >= 0
        loaded, stored = (set(window[accesses & (column > 0)].tolist()) for column in (is_load, is_store))
        return loaded, stored

    def place(self, window: int) -> tuple[int, int, int]:
        """Memory, first byte and end of a window."""
        memory, offset, e, elements = self.windows[window]
        return memory, offset, offset + e * elements


Walker = Callable[[Walk], Walked]


def walk_of(x: Expansion, descriptor: Row) -> tuple[Walk, Walked]:
    """The walk of a VECTOR launch of an entry, which is done once."""
    key = descriptor["program"], descriptor["args_first"], descriptor["args_count"]
    found = x.walks.get(key)
    if found is None:
        found = x.walks[key] = _walk(x, descriptor)
    return found


def _walk(x: Expansion, descriptor: Row) -> tuple[Walk, Walked]:
    image, m, target = x.image, x.machine, x.machine.target
    record = image.programs[descriptor["program"]]
    words = image.words[record["first_word"] : record["first_word"] + record["word_count"]]
    args = image.args[descriptor["args_first"] : descriptor["args_first"] + descriptor["args_count"]]
    timing = Timing.of(target.vector)
    most = min(target.l1.size, target.l2.size, target.l3.size) // (2 * LEAST_SLOTS) // ALIGNMENT * ALIGNMENT
    dma = m.engines[m.first(EngineKind.DMA)]
    limit = min(record["max_steps"], MAX_STEPS)
    engine = (timing.lanes, m.core_ps, dma.period_ps, dma.width, m.external_per_million, limit)
    walk = Walk(timed_words(words, timing), [_window(x, one) for one in args], engine, min(WANTED, most), most)
    return walk, x.walker(walk)


def _window(x: Expansion, tensor: int) -> tuple[int, int, int, int]:
    row = x.image.tensors[tensor]
    e = DTYPES[DType(row["dtype"])].bits // 8
    return (*x.place(tensor), e, row["bytes"] // e)
