"""What VL is at each operation, and which writes leave lanes of a vector register as they were."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tfmbs.passes.siw.machine import Bank, Instr, Item, Loop, Reg, instructions
from tfmbs.runtime.abi import siw

ALL_LANES = frozenset({"FOLD", "LAST", "LAST64"})
"""Operations that write every lane of their result, whatever VL is."""


@dataclass(frozen=True, eq=False)
class Unknown:
    """A VL that is known only when the program runs. Two of them are not known to be equal."""


Vl = int | Unknown


class Lanes:
    """VL at every operation of a program that starts with `start`, and what follows from it."""

    def __init__(self, items: Sequence[Item], start: Vl) -> None:
        self.vl: dict[Instr, Vl] = {}
        self.at_loop: dict[int, Vl] = {}  # VL at the start of every iteration, by loop
        self._symbols: dict[object, Unknown] = {}
        self._start = start
        self._walk(items, start)

    def steady(self, vl: Vl) -> bool:
        """Whether a VL is the same all the time: a constant, or the one the program starts with."""
        return isinstance(vl, int) or vl is self._start

    def cycles_vl(self, instr: Instr) -> int:
        """The VL to reckon with for timing: the real one, or VLMAX."""
        vl = self.vl[instr]
        return vl if isinstance(vl, int) else siw.VLMAX

    def _symbol(self, cause: object) -> Unknown:
        return self._symbols.setdefault(cause, Unknown())

    def _walk(self, items: Sequence[Item], vl: Vl) -> Vl:
        for item in items:
            if isinstance(item, Instr):
                self.vl[item] = vl
                vl = self._after(item, vl)
                continue
            end = self._walk(item.body, vl)
            if end != vl:
                vl = self._symbol(item)
                if isinstance(item, Loop):
                    self._walk(item.body, vl)
            if isinstance(item, Loop):
                self.at_loop[item.id] = vl
        return vl

    def _after(self, instr: Instr, vl: Vl) -> Vl:
        if instr.op.name == "SETVL":
            return instr.imms["c_imm"]
        if instr.op.name == "SETVLR":
            return self._symbol(instr)
        return vl

    def lanes_read(self, instr: Instr, name: str) -> int:
        """At most how many lanes an operation reads of the vector operand in field `name`."""
        op = instr.op
        if op.name == "SGET" or (op.name == "SCAN" and name == "d_vb"):
            return 1
        vl = self.cycles_vl(instr)
        if op.name == "FOLD":
            return siw.REDUCTION_LANES
        if op.acc and op.name != "TACC" and name == op.writes:
            return min(siw.REDUCTION_LANES, vl)
        return vl

    def lanes_written(self, instr: Instr) -> int:
        """At least how many lanes, from the first on, an operation that is no accumulation writes."""
        if instr.op.name in ALL_LANES:
            return siw.VLMAX
        vl = self.vl[instr]
        return vl if isinstance(vl, int) else 1


def partial_writes(items: Sequence[Item], lanes: Lanes) -> frozenset[Reg]:
    """Vector registers of which a write may leave lanes that are read later: their old value lives on through it."""
    read = most_read(items, lanes)
    writes: dict[Reg, list[Instr]] = defaultdict(list)
    for instr in instructions(items):
        if instr.writes is not None and instr.writes.bank is not Bank.SCALAR:
            writes[instr.writes].append(instr)
    return frozenset(register for register, by in writes.items() if _is_partial(read, register, by, lanes))


def most_read(items: Sequence[Item], lanes: Lanes) -> dict[Reg, int]:
    """How many lanes of each vector register are read at most, at any place."""
    read: dict[Reg, int] = defaultdict(int)
    for instr in instructions(items):
        for name, register in instr.regs.items():
            if register.bank is not Bank.SCALAR and (name != instr.op.writes or instr.op.acc):
                read[register] = max(read[register], lanes.lanes_read(instr, name))
    return read


def _is_partial(read: Mapping[Reg, int], register: Reg, by: Sequence[Instr], lanes: Lanes) -> bool:
    plain = [instr for instr in by if not instr.op.acc]
    return len(by) > 1 and any(lanes.lanes_written(instr) < read[register] for instr in plain)
