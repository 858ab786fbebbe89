"""The device: closed forms of its array over a sweep, vector programs by the timing rule, invariants of its runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.conformance.builder import Builder
from tests.kpu.case import Case, simulated
from tfmbs.runtime.abi.array_timing import ArrayShape, Sizes, fold_count, job_cycles, overlapped_cycles, product_cycles
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.movement.fields import Level, Op
from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.abi.movement.timed_words import timed_words
from tfmbs.runtime.abi.movement.walks import Walk
from tfmbs.runtime.abi.records import Dataflow, Kind
from tfmbs.runtime.abi.siw_cycles import execute
from tfmbs.runtime.abi.siw_timing import Timing
from tfmbs.runtime.abi.target import Target
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.devices.emulator import Emulator
from tfmbs.runtime.devices.kpu import Kpu, walked
from tfmbs.runtime.timing import CLASSES, timing_of
from tfmbs.runtime.timing import Timing as RunTiming

GOLDEN = Path(__file__).parents[1] / "golden" / "v1.8"
SWEEP = [(m, n, k) for m in (1, 15, 16, 17, 40) for n in (1, 16, 33) for k in (1, 16, 50)]
TARGETS = ("kpu-16x16", "kpu-minimal", "kpu-edge", "kpu-embodied", "kpu-datacenter", "tfmbs-1024", "tfmbs-xc7z020")


@pytest.mark.parametrize("dataflow", list(Dataflow))
def test_closed_forms_over_a_sweep(dataflow: Dataflow) -> None:
    for m, n, k in SWEEP:
        case = Case(dataflow, "i8-i8", Sizes(m, n, k), ArrayShape(16, 16), 0)
        lhs, rhs = np.ones((m, k), np.int8), np.ones((n, k), np.int8)
        sums, cycles = simulated(case, lhs, rhs)
        assert cycles == product_cycles(dataflow, case.sizes, case.array)
        assert (sums == k).all()


def product(target: str, sizes: tuple[int, int, int], tiles: tuple[int, int, int], mask: int = 1) -> Image:
    m, n, k = sizes
    builder = Builder(target)
    x, w = builder.input("x", (m, k), DType.I8), builder.constant(np.arange(n * k, dtype=np.int8).reshape(n, k))
    builder.gemm(x, w, builder.output("y", (m, n), DType.I32), m=m, n=n, k=k, schedule=builder.schedule(tiles=tiles))
    image = builder.image()
    image.masks[0]["words"] = (mask, 0, 0, 0)
    return image


def run(image: Image) -> RunTiming:
    """Runs on ones; the bytes are those of the emulator."""
    rows = image.tensors[0]["dims"][:2]
    given = {"x": np.ones(rows, np.int8)}
    context = Kpu(image).context()
    assert context.run("main", given)["y"].tobytes() == Emulator(image).context(1).run("main", given)["y"].tobytes()
    return context.timing


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_runs_on_all_its_tiles(target: str) -> None:
    tiles = min(Kpu(product(target, (1, 1, 1), (1, 1, 1))).machine.target.tiles, 64)
    timing = run(product(target, (100, 70, 90), (16, 16, 32), (1 << tiles) - 1))
    folds = timing.column("op") == Op.FOLD
    assert timing.column("macs")[folds].sum() == 100 * 70 * 90
    assert len(set(timing.column("tile")[folds])) == min(tiles, 35)


def test_lanes_take_a_step_a_cycle() -> None:
    timing = run(product("tfmbs-xc7z020", (7, 31, 20), (7, 31, 20)))
    folds = timing.column("op") == Op.FOLD
    assert (timing.end - timing.start)[
        folds
    ].sum() == 7 * 3 * 20 * timing.core_ps  # 31 columns are three times 15 lanes


def test_runs_are_the_same() -> None:
    first, second = (run(product("kpu-edge", (50, 60, 70), (16, 16, 16), 3)) for _ in range(2))
    assert (first.end == second.end).all()
    assert first.links() == second.links()


def test_traffic_is_what_the_schedule_implies() -> None:
    """Each operand comes once where all of it stays; the weights are one block of columns, the result leaves once."""
    timing = run(product("kpu-16x16", (64, 32, 128), (32, 32, 128)))
    assert timing.bytes_between(Level.EXTERNAL, Level.L3) == 64 * 128 + 32 * 128
    assert timing.bytes_between(Level.L2, Level.L1) == 64 * 128 + 32 * 128
    assert timing.bytes_between(Level.L3, Level.EXTERNAL) == 64 * 32 * 4


def test_a_run_that_is_too_fast_is_refused() -> None:
    timing = run(product("kpu-16x16", (64, 32, 128), (32, 32, 128)))
    trace = {
        "start_ps": timing.start, "end_ps": timing.end, "ready_ps": timing.ready, "cause": timing.cause,
        "bytes": timing.bytes, "stored": timing.stored,
    }  # fmt: skip
    timing_of(timing.program, trace)
    with pytest.raises(TfmbsError, match="at least"):
        timing_of(timing.program, {**trace, "end_ps": timing.end // 1000})
    with pytest.raises(TfmbsError, match=r"what engine 0 did in picoseconds, expected \d+, got"):
        timing_of(timing.program, {**trace, "ready_ps": timing.ready + 1})
    late = timing.start.copy()
    late[-1] -= 1
    with pytest.raises(TfmbsError, match=r"start of movement|what engine"):
        timing_of(timing.program, {**trace, "start_ps": late})
    other = timing.bytes.copy()
    other[0] += 1
    with pytest.raises(TfmbsError, match="bytes of movement 0, expected"):
        timing_of(timing.program, {**trace, "bytes": other})


def test_the_classes_of_engines_are_those_of_each_movement() -> None:
    """Counted one movement after the other."""
    timing = run(product("kpu-edge", (50, 60, 70), (16, 16, 16), 3))
    engines = timing.program.machine.engines
    expected = [dict.fromkeys(CLASSES, 0) for _ in engines]
    engine_of = timing.column("engine").tolist()
    for number, engine in enumerate(engine_of):
        start, end, ready, cause = (int(c[number]) for c in (timing.start, timing.end, timing.ready, timing.cause))
        following = next((later for later in range(number + 1, len(engine_of)) if engine_of[later] == engine), -1)
        if timing.column("lag_ps")[number] and following >= 0:  # the next fold may start before this one ends
            end = min(end, int(timing.start[following]))
        because = engines[engine if cause < 0 else engine_of[cause]].kind
        expected[engine]["busy"] += end - start
        expected[engine][f"waiting_{because.name.lower()}"] += start - ready
    for engine, classes in enumerate(expected):
        ends = [int(end) for end, own in zip(timing.end, engine_of, strict=True) if own == engine]
        classes["idle"] = timing.total_ps - max(ends, default=0)
        assert timing.stalls(engine) == classes
    assert sum(sum(classes.values()) for classes in expected) == timing.total_ps * len(engines)


def test_equal_targets_share_a_machine() -> None:
    first, second = product("kpu-edge", (1, 1, 1), (1, 1, 1)), product("kpu-edge", (2, 2, 2), (1, 1, 1))
    assert Kpu(first).machine is Kpu(second).machine
    second.target["external"]["gbytes_per_second"] /= 2
    assert Kpu(second).machine.external_bytes == Kpu(first).machine.external_bytes / 2


@pytest.mark.parametrize("dataflow", list(Dataflow))
def test_overlap_never_costs_and_keeps_the_first_fold(dataflow: Dataflow) -> None:
    array = ArrayShape(16, 16)
    for m, n, k in SWEEP:
        sizes = Sizes(m, n, k)
        one = replace(sizes, m=min(m, 16), n=min(n, 16), k=min(k, 16))
        assert overlapped_cycles(dataflow, one, array) == product_cycles(dataflow, one, array)
        assert overlapped_cycles(dataflow, sizes, array) <= product_cycles(dataflow, sizes, array)
        again = job_cycles(dataflow, sizes, array, is_overlapped=False, is_continued=True)
        assert again == product_cycles(dataflow, sizes, array) + 16 * fold_count(dataflow, sizes, array)


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.tfb")), ids=lambda file: file.stem)
def test_vector_programs_take_what_the_timing_rule_says(file: Path) -> None:
    """The walk of native code beside `siw_cycles`, whatever the parts are."""
    image = Image.load(file)
    machine = Machine.of(Target.from_dict(image.target, "TARGET", image.version[1]))
    timing = Timing.of(machine.target.vector)
    for descriptor in image.descriptors:
        if descriptor["kind"] != Kind.VECTOR:
            continue
        program = image.programs[descriptor["program"]]
        words = image.words[program["first_word"] : program["first_word"] + program["word_count"]]
        windows = [(i, 0, 8, 1 << 40) for i in range(16)]
        engine = (timing.lanes, machine.core_ps, 1000, 16, 64000, program["max_steps"])
        cycles = execute(words, timing).cycles
        for wanted, most in ((0, 0), (0, 1 << 20), (256, 256), (256, 1 << 20), (1 << 20, 1 << 20)):
            found = walked(Walk(timed_words(words, timing), windows, engine, wanted, most))
            assert found.branches or sum(part.cycles for part in found.parts) == cycles
