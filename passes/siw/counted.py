"""Pipelined loops that run a number of times known only when they run: turns of the kernel, and iterations left over.

N iterations are those of the words before and behind the kernel, T turns of `copies` each, and fewer than `copies` that
a loop of the body as it is runs behind them. Where N is too small for one turn, that loop runs all.
"""

from __future__ import annotations

from dataclasses import dataclass

from tfmbs.passes.siw.lanes import Lanes
from tfmbs.passes.siw.machine import ZERO, Bank, Instr, Reg
from tfmbs.passes.siw.modulo_phases import setvl
from tfmbs.passes.siw.schedule import Fresh
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.types import DType


@dataclass(frozen=True)
class Counts:
    """Operations that count: `before` all, and `inside` of what runs only where `enough` is not 0.

    s[`turns`] is how often the kernel runs, s[`left`] how many iterations are left to the loop behind it.
    """

    before: list[Instr]
    enough: Reg
    inside: list[Instr]
    turns: Reg
    left: Reg


def counts(count: Reg, outside: int, copies: int, vl: int | None, fresh: Fresh, lanes: Lanes) -> Counts:
    """The counts of a loop of s[`count`] iterations, `outside` of which are in words before and behind the kernel.

    `vl` is what VL has to be behind `inside`; None where that makes no difference.
    """
    enough, extra, turns, left = (fresh.like(count) for _ in range(4))
    before = [
        _scalar("ADDI", extra, count, imm=-(outside + copies - 1)),
        _scalar("SMAX", enough, extra, ZERO),
        _scalar("ADDI", left, count),
    ]
    inside = [_scalar("ADDI", turns, count, imm=-outside)]
    if copies == 1:
        inside.append(_scalar("ADDI", left, ZERO))
    else:
        total, done = (fresh.like(count) for _ in range(2))
        inside[0] = _scalar("ADDI", total, count, imm=-outside)
        inside += _quotient(turns, total, copies, fresh)
        inside += [Instr(_op("S", "LI"), {"s_reg": done}, {"s_imm": copies})]
        inside += [_scalar("SMUL", done, turns, done), _scalar("SSUB", left, total, done)]
    for instr in (*before, *inside):
        lanes.vl[instr] = 1
    if copies > 1 and vl is not None:
        inside.append(setvl(vl))
        lanes.vl[inside[-1]] = 1
    return Counts(before, enough, inside, turns, left)


def _quotient(target: Reg, dividend: Reg, divisor: int, fresh: Fresh) -> list[Instr]:
    """s[`target`] = s[`dividend`] / `divisor`, rounded to zero: by slot D, in one lane."""
    a, b = (fresh.like(Reg(Bank.PAIR, 0)) for _ in range(2))
    wide = int(DType.I64)
    return [
        setvl(1),
        Instr(_op("S", "INDEX"), {"s_reg": a, "s_base": dividend, "s_index": ZERO}, {"s_type": wide, "s_imm": 0}),
        Instr(_op("S", "INDEX"), {"s_reg": b, "s_base": ZERO, "s_index": ZERO}, {"s_type": wide, "s_imm": divisor}),
        Instr(_op("D", "DIV"), {"d_vd": a, "d_va": a, "d_vb": b}, {"d_type": wide, "d_aux": 0}),
        Instr(_op("S", "SGET"), {"s_reg": target, "s_index": a}, {"s_type": wide}),
    ]


def _scalar(name: str, target: Reg, base: Reg, index: Reg | None = None, imm: int = 0) -> Instr:
    regs = {"s_reg": target, "s_base": base} | ({} if index is None else {"s_index": index})
    return Instr(_op("S", name), regs, {} if index is not None else {"s_imm": imm})


def _op(slot: str, name: str) -> siw.Op:
    return siw.OP_BY_NAME[slot, name]
