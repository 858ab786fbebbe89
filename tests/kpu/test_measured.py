"""What a simulated run shows, against numbers worked out by hand and by brute force over its movements."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conformance.builder import Builder
from tests.golden.build import outputs
from tests.kpu.test_kinds import ran as run_sparse
from tests.kpu.test_kinds import sparse
from tfmbs.runtime.abi.energy import CORES, EXTERNAL, energy_profiles
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.movement.fields import Level, Op
from tfmbs.runtime.abi.records import Dataflow, Kind, ZeroSkip
from tfmbs.runtime.abi.types import DType, Packing
from tfmbs.runtime.devices.emulator import Emulator
from tfmbs.runtime.devices.kpu import Kpu, KpuContext
from tfmbs.runtime.measured.path import critical_path, predecessors, stops
from tfmbs.runtime.measured.run import measured
from tfmbs.runtime.measured.spans import Shares, Spans
from tfmbs.runtime.measured.traffic import check_results
from tfmbs.runtime.measured.work import Work
from tfmbs.runtime.program import Program
from tfmbs.runtime.stats import Stats
from tfmbs.runtime.stats_schema import FILE, text
from tfmbs.runtime.timing import Timing

INTERVALS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 8)), max_size=12)
KPU_16NM = {"mac_i8": 0.25, "mac_trit": 0.08, "l1_read": 0.2, "l1_write": 0.3, "l2": 0.7, "l3": 1.5, "external": 12}


def spans_of(intervals: list[tuple[int, int]]) -> Spans:
    table = np.array(intervals, np.int64).reshape(-1, 2)
    return Spans.union(table[:, 0], table[:, 0] + table[:, 1])


@given(INTERVALS, st.lists(st.integers(0, 40), min_size=1, max_size=6))
def test_spans_are_the_union_of_intervals(intervals: list[tuple[int, int]], cuts: list[int]) -> None:
    inside = np.zeros(64, bool)
    for start, length in intervals:
        inside[start : start + length] = True
    spans, times = spans_of(intervals), np.arange(50)
    assert spans.covers(times).tolist() == inside[:50].tolist()
    assert spans.before(times).tolist() == [int(inside[:time].sum()) for time in times]
    ends = np.sort(np.array([*cuts, 45]))
    owners = np.arange(len(ends)) % 3
    shared = Shares(ends, owners, 3).of(spans)
    pieces = zip([0, *ends[:-1]], ends, owners, strict=True)
    expected = [0, 0, 0]
    for low, high, owner in pieces:
        expected[owner] += int(inside[low:high].sum())
    assert shared.tolist() == expected


def two_products(zero_skip: ZeroSkip = ZeroSkip.ENERGY) -> Image:
    """y = (x·wᵀ), z = (y·vᵀ) of i8 with trits and of i32 sums copied: the second waits for what the first stored."""
    builder = Builder("kpu-16x16")
    x = builder.input("x", (64, 48), DType.I8)
    trits = (np.arange(32 * 48).reshape(32, 48) % 3 - 1).astype(np.int8)
    w = builder.constant(trits, Packing.PT5)
    y = builder.output("y", (64, 32), DType.I32)
    schedule = builder.schedule(zero_skip, tiles=(16, 32, 48))
    builder.gemm(x, w, y, m=64, n=32, k=48, schedule=schedule)
    builder.copy(y, builder.output("z", (64, 32), DType.I32))
    return builder.image()


def ran(image: Image) -> KpuContext:
    context = Kpu(image).context()
    context.run("main", {"x": np.ones((64, 48), np.int8)})
    return context


@pytest.fixture(scope="module")
def context() -> KpuContext:
    return ran(two_products())


@pytest.fixture(scope="module")
def stats(context: KpuContext) -> Stats:
    return context.stats


def test_classes_sum_to_the_run(context: KpuContext, stats: Stats) -> None:
    assert stats.measured is not None
    total = context.timing.total_ps
    for one in (stats.measured.total, *stats.measured.launches):
        for amounts in (one.critical_ps, one.overlap_ps, one.array_ps, one.vector_ps):
            assert sum(amounts.values()) == one.total_ps
    assert stats.measured.total.total_ps == total == sum(one.total_ps for one in stats.measured.launches)
    assert stats.measured.launches[1].array_ps["busy"] == 0


def test_classes_that_do_not_sum_to_the_run_are_refused(context: KpuContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfmbs.runtime.measured.run.overlap", lambda *_: {"idle": np.array([1, 1])})
    with pytest.raises(TfmbsError, match=rf"classes of overlap, expected {context.timing.total_ps}, got 2"):
        _ = context.stats


def test_levels_gave_and_took_what_the_schedule_implies(stats: Stats) -> None:
    """The weights stay: x once, rows of 48 trits in 10 bytes once, sums out once; the copy goes by way of L3."""
    assert stats.measured is not None
    product, copy = stats.measured.launches
    x, w, y = 64 * 48, 32 * 10, 64 * 32 * 4
    assert product.levels["external"] == {"read_bytes": x + w, "written_bytes": y}
    assert product.levels["l3"] == product.levels["l2"] == {"read_bytes": x + w + y, "written_bytes": x + w + y}
    # Output stationary on 16×16: x is read for each of 2 folds of columns, w for each of 4 of rows.
    assert product.levels["l1"] == {"read_bytes": 2 * x + 4 * w + y, "written_bytes": x + w + y}
    assert copy.levels["external"] == copy.levels["l3"] == {"read_bytes": y, "written_bytes": y}
    assert (product.macs, product.dense_macs) == (64 * 32 * 48,) * 2
    assert product.minimum_external_bytes == x + w + y
    assert stats.measured.minimum_network_bytes == x + w + 2 * y
    assert product.slots == {"useful": 64 * 32 * 48, "ragged": 0, "fill_and_drain": product.slots["fill_and_drain"]}


def test_energy_is_operations_and_bytes_by_hand(stats: Stats) -> None:
    timing = stats.to_json()["launches"][0]["timing"]
    e, x, w, y = KPU_16NM, 64 * 48, 32 * 10, 64 * 32 * 4
    zeros = 64 * 32 * 48 // 3
    assert timing["energy_pj"]["array"] == pytest.approx(2 * zeros * e["mac_trit"])
    assert (timing["gated_macs"], timing["gated_pj"]) == (zeros, pytest.approx(zeros * e["mac_trit"]))
    assert timing["energy_pj"]["l1"] == pytest.approx((2 * x + 4 * w + y) * e["l1_read"] + (x + w + y) * e["l1_write"])
    assert timing["energy_pj"]["l3"] == pytest.approx(2 * (x + w + y) * e["l3"])
    assert timing["energy_pj"]["external"] == pytest.approx((x + w + y) * e["external"])
    without = ran(two_products(ZeroSkip.NONE)).stats.to_json()["launches"][0]["timing"]
    assert (without["gated_macs"], without["cycles"]) == (0, timing["cycles"])
    assert without["energy_pj"]["array"] == pytest.approx(3 * zeros * e["mac_trit"])


def test_energy_by_another_profile(stats: Stats) -> None:
    other = stats.with_energy("accelergy-45nm-ddr3").to_json()
    assert other["energy_profile"]["profile"] == "accelergy-45nm-ddr3"
    assert "70 pJ per bit" in other["energy_profile"]["source"]
    external = sum(stats.to_json()["timing"]["levels"]["external"][way] for way in ("read_bytes", "written_bytes"))
    assert other["timing"]["energy_pj"]["external"] == pytest.approx(560 * external)
    with pytest.raises(TfmbsError, match=r"expected one of horowitz-45nm, .*, got 'free'"):
        stats.with_energy("free")
    emulated = Program(two_products()).context("emulator")
    emulated.run({"x": np.ones((64, 48), np.int8)})
    with pytest.raises(TfmbsError, match="energy of a device that does not simulate"):
        emulated.stats.with_energy("kpu-16nm")


def test_profiles_have_every_core_with_every_memory_once() -> None:
    profiles = energy_profiles()
    assert len(profiles) == len(CORES) * len(EXTERNAL)
    assert profiles["kpu-16nm-hbm2"]["per_byte"]["external"] == pytest.approx(31.2)
    assert profiles["horowitz-45nm"]["per_op"]["mac_f32"] == 4.6


def brute_force_overlap(timing: Timing) -> dict[str, int]:
    """Between any two times at which something starts or ends, what goes on in the middle."""
    edges = sorted({0, *timing.start.tolist(), *timing.end.tolist()})
    found: dict[str, int] = {}
    for low, high in itertools.pairwise(edges):
        kinds = set()
        for number in np.flatnonzero((timing.start <= low) & (timing.end >= high)):
            is_transfer = timing.column("op")[number] in (Op.COPY, Op.GATHER)
            kinds.add("execute" if not is_transfer else ("load", "store")[timing.column("queue")[number] % 2])
        name = "_".join(part for part in ("load", "store", "execute") if part in kinds) or "idle"
        found[name] = found.get(name, 0) + high - low
    return found


def test_overlap_classes_beside_brute_force(context: KpuContext, stats: Stats) -> None:
    assert stats.measured is not None
    assert {k: v for k, v in stats.measured.total.overlap_ps.items() if v} == brute_force_overlap(context.timing)


def test_the_critical_path_has_no_gap_and_waits_at_the_barrier(context: KpuContext, stats: Stats) -> None:
    timing = context.timing
    path = critical_path(timing, predecessors(timing))
    assert timing.start[path[0]] == 0
    lag = timing.column("lag_ps")[path[:-1]]
    gap = timing.start[path[1:]] - timing.end[path[:-1]]
    assert ((gap == 0) | (gap == -lag)).all()
    assert (stops(timing, path)[:-1] == timing.start[path[1:]]).all()
    assert timing.end[path[-1]] == timing.total_ps
    assert stats.measured is not None
    # The array is idle behind its last fold; its first operands come from external memory.
    waits = stats.measured.total.array_ps
    assert waits["waiting_dma"] > 0
    assert waits["idle"] >= stats.measured.launches[1].total_ps


def test_a_second_product_waits_for_the_first_at_a_barrier() -> None:
    builder = Builder("kpu-16x16")
    x, y = builder.input("x", (32, 64), DType.F32), builder.scratch((32, 64), DType.F32)
    for number, (left, right) in enumerate(((x, y), (y, builder.output("z", (32, 64), DType.F32)))):
        w = builder.constant(np.full((64, 64), number + 1, np.float32))
        schedule = builder.schedule(tiles=(32, 64, 64), dataflow=Dataflow.OUTPUT_STATIONARY)
        builder.gemm(left, w, right, m=32, n=64, k=64, schedule=schedule)
    one = Kpu(builder.image()).context()
    one.run("main", {"x": np.ones((32, 64), np.float32)})
    timing, found = one.timing, one.stats.measured
    assert found is not None
    launch, op = timing.column("launch"), timing.column("op")
    folds = np.flatnonzero(op == Op.FOLD)
    first, second = (folds[launch[folds] == number] for number in (0, 1))
    stored = timing.end[(launch == 0) & (timing.column("queue") % 2 == 1)].max()
    # From the end of the first product's folds to the end of its last store nothing else can be waited for.
    assert found.total.array_ps["waiting_barrier"] == stored - timing.end[first].max()
    assert timing.start[second].min() > stored


def test_traffic_that_is_not_that_of_the_results_is_refused(context: KpuContext) -> None:
    image, timing = two_products(), context.timing
    check_results(timing, image, image.descriptors)
    more = timing.bytes.copy()
    more[np.flatnonzero(timing.column("queue") % 2 == 1)[0]] += 1
    with pytest.raises(TfmbsError, match="bytes of results that leave L1, expected 8192, got 8193"):
        check_results(replace(timing, bytes=more), image, image.descriptors)


def test_traffic_below_the_least_is_refused(context: KpuContext) -> None:
    image, timing = two_products(), context.timing
    work = [Work(0, 0, 0, 0, ZeroSkip.NONE)] * 2
    assert measured(timing, image, 0, work).launches[0].minimum_external_bytes == 64 * 48 + 32 * 10 + 64 * 32 * 4
    fewer = timing.bytes.copy()
    fewer[np.flatnonzero(timing.column("source") == Level.EXTERNAL)[0]] = 0
    with pytest.raises(TfmbsError, match="external bytes, expected at least 11584, got"):
        measured(replace(timing, bytes=fewer), image, 0, work)


def test_windows_that_leave_places_out_need_less() -> None:
    """Of 5×7 pixels, windows of 2×1 with stride 3 touch rows 0, 1, 3, 4 and columns 0, 3, 6."""
    builder = Builder("kpu-16x16")
    x, y = builder.input("x", (1, 1, 5, 7), DType.F32), builder.output("y", (1, 1, 2, 3), DType.F32)
    weights = builder.constant(np.ones((1, 1, 2, 1), np.float32))
    builder.window(Kind.CONV2D, x, weights, y, kernel=(2, 1), strides=(3, 3))
    context = Kpu(builder.image()).context()
    context.run("main", {"x": np.ones((1, 1, 5, 7), np.float32)})
    assert context.stats.to_json()["launches"][0]["timing"]["minimum_external_bytes"] == 4 * (4 * 3 + 2 + 2 * 3)


@pytest.mark.parametrize("dataflow", list(Dataflow))
def test_a_compacted_stream_leaves_zeros_out(dataflow: Dataflow) -> None:
    """What is skipped takes neither cycles nor energy nor operands; the zeros in what is left do."""
    launch = run_sparse(sparse(dataflow)).stats.to_json()["launches"][0]
    timing = launch["timing"]
    assert launch["zero_skip_mode"] == "CYCLE"
    assert timing["skipped_macs"] == timing["dense_macs"] - timing["macs"] > 0
    assert timing["operations"]["mac_trit"] == timing["macs"] >= launch["active_ops"]
    assert timing["slots"]["useful"] == timing["macs"]
    assert all(count >= 0 for count in timing["slots"].values())


GOLDEN = sorted((Path(__file__).parents[1] / "golden" / "v1.8").glob("*.tfb"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_json_of_golden_programs_is_valid_and_sums_up(path: Path) -> None:
    image = Image.load(path)
    context = Kpu(image).context()
    outputs(image, context)  # stats are those of the last entry
    value = json.loads(json.dumps(context.stats.to_json()))
    jsonschema.validate(value, json.loads(FILE.read_text(encoding="utf-8")))
    timing = value["timing"]
    for name in ("critical_ps", "overlap_ps", "arrays_ps"):
        tiles = value["machine"]["tiles"] if name == "arrays_ps" else 1
        assert sum(timing[name].values()) == tiles * timing["total_ps"]
        for key, amount in timing[name].items():
            assert sum(launch["timing"][name][key] for launch in value["launches"]) == amount
    total = sum(launch["timing"]["energy_pj"]["total"] for launch in value["launches"])
    assert timing["energy_pj"]["total"] == pytest.approx(total)
    assert all(0 <= part <= 1 for part in timing["utilization"].values())
    assert all(count >= 0 for launch in value["launches"] for count in launch["timing"]["slots"].values())
    assert set(timing) | set(value["launches"][0]["timing"]) <= set(value["definitions"])


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_counters_are_those_of_the_emulator(path: Path) -> None:
    image = Image.load(path)
    contexts = Kpu(image).context(), Emulator(image).context(1)
    names = ("operations", "active", "lane_ops", "real_lane_ops", "loads", "stores")  # words depend on tiles
    found = []
    for context in contexts:
        outputs(image, context)
        found.append([{name: row[name] for name in names} for row in context.native.counters()])
    assert found[0] == found[1]


def test_the_committed_schema_is_fresh_and_refuses_others(stats: Stats) -> None:
    assert FILE.read_text(encoding="utf-8") == text()
    schema, value = json.loads(text()), json.loads(json.dumps(stats.to_json()))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(value, schema)
    value["timing"]["critical_ps"]["other"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, schema)


def test_softmax_of_an_attention_spends_energy() -> None:
    """Six operations on each score, as the rule's cycles have them: four passes, an exponential and a division."""
    image = Image.load(GOLDEN[0].with_name("attention.tfb"))
    context = Kpu(image).context()
    outputs(image, context)
    for launch, row in zip(context.stats.to_json()["launches"], image.descriptors, strict=True):
        g = image.attention_geometries[row["geometry"]]
        scores = g["batch"] * g["groups"] * g["shared"] * g["rows"] * g["columns"]
        assert launch["timing"]["operations"]["vector_f32"] == 6 * scores
