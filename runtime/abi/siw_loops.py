"""What a finished program's schedule looks like: when each word issues, and how its loops compare with their bounds.

All of it comes from the words and the timing of a target, so that it holds for programs whoever made them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.records import ProgramKind
from tfmbs.runtime.abi.siw_bounds import Edge, recurrence_bound
from tfmbs.runtime.abi.siw_cycles import FILLER, Cycles, DecodedWord, Operation, Place, decoded_words, execute
from tfmbs.runtime.abi.siw_timing import Timing

_MOST_WORDS = 20_000  # about as many are followed, however deep loops nest
_STEADY_TRIPS = 6
_TAKEN = 100  # what scalars from vectors are: counts of loops, that these run often enough to be seen


@dataclass(frozen=True)
class LoopView:
    """An innermost loop of words `first`…`last`: cycles per trip when it is steady, and its bounds.

    `resource` is how long the fullest slot is busy with a trip, `recurrence` the longest chain of results from one trip
    to the next; `busy` is how long each slot is, without filler.
    """

    first: int
    last: int
    interval: float
    resource: int
    recurrence: int
    busy: Mapping[str, int]

    @property
    def bound(self) -> int:
        """The least interval that slots and results allow."""
        return max(self.resource, self.recurrence)

    @property
    def operations_per_cycle(self) -> float:
        """Slot-cycles of work in a cycle; at most 3."""
        return sum(self.busy.values()) / self.interval if self.interval else 0.0


@dataclass(frozen=True)
class ScheduleView:
    """The cycle of each word, in its innermost loop or else in the program (None: it does not run), and the loops."""

    cycle: tuple[int | None, ...]
    loops: tuple[LoopView, ...]


def view_schedule(words: Sequence[bytes], kind: ProgramKind, timing: Timing) -> ScheduleView:
    """The schedule of a valid program, from an execution that runs each loop a few times."""
    decoded = decoded_words(words)
    spans = [(n, n + w.fields["c_imm"]) for n, w in enumerate(decoded) if w.control == "LOOP"]
    depth = max((sum(a < n <= b for a, b in spans) for n in range(len(decoded))), default=0)
    trips = _STEADY_TRIPS
    while trips > 2 and trips**depth * len(decoded) > _MOST_WORDS:
        trips -= 1
    scalars = {siw.EPILOGUE_ONE: 1} if kind is ProgramKind.EPILOGUE else {}
    run = execute(words, timing, scalars=scalars, taken=_TAKEN, most_trips=trips)
    innermost = [(a, b) for a, b in spans if not any(a < c <= b for c, _ in spans)]
    start = dict.fromkeys(range(len(decoded)), 0)
    for at, last in innermost:
        start.update(dict.fromkeys(range(at + 1, last + 1), run.issued.get(at + 1, 0)))
    cycle = tuple(run.issued[n] - start[n] if n in run.issued else None for n in range(len(decoded)))
    views = [_loop(decoded, at, last, run, timing) for at, last in innermost if at in run.loops]
    return ScheduleView(cycle, tuple(views))


def _loop(decoded: Sequence[DecodedWord], at: int, last: int, run: Cycles, timing: Timing) -> LoopView:
    words = [decoded[n].operations for n in range(at + 1, last + 1)]
    busy = [
        timing.busy(operation.op, run.vl.get(n, siw.VLMAX))
        for n, operations in enumerate(words, at + 1)
        for operation in operations
    ]
    load, work = dict.fromkeys("DSC", 0), dict.fromkeys("DSC", 0)
    for operation, cycles in zip(chain.from_iterable(words), busy, strict=True):
        load[operation.slot] += cycles
        work[operation.slot] += cycles if operation.op.name not in FILLER else 0
    recurrence = recurrence_bound(_flow(words, busy, timing))
    return LoopView(at + 1, last, run.loops[at].interval, max(load.values()), recurrence, work)


def _flow(words: Sequence[Sequence[Operation]], busy: Sequence[int], timing: Timing) -> list[list[Edge]]:
    """Edges from results to what reads them, in the same trip or the next; operations are numbered word by word."""
    out: list[list[Edge]] = [[] for _ in busy]
    writer: dict[Place, tuple[Operation, int, int]] = {}  # operation, its number, trip
    for trip in (0, 1):
        number = 0
        for operations in words:
            numbered = list(enumerate(operations, number))
            number += len(operations)
            for n, operation in numbered:
                for place in operation.reads:
                    if place in writer and place[0] != "vl":
                        producer, by, then = writer[place]
                        cycles = timing.ready_after(producer.op, busy[by], operation.op, busy[n])
                        out[by].append(Edge(by, n, cycles, trip - then))
            for n, operation in numbered:
                writer.update(dict.fromkeys(operation.writes, (operation, n, trip)))
    return out
