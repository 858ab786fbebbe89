"""Counters of a run against numbers worked out by hand, and their forms: JSON, trace, page."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from tests.conformance.builder import END, Builder, c, d, s
from tfmbs.runtime import _native
from tfmbs.runtime.abi.records import NONE, Kind, PoolMode, ZeroSkip
from tfmbs.runtime.abi.types import DType, Packing
from tfmbs.runtime.devices.emulator import Emulator
from tfmbs.runtime.devices.kpu import Kpu
from tfmbs.runtime.figures import COUNTERS, FIGURES, LAUNCH
from tfmbs.runtime.program import Program
from tfmbs.runtime.stats import LaunchStats, Stats
from tfmbs.tools.report.page import html_report

F32 = DType.F32
TRITS = np.array([[1, 0, -1, 0], [0, 0, 0, 1]], np.int8)  # five of eight are zero


def stats_of(builder: Builder, **inputs: np.ndarray) -> Stats:
    context = Program(builder.image()).context()
    context.run(inputs)
    first = context.stats.totals
    context.run(inputs)
    assert context.stats.totals == first  # counters start at zero
    return context.stats


def gemm(zero_skip: ZeroSkip, *, fused: bool = False) -> LaunchStats:
    """A 3×2×4 product with ternary weights, in tiles of 2×1×4."""
    builder = Builder()
    x, out = builder.input("x", (3, 4), F32), builder.output("y", (3, 2), F32)
    weights = builder.constant(TRITS, Packing.PT5)
    schedule = builder.schedule(zero_skip, tiles=(2, 1, 4))
    args, epilogue = [], {}
    if fused:
        args = [builder.constant(np.ones(1, np.float32))]
        load = s("LD", F32, reg=1, win=0, base=0, index=0)
        epilogue = {"epilogue": builder.epilogue([load, {**d("ADD", F32, vd=0, va=0, vb=1), **END}], 1)}
    builder.gemm(x, weights, out, args=args, schedule=schedule, m=3, n=2, k=4, **epilogue)
    (launch,) = stats_of(builder, x=np.ones((3, 4), np.float32)).launches
    return launch


def test_product() -> None:
    launch = gemm(ZeroSkip.ENERGY)
    assert {name: getattr(launch, name) for name in COUNTERS} == {
        "total_ops": 24,
        "active_ops": 9,
        "zero_skips": 15,
        "mem_reads": 12 + 8,
        "mem_writes": 6,
        "broadcasts": 12 * 2,
        "residency_misses": 2 * 1 * 2,
    }
    assert launch.fabric_cost == 9 + 5 * 20 + 8 * 6 + 2 * 24 + 6 * 4
    assert launch.zero_skip_mode == "ENERGY"


def test_nothing_is_skipped_without_a_mode() -> None:
    assert gemm(ZeroSkip.NONE).zero_skips == 0


def test_epilogue_counts_its_lanes_and_loads_and_is_cheaper() -> None:
    launch = gemm(ZeroSkip.ENERGY, fused=True)
    assert (launch.total_ops, launch.active_ops) == (24 + 6, 9 + 6)
    assert launch.mem_reads == 20 + 6
    assert launch.fabric_cost == pytest.approx(0.7 * (15 + 5 * 26 + 8 * 6 + 2 * 24 + 6 * 4))


def test_convolution_counts_only_taps_on_the_input() -> None:
    """3×3 over 4×4 with padding 1: of 144 taps 100 lie on the input; the centre weight is zero."""
    weights = np.ones((1, 1, 3, 3), np.float32)
    weights[0, 0, 1, 1] = 0
    builder = Builder()
    x, out = builder.input("x", (1, 1, 4, 4), F32), builder.output("y", (1, 1, 4, 4), F32)
    builder.window(Kind.CONV2D, x, builder.constant(weights), out, kernel=(3, 3), pads=(1, 1, 1, 1))
    (launch,) = stats_of(builder, x=np.ones((1, 1, 4, 4), np.float32)).launches
    assert (launch.total_ops, launch.active_ops) == (100, 84)


def test_pooling_counts_its_taps_on_the_input() -> None:
    """3×3 over 4×4 with padding 1, as above: 100 taps."""
    builder = Builder()
    x, out = builder.input("x", (1, 1, 4, 4), F32), builder.output("y", (1, 1, 4, 4), F32)
    builder.window(Kind.POOL, x, NONE, out, kernel=(3, 3), pads=(1, 1, 1, 1), mode=PoolMode.MAX)
    (launch,) = stats_of(builder, x=np.ones((1, 1, 4, 4), np.float32)).launches
    assert launch.total_ops == launch.active_ops == 100


def test_weights_of_a_computed_operand_all_count() -> None:
    builder = Builder()
    x, w = builder.input("x", (2, 3), F32), builder.input("w", (2, 3), F32)
    builder.gemm(x, w, builder.output("y", (2, 2), F32), m=2, n=2, k=3)
    (launch,) = stats_of(builder, x=np.ones((2, 3), np.float32), w=np.zeros((2, 3), np.float32)).launches
    assert launch.total_ops == launch.active_ops == 12


def vector_stats() -> Stats:
    words = [
        {**s("LI", reg=1, imm=1), **c("SETVL", imm=10)},
        s("LD", F32, reg=1, win=0, base=0, index=1),
        d("ADD", F32, vd=1, va=1, vb=1),
        {**s("ST", F32, reg=1, win=1, base=0, index=1), **END},
    ]
    builder = Builder()
    x, middle = builder.input("x", (10,), F32), builder.scratch((10,), F32)
    builder.copy(x, middle)
    builder.vector(words, [middle, builder.output("y", (10,), F32)])
    return stats_of(builder, x=np.ones(10, np.float32))


def test_vector_code_and_copy() -> None:
    copy, vector = vector_stats().launches
    assert (copy.total_ops, copy.mem_reads, copy.mem_writes) == (0, 10, 10)
    assert (vector.total_ops, vector.mem_reads, vector.mem_writes, vector.fused) == (10, 10, 10, False)


def test_lane_operations_on_reals_are_counted_alike_everywhere() -> None:
    """Of four operations on 100 lanes, ADD of f32 and the two conversions from and to it are on reals."""
    words = [
        {**s("LI", reg=1, imm=1), **c("SETVL", imm=100)},
        s("LD", F32, reg=1, win=0, base=0, index=1),
        d("ADD", F32, vd=1, va=1, vb=1),
        d("CVT", DType.I32, vd=2, va=1, aux=F32),
        d("ADD", DType.I32, vd=2, va=2, vb=2),
        d("CVT", F32, vd=3, va=2, aux=DType.I32),
        {**s("ST", F32, reg=3, win=1, base=0, index=1), **END},
    ]
    builder = Builder()
    x = builder.input("x", (100,), F32)
    builder.vector(words, [x, builder.output("y", (100,), F32)])
    image, given = builder.image(), {"x": np.ones(100, np.float32)}
    contexts: list[Any] = [
        Emulator(image, isa, jit=jit).context(1) for isa in _native.instruction_sets() for jit in (False, True)
    ]
    for context in (*contexts, Kpu(image).context()):
        assert context.run("main", given)["y"].tolist() == [4.0] * 100
        (row,) = context.native.counters()
        assert (row["lane_ops"], row["real_lane_ops"]) == (400, 300)


def test_json_has_a_definition_for_every_counter() -> None:
    stats = vector_stats()
    value = json.loads(json.dumps(stats.to_json()))
    assert set(value["definitions"]) == {*COUNTERS, *FIGURES, *LAUNCH}
    assert {*COUNTERS, *FIGURES} <= set(value["totals"])
    assert {*COUNTERS, *FIGURES, *LAUNCH} <= set(value["launches"][0])
    assert all(set(figure) == {"unit", "meaning"} for figure in value["definitions"].values())
    assert [launch["kind"] for launch in value["launches"]] == ["COPY", "VECTOR"]
    assert value["totals"]["mem_writes"] == sum(launch["mem_writes"] for launch in value["launches"])
    assert value["totals"]["fabric_cost"] == sum(launch["fabric_cost"] for launch in value["launches"])


def test_trace_names_its_time() -> None:
    metadata, *events = vector_stats().to_trace()["traceEvents"]
    assert metadata["args"]["name"] == "emulator: wall time of this machine"
    assert [(event["ph"], event["name"]) for event in events] == [("X", "launch0"), ("X", "launch1")]
    assert events[0]["ts"] + events[0]["dur"] <= events[1]["ts"]


def test_page_is_self_contained_and_escaped() -> None:
    page = html_report(vector_stats(), "<img>.tfb")
    assert "&lt;img&gt;.tfb: main on emulator" in page
    assert page.count("<tr>") == (1 + 1) + (1 + 2)
    assert page.count("<script>") == 1
    assert not any(text in page for text in ("<img", "http://", "https://", "Rooflines"))
