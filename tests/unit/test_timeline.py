"""The timeline of a simulated run: what the trace event format asks for, and engines on whose tracks nothing overlaps.

The format: "Trace Event Format", Google, 2016. That Perfetto reads such files was tried by hand, see docs/reports.md.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest

from tests.conformance.builder import Builder
from tfmbs.runtime.abi.movement.machine import EngineKind
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.devices.kpu import Kpu, KpuContext
from tfmbs.runtime.timeline import ENGINES, LAUNCHES, timeline

REQUIRED = {"X": {"ts", "dur", "tid", "cat"}, "b": {"ts", "id2", "cat"}, "e": {"ts", "id2", "cat"}, "C": {"ts", "args"}}
REQUIRED["M"] = {"args"}


@pytest.fixture(scope="module")
def context() -> KpuContext:
    builder = Builder()
    x, y = builder.input("x", (64, 48), DType.I8), builder.output("y", (64, 32), DType.I32)
    w = builder.constant(np.ones((32, 48), np.int8))
    builder.gemm(x, w, y, m=64, n=32, k=48, schedule=builder.schedule(tiles=(16, 16, 16)))
    builder.copy(y, builder.output("z", (64, 32), DType.I32))
    context = Kpu(builder.image()).context()
    context.run("main", {"x": np.ones((64, 48), np.int8)})
    return context


@pytest.fixture(scope="module")
def events(context: KpuContext) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(json.dumps(timeline(context.timing, context.stats)))["traceEvents"]
    return found


def nanoseconds(microseconds: float) -> int:
    whole = round(microseconds * 1000)
    assert abs(microseconds * 1000 - whole) < 1e-6, "viewers keep whole nanoseconds"
    return whole


def test_events_have_what_the_format_asks_for(events: list[dict[str, Any]]) -> None:
    for event in events:
        assert {"name", "pid", "ph", *REQUIRED[event["ph"]]} <= set(event)
        assert all(event.get(name, 0) >= 0 for name in ("ts", "dur"))
    assert {e["args"]["name"] for e in events if e["name"] == "process_name"} == {
        "kpu kpu-16x16: engines, simulated time", "launches",
    }  # fmt: skip


def test_movements_of_an_engine_do_not_overlap_and_all_are_there(
    context: KpuContext, events: list[dict[str, Any]]
) -> None:
    tracks = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert {"DMA 0", "BLOCK_MOVER 0", "STREAMER 0", "ARRAY 0"} <= set(tracks.values())
    spans = [event for event in events if event["ph"] == "X"]
    assert len(spans) == len(context.timing.start)
    assert {event["pid"] for event in spans} == {ENGINES}
    assert sum(event["args"].get("macs", 0) for event in spans) == 64 * 32 * 48
    assert max(event["args"]["end_ps"] for event in spans) == context.timing.total_ps
    for event, until in zip(spans, context.timing.until.tolist(), strict=True):
        assert nanoseconds(event["ts"]) == event["args"]["start_ps"] // 1000
        assert nanoseconds(event["ts"]) + nanoseconds(event["dur"]) == until // 1000 <= event["args"]["end_ps"] // 1000
    for track in tracks:
        own = sorted(
            (e["args"]["start_ps"], nanoseconds(e["ts"]) + nanoseconds(e["dur"])) for e in spans if e["tid"] == track
        )
        assert all(after[0] // 1000 >= before[1] for before, after in itertools.pairwise(own))


def test_launches_are_spans_of_their_movements(context: KpuContext, events: list[dict[str, Any]]) -> None:
    begins, ends = ({e["id2"]["local"]: e for e in events if e["ph"] == phase} for phase in "be")
    assert set(begins) == set(ends)
    assert len(begins) == 2
    for (start, end), first, last in zip(context.timing.launches(2), begins.values(), ends.values(), strict=True):
        assert first["pid"] == last["pid"] == LAUNCHES
        assert (nanoseconds(first["ts"]), nanoseconds(last["ts"])) == (start // 1000, end // 1000)


def test_counters_sum_to_bytes_and_busy_times(context: KpuContext, events: list[dict[str, Any]]) -> None:
    total = context.timing.total_ps / 1e6

    def integral(name: str, unit: str) -> float:
        samples = [(e["ts"], e["args"][unit]) for e in events if e["ph"] == "C" and e["name"] == name]
        assert samples[-1][1] == 0
        return sum(value * (after - at) for (at, value), (after, _) in itertools.pairwise(samples))

    moved = sum(context.timing.links()[way] for way in ("external_to_l3", "l3_to_external"))
    assert integral("external", "GB/s") * 1000 == pytest.approx(moved, rel=0.02)
    array = context.timing.engines(EngineKind.ARRAY)[0]
    busy = context.timing.stalls(array)["busy"] / 1e6
    assert integral("busy ARRAY", "engines") == pytest.approx(busy, rel=0.02)
    assert integral("ready", "movements") <= total * len(context.timing.start)
