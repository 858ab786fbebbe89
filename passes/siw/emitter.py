"""What all strategies of code generation share: a nest's addresses, its hoisted operands, its loops and its stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from tfmbs.passes.siw.accesses import Accesses
from tfmbs.passes.siw.assembly import Assembler
from tfmbs.passes.siw.body import Body, emit_leaf
from tfmbs.passes.siw.machine import Reg
from tfmbs.passes.siw.nest import Gather, Held, Nest, needed_values
from tfmbs.passes.siw.size import most
from tfmbs.passes.siw.strips import Strips
from tfmbs.passes.siw.variance import (
    is_invariant,
    lane_cost,
    same_elsewhere,
    same_lanes,
    stored_windows,
    turned_dimension,
    varying,
)
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.types import DType

_BROADCAST = 256
"""Lanes from which on what is the same in all of them is computed in one, and copied."""
_TILE = 128
"""Lanes of a strip whose elements lie far apart: so many lines of memory stay close while the loop inside uses them."""
_REDUCTION_LOOPS = 2
"""Hardware loops that reductions inside of parallel loops get at least."""


class Emitter(Accesses):
    """Emits a simplified nest into a program: its loops, what is computed before them, and the body in them."""

    def __init__(self, asm: Assembler, nest: Nest, *, whole: bool) -> None:
        super().__init__(asm, nest, whole=whole)
        self.parallel = [d for d, is_reduction in enumerate(nest.reduction) if not is_reduction]
        self.reduction = [d for d, is_reduction in enumerate(nest.reduction) if is_reduction]
        self._varying_along: dict[int, set[int]] = {}
        self.pinned = self._hoisted()

    def _hoisted(self) -> dict[int, Reg]:
        """Registers of what no loop changes, loaded before all loops."""
        stored = stored_windows(self.nest)
        pinned: dict[int, Reg] = {}
        for position, value in needed_values(self.nest):
            if isinstance(value, Held):
                pinned[position] = value.register
            elif is_invariant(value, stored):
                self.asm.set_vl(min(siw.VLMAX, max(map(most, self.nest.extents), default=1)))
                pinned[position] = self.asm.vector(wide=self.nest.is_wide(position))
                emit_leaf(self.asm, self, pinned[position], value)
        return pinned

    @contextmanager
    def pinning(self, dims: Sequence[int], lanes: int) -> Iterator[None]:
        """What is emitted inside finds in registers what varies along `dims` at most, as `lanes` lanes."""
        outer = dict(self.pinned)
        self.pin(dims, lanes)
        yield
        self.pinned = outer

    def pin(self, dims: Sequence[int], lanes: int) -> None:
        """Computes what varies along `dims` at most; it stays in registers."""
        kept = same_elsewhere(self.nest, dims, self.pinned)
        self.pinned.update(self._single([p for p in kept if self._is_single(p, lanes)], lanes))
        kept = [position for position in kept if position not in self.pinned]
        if kept:
            self.asm.set_vl(lanes)
            self.pinned.update(zip(kept, self._computed(kept, self.pinned), strict=True))

    def _is_single(self, position: int, lanes: int) -> bool:
        """Whether a value is to be computed in one lane, for all that there are."""
        along = self.lanes_along
        return along is not None and most(lanes) >= _BROADCAST and position not in self._varying(along)

    def _varying(self, dim: int) -> set[int]:
        if dim not in self._varying_along:
            self._varying_along[dim] = varying(self.nest, [dim])
        return self._varying_along[dim]

    def _single(self, positions: Sequence[int], lanes: int) -> dict[int, Reg]:
        """Values that are the same in all lanes, computed in one lane and copied to the others."""
        found = {}
        with self._one_lane(lanes if positions else None):
            for position, register in zip(positions, self._computed(positions, self.pinned), strict=True):
                wide = self.nest.is_wide(position)
                found[position] = self.asm.vector(wide=wide)
                with self.asm.at(self.nest.body[position].source):
                    self.asm.compute("LAST64" if wide else "LAST", None, found[position], (register,))
        return found

    @contextmanager
    def _one_lane(self, lanes: int | None) -> Iterator[None]:
        """What is emitted inside works on one lane, and `lanes` afterwards; None: nothing is."""
        along = self.lanes_along
        if lanes is not None:
            self.asm.set_vl(1)
            self.lanes_along = None
        yield
        if lanes is not None:
            self.asm.set_vl(lanes)
            self.lanes_along = along

    def vector_dim(self) -> int | None:
        """The parallel dimension that is the cheapest to have lanes along; the innermost of equals."""
        return min(self.parallel, key=lambda d: (lane_cost(self.nest, d), -d), default=None)

    def body(self, pinned: Mapping[int, Reg] | None = None) -> Body:
        """Emission of the body at the current VL."""
        lanes, known = self.asm.vl, {**self.pinned, **(pinned or {})}
        if self.lanes_along is None or lanes is None:
            return Body(self.asm, self.nest, self, known)
        if most(lanes) >= _BROADCAST:
            known |= self._single(same_lanes(self.nest, self.lanes_along, known), lanes)
        return Body(self.asm, self.nest, self, known, self._rows(known, lanes))

    def _rows(self, known: Mapping[int, Reg], lanes: int) -> dict[int, Reg]:
        """Displacements of gathers that are one number for all lanes, computed in one lane."""
        along = self.lanes_along
        assert along is not None
        found = [
            (position, value.index)
            for position, value in needed_values(self.nest)
            if isinstance(value, Gather) and position not in known and value.index not in self._varying(along)
        ]
        rows: dict[int, Reg] = {}
        with self._one_lane(lanes if found else None):
            registers = self._computed([index for _, index in found], self.pinned)
            for (position, index), register in zip(found, registers, strict=True):
                rows[position] = self.asm.scalar()
                dtype = DType.I64 if self.nest.is_wide(index) else DType.I32
                with self.asm.at(self.nest.body[position].source):
                    self.asm.emit("S", "SGET", type=int(dtype), reg=rows[position], index=register)
        return rows

    def _computed(self, roots: Sequence[int], known: Mapping[int, Reg]) -> tuple[Reg, ...]:
        return Body(self.asm, self.nest, self, known).run(roots) if roots else ()

    def chunks(self, chunk: Callable[[int], None]) -> None:
        """All parallel dimensions, with `chunk(lanes)` along `lanes_along` innermost."""
        dim, addresses = self.lanes_along, self.addresses
        others = [d for d in self.parallel if d != dim]
        inside = min(len(self.reduction), _REDUCTION_LOOPS)
        if dim is None:
            addresses.walk(others, 1, lambda: chunk(1), inside=inside)
            return
        near = turned_dimension(self.nest, dim)
        strips = Strips.of(self.nest.extents[dim], most=siw.VLMAX if near is None else _TILE)
        self.in_order = self.in_order and near is None
        near = None if near in self.reduction else near  # those are inside of `chunk`
        walked = [dim] if strips.count == 1 and not strips.tail else []
        outer = dict(self.pinned)

        def entered(dims: Sequence[int]) -> None:
            walked.extend(dims)
            self.pin(walked, strips.lanes)

        def innermost(lanes: int) -> None:
            if near is None:
                chunk(lanes)
            else:
                addresses.walk([near], lanes, lambda: chunk(lanes), inside=inside)

        entered([])
        inside_strip = inside + (near is not None)
        outside = [d for d in others if d != near]
        strip = partial(addresses.strip, dim, strips, innermost)
        addresses.walk(outside, strips.vl, strip, inside=inside_strip + (strips.count > 1), entered=entered)
        self.pinned = outer
