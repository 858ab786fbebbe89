"""Operations of loops that compute the same in every iteration, put before the loop.

Constants go before all loops. Vectors stay in registers while the loop runs, so only so many of them leave it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfmbs.passes.siw.cleanup import regions
from tfmbs.passes.siw.lanes import Lanes
from tfmbs.passes.siw.machine import Bank, Instr, Item, Loop, Reg, instructions
from tfmbs.passes.siw.modulo_lives import WEIGHT
from tfmbs.passes.siw.modulo_phases import needs_vl
from tfmbs.passes.siw.schedule_memory import window_of

MOST_REGISTERS = 20
"""Vector registers that a loop may read without writing them before no more values are put there."""

_ELSEWHERE = frozenset({"RECV", "SETVL", "SETVLR", "BREAK"})


@dataclass(frozen=True)
class Invariants:
    """Facts about a program: what is written how often, which windows are stored to, VL, registers that keep lanes."""

    writes: dict[Reg, int]
    stored: frozenset[int]
    lanes: Lanes
    partial: frozenset[Reg]

    @classmethod
    def of(cls, items: Sequence[Item], lanes: Lanes, partial: frozenset[Reg]) -> Invariants:
        """The facts about `items`."""
        writes: dict[Reg, int] = {}
        for instr in instructions(items):
            if instr.writes is not None:
                writes[instr.writes] = writes.get(instr.writes, 0) + 1
        stored = frozenset(window_of(i) for i in instructions(items) if i.op.is_store)
        return cls(writes, stored, lanes, partial)

    def hoisted(self, items: Sequence[Item]) -> list[Item]:
        """The program with invariant operations before their loops."""
        result: list[Item] = []
        for item in items:
            if not isinstance(item, Instr):
                item.body = self.hoisted(item.body)
            if isinstance(item, Loop):
                result += self._leaving(item)
            result.append(item)
        return result

    def _leaving(self, loop: Loop) -> list[Instr]:
        """Takes operations out of a loop."""
        inside = {i.writes for i in instructions(loop.body)}
        operands = [r for i in instructions(loop.body) for r in i.regs.values()]
        operands += [r.count if isinstance(r, Loop) else r.condition for r in regions(loop.body)]
        held = sum(WEIGHT[register.bank] for register in set(operands) if register not in inside)
        broken = any(i.op.name == "BREAK" for i in instructions(loop.body))
        leaving: list[Instr] = []
        for item in list(loop.body):
            if not isinstance(item, Instr) or not self._steady(item, loop, inside, broken):
                continue
            assert item.writes is not None
            weight = WEIGHT[item.writes.bank]
            if weight and held + weight > MOST_REGISTERS:
                continue
            held += weight
            inside.discard(item.writes)
            loop.body.remove(item)
            leaving.append(item)
        return leaving

    def _steady(self, instr: Instr, loop: Loop, inside: set[Reg | None], broken: bool) -> bool:
        """Whether an operation gives the same in every iteration, and may as well run once before them."""
        written = instr.writes
        if written is None or instr.op.name in _ELSEWHERE or instr.op.acc or self.writes[written] != 1:
            return False
        if written in self.partial or any(register in inside for register in instr.reads):
            return False
        if needs_vl(instr) and self.lanes.vl[instr] != self.lanes.at_loop.get(loop.id):
            return False
        if instr.op.is_load:
            return not broken and bool(loop.trips) and window_of(instr) not in self.stored and not instr.stream
        return written.bank is not Bank.SCALAR or instr.op.name == "LI"
