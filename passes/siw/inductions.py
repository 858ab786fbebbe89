"""Address registers that a loop moves by a constant: the offset of each use goes into its immediate.

In a block, `ADDI p, p, step` can wait until the end when the operations behind it add the step themselves. In a loop
whose iterations overlap, a use in any iteration can work from any value of p, as the immediate makes up for the steps
between. What does not fit an immediate stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tfmbs.passes.siw.machine import ZERO, Bank, Instr, Item, Reg
from tfmbs.runtime.abi import siw

LOW, HIGH = siw.BIT_FIELD["s_imm"].bounds


@dataclass(frozen=True)
class Induction:
    """A register that one ADDI of a loop moves by `step`, behind the first `at` operations of the body."""

    register: Reg
    step: int
    at: int
    instr: Instr


def displaced(instr: Instr, amount: int) -> Instr | None:
    """The operation with `amount` added to its address; None where it does not fit."""
    imm = instr.imms.get("s_imm", 0) + amount
    if not LOW <= imm <= HIGH:
        return None
    return replace(instr, imms={**instr.imms, "s_imm": imm}) if amount else instr


def is_step(instr: Instr) -> bool:
    """Whether it is ADDI p, p, step."""
    return instr.op.name == "ADDI" and instr.regs["s_reg"] == instr.regs["s_base"] != ZERO


def only_base(instr: Instr, register: Reg) -> bool:
    """Whether an operation that reads a register has it as a base only: its immediate can make up for steps."""
    others = [name for name, r in instr.regs.items() if r == register and name not in ("s_base", instr.op.writes)]
    return "s_imm" in instr.op.uses and not others and not (instr.op.acc and instr.writes == register)


def inductions(body: Sequence[Instr]) -> list[Induction]:
    """The registers of a loop body that only one ADDI moves and that are only bases elsewhere."""
    writes: dict[Reg, list[int]] = {}
    for position, instr in enumerate(body):
        if instr.writes is not None and instr.writes.bank is Bank.SCALAR:
            writes.setdefault(instr.writes, []).append(position)
    found = []
    for register, positions in writes.items():
        instr = body[positions[0]]
        if len(positions) != 1 or not is_step(instr):
            continue
        if all(only_base(other, register) for other in body if other is not instr and register in other.reads):
            found.append(Induction(register, instr.imms.get("s_imm", 0), positions[0], instr))
    return found


def fold_steps(items: Sequence[Item]) -> list[Item]:
    """The program with the steps of a block put together at its end, where immediates can make up for that."""
    result: list[Item] = []
    block: list[Instr] = []
    for item in items:
        if isinstance(item, Instr) and item.op.name != "BREAK":
            block.append(item)
            continue
        result += _folded(block)
        block = []
        if not isinstance(item, Instr):
            item.body = fold_steps(item.body)
        result.append(item)
    return result + _folded(block)


def _folded(block: Sequence[Instr]) -> list[Instr]:
    pending: dict[Reg, tuple[int, Instr]] = {}  # steps not taken yet, and one of them
    result: list[Instr] = []

    def settle(register: Reg) -> None:
        amount, step = pending.pop(register)
        if amount:
            result.append(replace(step, imms={**step.imms, "s_imm": amount}))

    for instr in block:
        if is_step(instr):
            register = instr.regs["s_reg"]
            amount = instr.imms.get("s_imm", 0) + pending.get(register, (0, instr))[0]
            if not LOW <= amount <= HIGH:
                settle(register)
                amount = instr.imms.get("s_imm", 0)
            pending[register] = (amount, instr)
            continue
        result.append(_with_pending(instr, pending, settle))
    for register in list(pending):
        settle(register)
    return result


def _with_pending(instr: Instr, pending: dict[Reg, tuple[int, Instr]], settle: Callable[[Reg], None]) -> Instr:
    """The operation working from bases whose steps are not taken; settles those it cannot make up for."""
    for register in {r for r in instr.regs.values() if r in pending}:
        if register not in instr.reads:
            pending.pop(register)  # overwritten before anybody sees the steps
            continue
        moved = displaced(instr, pending[register][0]) if only_base(instr, register) else None
        if moved is None or instr.writes == register:
            settle(register)
        else:
            instr = moved
    return instr
