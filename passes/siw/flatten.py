"""Loops of few trips written out, so that the loop around them is innermost and can be pipelined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfmbs.passes.siw.inductions import HIGH, LOW, inductions
from tfmbs.passes.siw.machine import Instr, Item, Loop, Reg
from tfmbs.passes.siw.modulo_lives import renamable
from tfmbs.passes.siw.schedule import Fresh
from tfmbs.passes.siw.unroll import Copies

MOST_OPERATIONS = 64
"""Operations that a loop may become."""

MOST_OPERATIONS_AROUND = 128
"""Operations of the sequence that it becomes part of."""


@dataclass(frozen=True)
class Flattening:
    """What the decision depends on: registers that keep lanes, and new ones."""

    partial: frozenset[Reg]
    fresh: Fresh

    def run(self, items: Sequence[Item]) -> list[Item]:
        """The program without loops of few operations in all."""
        result: list[Item] = []
        for item in items:
            if isinstance(item, Instr):
                result.append(item)
                continue
            item.body = self.run(item.body)
            flat = self._flat(item) if isinstance(item, Loop) else None
            inside = sum(1 for i in result if isinstance(i, Instr)) + len(flat or ())
            result += [item] if flat is None or (inside > MOST_OPERATIONS_AROUND and _trips(item) > 1) else flat
        return result

    def _flat(self, loop: Loop) -> list[Instr] | None:
        body = [item for item in loop.body if isinstance(item, Instr) and item.op.name != "BREAK"]
        trips = loop.trips
        if trips is None or len(body) != len(loop.body):
            return None
        if trips < 1:
            return []
        if trips > 1 and trips * len(body) > MOST_OPERATIONS:
            return None
        steps = [] if trips == 1 else inductions(body)
        renamed = renamable(body, self.partial) - {step.register for step in steps}
        group = Copies(body, loop.id, renamed, steps, self.fresh).group(trips)
        if group is None:
            return None
        moves = [
            Instr(step.instr.op, step.instr.regs, {"s_imm": step.step * trips}, source=step.instr.source)
            for step in steps
        ]
        if any(not LOW <= move.imms["s_imm"] <= HIGH for move in moves):
            return None
        return [*(copy for copy, _ in group), *moves]


def _trips(item: Item) -> int:
    return item.trips or 0 if isinstance(item, Loop) else 0
