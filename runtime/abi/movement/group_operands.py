"""Operands of GROUP_GEMM: weights with a scale for each group of k, and f32 rows that become integers on chip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tfmbs.runtime.abi.movement.memory import Slot
from tfmbs.runtime.abi.movement.operands import Key, Matrix, Span, Tile
from tfmbs.runtime.abi.movement.program import Copy
from tfmbs.runtime.abi.siw_timing import Timing
from tfmbs.runtime.abi.target import Target
from tfmbs.runtime.abi.types import packed_rows

WORD = 4
MAGNITUDE_PASSES, INTEGER_PASSES = 1, 3
"""Of the vector engine over elements, for their largest magnitude, and to scale, round and store them."""


@dataclass(frozen=True)
class Groups(Matrix):
    """Weights with `scales` bytes into WEIGHTS the scales of each vector, one for every `group` elements.

    A chunk has, for each vector, or for as many as lie abreast, the packed rows of their groups, and their scales
    behind them. The reduction is cut between groups, or, where a vector is one group and sums are integers, anywhere
    that the packing allows: the last chunk has the scale then. Of vectors that lie abreast, those that are one group
    are cut so in any case, every chunk of reals having the scales; others nowhere, as their groups are rows abreast.
    """

    group: int
    scales: int
    is_integer: bool
    """Sums of a group are integers, and scaled where they leave the array."""

    @property
    def unit(self) -> int:
        if self.abreast > 1:
            return super().unit if self.group == self.k else 0
        return super().unit if self.is_integer and self.group == self.k else self.group

    def bytes_of(self, vectors: int, k: Span) -> int:
        return sum(count * (packed + scales) for _, count, packed, scales in self._panels(vectors, k))

    def chunk_row_bytes(self, k: Span) -> int:
        """Of a vector in a chunk with the elements `k`: its rows, and their scales, if they come with it."""
        return self.bytes_of(self.abreast, k) // self.abreast

    def _panels(self, vectors: int, k: Span) -> Iterator[tuple[int, int, int, int]]:
        """Vectors that lie abreast are a panel: the first vector of panels, how many there are of them, and bytes of
        packed rows and of scales of each."""
        groups, length = max(1, k.size // self.group), min(k.size, self.group)
        has_scales = k.size >= self.group or k.first + k.size == self.k or not self.is_integer
        full, rest = divmod(vectors, self.abreast)
        for first, count, own in ((0, full, self.abreast), (full * self.abreast, 1, rest)):
            if count and own:
                rows = own * groups
                yield first, count, packed_rows(self.packing, rows) * self.row_bytes(length), rows * has_scales * WORD

    def load(self, key: Key, tile: Tile, to: Slot) -> Copy:
        return self.loads(key, tile, to)[0]

    def loads(self, key: Key, tile: Tile, to: Slot) -> list[Copy]:
        vectors, k = self.shape(key, tile)
        whole, row = self.k // self.group, self.row_bytes(min(k.size, self.group))
        vector, abreast = whole * self.row_bytes(self.group), self.abreast
        skipped = k.first // self.group * row if k.size >= self.group else self.row_bytes(k.first)
        weights, scales, behind = [], [], to.address
        for number, count, packed, own in self._panels(vectors.size, k):
            first, panel = vectors.first + number, packed + own

            def copy(start: int, stride: int, at: int, run: int, count: int = count, panel: int = panel) -> Copy:
                return Copy(self.memory, start, to.memory, at, 1, 0, 0, count, stride, panel, run)

            start = self.offset + first * vector + abreast * skipped
            weights.append(copy(start, abreast * vector, behind, packed))
            if own:
                start = self.scales + (first * whole + k.first // self.group) * WORD
                scales.append(copy(start, abreast * whole * WORD, behind + packed, own))
            behind += count * panel
        return weights + scales

    def lift(self, key: Key, tile: Tile, start: Slot, to: Slot) -> Copy:
        return self.feed(key, tile, start, to)


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
