"""Scalar registers that walk through operand windows, one per stride pattern, and the loops they walk in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tfmbs.passes.siw.assembly import IMM_HIGH, IMM_LOW, Assembler
from tfmbs.passes.siw.machine import ZERO, Reg, Touch
from tfmbs.passes.siw.nest import Access, Index, Linear, Nest
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.types import DType

Key = tuple[tuple[int, ...], Reg | None, int]  # strides, base, and the offset the pointer starts at


@dataclass
class Pointer:
    """An address register; `moved` is how far it has moved since the enclosing iteration began, in elements."""

    register: Reg
    strides: tuple[int, ...]
    moved: int = 0


class Addresses:
    """Addresses of a nest's accesses, and its indices, while loops over its dimensions are emitted."""

    def __init__(self, asm: Assembler, nest: Nest) -> None:
        self._asm = asm
        self._extents = nest.extents
        self._pointers: dict[Key, Pointer] = {}
        self._key_of: dict[Linear, Key] = {}
        self._starts = [0] * len(nest.extents)
        self._loops: list[tuple[int, int, int]] = []  # dimension, loop id, step
        for part in sorted(nest.linear, key=lambda p: (p.strides, p.offset)):
            self._key_of[part] = self._assign(part)

    def _assign(self, part: Linear) -> Key:
        for key in reversed(self._pointers):
            if key[:2] == (part.strides, part.base) and IMM_LOW <= part.offset - key[2] <= IMM_HIGH:
                return key
        start = 0 if IMM_LOW <= part.offset <= IMM_HIGH else part.offset
        key = (part.strides, part.base, start)
        self._pointers[key] = Pointer(self._start(part, start), part.strides)
        return key

    def _start(self, part: Linear, start: int) -> Reg:
        """A register that holds where a pointer starts."""
        if part.invariant and (part.base is None or start == 0):
            return self._asm.constant(start) if part.base is None else part.base
        register = self._asm.scalar()
        if part.base is None:
            self._asm.items.extend(self._asm.immediate(register, start))
        elif IMM_LOW <= start <= IMM_HIGH:
            self._asm.emit("S", "ADDI", reg=register, base=part.base, imm=start)
        else:
            self._asm.emit("S", "SADD", reg=register, base=part.base, index=self._asm.constant(start))
        return register

    def touch(self, access: Access, dim: int | None) -> Touch:
        """The elements that an access with lanes along `dim` touches in the loops around."""
        if access.base is not None:
            return Touch(access.window, terms=None)
        terms = tuple((id_, access.strides[d] * step) for d, id_, step in self._loops if access.strides[d])
        offset = access.offset + sum(s * start for s, start in zip(access.strides, self._starts, strict=True))
        return Touch(access.window, offset, terms, 0 if dim is None else access.strides[dim])

    def memory(self, name: str, register: Reg, access: Access, dim: int | None, *, stream: bool = False) -> None:
        """Emits LD or ST of vector `register`, whose lanes follow dimension `dim` (None: one lane, or all the same)."""
        base, imm = self._place(access)
        self._asm.emit(
            "S",
            name,
            type=int(access.dtype),
            reg=register,
            win=access.window,
            base=base,
            index=self._step(access, dim),
            imm=imm,
            touch=self.touch(access, dim),
            stream=stream,
        )

    def indexed(
        self, name: str, register: Reg, access: Access, displacements: Reg, dim: int | None, *, wide: bool
    ) -> None:
        """Emits GATHER or SCATTER of what `displacements`, of 64 bits if `wide`, name beyond what `access` does."""
        if dim is not None and access.strides[dim]:
            steps = self._asm.vector(wide=wide)
            dtype = DType.I64 if wide else DType.I32
            self._asm.emit("S", "INDEX", type=int(dtype), reg=steps, base=ZERO, index=self._step(access, dim), imm=0)
            moved = self._asm.vector(wide=wide)
            self._asm.compute("ADD", dtype, moved, (displacements, steps))
            displacements = moved
        base, imm = self._place(access)
        self._asm.emit(
            "S",
            f"{name}64" if wide else name,
            type=int(access.dtype),
            reg=register,
            win=access.window,
            base=base,
            index=displacements,
            imm=imm,
            touch=Touch(access.window, terms=None),
        )

    def index(self, register: Reg, index: Index, dim: int | None) -> None:
        """Emits the numbers of `index` into vector `register`, whose lanes follow dimension `dim`."""
        base, imm = self._place(index)
        step = self._step(index, dim)
        self._asm.emit("S", "INDEX", type=int(index.dtype), reg=register, base=base, index=step, imm=imm)

    def _place(self, part: Linear) -> tuple[Reg, int]:
        key = self._key_of[part]
        return self._pointers[key].register, part.offset - key[2]

    def _step(self, part: Linear, dim: int | None) -> Reg:
        return ZERO if dim is None else self._asm.constant(part.strides[dim])

    def walk(self, dims: Sequence[int], lanes: int | None, inner: Callable[[], None]) -> None:
        """Loops over `dims`, outermost first, around what `inner` emits; `lanes` as in `Assembler.loop`."""
        if not dims:
            inner()
            return
        self._loop(dims[0], self._extents[dims[0]], 1, lanes, lambda: self.walk(dims[1:], lanes, inner))

    def strip(self, dim: int, chunk: Callable[[int], None]) -> None:
        """Emits `chunk(lanes)` for full vectors along `dim`, in a loop, and for the rest."""
        full, tail = divmod(self._extents[dim], siw.VLMAX)
        if full and (full > 1 or tail):
            self._loop(dim, full, siw.VLMAX, siw.VLMAX, lambda: chunk(siw.VLMAX))
        elif full:
            chunk(siw.VLMAX)
        if tail:
            self._starts[dim] += full * siw.VLMAX
            chunk(tail)
            self._starts[dim] -= full * siw.VLMAX

    def _loop(self, dim: int, trips: int, step: int, lanes: int | None, body: Callable[[], None]) -> None:
        before = [pointer.moved for pointer in self._moving()]
        for pointer in self._moving():
            pointer.moved = 0
        with self._asm.loop(trips, lanes) as id_:
            if id_ is not None:
                self._loops.append((dim, id_, step))
            body()
            if id_ is not None:
                self._loops.pop()
            for pointer in self._moving():
                amount = pointer.strides[dim] * step - pointer.moved
                if amount:
                    self._asm.add(pointer.register, amount)
        for pointer, moved in zip(self._moving(), before, strict=True):
            pointer.moved = moved + trips * step * pointer.strides[dim]

    def _moving(self) -> Iterable[Pointer]:
        return [p for p in self._pointers.values() if any(p.strides)]


def strip_lanes(extent: int) -> int | None:
    """The one VL that `Addresses.strip` uses for this extent, or None when there are two."""
    if extent <= siw.VLMAX:
        return extent
    return siw.VLMAX if extent % siw.VLMAX == 0 else None
