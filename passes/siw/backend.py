"""The back end: programs on virtual registers become words of three slots on physical registers.

Dead operations go, blocks are scheduled, then registers are assigned. Where there are not enough, operations are
scheduled in written order, which keeps fewer values alive; where that does not help, values are spilled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfmbs.passes.siw.cleanup import copy_items, without_dead, without_repeated_vl
from tfmbs.passes.siw.encode import Encoded, encode
from tfmbs.passes.siw.lanes import Lanes, Unknown, Vl, partial_writes
from tfmbs.passes.siw.machine import Bank, Code, CodegenError, Instr, Item, Loop, Reg, Skip, instructions
from tfmbs.passes.siw.registers import Liveness, interference
from tfmbs.passes.siw.registers_color import Coloring, color
from tfmbs.passes.siw.schedule import Fresh, Node, Region, control_of
from tfmbs.passes.siw.schedule_list import schedule_block
from tfmbs.passes.siw.spill import Spiller, SpillSlots
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.records import ProgramKind
from tfmbs.runtime.abi.siw_timing import Timing
from tfmbs.runtime.abi.types import DType

MOST_ROUNDS = 200
"""Registers that are spilled before the back end gives up."""

_EPILOGUE_SCALARS = (siw.EPILOGUE_ELEMENT, siw.EPILOGUE_CHANNEL, siw.EPILOGUE_CHANNEL_STEP, siw.EPILOGUE_ONE)


@dataclass(frozen=True)
class Spills:
    """A window of scratch memory that the program keeps spilled values in; it is to be private to the launch."""

    window: int
    dtype: DType
    elements: int

    @property
    def bytes(self) -> int:
        """Size of the window."""
        return self.elements * (8 if self.dtype is DType.I64 else 4)


@dataclass(frozen=True)
class Report:
    """What became of a program: registers spilled, and operations as written, one after the other."""

    spilled: int
    sequential: int


@dataclass(frozen=True)
class Program:
    """A finished program. `windows` counts those of the code and, behind them, those of `spills`."""

    words: tuple[bytes, ...]
    sources: tuple[int, ...]
    max_steps: int
    windows: int
    spills: tuple[Spills, ...]
    report: Report

    @property
    def spill_bytes(self) -> int:
        """Scratch memory for spilled values."""
        return sum(spill.bytes for spill in self.spills)


def compile_code(code: Code, timing: Timing, kind: ProgramKind) -> Program:
    """Words for a program. Raises CodegenError for what the machine has too little of."""
    return _BackEnd(code, timing, kind).run()


class _BackEnd:
    def __init__(self, code: Code, timing: Timing, kind: ProgramKind) -> None:
        self.code = code
        self.timing = timing
        self.epilogue = kind is ProgramKind.EPILOGUE
        self.start: Vl = Unknown() if self.epilogue else siw.VLMAX
        self.items = copy_items(code.items)
        registers = frozenset(r for i in instructions(self.items) for r in i.regs.values())
        self.results = frozenset(r for r in registers if self.epilogue and r.bank is not Bank.SCALAR and r.fixed == 0)
        self.slots = SpillSlots(code.windows)
        self.fresh = Fresh(iter(_registers(self.items)))
        self.spiller = Spiller(self.items, self.fresh, self.slots, may_store=not self.epilogue)
        self.spilled = 0

    def run(self) -> Program:
        self.items = without_dead(without_repeated_vl(self.items, self.start), self.results)
        sequential = sum(1 for _ in instructions(self.items))
        encoded = self._scheduled(in_order=False)
        while encoded is None:
            encoded = self._scheduled(in_order=True)
        spills = tuple(
            Spills(window, DType.I64 if bank is Bank.PAIR else DType.I32, self.slots.slots[bank] * siw.VLMAX)
            for bank, window in self.slots.window.items()
        )
        report = Report(self.spilled, sequential)
        windows = self.code.windows + len(spills)
        return Program(encoded.words, encoded.sources, encoded.max_steps, windows, spills, report)

    def _scheduled(self, *, in_order: bool) -> Encoded | None:
        """The encoded program; None when registers did not suffice, after spilling if it is `in_order` already."""
        lanes = Lanes(self.items, self.start)
        nodes = _schedule(self.items, self.timing, lanes, in_order=in_order)
        coloring = self._color(nodes, lanes)
        if not coloring.failed:
            return encode(nodes, coloring.color)
        if in_order:
            for register in coloring.failed:
                self._spill(register)
        return None

    def _color(self, nodes: Sequence[Node], lanes: Lanes) -> Coloring:
        live = Liveness(nodes, partial_writes(self.items, lanes), self.results)
        costs = self.spiller.costs(self.items, lanes)
        reserved = _EPILOGUE_SCALARS if self.epilogue else ()
        return color(live.order, interference(live, nodes), costs, reserved)

    def _spill(self, register: Reg) -> None:
        if self.spilled == MOST_ROUNDS:
            raise CodegenError(f"more than {MOST_ROUNDS} values would be spilled")
        self.spilled += 1
        self.items = self.spiller.spill(self.items, register, Lanes(self.items, self.start))
        self.items = without_dead(self.items, self.results)


def _registers(items: Sequence[Item]) -> list[Reg]:
    found: list[Reg] = []
    for item in items:
        if isinstance(item, Instr):
            found += item.regs.values()
        else:
            found.append(item.count if isinstance(item, Loop) else item.condition)
            found += _registers(item.body)
    return found


def _schedule(items: Sequence[Item], timing: Timing, lanes: Lanes, *, in_order: bool) -> list[Node]:
    """Every block scheduled by itself."""
    nodes: list[Node] = []
    block: list[Instr] = []

    def close(control: Instr | None) -> None:
        if block or control is not None:
            nodes.extend(schedule_block(block, control, timing, lanes, in_order=in_order))
        block.clear()

    for item in items:
        if isinstance(item, Loop | Skip):
            close(control_of(item))
            nodes.append(Region(item, _schedule(item.body, timing, lanes, in_order=in_order)))
        elif item.op.name == "BREAK":
            close(item)
        else:
            block.append(item)
    close(None)
    return nodes
