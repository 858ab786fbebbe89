"""Emission of the straight-line scalar body of a nest into virtual vector registers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from tfmbs.passes.siw.assembly import IMM_HIGH, IMM_LOW, Assembler
from tfmbs.passes.siw.machine import ZERO, Reg
from tfmbs.passes.siw.nest import Access, Compute, Constant, Gather, Index, Nest, Value, arguments_of, reads_of
from tfmbs.passes.siw.size import Size
from tfmbs.runtime.abi.types import DType


class Source(Protocol):
    """Where values come from that no D operation computes."""

    def load(self, register: Reg, access: Access) -> None:
        """Emits the load of an access into a vector register."""

    def gather(self, register: Reg, access: Access, displacements: Reg, *, wide: bool) -> None:
        """Emits the load of an access that a vector of I32 or, if `wide`, I64 displaces."""

    def row(self, register: Reg, access: Access, displacement: Reg) -> None:
        """Emits the load of an access that a scalar displaces."""

    def index(self, register: Reg, index: Index) -> None:
        """Emits a vector of indices."""


class Body:
    """Emits body values. `pinned` values are in registers already, and stay there.

    `rows` are gathers whose displacement is the same in all lanes, and in a scalar register already.
    """

    def __init__(
        self,
        asm: Assembler,
        nest: Nest,
        source: Source,
        pinned: Mapping[int, Reg],
        rows: Mapping[int, Reg] | None = None,
    ) -> None:
        self._asm = asm
        self._nest = nest
        self._source = source
        self._pinned = pinned
        self._rows = rows or {}

    def run(self, roots: Sequence[int], targets: Mapping[int, Reg] | None = None) -> tuple[Reg, ...]:
        """Emits all that the values at `roots` need; returns the registers they are in.

        `targets` proposes a register for a root; it is used when nothing emitted later reads what is in there now.
        """
        known = self._pinned.keys() | self._rows.keys()
        needed = sorted(set().union(*(reads_of(self._nest.body, root, known) for root in roots)))
        last_use = self._last_uses(needed, roots)
        registers = dict(self._pinned)
        for position in needed:
            value = self._nest.body[position]
            if position in registers or not isinstance(value, Compute | Gather):
                continue
            if position in self._rows:
                registers[position] = self._destination(position, targets or {}, last_use)
                assert isinstance(value, Gather)
                with self._asm.at(value.source):
                    self._source.row(registers[position], value.access, self._rows[position])
                continue
            for argument in arguments_of(value):
                self._ensure(argument, registers)
            arguments = [registers[argument] for argument in arguments_of(value)]
            registers[position] = self._destination(position, targets or {}, last_use)
            with self._asm.at(value.source):
                self._operation(registers[position], value, arguments)
        for root in roots:
            self._ensure(root, registers)
        return tuple(registers[root] for root in roots)

    def _operation(self, register: Reg, value: Compute | Gather, arguments: Sequence[Reg]) -> None:
        if isinstance(value, Gather):
            wide = self._nest.is_wide(value.index)
            self._source.gather(register, value.access, *arguments, wide=wide)
        else:
            self._asm.compute(value.op, value.dtype, register, arguments, value.aux)

    def _last_uses(self, needed: Sequence[int], roots: Sequence[int]) -> dict[int, int]:
        last: dict[int, int] = {}
        for position in needed:
            if position not in self._pinned and position not in self._rows:
                last.update(dict.fromkeys(arguments_of(self._nest.body[position]), position))
        last.update(dict.fromkeys(roots, len(self._nest.body)))
        return last

    def _ensure(self, position: int, registers: dict[int, Reg]) -> None:
        if position in registers:
            return
        value = self._nest.body[position]
        registers[position] = self._asm.vector(wide=self._nest.is_wide(position))
        emit_leaf(self._asm, self._source, registers[position], value)

    def _destination(self, position: int, targets: Mapping[int, Reg], last_use: Mapping[int, int]) -> Reg:
        """The proposed register, unless the pinned value in it is read after `position`."""
        proposed = targets.get(position)
        if proposed is None or any(r == proposed and last_use.get(p, -1) > position for p, r in self._pinned.items()):
            return self._asm.vector(wide=self._nest.is_wide(position))
        return proposed


def emit_leaf(asm: Assembler, source: Source, register: Reg, value: Value) -> None:
    """Emits a value that needs no other one into a vector register."""
    with asm.at(value.source):
        if isinstance(value, Access):
            source.load(register, value)
        elif isinstance(value, Index):
            source.index(register, value)
        else:
            assert isinstance(value, Constant)
            splat(asm, register, value)


def splat(asm: Assembler, register: Reg, constant: Constant) -> None:
    """Emits a constant into all lanes of a vector register."""
    dtype = DType.I64 if constant.wide else DType.I32
    value = constant.bits
    if not isinstance(value, Size):
        width = 64 if constant.wide else 32
        value -= value >> (width - 1) << width
    if not isinstance(value, Size) and IMM_LOW <= value <= IMM_HIGH:
        asm.emit("S", "INDEX", type=int(dtype), reg=register, base=ZERO, index=ZERO, imm=value)
    else:
        asm.emit("S", "INDEX", type=int(dtype), reg=register, base=asm.constant(value), index=ZERO, imm=0)
