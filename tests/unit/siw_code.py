"""Programs on virtual registers for tests of the back end: a few words to write them, kernels, and random ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from tfmbs.passes.siw.backend import Program, compile_code
from tfmbs.passes.siw.machine import ZERO, Bank, Code, Instr, Item, Loop, Reg, Skip, Touch
from tfmbs.passes.siw.schedule_check import check_schedule
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.records import ProgramKind
from tfmbs.runtime.abi.siw_timing import Timing
from tfmbs.runtime.abi.target_file import load_target
from tfmbs.runtime.abi.types import DType

TIMING = Timing.of(load_target("kpu-16x16").vector)
F32, F64, I32, I8 = DType.F32, DType.F64, DType.I32, DType.I8
INPUT, PAIRS, SHARED, OTHER, OUTPUT, OUTPUT_PAIRS = range(6)


def instr(slot: str, name: str, touch: Touch | None = None, *, stream: bool = False, **operands: Reg | int) -> Instr:
    """An operation; `operands` by field without the slot's prefix."""
    prefix = slot.lower()
    regs = {f"{prefix}_{key}": value for key, value in operands.items() if isinstance(value, Reg)}
    imms = {f"{prefix}_{key}": int(value) for key, value in operands.items() if not isinstance(value, Reg)}
    return Instr(siw.OP_BY_NAME[slot, name], regs, imms, touch, stream)


def compiled(code: Code, kind: ProgramKind = ProgramKind.VECTOR, timing: Timing = TIMING) -> Program:
    """The program's words, which the verifiers of programs and of schedules accept."""
    program = compile_code(code, timing, kind)
    check_schedule(code, program.words, program.windows, program.max_steps, kind)
    return program


@dataclass
class Kernel:
    """A loop over windows: trip i works on `vl` elements from i * `vl` on."""

    trips: int
    vl: int = siw.VLMAX
    body: list[Item] = field(default_factory=list)
    after: list[Item] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._numbers = 0
        self.one, self.count, self.pointer = (self.reg(Bank.SCALAR) for _ in range(3))
        self.before: list[Item] = [
            instr("S", "LI", reg=self.one, imm=1),
            instr("S", "LI", reg=self.count, imm=self.trips),
            instr("S", "LI", reg=self.pointer, imm=0),
            instr("C", "SETVL", imm=self.vl),
        ]

    def reg(self, bank: Bank = Bank.VECTOR) -> Reg:
        """A new register."""
        self._numbers += 1
        return Reg(bank, self._numbers)

    def load(self, window: int, offset: int = 0, dtype: DType = F32, *, stream: bool = False) -> Reg:
        """Loads a vector in every trip."""
        result = self.reg()
        touch = Touch(window, offset, ((0, self.vl),), 1)
        operands = {"reg": result, "win": window, "base": self.pointer, "index": self.one, "imm": offset}
        self.body.append(instr("S", "LD", touch, stream=stream, type=dtype, **operands))
        return result

    def store(self, window: int, value: Reg, offset: int = 0, dtype: DType = F32, *, stream: bool = False) -> None:
        """Stores a vector in every trip."""
        touch = Touch(window, offset, ((0, self.vl),), 1)
        operands = {"reg": value, "win": window, "base": self.pointer, "index": self.one, "imm": offset}
        self.body.append(instr("S", "ST", touch, stream=stream, type=dtype, **operands))

    def constant(self, window: int, element: int = 0) -> Reg:
        """A vector of one element of a window, loaded before the loop."""
        result = self.reg()
        touch = Touch(window, element, (), 0)
        operands = {"reg": result, "win": window, "base": ZERO, "index": ZERO, "imm": element}
        self.before.append(instr("S", "LD", touch, type=F32, **operands))
        return result

    def compute(self, name: str, *args: Reg, to: Reg | None = None, dtype: DType | None = F32, aux: int = 0) -> Reg:
        """An operation of slot D in every trip."""
        result = to or self.reg()
        operands: dict[str, Reg | int] = dict(zip(("va", "vb", "vc"), args, strict=False))
        if dtype is not None:
            operands["type"] = dtype
        if siw.OP_BY_NAME["D", name].aux:
            operands["aux"] = aux
        self.body.append(instr("D", name, vd=result, **operands))
        return result

    def code(self, windows: int) -> Code:
        """The program."""
        step = instr("S", "ADDI", reg=self.pointer, base=self.pointer, imm=self.vl)
        loop = Loop(0, self.count, self.trips, [*self.body, step])
        return Code([*self.before, loop, *self.after], windows)


def axpy(trips: int = 100, vl: int = siw.VLMAX, *, stream: bool = False) -> Code:
    """Window 3 = a * window 0 + window 1, a in window 2."""
    k = Kernel(trips, vl)
    a, x, y = k.constant(2), k.load(0, stream=stream), k.load(1, stream=stream)
    k.store(3, k.compute("FMA", x, a, y), stream=stream)
    return k.code(4)


def dot(trips: int = 100, *, stream: bool = False) -> Code:
    """Window 3 = sum of window 0 * window 1, by partials that start as window 2."""
    k = Kernel(trips)
    partials, total = k.reg(), k.reg()
    k.before.append(instr("S", "LD", Touch(2, 0, (), 1), type=F32, reg=partials, win=2, base=ZERO, index=k.one, imm=0))
    k.compute("RED", k.compute("MUL", k.load(0, stream=stream), k.load(1, stream=stream)), to=partials)
    k.after = [
        instr("D", "FOLD", type=F32, vd=total, va=partials, aux=0),
        instr("S", "ST", Touch(3, 0, (), 0), type=F32, reg=total, win=3, base=ZERO, index=ZERO, imm=0),
    ]
    return k.code(4)


def stencil(trips: int = 100) -> Code:
    """Window 1 = three neighbours of window 0, weighted by window 2."""
    k = Kernel(trips)
    weights = [k.constant(2, n) for n in range(3)]
    left, middle, right = (k.load(0, n) for n in range(3))
    total = k.compute("FMA", middle, weights[1], k.compute("MUL", left, weights[0]))
    k.store(1, k.compute("FMA", right, weights[2], total), stream=True)
    return k.code(3)


def softmax_rows(trips: int = 100, columns: int = 128) -> Code:
    """One row a trip: window 1 = softmax of window 0; window 2 has the identities of maximum and sum."""
    k = Kernel(trips, columns)
    least, zero = k.constant(2), k.constant(2, 1)
    x = k.load(0, stream=True)
    largest = k.compute("MOV", least, dtype=None)
    k.compute("RED", x, to=largest, aux=siw.Reduce.MAX)
    shifted = k.compute("SUB", x, k.compute("FOLD", largest, aux=siw.Reduce.MAX))
    e = k.compute("EXP", shifted)
    total = k.compute("MOV", zero, dtype=None)
    k.compute("RED", e, to=total)
    k.store(1, k.compute("DIV", e, k.compute("FOLD", total)), stream=True)
    return k.code(3)


@dataclass
class RandomCode:
    """A random program on `vectors` and `pairs` registers, which it stores at its end; so every write may matter."""

    seed: int
    vectors: int = 12
    pairs: int = 4
    length: int = 30
    vls: Sequence[int] = (512, 100, 7)

    def __post_init__(self) -> None:
        self.r = random.Random(self.seed)
        self.v = [Reg(Bank.VECTOR, n) for n in range(self.vectors)]
        self.p = [Reg(Bank.PAIR, 1000 + n) for n in range(self.pairs)]
        self.numbers, self.loops = 2000, 0
        self.one = self.scalar()

    def scalar(self) -> Reg:
        self.numbers += 1
        return Reg(Bank.SCALAR, self.numbers)

    def code(self) -> Code:
        """The program: all registers loaded, random items, all registers stored."""
        items: list[Item] = [instr("S", "LI", reg=self.one, imm=1)]
        items += self.every("LD", INPUT, PAIRS)
        items += self.items(2, self.length, [])
        items.append(instr("C", "SETVL", imm=siw.VLMAX))
        return Code(items + self.every("ST", OUTPUT, OUTPUT_PAIRS), OUTPUT_PAIRS + 1)

    def every(self, name: str, window: int, pair_window: int) -> list[Item]:
        kinds = [(self.v, F32, window), (self.p, F64, pair_window)]
        return [
            self.access(name, w, n * siw.VLMAX, [], register, dtype)
            for registers, dtype, w in kinds
            for n, register in enumerate(registers)
        ]

    def access(
        self,
        name: str,
        window: int,
        offset: int,
        pointers: Sequence[tuple[Reg, int, int]],
        register: Reg,
        dtype: DType = F32,
    ) -> Instr:
        base, terms = ZERO, ()
        if pointers and self.r.random() < 0.7:
            base, loop, step = self.r.choice(pointers)
            terms = ((loop, step),)
        touch = Touch(window, offset, terms, 1)
        operands = {"type": dtype, "reg": register, "win": window, "base": base, "index": self.one, "imm": offset}
        return instr("S", name, touch, **operands)

    def items(self, depth: int, count: int, pointers: Sequence[tuple[Reg, int, int]]) -> list[Item]:
        made: list[Item] = []
        for _ in range(count):
            made += self.item(depth, pointers)
        return made

    def item(self, depth: int, pointers: Sequence[tuple[Reg, int, int]]) -> list[Item]:
        draw = self.r.random()
        if draw < 0.58:
            return [self.computation()]
        if draw < 0.62:
            return [instr("C", "SETVL", imm=self.r.choice(self.vls))]
        if draw < 0.87:
            return [self.memory(pointers)]
        if not depth:
            return []
        if draw < 0.94:
            return self.loop(depth - 1, pointers)
        condition = self.scalar()
        body = self.items(depth - 1, self.r.randint(1, 5), pointers)
        return [instr("S", "SGET", type=I32, reg=condition, index=self.r.choice(self.v)), Skip(condition, body)]

    def memory(self, pointers: Sequence[tuple[Reg, int, int]]) -> Instr:
        r = self.r
        name = r.choice(["LD"] * 4 + ["ST"] * 4 + ["GATHER", "SCATTER"])
        window = r.choice([SHARED, OTHER] + [INPUT] * (name == "LD"))
        if name in ("LD", "ST"):
            return self.access(name, window, r.choice([0, 0, 5, 256, 512, 1024]), pointers, r.choice(self.v))
        operands = {"reg": r.choice(self.v), "win": window, "base": ZERO, "index": r.choice(self.v), "imm": 0}
        return instr("S", name, Touch(window, 0, None), type=F32, **operands)

    def computation(self) -> Instr:
        r, v = self.r, lambda: self.r.choice(self.v)
        if r.random() < 0.6:
            return instr("D", r.choice(["ADD", "MUL", "SUB"]), type=F32, vd=v(), va=v(), vb=v())
        choices = [
            instr("D", "EXP", type=F32, vd=v(), va=v()),
            instr("D", "SQRT", type=F32, vd=v(), va=v()),
            instr("D", "RED", type=F32, vd=v(), va=v(), aux=0),
            instr("D", "FOLD", type=F32, vd=v(), va=v(), aux=0),
            instr("D", "MOV", vd=v(), va=v()),
            instr("D", "SCAN", type=F32, vd=v(), va=v(), vb=v(), aux=0),
            instr("D", "CVT", type=I32, vd=v(), va=v(), aux=F32),
        ]
        if self.p:
            sum_, left, right, made, given = (r.choice(self.p) for _ in range(5))
            choices.append(instr("D", "ADD", type=F64, vd=sum_, va=left, vb=right))
            choices.append(instr("D", "CVT", type=F64, vd=made, va=v(), aux=F32))
            choices.append(instr("D", "CVT", type=F32, vd=v(), va=given, aux=F64))
        return r.choice(choices)

    def loop(self, depth: int, pointers: Sequence[tuple[Reg, int, int]]) -> list[Item]:
        r, count, pointer = self.r, self.scalar(), self.scalar()
        self.loops += 1
        number, trips, step = self.loops, r.choice([1, 2, 3, 5, 7, 9, 12, 20]), r.choice([512, 256, 16, 1])
        inner = 0 if r.random() < 0.7 else depth
        body = self.items(inner, r.randint(3, 9), [*pointers, (pointer, number, step)])
        if r.random() < 0.15:
            condition = self.scalar()
            at = r.randint(0, len(body))
            get = instr("S", "SGET", type=I32, reg=condition, index=r.choice(self.v))
            body[at:at] = [get, instr("C", "BREAK", reg=condition)]
        body.append(instr("S", "ADDI", reg=pointer, base=pointer, imm=step))
        known = trips if r.random() < 0.8 else None
        start = [instr("S", "LI", reg=count, imm=trips), instr("S", "LI", reg=pointer, imm=0)]
        return [*start, Loop(number, count, known, body)]
