"""What all strategies of code generation share: a nest's addresses, its hoisted operands, its loops and its stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from math import prod

from tfmbs.passes.siw.addresses import Addresses, Strips
from tfmbs.passes.siw.assembly import Assembler
from tfmbs.passes.siw.body import Body, emit_leaf
from tfmbs.passes.siw.machine import Reg
from tfmbs.passes.siw.nest import Access, Gather, Held, Index, Nest, linear_of, needed_values
from tfmbs.passes.siw.variance import is_invariant, lane_cost, same_elsewhere, same_lanes, stored_windows, varies
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.types import DType

_BROADCAST = 64
"""Lanes from which on what is the same in all of them is computed in one, and copied."""
_REDUCTION_LOOPS = 2
"""Hardware loops that reductions inside of parallel loops get at least."""


class Emitter:
    """Emits a simplified nest into a program. `whole` tells that the nest is all of the program.

    The lanes of loads, indices and stores follow dimension `lanes_along`, which a strategy sets.
    """

    def __init__(self, asm: Assembler, nest: Nest, *, whole: bool) -> None:
        self.nest = nest
        self.asm = asm
        self.addresses = Addresses(asm, nest)
        self.parallel = [d for d, is_reduction in enumerate(nest.reduction) if not is_reduction]
        self.reduction = [d for d, is_reduction in enumerate(nest.reduction) if is_reduction]
        self.lanes_along: int | None = None
        self._whole = whole
        self._load_order: Sequence[int] = ()
        self._store_order: Sequence[int] = ()
        self.pinned = self._hoisted()

    def _hoisted(self) -> dict[int, Reg]:
        """Registers of what no loop changes, loaded before all loops."""
        stored = stored_windows(self.nest)
        pinned: dict[int, Reg] = {}
        for position, value in needed_values(self.nest):
            if isinstance(value, Held):
                pinned[position] = value.register
            elif is_invariant(value, stored):
                self.asm.set_vl(min(siw.VLMAX, max(self.nest.extents, default=1)))
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
        return along is not None and lanes >= _BROADCAST and not varies(self.nest, position, along)

    def _single(self, positions: Sequence[int], lanes: int) -> dict[int, Reg]:
        """Values that are the same in all lanes, computed in one lane and copied to the others."""
        found = {}
        with self._one_lane(lanes if positions else None):
            for position, register in zip(positions, self._computed(positions, self.pinned), strict=True):
                wide = self.nest.is_wide(position)
                found[position] = self.asm.vector(wide=wide)
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

    def load(self, register: Reg, access: Access) -> None:
        """Emits the load of an access."""
        stream = self._streams(access, self._loads(), self._load_order)
        self.addresses.memory("LD", register, access, self.lanes_along, stream=stream)

    def gather(self, register: Reg, access: Access, displacements: Reg, *, wide: bool) -> None:
        """Emits the load of a displaced access."""
        self.addresses.indexed("GATHER", register, access, displacements, self.lanes_along, wide=wide)

    def row(self, register: Reg, access: Access, displacement: Reg) -> None:
        """Emits the load of an access that a scalar displaces."""
        self.addresses.displaced(register, access, displacement, self.lanes_along)

    def index(self, register: Reg, index: Index) -> None:
        """Emits a vector of indices."""
        self.addresses.index(register, index, self.lanes_along)

    def store(self, registers: Sequence[Reg]) -> None:
        """Stores one register per output."""
        for output, register in zip(self.nest.outputs, registers, strict=True):
            stream = self._streams(output, self.nest.outputs, self._store_order)
            self.addresses.memory("ST", register, output, self.lanes_along, stream=stream)

    def scatter(self, registers: Mapping[int, Reg]) -> None:
        """Makes the stores beside the outputs; `registers` hold their indices and values by position."""
        for scatter in self.nest.scatters:
            value = registers[scatter.value]
            if scatter.index is None:
                self.addresses.memory("ST", value, scatter.access, self.lanes_along)
            else:
                wide = self.nest.is_wide(scatter.index)
                at = registers[scatter.index]
                self.addresses.indexed("SCATTER", value, scatter.access, at, self.lanes_along, wide=wide)

    def vector_dim(self) -> int | None:
        """The parallel dimension that is the cheapest to have lanes along; the innermost of equals."""
        return min(self.parallel, key=lambda d: (lane_cost(self.nest, d), -d), default=None)

    def body(self, pinned: Mapping[int, Reg] | None = None) -> Body:
        """Emission of the body at the current VL."""
        lanes, known = self.asm.vl, {**self.pinned, **(pinned or {})}
        if self.lanes_along is None or lanes is None:
            return Body(self.asm, self.nest, self, known)
        if lanes >= _BROADCAST:
            known |= self._single(same_lanes(self.nest, self.lanes_along, known), lanes)
        return Body(self.asm, self.nest, self, known, self._rows(known, lanes))

    def _rows(self, known: Mapping[int, Reg], lanes: int) -> dict[int, Reg]:
        """Displacements of gathers that are one number for all lanes, computed in one lane."""
        along = self.lanes_along
        assert along is not None
        found = [
            (position, value.index)
            for position, value in needed_values(self.nest)
            if isinstance(value, Gather) and position not in known and not varies(self.nest, value.index, along)
        ]
        rows: dict[int, Reg] = {}
        with self._one_lane(lanes if found else None):
            registers = self._computed([index for _, index in found], self.pinned)
            for (position, index), register in zip(found, registers, strict=True):
                rows[position] = self.asm.scalar()
                dtype = DType.I64 if self.nest.is_wide(index) else DType.I32
                self.asm.emit("S", "SGET", type=int(dtype), reg=rows[position], index=register)
        return rows

    def _computed(self, roots: Sequence[int], known: Mapping[int, Reg]) -> tuple[Reg, ...]:
        return Body(self.asm, self.nest, self, known).run(roots) if roots else ()

    def iterate(self, loads: Sequence[int], stores: Sequence[int]) -> None:
        """Tells in which order the dimensions are walked that loads and stores see, outermost first, lanes last."""
        self._load_order, self._store_order = loads, stores

    def chunks(self, chunk: Callable[[int], None]) -> None:
        """All parallel dimensions, with `chunk(lanes)` along `lanes_along` innermost."""
        dim = self.lanes_along
        others = [d for d in self.parallel if d != dim]
        inside = min(len(self.reduction), _REDUCTION_LOOPS)
        if dim is None:
            self.addresses.walk(others, 1, lambda: chunk(1), inside=inside)
            return
        strips = Strips.of(self.nest.extents[dim])
        walked = [dim] if strips.count == 1 and not strips.tail else []
        outer = dict(self.pinned)

        def entered(dims: Sequence[int]) -> None:
            walked.extend(dims)
            self.pin(walked, strips.lanes)

        entered([])
        strip = partial(self.addresses.strip, dim, strips, chunk)
        inside += strips.count > 1
        self.addresses.walk(others, strips.vl, strip, inside=inside, entered=entered)
        self.pinned = outer

    def _streams(self, access: Access, peers: Sequence[Access], order: Sequence[int]) -> bool:
        """Whether an access walks its window in order, from element 0, once each, and is alone in its direction."""
        if not self._whole or access.offset or access.base is not None or access.invariant:
            return False
        expected, extents = 1, self.nest.extents
        for d in reversed(order):
            if extents[d] > 1 and access.strides[d] != expected:
                return False
            expected *= extents[d]
        walked = expected == prod(extents) or access in self.nest.outputs
        return walked and sum(other.window == access.window for other in peers) == 1

    def _loads(self) -> list[Access]:
        parts = (linear_of(value) for _, value in needed_values(self.nest))
        return [part for part in parts if isinstance(part, Access)]
