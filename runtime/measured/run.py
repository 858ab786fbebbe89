"""The measures of a run: one set for each launch, and one for all of it, whose sums they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image, Row
from tfmbs.runtime.abi.movement.fields import Level, Op
from tfmbs.runtime.abi.movement.machine import EngineKind, Machine
from tfmbs.runtime.abi.target import Energy
from tfmbs.runtime.measured.energy import energy_pj
from tfmbs.runtime.measured.external import external_busy
from tfmbs.runtime.measured.least import least_external
from tfmbs.runtime.measured.overlap import overlap
from tfmbs.runtime.measured.path import by_class, critical_path, predecessors, shares, stops
from tfmbs.runtime.measured.spans import Shares, Spans, Times
from tfmbs.runtime.measured.traffic import (
    LEVELS,
    READ,
    WRITTEN,
    check_results,
    least_of_network,
    traffic,
)
from tfmbs.runtime.measured.waits import Bubbles
from tfmbs.runtime.measured.work import BUILT_IN, Amounts, Work, dense, gated, operations
from tfmbs.runtime.timing import MOVERS, Timing

COMPUTING = (EngineKind.ARRAY, EngineKind.VECTOR)


@dataclass(frozen=True)
class Measures:
    """Of a launch or a run; picoseconds, bytes, and counts. Of a launch, times are those in which it is on the critical
    path, so that they sum to the run; bytes and counts are its own. See `figures` for what each means."""

    total_ps: int
    macs: int
    dense_macs: int
    critical_ps: Amounts
    overlap_ps: Amounts
    array_ps: Amounts
    vector_ps: Amounts
    busy_ps: Amounts
    links: Amounts
    levels: dict[str, Amounts]
    slots: Amounts
    operations: Amounts
    gated: Amounts
    minimum_external_bytes: int

    def __add__(self, other: Measures) -> Measures:
        return Measures(*(_sum(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)))

    def energy_pj(self, profile: Energy) -> dict[str, float]:
        """Picojoules by component, see `energy`."""
        return energy_pj(self.operations, self.levels, profile)

    def external_bytes(self) -> int:
        """Bytes that external memory gave and took."""
        return sum(self.levels[LEVELS[Level.EXTERNAL]].values())


def _sum(one: Any, other: Any) -> Any:
    return {key: _sum(one[key], other[key]) for key in one} if isinstance(one, dict) else one + other


@dataclass(frozen=True)
class Measured:
    """All of a run. `movers_ps` are the classes of the engines that move data, by kind, see `Timing.stalls`."""

    machine: Machine
    total: Measures
    launches: tuple[Measures, ...]
    minimum_network_bytes: int
    movers_ps: dict[str, Amounts]


def measured(timing: Timing, image: Image, entry: int, work: Sequence[Work]) -> Measured:
    """The measures of a run of entry number `entry`; `work` has an item per launch.

    Raises TfmbsError `device` where traffic is not what the launches imply, or classes do not sum to the run.
    """
    record = image.entries[entry]
    first, count = record["first_descriptor"], record["descriptor_count"]
    descriptors = image.descriptors[first : first + count]
    check_results(timing, image, descriptors)
    before = predecessors(timing)
    path = critical_path(timing, before)
    shared = shares(timing, path, count)
    classes = _Classes(timing, before, shared)
    moved = traffic(timing, image, descriptors)
    links = _links(timing, count)
    macs = np.zeros(count, np.int64)
    np.add.at(macs, timing.column("launch"), timing.column("macs"))
    built_in = {op: _operations_of(timing, op, count) for op in BUILT_IN}
    pes = timing.program.machine.array.rows * timing.program.machine.array.columns
    own = shared.added(np.diff(stops(timing, path), prepend=0)) if len(path) else np.zeros(count, np.int64)
    critical, overlaps = by_class(timing, path, shared), overlap(timing, shared)
    launches = []
    for number, row in enumerate(descriptors):
        levels = {
            name: {
                "read_bytes": int(moved.levels[number, level, READ]),
                "written_bytes": int(moved.levels[number, level, WRITTEN]),
            }
            for level, name in enumerate(LEVELS)
        }
        ran = int(macs[number])
        launches.append(
            Measures(
                total_ps=int(own[number]),
                macs=ran,
                dense_macs=dense(image, row),
                critical_ps=_at(critical, number),
                overlap_ps=_at(overlaps, number),
                array_ps=_at(classes.of[EngineKind.ARRAY], number),
                vector_ps=_at(classes.of[EngineKind.VECTOR], number),
                busy_ps=_at(classes.busy, number),
                links=_at(links, number),
                levels=levels,
                slots={
                    "useful": ran,
                    "ragged": int(moved.stream[number]) * pes - ran,
                    "fill_and_drain": (int(moved.busy[number]) - int(moved.stream[number])) * pes,
                },
                operations=operations(
                    image, row, work[number], ran, {op: int(column[number]) for op, column in built_in.items()}
                ),
                gated=gated(image, row, work[number]),
                minimum_external_bytes=_least(image, row, sum(levels[LEVELS[Level.EXTERNAL]].values())),
            )
        )  # fmt: skip
    total = launches[0]
    for one in launches[1:]:
        total = total + one
    _check_sums(total, timing)
    return Measured(
        timing.program.machine, total, tuple(launches), least_of_network(image, descriptors),
        _movers(timing),
    )  # fmt: skip


def _check_sums(total: Measures, timing: Timing) -> None:
    run, tiles = timing.total_ps, timing.program.machine.target.tiles
    classes = {"critical path": (total.critical_ps, 1), "overlap": (total.overlap_ps, 1)}
    classes |= {"arrays": (total.array_ps, tiles), "vector engines": (total.vector_ps, tiles)}
    for name, (amounts, engines) in classes.items():
        if sum(amounts.values()) != run * engines:
            what = f"picoseconds of the classes of {name}"
            raise TfmbsError("device", "kpu", what, run * engines, sum(amounts.values()))


def _operations_of(timing: Timing, op: Op, count: int) -> Times:
    """By launch, the elements of its jobs of a kind."""
    result, here = np.zeros(count, np.int64), timing.column("op") == op
    np.add.at(result, timing.column("launch")[here], timing.column("operations")[here])
    return result


def _least(image: Image, descriptor: Row, moved: int) -> int:
    """See `least_external`. Raises TfmbsError `device` where a launch moved fewer bytes than it needs."""
    least = least_external(image, descriptor, moved)
    if moved < least:
        raise TfmbsError("device", image.strings[descriptor["name"]], "external bytes", f"at least {least}", moved)
    return least


def _movers(timing: Timing) -> dict[str, Amounts]:
    result: dict[str, Amounts] = {}
    for kind in MOVERS:
        rows = [timing.stalls(engine) for engine in timing.engines(kind)]
        result[kind.name.lower()] = {name: sum(row[name] for row in rows) for name in rows[0]}
    return result


def _at(columns: dict[str, Times], number: int) -> Amounts:
    return {name: int(column[number]) for name, column in columns.items()}


class _Classes:
    """By launch: how arrays and vector engines spent its time, and how long movers and external memory were busy."""

    def __init__(self, timing: Timing, before: Times, shared: Shares) -> None:
        bubbles = Bubbles(timing, before)
        self.of: dict[EngineKind, dict[str, Times]] = {}
        for kind in COMPUTING:
            sums: dict[str, Times] = {}
            for engine in timing.engines(kind):
                for name, spans in bubbles.engine(engine).items():
                    sums[name] = sums.get(name, 0) + shared.of(spans)
            self.of[kind] = sums
        self.busy = {kind.name.lower(): self._busy(timing, kind, shared) for kind in MOVERS}
        self.busy["external"] = shared.of(external_busy(timing))

    def _busy(self, timing: Timing, kind: EngineKind, shared: Shares) -> Times:
        result = np.zeros(shared.launches, np.int64)
        for engine in timing.engines(kind):
            own = np.flatnonzero(timing.column("engine") == engine)
            own = own[np.argsort(timing.start[own], kind="stable")]
            result += shared.of(Spans(timing.start[own], timing.until[own]))
        return result


def _links(timing: Timing, count: int) -> dict[str, Times]:
    launch, result = timing.column("launch"), {}
    for name in timing.links():
        source, _, target = name.partition("_to_")
        here = (timing.column("source") == Level[source.upper()]) & (timing.column("target") == Level[target.upper()])
        result[name] = np.zeros(count, np.int64)
        np.add.at(result[name], launch[here], timing.bytes[here])
    return result
