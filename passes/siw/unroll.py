"""Several iterations of a loop written one after the other."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from tfmbs.passes.siw.inductions import Induction, displaced
from tfmbs.passes.siw.machine import Instr, Reg, Touch
from tfmbs.passes.siw.schedule import Fresh


class Copies:
    """Copies of a loop body; `renamed` registers are different in every copy but the last of a `group`.

    An iteration that reads a value of the one before it gets that one's register. Address registers of `inductions`
    take their steps by the immediates of their users.
    """

    def __init__(
        self, body: Sequence[Instr], loop: int, renamed: Collection[Reg], inductions: Sequence[Induction], fresh: Fresh
    ) -> None:
        self.body = body
        self.loop = loop
        self.renamed = renamed
        self.inductions = {induction.register: induction for induction in inductions}
        self.steps = {induction.instr for induction in inductions}
        self.fresh = fresh

    def group(self, count: int, first: int = 0, stride: int | None = None) -> list[tuple[Instr, Instr]] | None:
        """(copy, original) of iterations first…first + count - 1, without the steps of inductions.

        With `stride`, these are the iterations of one trip of a loop that takes so many at once; otherwise `loop` is
        gone. None where addresses do not fit their immediates.
        """
        result: list[tuple[Instr, Instr]] = []
        names: dict[Reg, Reg] = {}
        for iteration in range(first, first + count):
            last = iteration == first + count - 1
            for position, instr in enumerate(self.body):
                if instr in self.steps:
                    continue
                copy = self._copy(instr, position, iteration, names, last)
                if copy is None:
                    return None
                touch = moved_touch(instr.touch, self.loop, iteration, stride)
                result.append((replace(copy, touch=touch), instr))
        return result

    def _copy(self, instr: Instr, position: int, iteration: int, names: dict[Reg, Reg], last: bool) -> Instr | None:
        regs = {field: names.get(r, r) for field, r in instr.regs.items() if field != instr.op.writes or instr.op.acc}
        written = instr.writes
        if written is not None and not instr.op.acc:
            if written in self.renamed:
                names[written] = written if last else self.fresh.like(written)
            regs[instr.op.writes] = names.get(written, written)
        base = instr.regs.get("s_base")
        moved: Instr | None = instr
        if base is not None and base in self.inductions:
            induction = self.inductions[base]
            moved = displaced(instr, induction.step * (iteration + (induction.at < position)))
        return None if moved is None else replace(moved, regs={f: regs[f] for f in instr.regs})


def moved_touch(touch: Touch | None, loop: int, iteration: int, stride: int | None) -> Touch | None:
    """What an access touches in an iteration of a loop that is gone, or that takes `stride` iterations at once."""
    if touch is None or touch.terms is None:
        return touch
    step = dict(touch.terms).get(loop, 0)
    terms = tuple((name, c * (stride or 0) if name == loop else c) for name, c in touch.terms if name != loop or stride)
    return replace(touch, offset=touch.offset + step * iteration, terms=terms)
