"""Scheduling of whole programs: blocks by list scheduling, innermost loops with overlapping iterations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tfmbs.passes.siw.cleanup import sequential_nodes
from tfmbs.passes.siw.counted import counts
from tfmbs.passes.siw.machine import Instr, Item, Loop, Reg, Skip
from tfmbs.passes.siw.modulo_expand import load_constant
from tfmbs.passes.siw.pipeline import pipelined
from tfmbs.passes.siw.pipeline_attempt import Context, LoopReport, PipelinedLoop
from tfmbs.passes.siw.registers import Liveness
from tfmbs.passes.siw.schedule import Node, Region, Word, control_of
from tfmbs.passes.siw.schedule_list import schedule_block


class Scheduler:
    """Schedules a program once.

    `levels` say for each loop how few registers pipelining is to need; `in_order` keeps the written order in blocks.
    Afterwards `touched` has the registers of each pipelined loop, and `reports` what became of them.
    """

    def __init__(self, context: Context, results: frozenset[Reg], levels: Mapping[int, int], *, in_order: bool) -> None:
        self.context = context
        self.results = results
        self.levels = levels
        self.in_order = in_order
        self.touched: dict[int, set[Reg]] = {}
        self.reports: list[LoopReport] = []

    def run(self, items: Sequence[Item]) -> list[Node]:
        """The scheduled program."""
        self._live = Liveness(sequential_nodes(items), self.context.partial, self.results)
        return self._nodes(items)

    def _block(self, block: list[Instr], control: Instr | None) -> list[Node]:
        if not block and control is None:
            return []
        context = self.context
        nodes: list[Node] = list(schedule_block(block, control, context.timing, context.lanes, in_order=self.in_order))
        block.clear()
        return nodes

    def _nodes(self, items: Sequence[Item]) -> list[Node]:
        nodes: list[Node] = []
        block: list[Instr] = []
        for item in items:
            if isinstance(item, Loop):
                if not self._pipelined(item, block, nodes):
                    nodes += self._block(block, control_of(item))
                    nodes.append(Region(item, self._nodes(item.body)))
            elif isinstance(item, Skip):
                nodes += self._block(block, control_of(item))
                nodes.append(Region(item, self._nodes(item.body)))
            elif item.op.name == "BREAK":
                nodes += self._block(block, item)
            else:
                block.append(item)
        return nodes + self._block(block, None)

    def _pipelined(self, loop: Loop, block: list[Instr], nodes: list[Node]) -> bool:
        """Appends the pipelined loop behind the block before it; what is left to do behind it is in `block` then."""
        live_out = frozenset(self._live.registers(self._live.after[loop]))
        found = pipelined(loop, live_out, self.levels.get(loop.id, 0), self.context)
        if found is None:
            return False
        if loop.trips is None:
            self._counted(loop, found, block, nodes)
        else:
            count = self.context.fresh.like(loop.count)
            constant = load_constant(count, found.parts.trips)
            for instr in constant:
                self.context.lanes.vl[instr] = 1
            block += constant
            self._parts(loop, found, count, block, nodes)
        self.reports.append(found.report)
        return True

    def _parts(self, loop: Loop, found: PipelinedLoop, turns: Reg, block: list[Instr], nodes: list[Node]) -> None:
        """Appends the words of a loop whose kernel runs s[`turns`] times behind the block before it."""
        parts = found.parts
        block += parts.setup
        trips = None if loop.trips is None else parts.trips
        kernel = Region(replace(loop, count=turns, trips=trips, body=[]), list(parts.kernel))
        control = control_of(kernel.item)
        nodes += self._block(block, None if parts.before else control)
        nodes += parts.before
        if parts.before and "C" in parts.before[-1].slots:
            nodes.append(Word({"C": control}))
        elif parts.before:
            parts.before[-1].slots["C"] = control
        nodes.append(kernel)
        nodes += parts.after
        block += parts.rest
        words = [*parts.before, *parts.kernel, *parts.after]
        self.touched[loop.id] = {r for word in words for instr in word for r in instr.regs.values()}

    def _counted(self, loop: Loop, found: PipelinedLoop, block: list[Instr], nodes: list[Node]) -> None:
        """Appends a loop that runs a number of times known only then: pipelined as far as it goes, the rest plainly."""
        context, report = self.context, found.report
        vl = context.lanes.at_loop[loop.id]
        behind = vl if isinstance(vl, int) else None
        numbers = counts(loop.count, report.stages - 1, report.copies, behind, context.fresh, context.lanes)
        block += numbers.before
        skip = Skip(numbers.enough)
        nodes += self._block(block, control_of(skip))
        inside: list[Node] = []
        block += numbers.inside
        self._parts(loop, found, numbers.turns, block, inside)
        inside += self._block(block, None)
        nodes.append(Region(skip, inside))
        rest = replace(loop, count=numbers.left)
        nodes += self._block(block, control_of(rest))
        nodes.append(Region(rest, self._nodes(loop.body)))
