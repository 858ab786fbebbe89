"""Scalar registers that walk through operand windows, one per stride pattern, and the loops they walk in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tfmbs.passes.siw.assembly import IMM_HIGH, Assembler, load_immediate
from tfmbs.passes.siw.nest import Access, Nest
from tfmbs.runtime.abi import siw

Key = tuple[tuple[int, ...], int]  # strides, and the offset the pointer starts at


@dataclass
class Pointer:
    """An address register; `moved` is how far it has moved since the enclosing iteration began, in elements."""

    register: int
    strides: tuple[int, ...]
    moved: int = 0


class Addresses:
    """Addresses of a nest's accesses while loops over its dimensions are emitted."""

    def __init__(self, asm: Assembler, nest: Nest) -> None:
        self._asm = asm
        self._extents = nest.extents
        self._pointers: dict[Key, Pointer] = {}
        self._key_of: dict[Access, Key] = {}
        for access in sorted(nest.accesses, key=lambda a: (a.strides, a.offset, a.window)):
            self._key_of[access] = self._assign(access)

    def _assign(self, access: Access) -> Key:
        near = [k for k in self._pointers if k[0] == access.strides and 0 <= access.offset - k[1] <= IMM_HIGH]
        if near:
            return near[-1]
        start = 0 if access.offset <= IMM_HIGH else access.offset
        key = (access.strides, start)
        if access.invariant:
            self._pointers[key] = Pointer(self._asm.constant(start), access.strides)
        else:
            register = self._asm.scalar()
            self._asm.prologue.extend(load_immediate(register, start))
            self._pointers[key] = Pointer(register, access.strides)
        return key

    def gather(self, register: int, access: Access, displacements: int) -> None:
        """Emits a GATHER into vector `register`, of the elements that vector `displacements` names."""
        key = self._key_of[access]
        base, imm = self._pointers[key].register, access.offset - key[1]
        fields = {"reg": register, "win": access.window, "base": base, "index": displacements, "imm": imm}
        self._asm.emit("S", "GATHER", type=int(access.dtype), **fields)

    def memory(self, name: str, register: int, access: Access, dim: int | None) -> None:
        """Emits LD or ST of vector `register`, whose lanes follow dimension `dim` (None: one lane, or all the same)."""
        key = self._key_of[access]
        stride = 0 if dim is None else access.strides[dim]
        self._asm.emit(
            "S",
            name,
            type=int(access.dtype),
            reg=register,
            win=access.window,
            base=self._pointers[key].register,
            index=self._asm.constant(stride),
            imm=access.offset - key[1],
        )

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
            chunk(tail)

    def _loop(self, dim: int, trips: int, step: int, lanes: int | None, body: Callable[[], None]) -> None:
        before = [pointer.moved for pointer in self._moving()]
        for pointer in self._moving():
            pointer.moved = 0
        with self._asm.loop(trips, lanes):
            body()
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
