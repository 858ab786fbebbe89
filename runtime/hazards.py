"""Conflicts: pairs of accesses to the same bytes, one of them a write, that nothing puts in an order; and accesses to
external memory that do not come after what their launch waits for."""

from __future__ import annotations

from typing import NamedTuple

from tfmbs.runtime import _native
from tfmbs.runtime.abi.movement.program import Program


class Conflict(NamedTuple):
    """Two movements that access bytes `low` to `high` of a memory in no order; `first` comes first in the program.

    Or `first` is the last that a launch stored in its queue, and `second`, of a launch that waits for that one's token,
    accesses these bytes without.
    """

    first: int
    second: int
    memory: int
    low: int
    high: int
    first_writes: bool
    second_writes: bool

    def describe(self, program: Program) -> str:
        """Both places, for people."""
        return (
            f"{program.describe(self.first)} {'writes' if self.first_writes else 'reads'}, "
            f"{program.describe(self.second)} {'writes' if self.second_writes else 'reads'} "
            f"bytes {self.low} to {self.high} of memory {self.memory}"
        )


def conflicts(program: Program, movements: _native.MovementProgram) -> list[Conflict]:
    """Every pair of movements that conflict, once for each memory, with the first bytes where they do.

    `movements` is the program in the form of the native code. Bytes are exact: those between the runs of a copy belong
    to others. A direct vector program counts as accessing all bytes of its windows. Raises TfmbsError `device` where a
    movement waits for a later one.
    """
    return [Conflict(*found) for found in _native.kpu_conflicts(movements, program.accesses, program.tokens)]
