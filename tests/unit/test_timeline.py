"""The timeline of a simulated run: engines have a track each, on which nothing overlaps."""

import itertools

import numpy as np

from tests.conformance.builder import Builder
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.devices.kpu import Kpu
from tfmbs.runtime.timeline import timeline


def test_movements_of_an_engine_do_not_overlap_and_all_are_there() -> None:
    builder = Builder()
    x, y = builder.input("x", (64, 48), DType.I8), builder.output("y", (64, 32), DType.I32)
    w = builder.constant(np.ones((32, 48), np.int8))
    builder.gemm(x, w, y, m=64, n=32, k=48, schedule=builder.schedule())
    context = Kpu(builder.image()).context()
    context.run("main", {"x": np.ones((64, 48), np.int8)})
    events = timeline(context.timing, context.stats)["traceEvents"]
    tracks = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert {"DMA 0", "BLOCK_MOVER 0", "STREAMER 0", "ARRAY 0"} <= set(tracks.values())
    spans = [event for event in events if event["ph"] == "X"]
    assert sum(event["args"]["macs"] for event in spans) == 64 * 32 * 48
    assert round(max(event["ts"] + event["dur"] for event in spans) * 10**6) == context.timing.total_ps
    for track in tracks:
        own = sorted((e["ts"], e["ts"] + e["dur"]) for e in spans if e["tid"] == track)
        assert all(after[0] >= before[1] - 1e-9 for before, after in itertools.pairwise(own))
