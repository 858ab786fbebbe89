"""Conflicts: pairs of accesses to the same bytes, one of them a write, that nothing puts in an order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfmbs.runtime.abi.movement.order import Order
from tfmbs.runtime.abi.movement.program import MOVEMENT_FIELDS, Copy, Memory, Op, Program

Bytes = npt.NDArray[np.int64]

_LAUNCH, _ENGINE, _PART, _PARTS = (
    MOVEMENT_FIELDS.index(name) for name in ("launch", "engine", "part_first", "part_count")
)


@dataclass(frozen=True)
class Conflict:
    """Two movements that access bytes `low` to `high` of a memory in no order; `first` comes first in the program."""

    first: int
    second: int
    memory: int
    low: int
    high: int
    first_writes: bool
    second_writes: bool


def describe(program: Program, number: int) -> str:
    """A movement for people: its number, launch, engine and what it does."""
    row = program.movements[number]
    engine = program.machine.engines[row[_ENGINE]]
    return f"movement {number} (launch {row[_LAUNCH]}, {engine.kind.name} {engine.number}, {Op(row[0]).name})"


def conflicts(program: Program, order: Order | None = None) -> Iterator[Conflict]:
    """Every pair of movements that conflict, once for each memory, with the first bytes where they do.

    Bytes are exact: those between the runs of a copy belong to others. A direct vector program counts as accessing all
    bytes of its windows.
    """
    known = order or Order(program)
    by_memory: dict[int, list[tuple[int, int, int, bool]]] = {}
    for number, memory, low, high, writes in _accesses(program):
        by_memory.setdefault(memory, []).append((low, high, number, writes))
    for memory, accesses in sorted(by_memory.items()):
        if memory == Memory.WEIGHTS or not any(writes for *_, writes in accesses):
            continue
        yield from _in_memory(memory, sorted(accesses), known)


def _in_memory(memory: int, accesses: Sequence[tuple[int, int, int, bool]], order: Order) -> Iterator[Conflict]:
    """A sweep over bytes: `open_` are the accesses that reach beyond where the sweep is."""
    found: set[tuple[int, int]] = set()
    open_: list[tuple[int, int, bool]] = []
    for low, high, number, writes in accesses:
        open_ = [one for one in open_ if one[0] > low]
        for end, other, other_writes in open_:
            pair = (min(number, other), max(number, other))
            if other == number or not (writes or other_writes) or pair in found or order.is_ordered(*pair):
                continue
            found.add(pair)
            first_writes = other_writes if other == pair[0] else writes
            second_writes = writes if other == pair[0] else other_writes
            yield Conflict(*pair, memory, low, min(high, end), first_writes, second_writes)
        open_.append((high, number, writes))


def _accesses(program: Program) -> Iterator[tuple[int, int, int, int, bool]]:
    """Movement, memory, first byte, end and whether it writes, for every run of bytes."""
    for number, row in enumerate(program.movements):
        for part in program.parts[row[_PART] : row[_PART] + row[_PARTS]]:
            for low in _runs(part, is_target=False):
                yield number, part.source, low, low + part.run, False
            for low in _runs(part, is_target=True):
                yield number, part.target, low, low + part.run, True
    for access in program.accesses:
        yield access.movement, access.memory, access.low, access.high, access.writes


def _runs(part: Copy, *, is_target: bool) -> list[int]:
    start = part.to if is_target else part.start
    step0, step1 = (part.to0, part.to1) if is_target else (part.from0, part.from1)
    return [start + i * step0 + j * step1 for i in range(part.count0) for j in range(part.count1)]
