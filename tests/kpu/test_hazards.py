"""Waits of movement programs: each is needed or implied; one that lacks is reported, and runs wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.kpu.order import Order, pairs
from tests.kpu.programs import KINDS, expanded
from tests.kpu.random_programs import random_program, random_rows
from tests.native import few
from tfmbs.runtime import _native
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.movement.deadlock import cycle
from tfmbs.runtime.abi.movement.entry import expand
from tfmbs.runtime.abi.movement.fields import MOVEMENT_FIELDS, Op
from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.abi.movement.program import Program as Movements
from tfmbs.runtime.abi.target import Target
from tfmbs.runtime.devices.kpu import Kpu, native_program, walked
from tfmbs.runtime.hazards import Conflict, conflicts
from tfmbs.runtime.program import Program

GOLDEN = Path(__file__).parents[1] / "golden"
NEWEST = sorted(file for version in ("v1.8", "v1.9", "v1.10") for file in (GOLDEN / version).glob("*.tfb"))
OP, WAIT_FIRST, WAIT_COUNT = (MOVEMENT_FIELDS.index(name) for name in ("op", "wait_first", "wait_count"))


def found(program: Movements) -> list[Conflict]:
    return conflicts(program, native_program(program))


def without(program: Movements, number: int, waited: int) -> list[Conflict]:
    """The conflicts of a program in which a movement no longer waits for another one."""
    movement, waits = program.movements[number], program.waits
    first, last = int(movement[WAIT_FIRST]), int(movement[WAIT_FIRST] + movement[WAIT_COUNT]) - 1
    at = first + waits[first : last + 1].tolist().index(waited)
    waits[[at, last]] = waits[[last, at]]
    movement[WAIT_COUNT] -= 1
    result = found(program)
    movement[WAIT_COUNT] += 1
    waits[[at, last]] = waits[[last, at]]
    return result


def check_deletions(program: Movements) -> int:
    """Deletes each wait that the others do not imply; how many there are. Raises AssertionError if one is not told."""
    assert found(program) == []
    order, needed = Order(program), 0
    for number, own in enumerate(order.waits):
        for waited in own:
            if order.is_implied(number, waited):
                continue
            told = {(one.first, one.second) for one in without(program, number, waited)}
            assert told, f"{program.describe(number)} without its wait for {program.describe(waited)}"
            needed += 1
    return needed


@pytest.mark.parametrize("name", KINDS)
def test_every_wait_that_is_deleted_is_reported(name: str) -> None:
    assert check_deletions(expanded(KINDS[name]())) > 10


@pytest.mark.parametrize("first", few(range(0, 40, 10)))
def test_every_wait_of_random_programs(first: int) -> None:
    """`make kpu-hazards` checks more of them."""
    assert sum(check_deletions(expanded(random_program(seed))) for seed in range(first, first + 10)) > 100


@pytest.mark.parametrize("seed", range(4))
def test_every_wait_of_random_products_in_groups(seed: int) -> None:
    assert check_deletions(expanded(random_rows(seed))) > 10


@pytest.mark.parametrize("seed", range(12))
def test_the_conflicts_are_those_of_all_pairs(seed: int) -> None:
    """Some waits are deleted; a reference looks at every pair of accesses that meet in a byte."""
    program, rng = expanded(random_program(seed)), np.random.default_rng(seed)
    counts = program.movements[:, WAIT_COUNT]
    counts -= (rng.random(len(counts)) < 0.3) & (counts > 0)
    expected = {one._replace(high=0) for one in pairs(program)}
    told = found(program)
    assert {one._replace(high=0) for one in told} == expected
    assert len(told) == len(expected)
    assert all(one.low < one.high for one in told)


@pytest.mark.parametrize(
    "file", sorted((*GOLDEN.glob("v1.[89]/*.tfb"), *GOLDEN.glob("v1.10/*.tfb"))), ids=lambda file: file.stem
)
def test_golden_files_have_neither_conflicts_nor_deadlocks(file: Path) -> None:
    image = Image.load(file)
    machine = Machine.of(Target.from_dict(image.target, "TARGET", image.version[1]))
    for entry in range(len(image.entries)):
        program = expand(image, entry, machine, walked)
        assert conflicts(program, native_program(program)) == []
        assert cycle(program) is None


def test_a_context_checks_its_last_run() -> None:
    program = Program(KINDS["output stationary"]())
    context = program.context("kpu")
    context.run({"x": np.ones((37, 50), np.int8)})
    context.check_hazards()
    with pytest.raises(TfmbsError, match="a check of this device"):
        program.context("emulator").check_hazards()


def test_both_places_of_a_conflict_are_named() -> None:
    """The array no longer waits for its operands: what brings them and what reads them."""
    program = expanded(KINDS["output stationary"]())
    fold = program.movements[:, OP].tolist().index(Op.FOLD)
    waited = program.waits_of_each()[fold]
    program.movements[fold, WAIT_COUNT] = 0
    told = found(program)
    assert {(one, fold) for one in waited} <= {(one.first, one.second) for one in told}
    text = next(one for one in told if one.first == waited[0]).describe(program)
    assert text.startswith(
        f"movement {waited[0]} (launch 0, STREAMER 0, COPY) writes, movement {fold} (launch 0, ARRAY 0"
    )


def test_a_missing_wait_gives_wrong_bytes() -> None:
    """The array does not wait for its operands."""
    image = KINDS["output stationary"]()
    given = {"x": np.random.default_rng(0).integers(-9, 9, (37, 50), np.int8)}
    device = Kpu(image)
    right = device.context().run("main", given)["y"]
    broken = device.prepared(device.entry("main"), [(37, 50)])
    movements = broken.program.movements
    movements[movements[:, OP] == Op.FOLD, WAIT_COUNT] = 0
    device._prepared[next(iter(device._prepared))] = replace(broken, movements=native_program(broken.program))
    context = device.context()
    assert (right != context.run("main", given)["y"]).any()
    with pytest.raises(TfmbsError, match="conflicting accesses in no order"):
        context.check_hazards()


def test_deadlock_is_proved_absent_or_its_cycle_told() -> None:
    program = expanded(KINDS["output stationary"]())
    assert cycle(program) is None
    waits = program.waits_of_each()
    first = next(number for number, own in enumerate(waits) if own)
    waits[waits[first][0]] = [first]
    stuck = cycle(program, waits)
    assert stuck is not None
    assert set(stuck) == {first, waits[first][0]}
    with pytest.raises(ValueError, match="wait for each other"):
        Order(program, waits)


def test_a_wait_for_a_later_movement_is_found_in_the_tables() -> None:
    """A later one in another queue is no cycle yet; in the program itself, one of its own queue is."""
    program = expanded(KINDS["output stationary"]())
    number = next(i for i, own in enumerate(program.waits_of_each()) if own)
    program.waits[program.movements[number, WAIT_FIRST]] = number
    assert cycle(program) == [number]
    with pytest.raises(TfmbsError, match="waits for a later one"):
        found(program)


def test_the_simulator_refuses_a_program_that_stops() -> None:
    image = KINDS["output stationary"]()
    device = Kpu(image)
    broken = device.prepared(device.entry("main"), [(37, 50)])
    movements, waits, parts, parameters = broken.program.tables()
    waits = np.append(waits, len(movements) - 1)
    movements[0, WAIT_FIRST], movements[0, WAIT_COUNT] = len(waits) - 1, 1
    stopped = _native.movement_program(movements, waits, parts, parameters, [], len(device.machine.engines), 0)
    device._prepared[next(iter(device._prepared))] = replace(broken, movements=stopped)
    with pytest.raises(TfmbsError, match="wait for each other"):
        device.context().run("main", {"x": np.zeros((37, 50), np.int8)})
