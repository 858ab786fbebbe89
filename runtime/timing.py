"""What a simulated run took: movements with their times, the classes of waiting, and what no machine can beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.movement.fields import MOVEMENT_FIELDS, Level, Op
from tfmbs.runtime.abi.movement.machine import EngineKind
from tfmbs.runtime.abi.movement.program import Program

Times = npt.NDArray[np.int64]

LINKS = ((Level.EXTERNAL, Level.L3), (Level.L3, Level.L2), (Level.L2, Level.L1))
"""The levels between which engines move data, in both directions."""
MOVERS = (EngineKind.DMA, EngineKind.BLOCK_MOVER, EngineKind.STREAMER)
"""The engines of each of `LINKS`."""
CLASSES = ("busy", *(f"waiting_{kind.name.lower()}" for kind in EngineKind), "idle")
"""How an engine spends a run: busy, waiting by the kind of engine that it waits for, idle after its last movement."""
TRACE = ("start_ps", "end_ps", "ready_ps", "cause", "bytes", "stored")
"""What native code tells of each movement."""

_COLUMN = {name: number for number, name in enumerate(MOVEMENT_FIELDS)}
_COPY, _GATHER = int(Op.COPY), int(Op.GATHER)  # compared with arrays, which take far longer with members of enums


class Tables(NamedTuple):
    """A movement program as arrays: rows of `MOVEMENT_FIELDS`, `PART_FIELDS`, parameters, `ACCESS_FIELDS`."""

    movements: Times
    parts: Times
    parameters: Times
    accesses: Times

    @classmethod
    def of(cls, program: Program) -> Tables:
        """Those of a program."""
        movements, _, parts, parameters = program.tables()
        return cls(movements, parts, parameters, program.accesses)


@dataclass(frozen=True)
class Timing:
    """One row per movement, as in the table of movements; times in picoseconds from the start of the run.

    `ready` is when the engine had done what it did before, `cause` the movement that was waited for last (-1: none),
    `bytes` those that were really moved, and `stored` those of them that a vector program's own accesses wrote.
    """

    program: Program
    tables: Tables
    start: Times
    end: Times
    ready: Times
    cause: Times
    bytes: Times
    stored: Times

    def column(self, name: str) -> Times:
        """A column of the table of movements."""
        values: Times = self.tables.movements[:, _COLUMN[name]]
        return values

    @property
    def core_ps(self) -> int:
        """The period of the core clock."""
        return self.program.machine.core_ps

    @cached_property
    def total_ps(self) -> int:
        """The end of the last movement."""
        return int(self.end.max(initial=0))

    @cached_property
    def until(self) -> Times:
        """When the engine of each movement ended it, or went on with the next one before that."""
        result: Times = self.end.copy()
        engine = self.column("engine")
        lagging = np.unique(engine[self.column("lag_ps") > 0])
        own = np.flatnonzero(np.isin(engine, lagging))
        order = own[np.lexsort((self.end[own], self.start[own], engine[own]))]
        is_same = engine[order[1:]] == engine[order[:-1]]
        earlier, later = order[:-1][is_same], order[1:][is_same]
        result[earlier] = np.minimum(self.end[earlier], self.start[later])
        return result

    def launches(self, count: int) -> list[tuple[int, int]]:
        """Start and end of each launch: those of its first and last movement; (0, 0) where it has none."""
        launch = self.column("launch")
        first, last = np.full(count, np.iinfo(np.int64).max), np.zeros(count, np.int64)
        np.minimum.at(first, launch, self.start)
        np.maximum.at(last, launch, self.end)
        return [(min(a, b), b) for a, b in zip(first.tolist(), last.tolist(), strict=True)]

    def bytes_between(self, source: Level, target: Level) -> int:
        """Bytes moved from one level to another."""
        return int(self._moved[source, target])

    @cached_property
    def _moved(self) -> Times:
        """Bytes by the levels that they moved from and to."""
        moved = np.zeros((len(Level), len(Level)), np.int64)
        np.add.at(moved.reshape(-1), self.column("source") * len(Level) + self.column("target"), self.bytes)
        return moved

    def links(self) -> dict[str, int]:
        """Bytes moved between neighbouring levels, each way."""
        ways = [way for link in LINKS for way in (link, link[::-1])]
        return {f"{a.name.lower()}_to_{b.name.lower()}": self.bytes_between(a, b) for a, b in ways}

    def engines(self, kind: EngineKind) -> list[int]:
        """The engines of a kind."""
        return [number for number, engine in enumerate(self.program.machine.engines) if engine.kind is kind]

    def stalls(self, engine: int) -> dict[str, int]:
        """How an engine spent the run, in picoseconds, by `CLASSES`; they sum to the total."""
        return dict(zip(CLASSES, self.spent[engine].tolist(), strict=True))

    @cached_property
    def spent(self) -> Times:
        """Picoseconds by engine and `CLASSES`."""
        engine, cause = self.column("engine"), self.cause
        engines = self.program.machine.engines
        kinds = np.array([int(one.kind) for one in engines])
        of = kinds[engine]
        because = np.where(cause < 0, of, of[cause]) if len(of) else of
        spent = np.zeros((len(engines), len(CLASSES)), np.int64)
        first = engine * len(CLASSES)
        np.add.at(spent.reshape(-1), first, self.until - self.start)
        np.add.at(spent.reshape(-1), first + 1 + because, self.start - self.ready)
        last = np.zeros(len(engines), np.int64)
        np.maximum.at(last, engine, self.end)
        spent[:, -1] = self.total_ps - last
        return spent


def timing_of(program: Program, trace: Mapping[str, npt.ArrayLike], tables: Tables | None = None) -> Timing:
    """The timing of a run, after its invariants have been checked; `tables` are those of the program, if made before.

    Raises TfmbsError `device` where a run is faster than the machine can be, what engines did does not sum to it, a
    movement started at another time than its waits say, or moved other bytes than the program says.
    """
    columns = [np.asarray(trace[name], np.int64) for name in TRACE]
    timing = Timing(program, tables or Tables.of(program), *columns)
    _check_bounds(timing)
    _check_movements(timing)
    return timing


def _check_bounds(timing: Timing) -> None:
    machine, total = timing.program.machine, timing.total_ps
    macs = int(timing.column("macs").sum())
    least = {
        "multiply-accumulates": -(-macs * machine.core_ps // machine.target.macs_per_cycle),
        "external bytes": machine.external_ps(timing.bytes_between(*LINKS[0]) + timing.bytes_between(*LINKS[0][::-1])),
    }
    for link, kind in zip(LINKS, MOVERS, strict=True):
        engines = [machine.engines[number] for number in timing.engines(kind)]
        per_cycle = sum(engine.width for engine in engines)
        moved = timing.bytes_between(*link) + timing.bytes_between(*link[::-1])
        least[f"bytes of {kind.name}"] = moved * engines[0].period_ps // per_cycle
    for what, time in least.items():
        if total < time:
            raise TfmbsError("device", "kpu", f"picoseconds of a run: bound by {what}", f"at least {time}", total)


def _check_movements(timing: Timing) -> None:
    total = timing.total_ps
    spent = timing.spent.sum(axis=1)
    wrong = np.flatnonzero(spent != total)
    if len(wrong):
        one = wrong[0]
        raise TfmbsError("device", "kpu", f"what engine {one} did in picoseconds", total, int(spent[one]))
    if not len(timing.start):
        return
    released = np.where(timing.cause < 0, 0, timing.end[timing.cause])
    late = np.flatnonzero(timing.start != np.maximum(timing.ready, released))
    if len(late):
        one = late[0]
        expected = max(int(timing.ready[one]), int(released[one]))
        raise TfmbsError("device", "kpu", f"start of movement {one} in picoseconds", expected, int(timing.start[one]))
    op = timing.column("op")
    other = np.flatnonzero(((op == _COPY) | (op == _GATHER)) & (timing.bytes != timing.column("bytes")))
    if len(other):
        one = other[0]
        raise TfmbsError(
            "device", "kpu", f"bytes of movement {one}", int(timing.column("bytes")[one]), int(timing.bytes[one])
        )
