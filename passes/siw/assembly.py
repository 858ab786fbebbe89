"""The writer of programs on virtual registers: operations in written order, loops around them, constants before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tfmbs.passes.siw.machine import ZERO, Bank, CodegenError, Instr, Item, Loop, Reg, Skip, Touch
from tfmbs.passes.siw.size import Counted, Size
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.types import DType

IMM_LOW, IMM_HIGH = siw.BIT_FIELD["s_imm"].bounds
_LOW_BITS = siw.BIT_FIELD["s_imm"].bits


class Assembler:
    """Appends operations to a program; knows the constants made so far, the loops it is in and the current VL.

    `source` is that of the operations, loops and conditions that come next.
    """

    def __init__(self) -> None:
        self.prologue: list[Item] = []
        self.items: list[Item] = []
        self.vl: int | None = None
        self.source = -1
        self.depth = 0
        self._registers = 0
        self._loops = 0
        self._constants: dict[int, Reg] = {0: ZERO}
        self._strips: dict[tuple[Size, int], tuple[Reg, Reg]] = {}

    def register(self, bank: Bank) -> Reg:
        """A fresh virtual register."""
        self._registers += 1
        return Reg(bank, self._registers)

    def scalar(self) -> Reg:
        """A fresh scalar register."""
        return self.register(Bank.SCALAR)

    def vector(self, *, wide: bool) -> Reg:
        """A fresh vector register, of 64-bit lanes if `wide`."""
        return self.register(Bank.PAIR if wide else Bank.VECTOR)

    def instruction(self, slot: str, name: str, **fields: Reg | int | Touch | bool) -> Instr:
        """Operation `name` of `slot`, not yet in the program.

        `fields` go without their slot prefix, zeros may be left out; `touch` and `stream` are those of `Instr`.
        """
        prefix = slot.lower()
        touch, stream = fields.pop("touch", None), fields.pop("stream", False)
        assert touch is None or isinstance(touch, Touch)
        return Instr(
            siw.OP_BY_NAME[slot, name],
            {f"{prefix}_{key}": value for key, value in fields.items() if isinstance(value, Reg)},
            {f"{prefix}_{key}": _number(value) for key, value in fields.items() if isinstance(value, int | Size)},
            touch,
            bool(stream),
            self.source,
        )

    @contextmanager
    def at(self, source: int) -> Iterator[None]:
        """What is emitted inside comes from `source`; from where it came before if that is none."""
        outer = self.source
        self.source = outer if source < 0 else source
        yield
        self.source = outer

    def emit(self, slot: str, name: str, **fields: Reg | int | Touch | bool) -> None:
        """Appends an `instruction`."""
        self.items.append(self.instruction(slot, name, **fields))

    def compute(self, name: str, dtype: DType | None, vd: Reg, args: Sequence[Reg], aux: int = 0) -> None:
        """A D operation on vector registers."""
        operands = dict(zip(("va", "vb", "vc"), args, strict=False))
        self.emit("D", name, type=int(dtype or 0), vd=vd, aux=aux, **operands)

    def move(self, target: Reg, source: Reg) -> None:
        """target = source, of equal lanes; nothing where they are one register."""
        if target != source:
            self.compute("MOV64" if source.bank is Bank.PAIR else "MOV", None, target, (source,))

    def constant(self, value: int) -> Reg:
        """A scalar register that holds `value` throughout the program."""
        if value not in self._constants:
            if isinstance(value, Size) and not _is_immediate(value):
                self._constants[value] = self._polynomial(value)
            else:
                self._constants[value] = self.scalar()
                self.prologue.extend(self.immediate(self._constants[value], value))
        return self._constants[value]

    def _polynomial(self, size: Size) -> Reg:
        """A register that holds a run-time number that no immediate does, computed before all else."""
        total = ZERO
        for factor, powers in size.monomials:
            product = self.constant(factor)
            for number in powers:
                product = self._before("SMUL", product, self.constant(number))
            total = product if total == ZERO else self._before("SADD", total, product)
        return total

    def strips(self, size: Size, lanes: int) -> tuple[Reg, Reg]:
        """Registers that hold size / `lanes`, rounded down, and what is left over; computed before all else."""
        if (size, lanes) not in self._strips:
            vectors = [self.vector(wide=True) for _ in range(3)]
            full, wide = self.scalar(), int(DType.I64)
            sources = (self.constant(size), self.constant(lanes))
            self.prologue.append(self.instruction("C", "SETVL", imm=1))
            for vector, source in zip(vectors, sources, strict=False):
                self.prologue.append(
                    self.instruction("S", "INDEX", type=wide, reg=vector, base=source, index=ZERO, imm=0)
                )
            a, b, quotient = vectors
            self.prologue.append(self.instruction("D", "DIV", type=wide, vd=quotient, va=a, vb=b))
            self.prologue.append(self.instruction("S", "SGET", type=wide, reg=full, index=quotient))
            done = self._before("SMUL", full, sources[1])
            self._strips[size, lanes] = full, self._before("SSUB", sources[0], done)
        return self._strips[size, lanes]

    def _before(self, name: str, base: Reg, index: Reg) -> Reg:
        result = self.scalar()
        self.prologue.append(self.instruction("S", name, reg=result, base=base, index=index))
        return result

    def immediate(self, register: Reg, value: int) -> list[Item]:
        """S operations that set a scalar register to any signed 64-bit `value`, most significant part first."""
        if isinstance(value, Size):
            if _is_immediate(value):
                return [self.instruction("S", "LI", reg=register, imm=value)]
            return [self.instruction("S", "ADDI", reg=register, base=self.constant(value), imm=0)]
        parts = [value]
        while not IMM_LOW <= parts[0] <= IMM_HIGH:
            parts[0:1] = [parts[0] >> _LOW_BITS, parts[0] & ((1 << _LOW_BITS) - 1)]
        first, *rest = parts
        sign = 1 << (_LOW_BITS - 1)
        ops: list[Item] = [self.instruction("S", "LI", reg=register, imm=first)]
        ops += (self.instruction("S", "LIH", reg=register, imm=(part ^ sign) - sign) for part in rest)
        return ops

    def add(self, register: Reg, amount: int) -> None:
        """s[register] += amount."""
        if not isinstance(amount, Size) and IMM_LOW <= amount <= IMM_HIGH:
            self.emit("S", "ADDI", reg=register, base=register, imm=amount)
        else:
            self.emit("S", "SADD", reg=register, base=register, index=self.constant(amount))

    def set_vl(self, lanes: int) -> None:
        """Later operations work on `lanes` lanes."""
        if self.vl != lanes:
            if isinstance(lanes, Size | Counted):
                self.emit("C", "SETVLR", reg=self.constant(lanes) if isinstance(lanes, Size) else lanes.register)
            else:
                self.emit("C", "SETVL", imm=lanes)
            self.vl = lanes

    @contextmanager
    def loop(self, trips: int | Reg, lanes: int | None) -> Iterator[int | None]:
        """What is emitted inside runs `trips` times; gives the loop's id. No loop is made for one trip: None.

        `lanes` is the one VL that all of it works on; None: several, so that VL is unknown at its start and end.
        """
        if lanes is not None:
            self.set_vl(lanes)
        if trips == 1:
            yield None
            return
        known = None if isinstance(trips, Size | Reg) else trips
        count = trips if isinstance(trips, Reg) else self.constant(trips)
        with self._inside(Loop(self._loop_id(), count, known, source=self.source), lanes) as loop:
            assert isinstance(loop, Loop)
            yield loop.id

    @contextmanager
    def counted(self, count: Reg, trips: int | None = None) -> Iterator[int]:
        """What is emitted inside runs s[`count`] times; gives the loop's id. VL is unknown inside and after it."""
        with self._inside(Loop(self._loop_id(), count, trips, source=self.source), None) as loop:
            assert isinstance(loop, Loop)
            yield loop.id

    @contextmanager
    def skipped(self, condition: Reg) -> Iterator[None]:
        """What is emitted inside runs unless s[`condition`] is 0; VL is unknown after it."""
        outer, vl, skip = self.items, self.vl, Skip(condition, source=self.source)
        self.items = skip.body
        yield
        self.items = outer
        self.items.append(skip)
        if self.vl != vl:
            self.vl = None

    @contextmanager
    def _inside(self, item: Loop, lanes: int | None) -> Iterator[Loop]:
        if self.depth == siw.LOOP_DEPTH:
            raise CodegenError(f"more than {siw.LOOP_DEPTH} nested loops")
        outer, self.items, self.vl = self.items, item.body, lanes
        self.depth += 1
        yield item
        self.depth -= 1
        self.items, self.vl = outer, lanes
        self.items.append(item)

    def _loop_id(self) -> int:
        self._loops += 1
        return self._loops

    def finish(self) -> list[Item]:
        """The whole program, constants first."""
        return [*self.prologue, *self.items]


def _number(value: int) -> int:
    return value if isinstance(value, Size) else int(value)


def _is_immediate(size: Size) -> bool:
    low, high = size.bounds
    return low >= IMM_LOW and high <= IMM_HIGH
