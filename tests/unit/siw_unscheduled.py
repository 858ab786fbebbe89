"""Runs code before scheduling: one operation per word, in written order, on as many registers as it names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.conformance.siw_model import Machine
from tfmbs.passes.siw.machine import Bank, Code, Instr, Item, Loop, Reg, instructions
from tfmbs.runtime.abi import siw

Word = dict[str, int]


def run_unscheduled(code: Code, windows: Sequence[NDArray[Any]]) -> None:
    """Executes `code` on its windows, which it changes."""
    numbers = _numbers(code)
    machine = Machine([*windows])
    machine.file = np.zeros((2 * len(numbers) + 2) * siw.VLMAX, np.uint32)
    machine.scalars = [0] * (len(numbers) + 1)
    machine.run([*_words(code.items, numbers), {"c_op": siw.OP_BY_NAME["C", "END"].code}])


def _numbers(code: Code) -> dict[Reg, int]:
    numbers: dict[Reg, int] = {}
    scalar, vector = 1, 2
    for instr in instructions(code.items):
        for reg in instr.regs.values():
            if reg not in numbers and reg.fixed is not None:
                numbers[reg] = reg.fixed
            elif reg not in numbers and reg.bank is Bank.SCALAR:
                numbers[reg], scalar = scalar, scalar + 1
            elif reg not in numbers:
                numbers[reg], vector = vector, vector + 2
    return numbers


def _words(items: Sequence[Item], numbers: dict[Reg, int]) -> Iterator[Word]:
    for item in items:
        if isinstance(item, Instr):
            fields = {name: numbers[reg] for name, reg in item.regs.items()}
            yield {f"{item.op.slot.lower()}_op": item.op.code, **fields, **item.imms}
            continue
        body = list(_words(item.body, numbers))
        name, register = ("LOOP", item.count) if isinstance(item, Loop) else ("SKIP", item.condition)
        yield {"c_op": siw.OP_BY_NAME["C", name].code, "c_reg": numbers[register], "c_imm": len(body)}
        yield from body
