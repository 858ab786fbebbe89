"""Loads and stores of a nest: where its values come from and go to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from tfmbs.passes.siw.addresses import Addresses
from tfmbs.passes.siw.assembly import Assembler
from tfmbs.passes.siw.machine import Reg
from tfmbs.passes.siw.nest import Access, Index, Nest, Scatter, linear_of, needed_values


class Accesses:
    """Emits the accesses of a simplified nest. `whole` tells that the nest is all of the program.

    The lanes of loads, indices and stores follow dimension `lanes_along`, which a strategy sets. What is `in_order`
    may be a stream.
    """

    def __init__(self, asm: Assembler, nest: Nest, *, whole: bool) -> None:
        self.nest = nest
        self.asm = asm
        self.addresses = Addresses(asm, nest)
        self.lanes_along: int | None = None
        self.in_order = whole
        self._load_order: Sequence[int] = ()
        self._store_order: Sequence[int] = ()

    def iterate(self, loads: Sequence[int], stores: Sequence[int]) -> None:
        """Tells in which order the dimensions are walked that loads and stores see, outermost first, lanes last."""
        self._load_order, self._store_order = loads, stores

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
            with self.asm.at(output.source):
                self.addresses.memory("ST", register, output, self.lanes_along, stream=stream)

    def scatter(self, registers: Mapping[int, Reg]) -> None:
        """Makes the stores beside the outputs; `registers` hold their indices and values by position."""
        for scatter in self.nest.scatters:
            with self.asm.at(scatter.source):
                self._scatter(scatter, registers)

    def _scatter(self, scatter: Scatter, registers: Mapping[int, Reg]) -> None:
        value = registers[scatter.value]
        if scatter.index is None:
            self.addresses.memory("ST", value, scatter.access, self.lanes_along)
        else:
            wide = self.nest.is_wide(scatter.index)
            at = registers[scatter.index]
            self.addresses.indexed("SCATTER", value, scatter.access, at, self.lanes_along, wide=wide)

    def _streams(self, access: Access, peers: Sequence[Access], order: Sequence[int]) -> bool:
        """Whether an access walks its window in order, from element 0, once each, and is alone in its direction."""
        if not self.in_order or access.offset or access.base is not None or access.invariant:
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
