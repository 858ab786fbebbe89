"""Waits of movement programs: each is needed or implied; one that lacks is reported, and runs wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.conformance.builder import END, Builder, c, d, s
from tfmbs.runtime import _native
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.movement.deadlock import cycle
from tfmbs.runtime.abi.movement.entry import expand
from tfmbs.runtime.abi.movement.hazards import conflicts
from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.abi.movement.order import Order, waits_of
from tfmbs.runtime.abi.movement.program import MOVEMENT_FIELDS
from tfmbs.runtime.abi.movement.program import Program as Movements
from tfmbs.runtime.abi.records import Dataflow, Kind, MaskMode, PoolMode
from tfmbs.runtime.abi.target import Target
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.devices.kpu import Kpu, walked
from tfmbs.runtime.program import Program

GOLDEN = Path(__file__).parents[1] / "golden" / "v1.8"
LACKING = {"groups", "lstm", "residues", "sparse"}
RNG = np.random.default_rng(7)
WAIT_FIRST, WAIT_COUNT = (MOVEMENT_FIELDS.index(name) for name in ("wait_first", "wait_count"))


def product(dataflow: Dataflow, buffers: int, target: str = "kpu-minimal") -> Image:
    """A product in ragged tiles, whose result is copied."""
    m, n, k = 37, 21, 50
    builder = Builder(target)
    x, w = builder.input("x", (m, k), DType.I8), builder.constant(RNG.integers(-9, 9, (n, k), np.int8))
    sums, out = builder.scratch((m, n), DType.I32), builder.output("y", (m, n), DType.I32)
    schedule = builder.schedule(tiles=(16, 8, 24), dataflow=dataflow, buffers=buffers)
    builder.gemm(x, w, sums, m=m, n=n, k=k, schedule=schedule)
    builder.launch(Kind.COPY, lhs=sums, out=out)
    return builder.image()


def network() -> Image:
    """A convolution, a pooling and a vector program."""
    builder = Builder("kpu-minimal")
    x = builder.input("x", (1, 3, 12, 10), DType.F32)
    w = builder.constant(RNG.standard_normal((4, 3, 3, 3)).astype(np.float32))
    hidden, pooled = builder.scratch((1, 4, 12, 10), DType.F32), builder.scratch((1, 4, 6, 5), DType.F32)
    out = builder.output("y", (1, 4, 6, 5), DType.F32)
    builder.window(Kind.CONV2D, x, w, hidden, kernel=(3, 3), pads=(1, 1, 1, 1))
    builder.window(Kind.POOL, hidden, 0xFFFFFFFF, pooled, kernel=(2, 2), strides=(2, 2), mode=PoolMode.MAX)
    words = [
        {**s("LI", reg=1, imm=1), **c("SETVL", imm=120)},
        s("LD", DType.F32, reg=1, win=0, base=0, index=1),
        d("ADD", DType.F32, vd=1, va=1, vb=1),
        s("ST", DType.F32, reg=1, win=1, base=0, index=1),
        END,
    ]
    builder.vector(words, [pooled, out])
    return builder.image()


def attention() -> Image:
    """Two heads, causal, with a mask of its own for each query."""
    builder = Builder("kpu-minimal")
    q, k = builder.input("x", (1, 2, 20, 8), DType.F32), builder.input("k", (1, 2, 24, 8), DType.F32)
    v, mask = builder.input("v", (1, 2, 24, 8), DType.F32), builder.input("m", (1, 2, 20, 24), DType.F32)
    fields = {"mask": MaskMode.ADD, "mask_head_stride": 480, "mask_row_stride": 24, "mask_column_stride": 1}
    builder.attention(q, k, v, builder.output("y", (1, 2, 20, 8), DType.F32), masked=mask, causal=1, offset=4, **fields)
    return builder.image()


PROGRAMS: dict[str, Callable[[], Image]] = {
    "output stationary": lambda: product(Dataflow.OUTPUT_STATIONARY, 2),
    "weight stationary": lambda: product(Dataflow.WEIGHT_STATIONARY, 2),
    "input stationary, unbuffered": lambda: product(Dataflow.INPUT_STATIONARY, 1),
    "network": network,
    "attention": attention,
}


def expanded(image: Image) -> Movements:
    return expand(image, 0, Machine.of(Target.from_dict(image.target, "TARGET")), walked)


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_wait_that_is_deleted_is_reported(name: str) -> None:
    """Unless what is left implies it."""
    program = expanded(PROGRAMS[name]())
    assert list(conflicts(program)) == []
    waits, reported = waits_of(program), 0
    for number, own in enumerate(waits):
        for waited in own:
            fewer = [list(w) for w in waits]
            fewer[number].remove(waited)
            order = Order(program, fewer)
            if order.is_before(waited, number):
                continue
            assert next(conflicts(program, order), None) is not None, f"{waited} before {number}"
            reported += 1
    assert reported > 20


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.tfb")), ids=lambda file: file.stem)
def test_golden_files_have_neither_conflicts_nor_deadlocks(file: Path) -> None:
    image = Image.load(file)
    machine = Machine.of(Target.from_dict(image.target, "TARGET", image.version[1]))
    if file.stem in LACKING:
        with pytest.raises(TfmbsError, match="the movement rule has no kind"):
            expand(image, 0, machine, walked)
        return
    for entry in range(len(image.entries)):
        program = expand(image, entry, machine, walked)
        assert list(conflicts(program)) == []
        assert cycle(program) is None


def test_a_context_checks_its_last_run() -> None:
    program = Program(PROGRAMS["output stationary"]())
    given = {"x": RNG.integers(-9, 9, (37, 50), np.int8)}
    context = program.context("kpu")
    context.run(given)
    context.check_hazards()
    with pytest.raises(TfmbsError, match="a check of this device"):
        program.context("emulator").check_hazards()


def test_both_places_of_a_conflict_are_named() -> None:
    """The array no longer waits for its operands: what brings them and what reads them."""
    program = expanded(PROGRAMS["output stationary"]())
    fold = next(i for i, row in enumerate(program.movements) if row[0] == 2)
    waits = waits_of(program)
    found = {(one.first, one.second) for one in conflicts(program, Order(program, _without(waits, fold)))}
    assert {(waited, fold) for waited in waits[fold]} <= found


def _without(waits: list[list[int]], number: int) -> list[list[int]]:
    return [[] if i == number else list(own) for i, own in enumerate(waits)]


def test_a_missing_wait_gives_wrong_bytes() -> None:
    """The last transfer to external memory does not wait for what it sends."""
    image = PROGRAMS["output stationary"]()
    given = {"x": RNG.integers(-9, 9, (37, 50), np.int8)}
    device = Kpu(image)
    right = device.context().run("main", given)["y"]
    broken = device.prepared(device.entry("main"), [(37, 50)])
    for number, row in enumerate(broken.program.movements):
        if row[0] == 2:
            columns = list(row)
            columns[WAIT_COUNT] = 0
            broken.program.movements[number] = tuple(columns)
    movements = _native.movement_program(*broken.program.tables(), [], len(device.machine.engines))
    device._prepared[next(iter(device._prepared))] = replace(broken, movements=movements)
    wrong = device.context().run("main", given)["y"]
    assert (right != wrong).any()
    assert len(list(conflicts(broken.program))) > 0


def test_deadlock_is_proved_absent_or_its_cycle_told() -> None:
    program = expanded(PROGRAMS["output stationary"]())
    assert cycle(program) is None
    waits = waits_of(program)
    first = next(number for number, own in enumerate(waits) if own)
    waits[waits[first][0]] = [first]
    found = cycle(program, waits)
    assert found is not None
    assert set(found) == {first, waits[first][0]}
    with pytest.raises(ValueError, match="wait for each other"):
        Order(program, waits)


def test_the_simulator_refuses_a_program_that_stops() -> None:
    image = PROGRAMS["output stationary"]()
    device = Kpu(image)
    broken = device.prepared(device.entry("main"), [(37, 50)])
    movements, waits, parts, parameters = broken.program.tables()
    waits = np.append(waits, len(movements) - 1)
    movements[0, WAIT_FIRST], movements[0, WAIT_COUNT] = len(waits) - 1, 1
    native = _native.movement_program(movements, waits, parts, parameters, [], len(device.machine.engines))
    device._prepared[next(iter(device._prepared))] = replace(broken, movements=native)
    with pytest.raises(TfmbsError, match="wait for each other"):
        device.context().run("main", {"x": np.zeros((37, 50), np.int8)})
