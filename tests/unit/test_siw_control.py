"""Linear forms of loop counters in scalar registers: whatever moves, a register holds what its form says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from tfmbs.passes.siw.assembly import Assembler
from tfmbs.passes.siw.control import Control, Linear
from tfmbs.passes.siw.machine import ZERO, Instr, Item, Loop, Reg, Skip
from tfmbs.runtime.abi.siw import BIT_FIELD

IMM = BIT_FIELD["s_imm"].bits
SMALL = st.integers(-3, 3)
FAR = st.sampled_from([0, 1, -7, 1 << 16, -(1 << 20), 1 << 40])

SCALAR: dict[str, Callable[[int, int, int, int], int]] = {
    "LI": lambda old, base, index, imm: imm,
    "LIH": lambda old, base, index, imm: old << IMM | imm & ((1 << IMM) - 1),
    "ADDI": lambda old, base, index, imm: base + imm,
    "SADD": lambda old, base, index, imm: base + index,
    "SSUB": lambda old, base, index, imm: base - index,
    "SMUL": lambda old, base, index, imm: base * index,
}


@dataclass
class Machine:
    """Runs S operations in written order; `SMAX` of a register with itself shows what is in it."""

    registers: dict[Reg, int] = field(default_factory=lambda: {ZERO: 0})
    shown: list[int] = field(default_factory=list)

    def run(self, items: Sequence[Item]) -> None:
        for item in items:
            if isinstance(item, Loop):
                for _ in range(self.registers[item.count]):
                    self.run(item.body)
            elif isinstance(item, Skip):
                if self.registers[item.condition]:
                    self.run(item.body)
            else:
                self._execute(item)

    def _execute(self, instr: Instr) -> None:
        base, index = (self.registers[instr.regs.get(name, ZERO)] for name in ("s_base", "s_index"))
        if instr.op.name == "SMAX":
            self.shown.append(base)
            return
        target = instr.regs["s_reg"]
        old = self.registers.get(target, 0)
        self.registers[target] = SCALAR[instr.op.name](old, base, index, instr.imms.get("s_imm", 0))


def show(control: Control, form: Linear) -> None:
    register = control.register(form)
    control.asm.emit("S", "SMAX", reg=control.asm.scalar(), base=register, index=register)


@dataclass(frozen=True)
class Level:
    """A loop: where its counter starts beyond the one around it, its step, how often it runs, and forms to look at."""

    start: int
    step: int
    trips: int
    is_known: bool
    forms: list[list[int]]


LEVELS = st.lists(
    st.builds(
        Level,
        SMALL,
        st.integers(1, 3),
        st.integers(0, 3),
        st.booleans(),
        st.lists(st.lists(FAR, min_size=4, max_size=4), min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=3,
)


def emit(control: Control, levels: Sequence[Level], counters: list[Linear], given: Linear) -> None:
    """Nested loops that show forms of all counters so far, and of `given`, before and behind the loop inside."""
    if not levels:
        return
    level, *rest = levels
    start = (counters[-1] if counters else given).plus(Linear(level.start))
    count = Linear(level.trips) if level.is_known else given.times(0).plus(known_at_run_time(control, level.trips))
    step = level.step if level.is_known else known_at_run_time(control, level.step)
    with control.counted(start, step, count, (-(1 << 40), 1 << 40)) as counter:
        inside = [*counters, counter]
        for form in level.forms:
            show(control, combined(form, inside, given))
        emit(control, rest, inside, given)
        for form in reversed(level.forms):
            show(control, combined(form, inside, given))


def known_at_run_time(control: Control, value: int) -> Linear:
    register = control.asm.scalar()
    control.asm.emit("S", "LI", reg=register, imm=value)
    return control.atom(register)


def combined(form: Sequence[int], counters: Sequence[Linear], given: Linear) -> Linear:
    total = Linear(form[0]).plus(given.times(form[1]))
    for coefficient, counter in zip(form[2:], reversed(counters), strict=False):
        total = total.plus(counter.times(coefficient))
    return total


def expected(levels: Sequence[Level], counters: list[int], given: int, shown: list[int]) -> None:
    if not levels:
        return
    level, *rest = levels
    start = (counters[-1] if counters else given) + level.start
    for trip in range(level.trips):
        inside = [*counters, start + trip * level.step]
        values = [
            form[0] + given * form[1] + sum(c * i for c, i in zip(form[2:], reversed(inside), strict=False))
            for form in level.forms
        ]
        shown += values
        expected(rest, inside, given, shown)
        shown += values[::-1]


@given(LEVELS, SMALL)
def test_registers_hold_their_forms(levels: list[Level], number: int) -> None:
    asm = Assembler()
    control = Control(asm)
    emit(control, levels, [], known_at_run_time(control, number))
    machine = Machine()
    machine.run(asm.finish())
    shown: list[int] = []
    expected(levels, [], number, shown)
    assert machine.shown == shown


def test_a_loop_moves_a_pointer_by_one_addition() -> None:
    asm = Assembler()
    control = Control(asm)
    row = known_at_run_time(control, 3)
    with control.counted(Linear(), 1, Linear(10), (0, 9)) as i:
        for _ in range(3):
            control.base(row.times(64).plus(i.times(4)))
    (loop,) = (item for item in asm.items if isinstance(item, Loop))
    assert [item.op.name for item in loop.body if isinstance(item, Instr)] == ["ADDI"]


def test_code_under_a_condition_keeps_its_registers_to_itself() -> None:
    asm = Assembler()
    control = Control(asm)
    condition, n = known_at_run_time(control, 0), known_at_run_time(control, 5)
    with control.under(control.register(condition)):
        inner = control.operation("SMUL", n, n)
        show(control, inner)
    show(control, n.times(6))
    with control.under(control.register(n)):
        show(control, n.times(6).plus(Linear(1)))
    machine = Machine()
    machine.run(asm.finish())
    assert machine.shown == [30, 31]
