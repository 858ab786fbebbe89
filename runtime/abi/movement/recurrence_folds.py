"""Folds of an LSTM: rows in L1 against a panel of weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tfmbs.runtime.abi.array_timing import Sizes
from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.fields import Memory, Op
from tfmbs.runtime.abi.movement.machine import EngineKind, array_cycles
from tfmbs.runtime.abi.movement.memory import Slot
from tfmbs.runtime.abi.movement.pages import Page, Pages
from tfmbs.runtime.abi.movement.program import Copy, What
from tfmbs.runtime.abi.movement.recurrence_plan import WORD, RecurrencePlan
from tfmbs.runtime.abi.types import Packing


class Rows(NamedTuple):
    """Rows of words in a slot: the first word, and words from one to the next."""

    slot: Slot
    first: int
    stride: int

    def places(self, rows: int, columns: int) -> list[tuple[int, int, int]]:
        """Memory, first byte and end of some words of each row."""
        starts = [self.slot.address + (self.first + r * self.stride) * WORD for r in range(rows)]
        if self.stride == columns:
            return [(self.slot.memory, starts[0], starts[-1] + columns * WORD)]
        return [(self.slot.memory, start, start + columns * WORD) for start in starts]


class Folds:
    """Folds on a tile, whose panels come in pages."""

    def __init__(self, x: Expansion, plan: RecurrencePlan, pages: Pages, tile: int) -> None:
        self.x, self.plan, self.pages, self.tile = x, plan, pages, tile

    def feed(self, wanted: Iterable[Page], slot: Slot) -> None:
        """Pages to a slot of L1, one behind the other."""
        at = 0
        for page in wanted:
            start = self.pages.in_l2(page)
            copy = Copy(start.memory, start.address, slot.memory, slot.address + at, run=page.size)
            self.x.feed([copy], start, slot, self.tile)
            at += page.size

    def add(self, sizes: Sizes, lhs: Rows, panel: Slot, sums: Rows, before: list[int], *, is_first: bool) -> int:
        """Adds a fold, after all that filled its operands and what is `before`; gives its number."""
        x, m, n, k = self.x, sizes.m, sizes.n, sizes.k
        parameters = (
            Memory.L1 + self.tile, lhs.slot.address + lhs.first * WORD, panel.address,
            sums.slot.address + sums.first * WORD, m, n, k, True, is_first, 0, Packing.DENSE, k * WORD, False, 0, True,
            lhs.stride, sums.stride, 0, -1, -1,
        )  # fmt: skip
        reads, writes = [*lhs.places(m, k), panel.place(n * k * WORD)], sums.places(m, n)
        what = What(
            tile=self.tile,
            parameters=parameters,
            reads=reads if is_first else [*reads, *writes],
            writes=writes,
            macs=m * n * k,
        )
        cycles = array_cycles(x.machine, self.plan.dataflow, sizes, self.plan.is_buffered, not is_first)
        waits = [*lhs.slot.writers, *panel.writers, *before]
        number = x.program.add(Op.FOLD, x.machine.first(EngineKind.ARRAY) + self.tile, x.launch, cycles, waits, what)
        lhs.slot.readers.append(number)
        panel.readers.append(number)
        return number
