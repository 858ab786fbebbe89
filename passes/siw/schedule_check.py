"""Checks that scheduled words do what the program says, knowing nothing of how they were made.

Both run: the program in written order on its virtual registers, and the words on the machine's. Scalars are real
numbers. A lane of a vector is not computed but named: by a 64-bit hash of the operation and of the lanes it depends on,
which two different computations do not share. If all windows then hold the same names in the same places, every hazard
between registers, VL, cursors and memory was respected, whatever the values are; spilled values find their way back
because a name stored is the name loaded. The words may not touch elements beyond the last that the program touches.
A scalar taken from a vector is its number where INDEX made the lane, or I64 divided such lanes; otherwise it is a small
number drawn from the name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tfmbs.passes.siw.machine import ZERO, Bank, Code, Instr, Item, Loop, Reg
from tfmbs.passes.siw.schedule_names import KEPT, Memory, Names, ScheduleError, mix, number_of, quotients, signed
from tfmbs.passes.siw.size import value_of
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.records import ProgramKind
from tfmbs.runtime.abi.siw_verify import decode_program, verify_program
from tfmbs.runtime.abi.types import DType

MOST_STEPS = 1 << 22
"""Operations or words of one run that are followed before the check is refused as too long."""

_EPILOGUE_VL = 100
_EPILOGUE_SCALARS = {
    siw.EPILOGUE_ELEMENT: 3000,
    siw.EPILOGUE_CHANNEL: 40,
    siw.EPILOGUE_CHANNEL_STEP: 1,
    siw.EPILOGUE_ONE: 1,
}
_SAME = frozenset(33 * dtype for dtype in KEPT)  # 32 * type + aux of CVT


def check_schedule(code: Code, words: Sequence[bytes], windows: int, max_steps: int, kind: ProgramKind) -> None:
    """Raises ScheduleError for words that store other bytes than `code`; TfmbsError for words that are not valid.

    `windows` counts those of the code and, behind them, windows for spilled values, which are not compared.
    """
    verify_program(words, kind, windows, max_steps, "schedule")
    epilogue = kind is ProgramKind.EPILOGUE
    written, executed = _Written(epilogue), _Executed(epilogue)
    written.run(code.items)
    executed.run(words)
    _compare(written.memory, executed.memory, code.windows)
    if epilogue:
        outcome = next((r for r in written.vectors if r.bank is Bank.VECTOR and r.fixed == 0), None)
        if outcome is not None and (written.vectors[outcome] != executed.file[0])[:_EPILOGUE_VL].any():
            raise ScheduleError("the words leave another result in v0 than the program")


def _compare(written: Memory, executed: Memory, windows: int) -> None:
    for window in range(windows):
        reach, allowed = executed.reach.get(window, 0), written.reach.get(window, 0)
        if reach > allowed:
            raise ScheduleError(
                f"element {reach - 1} of window {window} is touched, the program's last is {allowed - 1}"
            )
        size = max(written.size(window), executed.size(window))
        expected, got = written.window(window, size)[:size], executed.window(window, size)[:size]
        different = np.flatnonzero(expected != got)
        if different.size:
            raise ScheduleError(
                f"{different.size} elements of window {window} differ from what the program stores, "
                f"first element {different[0]}"
            )


@dataclass
class _Operands:
    """What one operation reads, and its immediate fields."""

    vectors: dict[str, Names]
    scalars: dict[str, int]
    imms: Mapping[str, int]

    def imm(self, name: str) -> int:
        return value_of(self.imms.get(name, 0))


class _Machine:
    """The meaning of operations on names; VL, memory and cursors."""

    def __init__(self, epilogue: bool) -> None:
        self.memory = Memory()
        self.vl = _EPILOGUE_VL if epilogue else siw.VLMAX
        self.left = MOST_STEPS

    def step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise ScheduleError(f"more than {MOST_STEPS} steps to follow")

    def vector(self, op: siw.Op, o: _Operands) -> tuple[Names, int]:
        """The first lanes of the vector that an operation writes, and how many they are."""
        vl, name, dtype = self.vl, op.name, o.imm(f"{op.slot.lower()}_type")
        if name in ("LD", "GATHER", "GATHER64"):
            return self.memory.load(o.imm("s_win"), self._places(op, o), dtype), vl
        if name == "RECV":
            return self.memory.load(o.imm("c_src"), self._next("RECV", o.imm("c_src")), dtype), vl
        if name == "INDEX":
            first = o.scalars["s_base"] + o.imm("s_imm")
            return (first + np.arange(vl, dtype=np.int64) * o.scalars["s_index"]).astype(np.uint64), vl
        return self._computed(op, o, 32 * dtype + o.imm("d_aux" if op.slot == "D" else "c_aux"))

    def _computed(self, op: siw.Op, o: _Operands, number: int) -> tuple[Names, int]:
        """The same for operations on registers; `number` stands for type and aux."""
        vl, name = self.vl, op.name
        kind = {"CAST": "CVT", "REDUCE": "RED", "MOV64": "MOV", "SEL64": "SEL", "LAST64": "LAST"}.get(name, name)
        operands = [o.vectors[f] for f in op.vectors if f != op.writes]
        if kind == "MOV" or (kind == "CVT" and number in _SAME):  # to the type it has: the bits stay
            return operands[0][:vl], vl
        if kind in ("RED", "TPOP"):
            return self._partials(o.vectors[op.writes], operands[0], kind, number)
        if kind == "FOLD":
            names = mix("FOLD", number, *(operands[0][n : n + 1] for n in range(siw.REDUCTION_LANES)))
            return np.repeat(names, siw.VLMAX), siw.VLMAX
        if kind == "LAST":
            return np.repeat(operands[0][vl - 1 : vl], siw.VLMAX), siw.VLMAX
        if kind == "SCAN":
            carry = mix("carry", 0, operands[1][:1])
            terms = mix("term", 0, operands[0][:vl], np.arange(vl, dtype=np.uint64))
            return mix("SCAN", number, np.cumsum(terms, dtype=np.uint64) + carry), vl
        lanes = [operand[:vl] for operand in ([o.vectors[op.writes]] if op.acc else []) + operands]
        whole = kind == "DIV" and number == 32 * DType.I64
        return quotients(number, *lanes) if whole else mix(kind, number, *lanes), vl

    def _partials(self, before: Names, operand: Names, kind: str, number: int) -> tuple[Names, int]:
        partials = before[: siw.REDUCTION_LANES].copy()
        for first in range(0, self.vl, siw.REDUCTION_LANES):
            lanes = operand[first : min(first + siw.REDUCTION_LANES, self.vl)]
            partials[: lanes.size] = mix(kind, number, partials[: lanes.size], lanes)
        return partials, siw.REDUCTION_LANES

    def store(self, op: siw.Op, o: _Operands) -> None:
        """Executes an operation that writes to a window."""
        if op.name == "SEND":
            window = o.imm("c_src")
            self.memory.store(window, self._next("SEND", window), o.imm("c_type"), o.vectors["c_reg"][: self.vl])
        else:
            names = o.vectors["s_reg"][: self.vl]
            self.memory.store(o.imm("s_win"), self._places(op, o), o.imm("s_type"), names)

    def _places(self, op: siw.Op, o: _Operands) -> NDArray[np.int64]:
        first = o.scalars["s_base"] + o.imm("s_imm")
        if "s_index" in op.vectors:
            places = [number_of(name, 1009) for name in o.vectors["s_index"][: self.vl]]
            return first + np.array(places, np.int64)
        return first + np.arange(self.vl, dtype=np.int64) * o.scalars["s_index"]

    def _next(self, name: str, window: int) -> NDArray[np.int64]:
        first = self.memory.cursors.get((name, window), 0)
        self.memory.cursors[name, window] = first + self.vl
        return first + np.arange(self.vl, dtype=np.int64)

    def scalar(self, op: siw.Op, o: _Operands, before: int) -> int:
        """The scalar that an operation writes; `before` is the register's old value."""
        if op.name == "SGET":
            return number_of(o.vectors["s_index"][0], 5)
        base, index, imm = o.scalars.get("s_base", 0), o.scalars.get("s_index", 0), o.imm("s_imm")
        results = {
            "LI": imm,
            "LIH": before << 17 | (imm & 0x1FFFF),
            "ADDI": base + imm,
            "SADD": base + index,
            "SSUB": base - index,
            "SMUL": base * index,
            "SMIN": min(base, index),
            "SMAX": max(base, index),
        }
        return signed(results[op.name])

    def new_vl(self, op: siw.Op, imm: int, scalar: int) -> int:
        """VL behind SETVL or SETVLR."""
        return imm if op.name == "SETVL" else min(max(scalar, 1), siw.VLMAX)


class _LoopEndError(Exception):
    """The innermost loop ends."""


class _Written(_Machine):
    """Runs a program in written order."""

    def __init__(self, epilogue: bool) -> None:
        super().__init__(epilogue)
        self.vectors: dict[Reg, Names] = {}
        self.scalars: dict[Reg, int] = {}

    def run(self, items: Sequence[Item]) -> None:
        for item in items:
            if isinstance(item, Instr):
                self._instr(item)
            elif isinstance(item, Loop):
                self._loop(item)
            elif self._scalar(item.condition):
                self.run(item.body)

    def _loop(self, loop: Loop) -> None:
        try:
            for _ in range(self._scalar(loop.count)):
                self.run(loop.body)
        except _LoopEndError:
            pass

    def _scalar(self, register: Reg) -> int:
        start = _EPILOGUE_SCALARS.get(register.fixed, 0) if register.fixed is not None else 0
        return 0 if register == ZERO else self.scalars.get(register, start)

    def _vector(self, register: Reg) -> Names:
        if register not in self.vectors:
            number = -1 if register.fixed is None else register.fixed
            self.vectors[register] = mix("start", number, np.arange(siw.VLMAX, dtype=np.uint64))
        return self.vectors[register]

    def _instr(self, instr: Instr) -> None:
        self.step()
        op = instr.op
        vectors = {f: self._vector(r) for f, r in instr.regs.items() if r.bank is not Bank.SCALAR}
        scalars = {f: self._scalar(r) for f, r in instr.regs.items() if r.bank is Bank.SCALAR}
        operands = _Operands(vectors, scalars, instr.imms)
        if op.is_store:
            self.store(op, operands)
        elif op.name in ("SETVL", "SETVLR"):
            self.vl = self.new_vl(op, instr.imms.get("c_imm", 0), scalars.get("c_reg", 0))
        elif op.name == "BREAK":
            if scalars["c_reg"] == 0:
                raise _LoopEndError
        elif op.writes and op.writes in op.vectors:
            names, lanes = self.vector(op, operands)
            target = self._vector(instr.regs[op.writes]).copy()
            target[:lanes] = names
            self.vectors[instr.regs[op.writes]] = target
        elif op.writes:
            target_register = instr.regs[op.writes]
            self.scalars[target_register] = self.scalar(op, operands, self._scalar(target_register))


class _Executed(_Machine):
    """Runs words: all slots of a word read before any writes."""

    def __init__(self, epilogue: bool) -> None:
        super().__init__(epilogue)
        lanes = np.arange(siw.VLMAX, dtype=np.uint64)
        self.file = [mix("start", n if epilogue and n == 0 else -2, lanes) for n in range(siw.VECTOR_REGISTERS)]
        self.numbers = [0] * siw.SCALAR_REGISTERS
        if epilogue:
            for register, value in _EPILOGUE_SCALARS.items():
                self.numbers[register] = value

    def run(self, encoded: Sequence[bytes]) -> None:
        words = [(w.fields, {slot.op.slot: slot.op for slot in w.slots}) for w in decode_program(encoded, "schedule")]
        loops: list[list[int]] = []  # first and last word, and trips left
        at = 0
        while at < len(words):
            self.step()
            at = self._word(*words[at], at, loops)
            while loops and at == loops[-1][1] + 1:
                loops[-1][2] -= 1
                if loops[-1][2] > 0:
                    at = loops[-1][0]
                    break
                loops.pop()

    def _word(self, fields: Mapping[str, int], ops: Mapping[str, siw.Op], at: int, loops: list[list[int]]) -> int:
        """Executes a word; returns the next one."""
        control, condition = ops["C"], self.numbers[fields["c_reg"]]
        for write in list(self._writes(fields, ops)):
            write()
        if control.name == "LOOP":
            if condition < 1:
                return at + 1 + fields["c_imm"]
            loops.append([at + 1, at + fields["c_imm"], condition])
        elif control.name == "SKIP" and condition == 0:
            return at + 1 + fields["c_imm"]
        elif control.name == "BREAK" and condition == 0:
            return loops.pop()[1] + 1
        return at + 1

    def _writes(self, fields: Mapping[str, int], ops: Mapping[str, siw.Op]) -> Iterator[Callable[[], None]]:
        """Evaluates every slot; what it writes waits until all have read."""
        for op in ops.values():
            vectors = {f: self._vector(op, f, fields) for f in op.vectors}
            scalars: dict[str, int] = {f: self.numbers[fields[f]] for f in ("s_base", "s_index") if f in op.uses}
            operands = _Operands(vectors, scalars, fields)
            if op.is_store:
                self.store(op, operands)
            elif op.name in ("SETVL", "SETVLR"):
                yield partial(setattr, self, "vl", self.new_vl(op, fields["c_imm"], self.numbers[fields["c_reg"]]))
            elif op.writes and op.writes in op.vectors:
                names, lanes = self.vector(op, operands)
                wide = op.lane_bits(op.writes, fields) == 64
                yield partial(self._write, fields[op.writes], names, lanes, wide)
            elif op.writes:
                register = fields[op.writes]
                value = self.scalar(op, operands, self.numbers[register])
                yield partial(self.numbers.__setitem__, register, value)

    def _vector(self, op: siw.Op, name: str, fields: Mapping[str, int]) -> Names:
        low = self.file[fields[name]]
        if op.lane_bits(name, fields) == 32:
            return low
        high = self.file[fields[name] + 1]
        return np.where(high == mix("high", 0, low), low, mix("torn", 0, low, high))

    def _write(self, register: int, names: Names, lanes: int, wide: bool) -> None:
        """Lane i of a pair is in lane i of its first register here; the second one says that both belong together."""
        self.file[register] = np.concatenate([names[:lanes], self.file[register][lanes:]])
        if wide:
            high = self.file[register + 1]
            self.file[register + 1] = np.concatenate([mix("high", 0, names[:lanes]), high[lanes:]])
