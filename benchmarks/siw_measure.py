"""What is measured of a kernel: schedules by executing their words with real latencies, and wall time beside others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any
from unittest import mock

from benchmarks.siw_kernels import Kernel
from tfmbs.compiler.compilation import Compilation, Options
from tfmbs.compiler.driver import Driver
from tfmbs.compiler.pipelines import sequence_text
from tfmbs.dialect.mlir import context, ir
from tfmbs.passes.fabric import vector
from tfmbs.passes.siw.backend import Program as Words
from tfmbs.passes.siw.backend import compile_code
from tfmbs.passes.siw.machine import ZERO
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.siw_cycles import FILLER, execute
from tfmbs.runtime.abi.siw_timing import Timing
from tfmbs.runtime.abi.siw_verify import decode_program
from tfmbs.runtime.abi.target_file import load_target
from tfmbs.runtime.program import Program

TARGET = "kpu-16x16"
STEADY_TRIPS = 60
"""Trips after which a loop is left: more would change no interval."""


@dataclass(frozen=True)
class InnerLoop:
    """An innermost loop in its steady state; cycles and slot-cycles of work per trip of its words.

    `bound` is the larger of `busy` and the recurrence bound that the scheduler has, `busy` the slot-cycles of
    the busiest slot, `sequential` the cycles that the same operations take one after the other. A recurrence is a cycle
    of results, of accesses of one memory, or of waits: a slot that loads from a window and stores to it is idle for the
    latency of a store once in each interval, as among what it does with the window a load follows a store (cyclically),
    and the word of that load waits until all stores are complete.
    """

    program: int
    trips: int
    interval: float
    bound: float
    busy: float
    operations: float
    sequential: float

    @property
    def at_bound(self) -> bool:
        """Whether it starts as often as its bound allows; the first trips of a run take a little more."""
        return self.interval < self.bound + 1

    @property
    def of_mix(self) -> float:
        """Operations per cycle as a part of what the busiest slot allows."""
        return self.busy / self.interval


@dataclass(frozen=True)
class Schedules:
    """All of a kernel's programs."""

    loops: tuple[InnerLoop, ...]
    spilled: int
    sequential: int
    words: int


@contextmanager
def recorded() -> Iterator[list[Words]]:
    """The programs that the compiler makes meanwhile."""
    made: list[Words] = []

    def compiled(code: Any, timing: Any, kind: Any) -> Words:
        made.append(compile_code(code, timing, kind))
        return made[-1]

    with mock.patch.object(vector, "compile_code", compiled):
        yield made


def compiled(kernel: Kernel) -> tuple[Program, list[Words]]:
    """The kernel's binary, loaded, and its programs."""
    with context() as owner, ir.Location.unknown():
        module = ir.Module.parse(kernel.mlir, owner)
    Driver().run_text(module, sequence_text("optimise", {"target": TARGET}))
    with recorded() as made:
        image = Compilation(module, "tfmbs", Options(target=TARGET)).image()
    return Program(image), made


def schedules(programs: Sequence[Words]) -> Schedules:
    """Executes the words of all programs."""
    timing = Timing.of(load_target(TARGET).vector)
    loops = [loop for number, program in enumerate(programs) for loop in inner_loops(number, program, timing)]
    return Schedules(
        tuple(loops),
        sum(program.report.spilled for program in programs),
        sum(program.report.sequential for program in programs),
        sum(len(program.words) for program in programs),
    )


def inner_loops(number: int, program: Words, timing: Timing) -> Iterator[InnerLoop]:
    """The innermost loops of a program, measured."""
    words = decode_program(program.words, "program")
    cycles = execute(program.words, timing, most_trips=STEADY_TRIPS)
    vl = siw.VLMAX
    for at, word in enumerate(words):
        vl = _vl_after(word, vl)
        if word.c.op.name != "LOOP" or at not in cycles.loops or not cycles.loops[at].repeats:
            continue
        body = words[at + 1 : at + 1 + word.fields["c_imm"]]
        if any(inner.c.op.name in ("LOOP", "SETVLR") for inner in body):
            continue
        busy, alone = _work(body, vl, timing)
        measured, most = cycles.loops[at], max(busy.values())
        bound = max(most, _recurrence(program, measured.interval))
        yield InnerLoop(number, measured.trips, measured.interval, bound, most, sum(busy.values()), alone)


def _vl_after(word: Any, vl: int) -> int:
    return int(word.fields["c_imm"]) if word.c.op.name == "SETVL" else vl


def _work(body: Sequence[Any], vl: int, timing: Timing) -> tuple[dict[str, int], int]:
    """Slot-cycles of work of a trip by slot, and the cycles that its operations take one after the other.

    A load of one element into all lanes is the work of one lane: the scheduler writes it where the cycles are idle.
    """
    for word in body:  # a trip starts with the VL that the one before it left
        vl = _vl_after(word, vl)
    busy, alone = dict.fromkeys("DSC", 0), 0
    for word in body:
        for slot in word.slots:
            if slot.op.name not in FILLER:
                took = timing.busy(slot.op, 1 if _loads_one(slot, word) else vl)
                busy[slot.op.slot] += took
                alone += took + timing.result_latency(slot.op)
        vl = _vl_after(word, vl)
    return busy, alone


def _loads_one(slot: Any, word: Any) -> bool:
    return slot.op.name == "LD" and word.fields["s_index"] == ZERO.fixed


def _recurrence(program: Words, interval: float) -> float:
    """The recurrence bound of the loop with this interval, as the scheduler has it; 0 for a loop that is not pipelined.

    A loop of words may be several copies of what was scheduled.
    """
    close = [report for report in program.report.loops if abs(interval - report.turn) < report.interval / 8]
    best = min(close, key=lambda report: abs(interval - report.turn), default=None)
    return best.copies * best.recurrence if best else 0


@dataclass(frozen=True)
class Seconds:
    """Medians over rounds: of wall time, and of the time on the processor, to which no other process adds."""

    wall: float
    processor: float


def interleaved(runs: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Seconds]:
    """The median seconds of each, all of them in turn in every round, after one that warms up."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            start = time.perf_counter(), time.process_time()
            run()
            if number:
                times[name].append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return {name: Seconds(*(median(column) for column in zip(*rows, strict=True))) for name, rows in times.items()}
