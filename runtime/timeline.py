"""The timeline of a simulated run as a Chrome trace, which Perfetto opens: a track for each engine and each launch.

Timestamps are microseconds of simulated time, cut to whole nanoseconds, which is what viewers keep: movements of a
track then never overlap. Exact times are in the arguments, in picoseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tfmbs.runtime.abi.movement.fields import Op
from tfmbs.runtime.abi.movement.machine import EngineKind
from tfmbs.runtime.measured.external import external_busy
from tfmbs.runtime.measured.spans import Spans, Times
from tfmbs.runtime.stats import Stats
from tfmbs.runtime.timing import Timing

PS_PER_NS, NS_PER_US = 1000, 1000
ENGINES, LAUNCHES = 1, 2
"""Processes of the trace; viewers keep 0 for themselves."""
FIRST_TRACK = 10
"""Of the engines; viewers take a track with the number of its process for a main thread."""
SAMPLES = 500
"""Of each counter."""

Event = dict[str, Any]


def timeline(timing: Timing, stats: Stats) -> dict[str, Any]:
    """Every movement on the track of its engine, named by its launch; launches as spans; counters of what is busy."""
    events = [*_tracks(timing), *_launches(timing, stats), *_counters(timing), *_movements(timing, stats)]
    return {"displayTimeUnit": "ns", "traceEvents": events}


def _us(ps: int) -> float:
    return ps // PS_PER_NS / NS_PER_US


def _named(kind: str, process: int, name: str, **more: Any) -> Event:
    return {"ph": "M", "pid": process, "name": kind, "args": {"name": name}, **more}


def _tracks(timing: Timing) -> Iterator[Event]:
    target = timing.program.machine.target.name
    for process, text in ((ENGINES, f"kpu {target}: engines, simulated time"), (LAUNCHES, "launches")):
        yield _named("process_name", process, text)
        yield {"ph": "M", "pid": process, "name": "process_sort_index", "args": {"sort_index": process}}
    for number, engine in enumerate(timing.program.machine.engines, FIRST_TRACK):
        yield _named("thread_name", ENGINES, f"{engine.kind.name} {engine.number}", tid=number)
        yield {
            "ph": "M", "pid": ENGINES, "tid": number, "name": "thread_sort_index", "args": {"sort_index": number}
        }  # fmt: skip


def _launches(timing: Timing, stats: Stats) -> Iterator[Event]:
    """Asynchronous spans: a launch's weights may come while another one runs."""
    for number, (start, end) in enumerate(timing.launches(len(stats.launches))):
        launch = stats.launches[number]
        common = {"pid": LAUNCHES, "tid": 0, "cat": "launch", "id2": {"local": hex(number)}, "name": launch.name}
        if end > start:
            arguments = {"kind": launch.kind, "layer": launch.layer, "start_ps": start, "end_ps": end}
            yield {**common, "ph": "b", "ts": _us(start), "args": arguments}
            yield {**common, "ph": "e", "ts": _us(end)}


def _movements(timing: Timing, stats: Stats) -> Iterator[Event]:
    names = ("op", "engine", "launch", "bytes", "macs")
    columns = [timing.column(name).tolist() for name in names]
    times = timing.start.tolist(), timing.end.tolist(), timing.until.tolist()
    for op, engine, launch, size, macs, start, end, until in zip(*columns, *times, strict=True):
        arguments = {"launch": launch, "start_ps": start, "end_ps": end}
        arguments |= {"bytes": size} if size else {}
        arguments |= {"macs": macs} if macs else {}
        yield {
            "ph": "X", "pid": ENGINES, "tid": engine + FIRST_TRACK, "name": stats.launches[launch].name,
            "cat": Op(op).name, "ts": _us(start), "dur": (until // PS_PER_NS - start // PS_PER_NS) / NS_PER_US,
            "args": arguments,
        }  # fmt: skip


def _counters(timing: Timing) -> Iterator[Event]:
    """Bandwidth of external memory and busy engines over each sample's time, and at its start the movements that wait
    for nothing but their engine."""
    machine, total = timing.program.machine, timing.total_ps
    edges = np.unique(np.linspace(0, total, min(SAMPLES, total) + 1).astype(np.int64))
    if len(edges) < 2:
        return
    released = np.sort(np.where(timing.cause < 0, 0, timing.end[timing.cause]))
    external = _rates(external_busy(timing), edges) * machine.target.external.channels
    yield from _series("external", "GB/s", edges, external * machine.target.external.gbytes_per_second)
    for kind in EngineKind:
        rates = [_rates(_busy(timing, engine), edges) for engine in timing.engines(kind)]
        yield from _series(f"busy {kind.name}", "engines", edges, np.sum(rates, axis=0))
    waiting = np.searchsorted(released, edges[:-1], "right") - np.searchsorted(
        np.sort(timing.start), edges[:-1], "right"
    )
    yield from _series("ready", "movements", edges, waiting)


def _busy(timing: Timing, engine: int) -> Spans:
    own = timing.column("engine") == engine
    return Spans.union(timing.start[own], timing.end[own])


def _rates(spans: Spans, edges: Times) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    rates: np.ndarray[tuple[int], np.dtype[np.float64]] = np.diff(spans.before(edges)) / np.diff(edges)
    return rates


def _series(name: str, unit: str, edges: Times, values: np.ndarray[Any, Any]) -> Iterator[Event]:
    """The samples that differ from the one before; the last one ends the series."""
    previous = None
    for edge, value in zip(edges[:-1].tolist(), np.round(values, 3).tolist(), strict=True):
        if value != previous:
            yield {"ph": "C", "pid": ENGINES, "name": name, "ts": _us(edge), "args": {unit: value}}
        previous = value
    yield {"ph": "C", "pid": ENGINES, "name": name, "ts": _us(int(edges[-1])), "args": {unit: 0}}
