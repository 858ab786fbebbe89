"""The back end: programs on virtual registers become words of three slots on physical registers.

Dead operations go, blocks are scheduled, then registers are assigned. Where there are not enough, operations are
scheduled in written order, which keeps fewer values alive; where that does not help, values are spilled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tfmbs.passes.siw.cleanup import copy_items, regions, without_dead, without_repeated_vl, without_unread
from tfmbs.passes.siw.encode import Encoded, encode
from tfmbs.passes.siw.flatten import Flattening
from tfmbs.passes.siw.inductions import fold_steps
from tfmbs.passes.siw.invariants import Invariants
from tfmbs.passes.siw.lanes import Lanes, Unknown, Vl, most_read, partial_writes
from tfmbs.passes.siw.machine import Bank, Code, CodegenError, Instr, Item, Loop, Reg, instructions
from tfmbs.passes.siw.pipeline import LEVELS as PIPELINING_LEVELS
from tfmbs.passes.siw.pipeline_attempt import Context, LoopReport
from tfmbs.passes.siw.registers import Liveness, drop_unread, interference
from tfmbs.passes.siw.registers_color import Coloring, color
from tfmbs.passes.siw.schedule import Fresh, Node
from tfmbs.passes.siw.scheduler import Scheduler
from tfmbs.passes.siw.spill import Spiller, SpillSlots
from tfmbs.passes.siw.streams import choose_streams
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.records import ProgramKind
from tfmbs.runtime.abi.siw_timing import Timing
from tfmbs.runtime.abi.types import DType

NEVER = len(PIPELINING_LEVELS)
"""The level at which a loop is not pipelined."""

Finished = tuple[Encoded, tuple[LoopReport, ...]]

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
    """What became of a program: values spilled, operations as written, and the loops that were pipelined."""

    spilled: int
    sequential: int
    loops: tuple[LoopReport, ...]


@dataclass(frozen=True)
class Program:
    """A finished program. `sources` are those of each word's operations, by slot.

    `windows` counts those of the code and, behind them, those of `spills`.
    """

    words: tuple[bytes, ...]
    sources: tuple[Mapping[str, int], ...]
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
        """The finished program: as fast as registers allow, with spills where there is no other way."""
        self._simplify()
        sequential = sum(1 for _ in instructions(self.items))
        finished = self._attempt(in_order=False) or self._attempt(in_order=True)
        if finished is None:
            finished = self._spilled()
        encoded, loops = finished
        spills = tuple(
            Spills(window, DType.I64 if bank is Bank.PAIR else DType.I32, self.slots.slots[bank] * siw.VLMAX)
            for bank, window in self.slots.window.items()
        )
        report = Report(self.spilled, sequential, loops)
        windows = self.code.windows + len(spills)
        return Program(encoded.words, encoded.sources, encoded.max_steps, windows, spills, report)

    def _simplify(self) -> None:
        """Removes what is not needed and writes short loops out."""
        items = without_dead(without_repeated_vl(self.items, self.start), self.results)
        lanes = Lanes(items, self.start)
        items = choose_streams(items, lambda instr: self.timing.busy(instr.op, lanes.cycles_vl(instr)))
        items = without_dead(items, self.results)
        items = Flattening(partial_writes(items, Lanes(items, self.start)), self.fresh).run(items)
        items = fold_steps(without_repeated_vl(items, self.start))
        partial = partial_writes(items, Lanes(items, self.start))
        items = without_unread(without_dead(items, self.results), partial, self.results)
        lanes = Lanes(items, self.start)
        self.items = Invariants.of(items, lanes, partial_writes(items, lanes)).hoisted(items)

    def _spilled(self) -> Finished:
        """Spills until registers suffice for blocks in written order; then loops are pipelined where that works too."""
        finished = None
        while finished is None:
            finished = self._attempt(in_order=True, pipeline=False, spill=True)
        return self._attempt(in_order=False) or self._attempt(in_order=True) or finished

    def _attempt(self, *, in_order: bool, pipeline: bool = True, spill: bool = False) -> Finished | None:
        """The encoded program; None when registers do not suffice, after having spilled some if asked to."""
        levels = dict.fromkeys((r.id for r in regions(self.items) if isinstance(r, Loop)), 0 if pipeline else NEVER)
        while True:
            lanes = Lanes(self.items, self.start)
            read = most_read(self.items, lanes)
            context = Context(self.timing, lanes, partial_writes(self.items, lanes), read, self.fresh)
            scheduler = Scheduler(context, self.results, levels, in_order=in_order)
            nodes = scheduler.run(self.items)
            while drop_unread(nodes, Liveness(nodes, context.partial, self.results)):
                pass
            coloring = self._color(nodes, lanes)
            if not coloring.failed:
                return encode(nodes, coloring.color), tuple(scheduler.reports)
            crowded = [n for n, registers in scheduler.touched.items() if registers & set(coloring.failed)]
            if not crowded:
                break
            for loop in crowded:
                levels[loop] += 1
        if spill:
            for register in coloring.failed:
                self._spill(register)
        return None

    def _color(self, nodes: Sequence[Node], lanes: Lanes) -> Coloring:
        live = Liveness(nodes, partial_writes(self.items, lanes), self.results)
        costs = self.spiller.costs(self.items, lanes)
        reserved = _EPILOGUE_SCALARS if self.epilogue else ()
        return color(live.order, interference(live, nodes), costs, reserved)

    def _spill(self, register: Reg) -> None:
        if all(register not in instr.regs.values() for instr in instructions(self.items)):
            return  # what needed it went with another register
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
