"""Scalar registers that walk through operand windows, one per stride pattern, and the loops they walk in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from tfmbs.passes.siw.assembly import IMM_HIGH, IMM_LOW, Assembler
from tfmbs.passes.siw.machine import ZERO, Reg, Touch
from tfmbs.passes.siw.nest import Access, Index, Linear, Nest
from tfmbs.passes.siw.size import Counted, Size, most
from tfmbs.passes.siw.strips import Strips
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
        self._scattered: list[int] = []  # dimensions that share a loop
        for part in sorted(nest.linear, key=lambda p: ([*map(most, p.strides)], most(p.offset))):
            self._key_of[part] = self._assign(part)

    def _assign(self, part: Linear) -> Key:
        for key in reversed(self._pointers):
            if key[:2] == (part.strides, part.base) and _is_immediate(part.offset - key[2]):
                return key
        start = 0 if _is_immediate(part.offset) else part.offset
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
        elif _is_immediate(start):
            self._asm.emit("S", "ADDI", reg=register, base=part.base, imm=start)
        else:
            self._asm.emit("S", "SADD", reg=register, base=part.base, index=self._asm.constant(start))
        return register

    def touch(self, access: Access, dim: int | None) -> Touch:
        """The elements that an access with lanes along `dim` touches in the loops around."""
        if access.base is not None or any(access.strides[d] for d in self._scattered):
            return Touch(access.window, terms=None)
        terms = tuple((id_, access.strides[d] * step) for d, id_, step in self._loops if access.strides[d])
        offset = access.offset + sum(s * start for s, start in zip(access.strides, self._starts, strict=True))
        stride = 0 if dim is None else access.strides[dim]
        if any(isinstance(number, Size) for number in (offset, stride, *(step for _, step in terms))):
            return Touch(access.window, terms=None)
        return Touch(access.window, offset, terms, stride)

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

    def displaced(self, register: Reg, access: Access, displacement: Reg, dim: int | None) -> None:
        """Emits LD of an access that a scalar register displaces."""
        base, imm = self._place(access)
        place = self._asm.scalar()
        self._asm.emit("S", "SADD", reg=place, base=base, index=displacement)
        self._asm.emit(
            "S",
            "LD",
            type=int(access.dtype),
            reg=register,
            win=access.window,
            base=place,
            index=self._step(access, dim),
            imm=imm,
            touch=Touch(access.window, terms=None),
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

    def walk(
        self,
        dims: Sequence[int],
        lanes: int | None,
        inner: Callable[[], None],
        *,
        inside: int = 0,
        entered: Callable[[Sequence[int]], None] = lambda _: None,
    ) -> None:
        """Loops over `dims`, outermost first, around what `inner` emits, which has `inside` more loops in each other.

        `lanes` is as in `Assembler.loop`. Where there are not enough hardware loops, the outer dimensions share one.
        `entered` emits what comes first in a loop over some of the dimensions.
        """
        room = siw.LOOP_DEPTH - self._asm.depth - inside
        looped = [d for d in dims if self._extents[d] != 1]
        if not dims:
            inner()
            return
        shared = looped[: len(looped) - room + 1] if len(looped) > room > 0 else dims[:1]
        rest = [d for d in dims if d not in shared]

        def body() -> None:
            entered(shared)
            self.walk(rest, lanes, inner, inside=inside, entered=entered)

        if len(shared) > 1:
            self._together(shared, lanes, body)
        else:
            self._loop(shared[0], self._extents[shared[0]], 1, lanes, body)

    def _together(self, dims: Sequence[int], lanes: int | None, body: Callable[[], None]) -> None:
        """One loop over several dimensions: where an inner one is through, the next one moves on."""
        asm = self._asm
        before = [pointer.moved for pointer in self._moving()]
        for pointer in self._moving():
            pointer.moved = 0
        left = {d: asm.scalar() for d in dims[1:]}
        for d, register in left.items():
            asm.items.extend(asm.immediate(register, self._extents[d]))
        with asm.loop(prod(self._extents[d] for d in dims), lanes):
            self._scattered += dims
            body()
            del self._scattered[-len(dims) :]
            moved = {id(pointer): pointer.moved for pointer in self._moving()}
            self._advance(list(dims), left, moved)
        for pointer, old in zip(self._moving(), before, strict=True):
            pointer.moved = old + self._extents[dims[0]] * pointer.strides[dims[0]]

    def _advance(self, dims: list[int], left: Mapping[int, Reg], moved: Mapping[int, int]) -> None:
        """Moves pointers, which have `moved` so far, to the next iteration of the innermost of `dims`."""
        asm, inner = self._asm, dims[-1]
        for pointer in self._moving():
            if (amount := pointer.strides[inner] - moved[id(pointer)]) != 0:
                asm.add(pointer.register, amount)
        if len(dims) == 1:
            return
        count, done, one = left[inner], asm.scalar(), asm.constant(1)
        asm.add(count, -1)
        asm.emit("S", "SMIN", reg=done, base=count, index=one)
        asm.emit("S", "SSUB", reg=done, base=one, index=done)
        with asm.skipped(done):
            asm.items.extend(asm.immediate(count, self._extents[inner]))
            through = {id(p): self._extents[inner] * p.strides[inner] for p in self._moving()}
            self._advance(dims[:-1], left, through)

    def strip(self, dim: int, strips: Strips, chunk: Callable[[int], None]) -> None:
        """Emits `chunk(lanes)` for all strips along `dim`, those of equal lanes in a loop."""
        if strips.run_time is not None:
            self._counted_strips(dim, strips.run_time, strips.lanes, chunk)
            return
        if strips.count > 1 or strips.tail:
            self._loop(dim, strips.count, strips.lanes, strips.lanes, lambda: chunk(strips.lanes))
        else:
            chunk(strips.lanes)
        if strips.tail:
            done = strips.count * strips.lanes
            self._starts[dim] += done
            chunk(strips.tail)
            self._starts[dim] -= done

    def _counted_strips(self, dim: int, extent: Size, lanes: int, chunk: Callable[[int], None]) -> None:
        """As many vectors of `lanes` as there are, then what is left. Addresses move in registers of their own."""
        full, rest = self._asm.strips(extent, lanes)
        before = [(pointer, pointer.register, pointer.moved) for pointer in self._moving()]
        for pointer, register, _ in before:
            if pointer.strides[dim] != 0:
                pointer.register = self._asm.scalar()
                self._asm.emit("S", "ADDI", reg=pointer.register, base=register, imm=0)
        self._loop(dim, full, lanes, lanes, lambda: chunk(lanes))
        self._scattered.append(dim)  # where the rest starts is not known
        with self._asm.skipped(rest):
            chunk(Counted(rest, lanes - 1))
        self._scattered.pop()
        for pointer, register, moved in before:
            pointer.register, pointer.moved = register, moved

    def blocks(self, dim: int, count: int, lanes: int, block: Callable[[], None]) -> None:
        """A loop of `count` steps along `dim`, which may have more."""
        if count:
            self._loop(dim, count, 1, lanes, block)

    def behind(self, dim: int, steps: int, rest: Callable[[], None]) -> None:
        """What follows `steps` along `dim`."""
        self._starts[dim] += steps
        rest()
        self._starts[dim] -= steps

    def _loop(self, dim: int, trips: int | Reg, step: int, lanes: int | None, body: Callable[[], None]) -> None:
        """A loop along a dimension; how far one that a register counts moves addresses is for the caller to know."""
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
                if amount != 0:
                    self._asm.add(pointer.register, amount)
        for pointer, moved in zip(self._moving(), before, strict=True):
            if not isinstance(trips, Reg):
                pointer.moved = moved + trips * step * pointer.strides[dim]

    def _moving(self) -> Iterable[Pointer]:
        return [p for p in self._pointers.values() if any(stride != 0 for stride in p.strides)]


def _is_immediate(number: int) -> bool:
    return not isinstance(number, Size) and IMM_LOW <= number <= IMM_HIGH
