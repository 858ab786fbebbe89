"""What a simulated run took: movements with their times, the classes of waiting, and what no machine can beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.movement.machine import EngineKind
from tfmbs.runtime.abi.movement.program import MOVEMENT_FIELDS, Level, Program

Times = npt.NDArray[np.int64]

LINKS = ((Level.EXTERNAL, Level.L3), (Level.L3, Level.L2), (Level.L2, Level.L1))
"""The levels between which engines move data, in both directions."""


@dataclass(frozen=True)
class Timing:
    """One row per movement, as in the table of `movements`; times in picoseconds from the start of the run.

    `ready` is when the engine had done what it did before, `cause` the movement that was waited for last (-1:
    none), `bytes` those that it moved.
    """

    program: Program
    movements: Times
    start: Times
    end: Times
    ready: Times
    cause: Times
    bytes: Times

    def column(self, name: str) -> Times:
        """A column of the table of movements."""
        values: Times = self.movements[:, MOVEMENT_FIELDS.index(name)]
        return values

    @property
    def core_ps(self) -> int:
        """The period of the core clock."""
        return self.program.machine.core_ps

    @property
    def total_ps(self) -> int:
        """The end of the last movement."""
        return int(self.end.max(initial=0))

    def launches(self, count: int) -> list[tuple[int, int]]:
        """Start and end of each launch: those of its first and last movement; (0, 0) where it has none."""
        launch, spans = self.column("launch"), []
        for number in range(count):
            own = launch == number
            spans.append((int(self.start[own].min()), int(self.end[own].max())) if own.any() else (0, 0))
        return spans

    def bytes_between(self, source: Level, target: Level) -> int:
        """Bytes moved from one level to another."""
        here = (self.column("source") == source) & (self.column("target") == target)
        return int(self.bytes[here].sum())

    def stalls(self, engine: int) -> dict[str, int]:
        """How an engine spent the run, in picoseconds: busy, waiting by the kind of engine that it waited for, idle.

        They sum to the total.
        """
        own = np.flatnonzero(self.column("engine") == engine)
        own = own[np.argsort(self.start[own], kind="stable")]
        engines = self.program.machine.engines
        result = {"busy": int((self.end[own] - self.start[own]).sum())}
        waited, cause = self.start[own] - self.ready[own], self.cause[own]
        kinds = np.array([one.kind for one in engines])
        because = np.where(cause < 0, engines[engine].kind, kinds[self.column("engine")[cause]])
        for kind in EngineKind:
            result[f"waiting_{kind.name.lower()}"] = int(waited[because == kind].sum())
        last = int(self.end[own].max()) if len(own) else 0
        result["idle"] = self.total_ps - last
        return result

    def summary(self) -> dict[str, Any]:
        """Cycles of the core clock, bytes between levels, and how arrays and vector engines spent the run."""
        machine = self.program.machine
        arrays = [i for i, engine in enumerate(machine.engines) if engine.kind is EngineKind.ARRAY]
        vectors = [i for i, engine in enumerate(machine.engines) if engine.kind is EngineKind.VECTOR]
        return {
            "total_ps": self.total_ps,
            "cycles": -(-self.total_ps // machine.core_ps),
            "core_ps": machine.core_ps,
            "macs": int(self.column("macs").sum()),
            "bytes": {
                f"{a.name.lower()}_to_{b.name.lower()}": self.bytes_between(a, b)
                for one, other in LINKS
                for a, b in ((one, other), (other, one))
            },
            "arrays_ps": _sum([self.stalls(engine) for engine in arrays]),
            "vectors_ps": _sum([self.stalls(engine) for engine in vectors]),
        }


def timing_of(program: Program, trace: Mapping[str, Sequence[int]]) -> Timing:
    """The timing of a run, after its invariants have been checked.

    Raises TfmbsError `device` where a run is faster than the machine can be, or what engines did does not sum to it.
    """
    columns = [np.array(trace[name], np.int64) for name in ("start_ps", "end_ps", "ready_ps", "cause", "bytes")]
    timing = Timing(program, program.tables()[0], *columns)
    _check(timing)
    return timing


def _check(timing: Timing) -> None:
    machine, total = timing.program.machine, timing.total_ps
    least = {
        "multiply-accumulates": -(-int(timing.column("macs").sum()) * machine.core_ps // machine.target.macs_per_cycle),
        "external bytes": machine.external_ps(timing.bytes_between(*LINKS[0]) + timing.bytes_between(*LINKS[0][::-1])),
    }
    for link, kind in zip(LINKS, (EngineKind.DMA, EngineKind.BLOCK_MOVER, EngineKind.STREAMER), strict=True):
        engines = [engine for engine in machine.engines if engine.kind is kind]
        per_cycle = sum(engine.width for engine in engines)
        moved = timing.bytes_between(*link) + timing.bytes_between(*link[::-1])
        least[f"bytes of {kind.name}"] = moved * engines[0].period_ps // per_cycle
    for what, time in least.items():
        if total < time:
            raise TfmbsError("device", "kpu", f"picoseconds of a run: bound by {what}", f"at least {time}", total)
    for engine in range(len(machine.engines)):
        spent = sum(timing.stalls(engine).values())
        if spent != total:
            raise TfmbsError("device", "kpu", f"what engine {engine} did in picoseconds", total, spent)


def _sum(rows: Sequence[Mapping[str, int]]) -> dict[str, int]:
    return {name: sum(row[name] for row in rows) for name in rows[0]}
