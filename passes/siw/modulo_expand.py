"""From issue times to words: what runs before the kernel is full, the kernel, and what runs after it.

Operation n of iteration j issues at time[n] + j * interval. The kernel covers the times from the start of the first
iteration that finds all stages busy, in whole turns of its copies; what comes earlier and later is written out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tfmbs.passes.siw.inductions import Induction, displaced
from tfmbs.passes.siw.machine import Bank, Instr, Reg
from tfmbs.passes.siw.modulo_lives import Life
from tfmbs.passes.siw.modulo_steps import Place, StepPlaces, step_places
from tfmbs.passes.siw.schedule import Fresh, Word
from tfmbs.runtime.abi import siw


@dataclass(frozen=True)
class Pipelined:
    """The parts of a pipelined loop.

    Operations to set it up, words before the kernel, the kernel of `trips` that take `cycles` each, words after it,
    operations left behind.
    """

    setup: list[Instr]
    before: list[Word]
    kernel: list[Word]
    trips: int
    cycles: int
    after: list[Word]
    rest: list[Instr]


@dataclass(frozen=True)
class Plan:
    """A modulo schedule of a loop of `trips` iterations; `copies` iterations make one turn of the kernel.

    `busy` is how long each operation keeps its slot. `periodic` operations belong to every interval, whether an
    iteration starts in it or not. The steps of address registers are no operations of it.
    """

    instrs: Sequence[Instr]
    busy: Sequence[int]
    time: Sequence[int]
    interval: int
    copies: int
    trips: int
    periodic: frozenset[int] = frozenset()

    @property
    def stages(self) -> int:
        """Iterations that are under way at once."""
        return max(self.time) // self.interval + 1

    @property
    def turns(self) -> int:
        """Turns of the kernel."""
        return (self.trips - (self.stages - 1)) // self.copies


class Expansion:
    """Writes out a plan.

    `inductions` are the address registers that iterations move, each behind operations 0…`at` - 1. `copies` are those
    of each register, `live_out` registers that are read behind the loop.
    """

    def __init__(
        self,
        plan: Plan,
        inductions: Sequence[Induction],
        lives: Sequence[Life],
        copies: Mapping[Reg, int],
        live_out: frozenset[Reg],
        fresh: Fresh,
    ) -> None:
        self.plan = plan
        self.steps = {induction.register: induction for induction in inductions}
        self.writer = {life.register: life.writer for life in lives}
        self.carried = frozenset(life.register for life in lives if life.carried)
        self.live_out = live_out
        self.names = {r: [r, *(fresh.like(r) for _ in range(count - 1))] for r, count in copies.items()}

    def name(self, register: Reg, iteration: int) -> Reg:
        """The copy that holds the value which an iteration writes.

        The register itself holds the value from before the loop where the first iteration reads it, otherwise that of
        the last iteration.
        """
        names = self.names[register]
        origin = -1 if register in self.carried else self.plan.trips - 1
        return names[(iteration - origin) % len(names)]

    def run(self) -> Pipelined | None:
        """The parts; None where addresses do not fit their immediates."""
        plan = self.plan
        first = (plan.stages - 1) * plan.interval
        turn = plan.copies * plan.interval
        end = first + plan.turns * turn
        last = max(plan.time) + (plan.trips - 1) * plan.interval + 1
        try:
            before = self._words(0, first, 0)
            places = self._places(first, turn)
            kernel = self._words(first, first + turn, places)
            after = self._words(end, last, plan.turns * plan.copies)
        except _TooFarError:
            return None
        return Pipelined([], before, kernel, plan.turns, turn + places.added, after, self._rest())

    def _rest(self) -> list[Instr]:
        """Operations behind the loop: steps of addresses not taken yet, values that ended in a copy."""
        plan = self.plan
        rest = []
        for induction in self.steps.values():
            left = (plan.trips - plan.turns * plan.copies) * induction.step
            if left and induction.register in self.live_out:
                rest.append(replace(induction.instr, imms={**induction.instr.imms, "s_imm": left}))
        for register in sorted(self.names, key=lambda r: r.number):
            final = self.name(register, plan.trips - 1)
            if register in self.live_out and final != register:
                rest.append(copy_of(register, final))
        return rest

    def _words(self, start: int, end: int, taken: int | StepPlaces) -> list[Word]:
        """The words of the times start…end.

        `taken` is how many iterations' steps the address registers have taken, or where a turn of the kernel takes its
        own.
        """
        words: dict[Place, Word] = {}
        for n, iteration, time in self._issued(start, end):
            copy = self._instance(n, iteration, time, taken)
            words.setdefault((time, 0), Word()).slots[copy.op.slot] = copy
        if isinstance(taken, StepPlaces):
            for register, place in taken.of.items():
                words.setdefault(place, Word()).slots["S"] = self._step(register)
        return [words[place] for place in sorted(words)]

    def _issued(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """(operation, iteration, time) of what issues in the times start…end."""
        plan = self.plan
        for n in range(len(plan.instrs)):
            low = max(0, -(-(start - plan.time[n]) // plan.interval))
            high = (end - 1 - plan.time[n]) // plan.interval
            if n not in plan.periodic:
                high = min(plan.trips - 1, high)
            for iteration in range(low, high + 1):
                yield n, iteration, plan.time[n] + iteration * plan.interval

    def _places(self, start: int, turn: int) -> StepPlaces:
        """Where a turn of the kernel takes the steps of its iterations."""
        plan = self.plan
        issued = list(self._issued(start, start + turn))
        loads = [(time, plan.busy[n]) for n, _, time in issued if plan.instrs[n].op.slot == "S"]
        return step_places(list(self.steps), start, turn, {time for _, _, time in issued}, loads)

    def _step(self, register: Reg) -> Instr:
        induction = self.steps[register]
        imms = {**induction.instr.imms, "s_imm": _fitting(induction.step * self.plan.copies)}
        return replace(induction.instr, imms=imms)

    def _instance(self, n: int, iteration: int, time: int, taken: int | StepPlaces) -> Instr:
        """Operation n of an iteration, on the copies of its registers and with what its address lacks."""
        instr = self.plan.instrs[n]
        regs = dict(instr.regs)
        for field, register in instr.regs.items():
            if register in self.names:
                reads = field != instr.op.writes
                previous = reads and self.writer[register] >= n
                regs[field] = self.name(register, iteration - 1 if previous else iteration)
        base = instr.regs.get("s_base")
        if base is not None and base in self.steps:
            induction = self.steps[base]
            steps = iteration + (induction.at <= n)
            if isinstance(taken, int):
                steps -= taken
            elif (time, 0) > taken.of[base]:
                steps -= self.plan.copies
            shifted = displaced(instr, induction.step * steps)
            if shifted is None:
                raise _TooFarError
            instr = shifted
        return replace(instr, regs=regs)


class _TooFarError(Exception):
    """An immediate that an address does not fit."""


def _fitting(value: int) -> int:
    low, high = siw.BIT_FIELD["s_imm"].bounds
    if not low <= value <= high:
        raise _TooFarError
    return value


def copy_of(target: Reg, source: Reg) -> Instr:
    """The operation that copies a register."""
    if target.bank is Bank.SCALAR:
        return Instr(siw.OP_BY_NAME["S", "ADDI"], {"s_reg": target, "s_base": source}, {"s_imm": 0})
    name = "MOV64" if target.bank is Bank.PAIR else "MOV"
    return Instr(siw.OP_BY_NAME["D", name], {"d_vd": target, "d_va": source})


def load_constant(register: Reg, value: int) -> list[Instr]:
    """Operations that set a scalar register to any signed 64-bit value, the most significant part first."""
    bits = siw.BIT_FIELD["s_imm"].bits
    low, high = siw.BIT_FIELD["s_imm"].bounds
    parts = [value]
    while not low <= parts[0] <= high:
        parts[0:1] = [parts[0] >> bits, parts[0] & ((1 << bits) - 1)]
    first, *others = parts
    sign = 1 << (bits - 1)
    operations = [Instr(siw.OP_BY_NAME["S", "LI"], {"s_reg": register}, {"s_imm": first})]
    low_parts = [{"s_imm": (part ^ sign) - sign} for part in others]
    return operations + [Instr(siw.OP_BY_NAME["S", "LIH"], {"s_reg": register}, imms) for imms in low_parts]
