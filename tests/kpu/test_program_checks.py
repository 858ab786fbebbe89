"""Movement programs whose numbers are outside of their tables are refused before anything is read by them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.kpu.programs import chain, expanded
from tfmbs.runtime import _native
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.movement.fields import EPILOGUE_FIELDS, MOVEMENT_FIELDS, Op
from tfmbs.runtime.abi.movement.program import Program

COLUMN = MOVEMENT_FIELDS.index


@pytest.fixture(scope="module")
def program() -> Program:
    """One with epilogues."""
    return expanded(chain())


def native(program: Program, *, workspace: int = 0, **tables: Any) -> None:
    given = dict(zip(("movements", "waits", "parts", "parameters"), program.tables(), strict=True)) | tables
    movements, waits, parts, parameters = given.values()
    _native.movement_program(movements, waits, parts, parameters, [], len(program.machine.engines), workspace)


def test_a_program_as_the_rule_makes_it_is_taken(program: Program) -> None:
    native(program)


def test_a_workspace_of_less_than_no_bytes_is_refused(program: Program) -> None:
    with pytest.raises(TfmbsError, match="workspace"):
        native(program, workspace=-1)


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
