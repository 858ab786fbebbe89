"""When the kernel of a pipelined loop takes the steps of its address registers: once a turn, where slot S is idle.

The users of such a register make up for its steps, so the steps bind nothing and take no part in modulo scheduling: as
operations of every iteration they would keep a cycle of S in each interval, of which all but one per turn were lost.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tfmbs.passes.siw.machine import Reg

Place = tuple[int, int]
"""A cycle, and the rank of a word among those written there: 0 for the one that issues then, less for those before."""


@dataclass(frozen=True)
class StepPlaces:
    """Where each register takes its step, and how many words of their own make a turn longer by a cycle each."""

    of: dict[Reg, Place]
    added: int


def step_places(
    registers: Sequence[Reg], start: int, turn: int, words: Collection[int], loads: Sequence[tuple[int, int]]
) -> StepPlaces:
    """Places for the steps of `registers` in a `turn` of cycles from `start` on, whose `words` issue at these times.

    `loads` are (time, cycles) of the operations in slot S; what is under way at the end of a turn goes on in the next.
    A step without an idle cycle gets a word in front of one of these operations, when the slot is free.
    """
    taken = {start + (time + cycle - start) % turn for time, busy in loads for cycle in range(busy)}
    idle = sorted((time not in words, time) for time in range(start, start + turn) if time not in taken)
    free = [(time, 0) for _, time in idle[: len(registers)]]
    added = len(registers) - len(free)
    first_load = min((time for time, _ in loads), default=start)
    own = [(first_load, -rank) for rank in range(1, added + 1)]
    return StepPlaces(dict(zip(registers, [*free, *own], strict=True)), added)
