"""Programs before scheduling: slot operations in written order, hardware loops, and the registers they use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.types import DType

IMM_LOW, IMM_HIGH = siw.BIT_FIELD["s_imm"].bounds
_LOW_BITS = siw.BIT_FIELD["s_imm"].bits


class CodegenError(Exception):
    """Vector code that cannot be generated; the text says what is exceeded or missing."""


@dataclass(frozen=True)
class Slot:
    """One operation of one slot, with its encoded operand fields."""

    op: siw.Op
    fields: dict[str, int]


@dataclass
class Loop:
    """`body` runs s[`count_register`] times, that is `trips` times."""

    count_register: int
    trips: int
    body: list[Slot | Loop] = field(default_factory=list)


@dataclass
class VectorRegisters:
    """Vector registers in use. The one that is free for longest is handed out, which keeps false dependences rare."""

    free: list[int] = field(default_factory=lambda: list(range(siw.VECTOR_REGISTERS)))

    def take(self) -> int:
        """A register. Raises CodegenError when all are in use."""
        if not self.free:
            raise CodegenError(f"more than {siw.VECTOR_REGISTERS} vector values are live at once")
        return self.free.pop(0)

    def give(self, register: int) -> None:
        """`register` holds nothing of use any more."""
        self.free.append(register)


class Assembler:
    """Appends operations to a program; knows the scalar constants loaded so far and the current VL."""

    def __init__(self, reserved: int = 0) -> None:
        """`reserved` scalar registers behind s0 belong to the caller of the program."""
        self.prologue: list[Slot | Loop] = []
        self.items: list[Slot | Loop] = []
        self.vectors = VectorRegisters()
        self.vl: int | None = None
        self._next_scalar = 1 + reserved
        self._depth = 0
        self._constants: dict[int, int] = {0: 0}

    def emit(self, slot: str, name: str, **fields: int) -> None:
        """Appends operation `name` of `slot`; `fields` without their slot prefix, zeros may be left out."""
        prefix = slot.lower()
        self.items.append(Slot(siw.OP_BY_NAME[slot, name], {f"{prefix}_{key}": value for key, value in fields.items()}))

    def compute(self, name: str, dtype: DType | None, vd: int, args: Sequence[int], aux: int = 0) -> None:
        """A D operation on vector registers."""
        operands = dict(zip(("va", "vb", "vc"), args, strict=False))
        self.emit("D", name, type=int(dtype or 0), vd=vd, aux=aux, **operands)

    def scalar(self) -> int:
        """A fresh scalar register. Raises CodegenError when none is left."""
        if self._next_scalar == siw.SCALAR_REGISTERS:
            raise CodegenError(f"more than {siw.SCALAR_REGISTERS - 1} scalar values are needed")
        self._next_scalar += 1
        return self._next_scalar - 1

    def constant(self, value: int) -> int:
        """A scalar register that holds `value` throughout the program."""
        if value not in self._constants:
            self._constants[value] = self.scalar()
            self.prologue.extend(load_immediate(self._constants[value], value))
        return self._constants[value]

    def add(self, register: int, amount: int) -> None:
        """s[register] += amount."""
        if IMM_LOW <= amount <= IMM_HIGH:
            self.emit("S", "ADDI", reg=register, base=register, imm=amount)
        else:
            self.emit("S", "SADD", reg=register, base=register, index=self.constant(amount))

    def set_vl(self, lanes: int) -> None:
        """Later operations work on `lanes` lanes."""
        if self.vl != lanes:
            self.emit("C", "SETVL", imm=lanes)
            self.vl = lanes

    @contextmanager
    def loop(self, trips: int, lanes: int | None) -> Iterator[None]:
        """What is emitted inside runs `trips` times; no loop is made for one.

        `lanes` is the one VL that all of it works on; None: several, so that VL is unknown at its start and end.
        """
        if lanes is not None:
            self.set_vl(lanes)
        if trips == 1:
            yield
            return
        if self._depth == siw.LOOP_DEPTH:
            raise CodegenError(f"more than {siw.LOOP_DEPTH} nested loops")
        outer, loop = self.items, Loop(self.constant(trips), trips)
        self.items = loop.body
        self.vl = lanes
        self._depth += 1
        yield
        self._depth -= 1
        self.items = outer
        self.items.append(loop)
        self.vl = lanes

    def finish(self) -> list[Slot | Loop]:
        """The whole program, scalar constants first."""
        return [*self.prologue, *self.items]


def load_immediate(register: int, value: int) -> list[Slot | Loop]:
    """S operations that set a scalar register to any signed 64-bit `value`, most significant part first."""
    parts = [value]
    while not IMM_LOW <= parts[0] <= IMM_HIGH:
        parts[0:1] = [parts[0] >> _LOW_BITS, parts[0] & ((1 << _LOW_BITS) - 1)]
    first, *rest = parts
    ops: list[Slot | Loop] = [Slot(siw.OP_BY_NAME["S", "LI"], {"s_reg": register, "s_imm": first})]
    sign = 1 << (_LOW_BITS - 1)
    ops += (Slot(siw.OP_BY_NAME["S", "LIH"], {"s_reg": register, "s_imm": (part ^ sign) - sign}) for part in rest)
    return ops
