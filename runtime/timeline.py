"""The timeline of a simulated run as a Chrome trace, which Perfetto opens: one track per engine."""

from __future__ import annotations

from typing import Any

from tfmbs.runtime.abi.movement.program import Op
from tfmbs.runtime.stats import Stats
from tfmbs.runtime.timing import Timing

PS_PER_US = 10**6


def timeline(timing: Timing, stats: Stats) -> dict[str, Any]:
    """Every movement on the track of its engine, named by its launch; simulated time, microseconds."""
    events: list[dict[str, Any]] = [
        {"ph": "M", "pid": 0, "name": "process_name", "args": {"name": "kpu: simulated time"}},
        *(
            {"ph": "M", "pid": 0, "tid": i, "name": "thread_name", "args": {"name": f"{e.kind.name} {e.number}"}}
            for i, e in enumerate(timing.program.machine.engines)
        ),
    ]
    names = ("op", "engine", "launch", "bytes", "macs")
    columns = [timing.column(name).tolist() for name in names]
    times = timing.start.tolist(), timing.end.tolist()
    for op, engine, launch, size, macs, start, end in zip(*columns, *times, strict=True):
        event = {"ph": "X", "pid": 0, "tid": engine, "name": stats.launches[launch].name, "cat": Op(op).name}
        args = {"launch": launch, "bytes": size, "macs": macs}
        events.append({**event, "ts": start / PS_PER_US, "dur": (end - start) / PS_PER_US, "args": args})
    return {"displayTimeUnit": "ns", "traceEvents": events}
