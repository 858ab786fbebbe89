"""One attempt to pipeline a loop: its body of some iterations, the interval, registers, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tfmbs.passes.siw.broadcasts import with_wide_loads
from tfmbs.passes.siw.inductions import displaced, inductions
from tfmbs.passes.siw.lanes import ALL_LANES, Lanes
from tfmbs.passes.siw.machine import Bank, Instr, Loop, Reg
from tfmbs.passes.siw.modulo import modulo_schedules
from tfmbs.passes.siw.modulo_bounds import recurrence_bound, resource_bound
from tfmbs.passes.siw.modulo_expand import Expansion, Pipelined, Plan
from tfmbs.passes.siw.modulo_lives import kernel_copies, lives_of, local_registers, pressure, renamable
from tfmbs.passes.siw.modulo_phases import SETVL, constant_vls, phases_of, setvl, with_wider_vl
from tfmbs.passes.siw.modulo_problem import Problem
from tfmbs.passes.siw.schedule import Fresh
from tfmbs.passes.siw.schedule_graph import VL, Graph, dependence_graph
from tfmbs.passes.siw.schedule_list import heights
from tfmbs.passes.siw.slots import balanced
from tfmbs.passes.siw.unroll import Copies, moved_touch
from tfmbs.runtime.abi.siw_timing import Timing

NEAR = 1.005
"""What the bound of an iteration may be of the least one for less unrolling to be preferred."""

TRIES = 6
"""Orders of operations that are tried at intervals that are as near to the bound."""

INTERVAL_STEPS = (3, 3, 4, 10, 20, 20, 20, 20, 30, 40, 60, 80, 100, 120)
"""By how many thousandths the interval grows from one attempt to the next."""


@dataclass(frozen=True)
class LoopReport:
    """How a loop was pipelined: interval and bounds in cycles per `unroll` iterations, and operations in these.

    `resource` is the fullest slot, without the steps of addresses, of which each turn of the kernel has one.
    `recurrence` is the longest cycle of results, memory and explicit waits. A turn, `copies` times so many iterations,
    takes `turn` cycles: its intervals, and those of steps that found no idle one.
    """

    loop: int
    interval: int
    turn: int
    resource: int
    recurrence: int
    stages: int
    copies: int
    unroll: int
    operations: int

    @property
    def per_iteration(self) -> float:
        """Cycles of the kernel for each iteration of the loop as written."""
        return self.turn / (self.copies * self.unroll)

    @property
    def cost(self) -> tuple[float, int]:
        """What to choose a way to pipeline a loop by: cycles for each iteration, then how many iterations are words."""
        return self.per_iteration, self.unroll


@dataclass(frozen=True)
class PipelinedLoop:
    """The parts of a loop: its kernel with words before and after it, and operations behind all that.

    Where the number of iterations is not known, the parts are those of one turn of the kernel, and leave all registers
    as so many iterations do.
    """

    parts: Pipelined
    report: LoopReport


@dataclass
class Context:
    """What the loops of a program share."""

    timing: Timing
    lanes: Lanes
    partial: frozenset[Reg]
    read: Mapping[Reg, int]
    fresh: Fresh


class Attempt:
    """A loop with a body of `unroll` iterations."""

    def __init__(
        self, loop: Loop, body: Sequence[Instr], unroll: int, live_out: frozenset[Reg], context: Context
    ) -> None:
        self.loop, self.unroll, self.live_out, self.context = loop, unroll, live_out, context
        self.trips = None if loop.trips is None else loop.trips // unroll
        self.remainder = 0 if loop.trips is None else loop.trips % unroll
        if self.remainder or self.trips is None:
            self.live_out |= {r for instr in body for r in instr.regs.values()}
        self.steps = inductions(body)
        self.body = list(body)
        self.renamed = self._renamed(body)
        unrolled = self._unrolled() if unroll > 1 else self.body
        self.possible = unrolled is not None and (loop.trips is None or loop.trips >= 2 * unroll)
        if unrolled is None:
            return
        lanes, timing = context.lanes, context.timing
        busy = {instr: timing.busy(instr.op, lanes.cycles_vl(instr)) for instr in unrolled}
        self.instrs = [instr for instr in balanced(unrolled, busy) if instr.op is not SETVL]
        for old, new in zip((instr for instr in unrolled if instr.op is not SETVL), self.instrs, strict=True):
            lanes.vl[new] = lanes.vl[old]
        self.instrs = with_wide_loads(self.instrs, lanes, timing, context.read, self.live_out)
        self.instrs = self._without_steps()
        self.possible = self.possible and bool(self.instrs)
        if not self.instrs:
            return
        self.renamed = self._renamed(self.instrs)
        self.vls = constant_vls(self.instrs, lanes) or []
        if len(self.vls) > 1:
            lanes.vl.update(with_wider_vl(self._own(), self.vls, lanes, timing, context.read))
            self.vls = constant_vls(self.instrs, lanes) or []
        self.phases = phases_of(self.instrs, self.vls, lanes, timing)
        for vl in self.phases.vls:
            self.instrs.append(setvl(vl))
            lanes.vl[self.instrs[-1]] = vl
        self.graph = self._graph()
        self.problem = Problem.of(self.graph, self.phases, timing)
        self.resource = resource_bound(self.graph)
        self.recurrence = max(recurrence_bound(self.graph), self.problem.bound)
        self.bound = max(self.resource, self.recurrence, self.phases.bound)
        in_s = sum(b for instr, b in zip(self.instrs, self.graph.busy, strict=True) if instr.op.slot == "S")
        self.with_steps = max(self.bound, in_s + len(self.steps))  # of a kernel that is one iteration long
        self.ideal = -(-(sum(self.graph.busy) + len(self.steps)) // 3)

    def _without_steps(self) -> list[Instr]:
        """The operations that are scheduled; `steps` says behind how many of them each address register moves."""
        self.steps = inductions(self.instrs)
        at = [step.at for step in self.steps]
        self.steps = [replace(step, at=step.at - sum(other < step.at for other in at)) for step in self.steps]
        moving = {step.instr for step in self.steps}
        return [instr for instr in self.instrs if instr not in moving]

    def _own(self) -> list[Instr]:
        """The operations as objects of this attempt alone, so that their VL can be changed."""
        vl = self.context.lanes.vl
        own = []
        for instr in self.instrs:
            own.append(replace(instr))
            vl[own[-1]] = vl[instr]
        self.instrs = own
        return own

    def _renamed(self, body: Sequence[Instr]) -> frozenset[Reg]:
        found = renamable(body, self.context.partial) - {step.register for step in self.steps}
        several = any(instr.op is SETVL for instr in self.body)
        return frozenset(r for r in found if not (r in self.live_out and _ends_in_copy(body, r, several)))

    def _unrolled(self) -> list[Instr] | None:
        """The body of `unroll` iterations, with one step of each address register at its end."""
        copies = Copies(self.body, self.loop.id, self.renamed, self.steps, self.context.fresh)
        pairs = copies.group(self.unroll, stride=self.unroll)
        if pairs is None:
            return None
        result = []
        for copy, original in pairs:
            self.context.lanes.vl[copy] = self.context.lanes.vl[original]
            result.append(copy)
        for step in self.steps:
            moved = displaced(step.instr, step.step * (self.unroll - 1))
            if moved is None:
                return None
            moved = replace(moved)
            self.context.lanes.vl[moved] = self.context.lanes.vl[step.instr]
            result.append(moved)
        return result

    def _graph(self) -> Graph:
        free = {VL, *(step.register for step in self.steps)}
        local = local_registers(self.instrs, self.context.partial) & self.renamed
        context = self.context
        return dependence_graph(self.instrs, context.timing, context.lanes, self.loop.id, self.renamed, local, free)

    def run(self, registers: int) -> PipelinedLoop | None:
        """The pipelined loop at the least interval that needs at most so many vector registers."""
        interval = self.bound
        longest = max(*heights(self.graph), interval) * 5 // 4 + 16
        for step in INTERVAL_STEPS if self.unroll == 1 else INTERVAL_STEPS[:8]:
            if interval > longest:
                return None
            tries = TRIES if interval <= max(self.bound * NEAR, self.bound + 1) else 1
            for time in modulo_schedules(self.problem, interval, tries):
                found = self._expanded(time, interval, registers)
                if found is not None:
                    return found
            interval += max(1, interval * step // 1000)
        return None

    def _expanded(self, time: Sequence[int], interval: int, registers: int) -> PipelinedLoop | None:
        lives = lives_of(self.graph, time, interval, self.renamed)
        sized = kernel_copies(lives, interval)
        if sized is None or pressure(self.graph, time, interval, lives) > registers:
            return None
        copies, of_register = sized
        first = len(self.phases.member)
        periodic = frozenset(range(first, len(self.instrs)))
        trips = self.trips
        if trips is None:  # one turn, which runs as often as it turns out to be
            trips = max(time) // interval + copies
        plan = Plan(self.instrs, self.graph.busy, time, interval, copies, trips, periodic)
        if plan.turns < 1:
            return None
        context = self.context
        parts = Expansion(plan, self.steps, lives, of_register, self.live_out, context.fresh).run()
        if parts is None:
            return None
        vl = context.lanes.at_loop[self.loop.id]
        last = [instr.imms["c_imm"] for instr in self.body if instr.op is SETVL]
        rest = [*(setvl(vl) for vl in last[-1:]), *parts.rest, *self._remainder()]
        # What issues in the first interval before its first phase does so in the last phase of the interval before.
        sets = [(time[n], self.instrs[n].imms["c_imm"]) for n in periodic]
        setup = [setvl(max(sets)[1] if sets else self.vls[0])] if last and self.vls else []
        for instr in (*setup, *rest):
            context.lanes.vl[instr] = last[-1] if last else vl
        report = LoopReport(
            self.loop.id,
            interval,
            parts.cycles,
            self.resource,
            self.recurrence,
            plan.stages,
            copies,
            self.unroll,
            first,
        )
        return PipelinedLoop(replace(parts, setup=setup, rest=rest), report)

    def _remainder(self) -> list[Instr]:
        """The iterations that the unrolled loop leaves; those of a run-time number are left to a loop."""
        first = (self.trips or 0) * self.unroll
        return [
            replace(instr, touch=moved_touch(instr.touch, self.loop.id, iteration, None))
            for iteration in range(first, first + self.remainder)
            for instr in self.body
        ]


def _ends_in_copy(body: Sequence[Instr], register: Reg, several: bool) -> bool:
    """Whether a vector that an iteration reads from the one before may have other lanes than a move would copy."""
    writer = next(n for n, instr in enumerate(body) if instr.writes == register)
    other = register.bank is not Bank.SCALAR and (several or body[writer].op.name in ALL_LANES)
    return other and any(register in instr.reads for instr in body[: writer + 1])
