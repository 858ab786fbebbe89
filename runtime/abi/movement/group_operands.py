"""Operands of GROUP_GEMM: weights with a scale for each group of k, and rows that become integers in L1."""

from __future__ import annotations

from dataclasses import dataclass

from tfmbs.runtime.abi.movement.memory import Slot
from tfmbs.runtime.abi.movement.operands import Key, Matrix, Tile
from tfmbs.runtime.abi.movement.program import Copy
from tfmbs.runtime.abi.siw_timing import Timing
from tfmbs.runtime.abi.target import Target
from tfmbs.runtime.abi.types import row_bytes

WORD = 4
PASSES = 4  # of the vector engine over a row that becomes integers


@dataclass(frozen=True)
class Groups(Matrix):
    """Weights with `scales` bytes into WEIGHTS the scales of each vector, one for every `group` elements."""

    group: int
    scales: int
    is_whole: bool
    """The reduction is not cut."""

    @property
    def unit(self) -> int:
        return 0 if self.is_whole else self.group

    @property
    def packed_bytes(self) -> int:
        """Of the elements of a group."""
        return row_bytes(self.dtype, self.packing, self.group)

    def row_bytes(self, length: int) -> int:
        return length // self.group * (self.packed_bytes + WORD)

    def load(self, key: Key, tile: Tile, to: Slot) -> Copy:
        return self.loads(key, tile, to)[0]

    def loads(self, key: Key, tile: Tile, to: Slot) -> list[Copy]:
        vectors, k = self.shape(key, tile)
        count, first, whole = k.size // self.group, k.first // self.group, self.k // self.group
        row, at = self.row_bytes(k.size), vectors.first * whole + first

        def copy(start: int, size: int, behind: int) -> Copy:
            source, target = start + at * size, to.address + behind
            run = count * size
            return Copy(self.memory, source, to.memory, target, 1, 0, 0, vectors.size, whole * size, row, run)

        packed = self.packed_bytes
        return [copy(self.offset, packed, 0), copy(self.scales, WORD, count * packed)]


@dataclass(frozen=True)
class Magnitudes(Matrix):
    """f32 rows, which in L1 have behind them a factor each, and then the integers that they become."""

    def bytes_in_l1(self, tile: Tile) -> int:
        return self._size(tile) * (self.k * (WORD + 1) + WORD)

    def chunk_bytes(self, tile: Tile) -> int:
        return self._size(tile) * self.row_bytes(self.k)

    def integer_cycles(self, target: Target) -> int:
        """Cycles of the vector engine until a row has become integers."""
        timing = Timing.of(target.vector)
        units = ("memory", "alu", "div", "store")
        return -(-self.k // timing.lanes) * PASSES + timing.cycles["div"] + sum(timing.latency[unit] for unit in units)
