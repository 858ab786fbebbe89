"""Operands of GROUP_GEMM: weights with a scale for each group of k, and f32 rows that become integers on chip."""

from __future__ import annotations

from dataclasses import dataclass

from tfmbs.runtime.abi.movement.memory import Slot
from tfmbs.runtime.abi.movement.operands import Key, Matrix, Span, Tile
from tfmbs.runtime.abi.movement.program import Copy
from tfmbs.runtime.abi.siw_timing import Timing
from tfmbs.runtime.abi.target import Target
from tfmbs.runtime.abi.types import row_bytes

WORD = 4
MAGNITUDE_PASSES, INTEGER_PASSES = 1, 3
"""Of the vector engine over elements, for their largest magnitude, and to scale, round and store them."""


@dataclass(frozen=True)
class Groups(Matrix):
    """Weights with `scales` bytes into WEIGHTS the scales of each vector, one for every `group` elements.

    A chunk has, for each vector, the packed rows of its groups, and their scales behind them. The reduction is cut
    between groups, or, where a vector is one group and sums are integers, anywhere that the packing allows: the last
    chunk has the scale then.
    """

    group: int
    scales: int
    is_integer: bool
    """Sums of a group are integers, and scaled where they leave the array."""

    @property
    def unit(self) -> int:
        return super().unit if self.is_integer and self.group == self.k else self.group

    def row_bytes(self, length: int) -> int:
        """Of a vector in a chunk, at most."""
        return self.chunk_row_bytes(Span(self.k - length, length))

    def chunk_row_bytes(self, k: Span) -> int:
        """Of a vector in a chunk with the elements `k`."""
        if k.size < self.group:
            scale = WORD if k.first + k.size == self.k else 0
            return row_bytes(self.dtype, self.packing, k.size) + scale
        return k.size // self.group * (row_bytes(self.dtype, self.packing, self.group) + WORD)

    def load(self, key: Key, tile: Tile, to: Slot) -> Copy:
        return self.loads(key, tile, to)[0]

    def loads(self, key: Key, tile: Tile, to: Slot) -> list[Copy]:
        vectors, k = self.shape(key, tile)
        row, packed = self.chunk_row_bytes(k), row_bytes(self.dtype, self.packing, min(k.size, self.group))
        count, whole = max(1, k.size // self.group), self.k // self.group
        vector = whole * row_bytes(self.dtype, self.packing, self.group)

        def copy(start: int, stride: int, run: int, behind: int) -> Copy:
            target = to.address + behind
            return Copy(self.memory, start, to.memory, target, 1, 0, 0, vectors.size, stride, row, run)

        first = k.first // self.group * packed if k.size >= self.group else row_bytes(self.dtype, self.packing, k.first)
        found = [copy(self.offset + vectors.first * vector + first, vector, count * packed, 0)]
        if row > count * packed:
            start = self.scales + (vectors.first * whole + k.first // self.group) * WORD
            found.append(copy(start, whole * WORD, count * WORD, count * packed))
        return found

    def lift(self, key: Key, tile: Tile, start: Slot, to: Slot) -> Copy:
        vectors, k = self.shape(key, tile)
        size = vectors.size * self.chunk_row_bytes(k)
        return Copy(start.memory, start.address, to.memory, to.address, run=size)

    def feed(self, key: Key, tile: Tile, start: Slot, to: Slot) -> Copy:
        return self.lift(key, tile, start, to)


def factors_at(rows: int, columns: int) -> int:
    """Bytes before the factors of integer rows, which are words."""
    return -(-rows * columns // WORD) * WORD


def integers_bytes(rows: int, columns: int) -> int:
    """Of integer rows, and behind them the factor of each."""
    return factors_at(rows, columns) + rows * WORD


@dataclass(frozen=True)
class Magnitudes(Matrix):
    """f32 rows, which become integers by their largest magnitude: these stay in L2, whole, and come to L1 in steps."""

    @property
    def floats(self) -> Matrix:
        """The rows as they come in."""
        return Matrix(
            self.memory, self.offset, self.dtype, self.packing, self.products, self.count, self.k, self.product_stride,
            self.stride, self.k_stride, self.is_lhs,
        )  # fmt: skip

    def bytes_in_l1(self, tile: Tile) -> int:
        return integers_bytes(self._size(tile), min(tile.k, self.k))

    def chunk_bytes(self, tile: Tile) -> int:
        """Of the rows of a tile in L2."""
        return integers_bytes(self._size(tile), self.k)


def magnitude_cycles(target: Target, columns: int, *, is_last: bool) -> int:
    """Of the vector engine for elements of a row; with the last ones, its factor."""
    timing = Timing.of(target.vector)
    beats = -(-columns // timing.lanes) * MAGNITUDE_PASSES
    division = timing.cycles["div"] + timing.latency["div"] if is_last else 0
    return beats + timing.latency["memory"] + timing.latency["alu"] + division


def integer_cycles(target: Target, columns: int) -> int:
    """Of the vector engine until elements of a row have become integers."""
    timing = Timing.of(target.vector)
    return -(-columns // timing.lanes) * INTEGER_PASSES + sum(
        timing.latency[unit] for unit in ("memory", "alu", "store")
    )
