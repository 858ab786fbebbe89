"""Whose fault a wrong result is: the scheduler's, whose words can be checked against the code they were made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from unittest import mock

from tests.siw.program import Program
from tests.siw.runner import on_the_emulator
from tests.siw.values import Array
from tfmbs.passes.fabric import vector
from tfmbs.passes.siw.backend import compile_code
from tfmbs.passes.siw.machine import CodegenError
from tfmbs.passes.siw.schedule_check import check_schedule


def schedule_errors(program: Program, inputs: Sequence[Array], *, optimise: bool) -> list[str]:
    """What `check_schedule` says to the programs that the compiler makes of a random program."""
    found: list[str] = []

    def checked(code: Any, timing: Any, kind: Any) -> Any:
        made = compile_code(code, timing, kind)
        try:
            check_schedule(code, made.words, made.windows, made.max_steps, kind)
        except CodegenError as error:
            found.append(f"{error} ({len(made.words)} words)")
        return made

    with mock.patch.object(vector, "compile_code", checked):
        on_the_emulator(program, inputs, optimise=optimise)
    return found
