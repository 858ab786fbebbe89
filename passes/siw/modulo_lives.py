"""How long the values of a pipelined loop live, and how many copies of their registers that takes.

Iterations overlap, so a value may still be needed when the next iteration writes its own. Registers that are written
once per iteration get copies that the iterations use in turn (modulo variable expansion); the kernel is as many
iterations long as there are copies.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tfmbs.passes.siw.machine import Bank, Instr, Reg
from tfmbs.passes.siw.schedule_graph import Graph

MOST_COPIES = 12
"""Iterations that a kernel may be long."""

WEIGHT = {Bank.SCALAR: 0, Bank.VECTOR: 1, Bank.PAIR: 2}
"""Vector registers that a value takes."""


def renamable(body: Sequence[Instr], partial: Collection[Reg]) -> frozenset[Reg]:
    """Registers of which each iteration may have one of its own.

    These are written wholly before anything else happens to them (`local_registers`), or written once, wholly.
    """
    writes: dict[Reg, int] = {}
    whole: set[Reg] = set()
    for instr in body:
        register = instr.writes
        if register is not None:
            writes[register] = writes.get(register, 0) + 1
            if not instr.op.acc and register not in partial and register.fixed is None:
                whole.add(register)
    return local_registers(body, partial) | {register for register in whole if writes[register] == 1}


def local_registers(body: Sequence[Instr], partial: Collection[Reg]) -> frozenset[Reg]:
    """Registers that an iteration writes wholly before it does anything else with them."""
    seen: set[Reg] = set()
    local: set[Reg] = set()
    for instr in body:
        seen.update(instr.reads)
        register = instr.writes
        if register is None or register in seen:
            continue
        seen.add(register)
        if not instr.op.acc and register not in partial and register.fixed is None:
            local.add(register)
    return frozenset(local)


@dataclass(frozen=True)
class Life:
    """The operation that first writes a register, and how many cycles later nothing uses it any more."""

    register: Reg
    writer: int
    cycles: int
    carried: bool  # whether the next iteration reads it

    def copies(self, interval: int) -> int:
        """How many values of it are alive at once."""
        return max(1, -(-self.cycles // interval))


def lives_of(graph: Graph, time: Sequence[int], interval: int, renamed: Collection[Reg]) -> list[Life]:
    """The lives of the registers that get copies."""
    writer: dict[Reg, int] = {}
    for n, instr in enumerate(graph.instrs):
        if instr.writes is not None and instr.writes in renamed:
            writer.setdefault(instr.writes, n)
    end: dict[Reg, int] = {}
    carried: set[Reg] = set()
    for n, instr in enumerate(graph.instrs):
        if instr.writes in writer:  # the next iteration that has this copy writes it behind all writes of this one
            end[instr.writes] = max(end.get(instr.writes, 0), time[n] + 1)
        for register in instr.reads:
            if register not in writer:
                continue
            by = writer[register]
            ahead = 0 if by < n else 1
            if ahead:
                carried.add(register)
            last = time[n] + ahead * interval + max(0, graph.busy[n] - graph.busy[by])
            end[register] = max(end.get(register, 0), last)
    return [Life(r, n, end.get(r, time[n]) - time[n], r in carried) for r, n in writer.items()]


def kernel_copies(lives: Sequence[Life], interval: int) -> tuple[int, dict[Reg, int]] | None:
    """How many iterations the kernel is long, and how many copies each register has; None where it were too long.

    Copies of a register divide the iterations of the kernel, so that it ends as it began.
    """
    needed = {life.register: life.copies(interval) for life in lives}
    longest = max(needed.values(), default=1)
    if longest > MOST_COPIES:
        return None
    best = None
    for size in range(longest, min(longest + 2, MOST_COPIES) + 1):
        copies = {r: next(c for c in range(n, size + 1) if size % c == 0) for r, n in needed.items()}
        cost = sum(max(WEIGHT[r.bank], 1) * c for r, c in copies.items())
        if best is None or cost < best[0]:
            best = (cost, size, copies)
    assert best is not None
    return best[1], best[2]


def pressure(graph: Graph, time: Sequence[int], interval: int, lives: Iterable[Life]) -> int:
    """The most vector registers in use at once in the kernel, those that no iteration has of its own included."""
    own: Mapping[Reg, Life] = {life.register: life for life in lives}
    shared = {r for instr in graph.instrs for r in instr.regs.values() if r not in own}
    always = sum(WEIGHT[register.bank] for register in shared)
    spans = [(time[life.writer], life.cycles, WEIGHT[life.register.bank]) for life in own.values()]
    most = 0
    for moment in {start % interval for start, _, weight in spans if weight}:
        alive = 0
        for start, cycles, weight in spans:
            offset = (moment - start) % interval  # since the youngest value was written
            if weight and offset < max(cycles, 1):
                alive += weight * (1 + (cycles - 1 - offset) // interval if cycles > 0 else 1)
        most = max(most, alive)
    return always + most
