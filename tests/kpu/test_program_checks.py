"""Movement programs whose numbers are outside of their tables are refused before anything is read by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.kpu.programs import chain, expanded, left_in_a_part, network
from tfmbs.runtime import _native
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.movement.fields import EPILOGUE_FIELDS, GATHER_FIELDS, MOVEMENT_FIELDS, VECTOR_FIELDS, Op
from tfmbs.runtime.abi.movement.program import Program
from tfmbs.runtime.devices.emulator import octets
from tfmbs.runtime.devices.kpu import Kpu

COLUMN = MOVEMENT_FIELDS.index


@pytest.fixture(scope="module")
def program() -> Program:
    """One with epilogues."""
    return expanded(chain())


def native(program: Program, *, workspace: int = 0, **tables: Any) -> _native.MovementProgram:
    given = dict(zip(("movements", "waits", "parts", "parameters"), program.tables(), strict=True)) | tables
    movements, waits, parts, parameters = given.values()
    return _native.movement_program(movements, waits, parts, parameters, [], len(program.machine.engines), workspace)


@pytest.mark.parametrize("build", [chain, network])
def test_a_program_as_the_rule_makes_it_is_taken(build: Callable[[], Image]) -> None:
    native(expanded(build()))


def test_a_workspace_of_less_than_no_bytes_is_refused(program: Program) -> None:
    with pytest.raises(TfmbsError, match="workspace"):
        native(program, workspace=-1)


@pytest.mark.parametrize("rows", [0, -1])
def test_blocks_of_no_rows_are_refused(rows: int) -> None:
    program = expanded(network())
    parameters = program.parameters.copy()
    (gather, *_) = program.movements[program.movements[:, COLUMN("op")] == Op.GATHER]
    parameters[gather[COLUMN("parameter_first")] + GATHER_FIELDS.index("rows_per_block")] = rows
    with pytest.raises(TfmbsError, match="outside of its tables"):
        native(program, parameters=parameters)


@pytest.mark.parametrize("rows", [0, -1])
def test_chunks_of_no_rows_are_refused(program: Program, rows: int) -> None:
    parameters = program.parameters.copy()
    (epilogue, *_) = program.movements[program.movements[:, COLUMN("op")] == Op.EPILOGUE]
    parameters[epilogue[COLUMN("parameter_first")] + EPILOGUE_FIELDS.index("chunk_rows")] = rows
    with pytest.raises(TfmbsError, match="outside of its tables"):
        native(program, parameters=parameters)


@pytest.mark.parametrize("op", [op for op in Op if op != Op.COPY])
def test_movements_without_their_parameters_are_refused(program: Program, op: Op) -> None:
    movements = np.array(program.movements[:1])
    movements[0, [COLUMN(name) for name in ("op", "parameter_count")]] = op, 0
    with pytest.raises(TfmbsError, match="outside of its tables"):
        native(program, movements=movements)


LISTS = {
    Op.GATHER: (network, GATHER_FIELDS, "blocks"),
    Op.EPILOGUE: (chain, EPILOGUE_FIELDS, "windows"),
    Op.VECTOR: (left_in_a_part, VECTOR_FIELDS, "loads"),
}
"""What stands behind the parameters of an operation, where there is some, and the field that counts it."""


@pytest.mark.parametrize("op", LISTS, ids=lambda op: op.name)
@pytest.mark.parametrize("change", ["one more", "many", "less than none", "an end too early"])
def test_lists_that_do_not_end_with_their_parameters_are_refused(op: Op, change: str) -> None:
    build, fields, counter = LISTS[op]
    program = expanded(build())
    parameters, movements = program.parameters.copy(), np.array(program.movements)
    places = movements[:, COLUMN("parameter_first")] + fields.index(counter)
    (number, *_) = [i for i in np.flatnonzero(movements[:, COLUMN("op")] == op) if parameters[places[i]] > 0]
    if change == "an end too early":
        movements[number, COLUMN("parameter_count")] -= 1
    else:
        place = places[number]
        parameters[place] = {"one more": parameters[place] + 1, "many": 2**62, "less than none": -1}[change]
    with pytest.raises(TfmbsError, match="outside of its tables"):
        native(program, movements=movements, parameters=parameters)


@pytest.mark.parametrize("number", [-1, 10**6])
def test_a_movement_of_no_launch_of_its_entry_is_refused(number: int) -> None:
    """A program does not know the entry that it will run for."""
    device = Kpu(chain())
    signature = device.entry("main")
    prepared = device.prepared(signature, [argument.shape for argument in signature.inputs])
    movements = np.array(prepared.program.movements)
    (place, *_) = np.flatnonzero(movements[:, COLUMN("op")] == Op.EPILOGUE)
    movements[place, COLUMN("launch")] = number
    changed = native(prepared.program, workspace=prepared.program.workspace, movements=movements)
    arrays = [[octets(np.zeros(a.shape, a.dtype)) for a in of] for of in (signature.inputs, signature.outputs)]
    with pytest.raises(TfmbsError, match="of a launch that its entry has not"):
        device.context(1).native.run(prepared.native, prepared.index, changed, *arrays)
