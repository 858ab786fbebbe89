"""Operands of products in chunks: which one a tile needs, where its bytes lie outside, and how they come to L1.

A chunk is what moves between external memory, L3 and L2 at once; a Streamer makes the tile of an operand in L1 from one
chunk, or from the blocks of input rows under the windows of a tile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import gcd
from typing import NamedTuple, Protocol

from tfmbs.runtime.abi.abreast import ABREAST
from tfmbs.runtime.abi.movement.memory import Slot
from tfmbs.runtime.abi.movement.program import Copy
from tfmbs.runtime.abi.residues import BLOCK_TRITS
from tfmbs.runtime.abi.types import PACKED_PER_BYTE, RESIDUES, SPARSE, DType, Packing, packed_rows, row_bytes

Key = tuple[int, ...]


class Tile(NamedTuple):
    """Sizes of a tile of a product, in elements."""

    m: int
    n: int
    k: int


class Span(NamedTuple):
    """Elements `first` to `first + size` along an axis."""

    first: int
    size: int


def span(index: int, size: int, whole: int) -> Span:
    """Part number `index` of an axis that is cut into parts of `size`."""
    first = index * size
    return Span(first, min(size, whole - first))


class Source(Protocol):
    """What a product needs to know of an operand."""

    memory: int

    def bytes_in_l1(self, tile: Tile) -> int:
        """Of the operand's tile in L1."""

    def chunk_bytes(self, tile: Tile) -> int:
        """Of the largest chunk."""

    def moved_bytes(self, tile: Tile) -> int:
        """What of these moves; the others are not needed."""

    def chunks_of_step(self, tile: Tile) -> int:
        """How many a tile needs at once, at most."""

    def all_chunks(self, tile: Tile) -> int:
        """How many there are in a launch."""

    def keys(self, product: int, index: int, step: int, tile: Tile) -> list[Key]:
        """The chunks for block `index` of rows (or columns) and `step` of the reduction of a product."""

    def loads(self, key: Key, tile: Tile, to: Slot) -> list[Copy]:
        """From external memory to L3."""

    def lifts(self, key: Key, tile: Tile, start: Slot, to: Slot) -> list[Copy]:
        """From L3 to L2."""


@dataclass(frozen=True)
class Matrix:
    """`count` vectors of `k` elements for each of `products`, `offset` bytes into a memory; strides in elements.

    Product number p of a launch has vectors p modulo `products`, or shares them where `product_stride` is 0. Packed
    vectors are rows of the tensor.
    """

    memory: int
    offset: int
    dtype: DType
    packing: Packing
    products: int
    count: int
    k: int
    product_stride: int
    stride: int
    k_stride: int
    is_lhs: bool

    @cached_property
    def element_bytes(self) -> int:
        """0 where elements are packed."""
        return 0 if self.packing is not Packing.DENSE else row_bytes(self.dtype, self.packing, 1)

    @cached_property
    def unit(self) -> int:
        """The reduction is cut after multiples of this many elements; 0: nowhere."""
        if self.packing in SPARSE:
            return 0
        if self.packing in RESIDUES:
            return BLOCK_TRITS
        return PACKED_PER_BYTE.get(self.packing, 1)

    @cached_property
    def abreast(self) -> int:
        """Vectors are cut after multiples of this many: as many lie abreast."""
        return ABREAST if self.packing is Packing.A5 else 1

    def fitted_count(self, count: int) -> int:
        """The largest allowed number of vectors of at most `count`, or the smallest one."""
        if count >= self.count:
            return self.count
        return min(self.count, max(self.abreast, count // self.abreast * self.abreast))

    def row_bytes(self, length: int) -> int:
        """Bytes of so many elements of a vector, from an allowed cut on."""
        return row_bytes(self.dtype, self.packing, length)

    def bytes_of(self, vectors: int, k: Span) -> int:
        """Of a chunk with the elements `k` of so many vectors."""
        return packed_rows(self.packing, vectors) * self.row_bytes(k.size)

    def bytes_in_l1(self, tile: Tile) -> int:
        length = min(tile.k, self.k)
        return self.bytes_of(self._size(tile), Span(self.k - length, length))

    def chunk_bytes(self, tile: Tile) -> int:
        return self.bytes_in_l1(tile)

    def moved_bytes(self, tile: Tile) -> int:
        return self.chunk_bytes(tile)

    def chunks_of_step(self, tile: Tile) -> int:
        return 1

    def all_chunks(self, tile: Tile) -> int:
        return self.products * -(-self.count // self._size(tile)) * -(-self.k // tile.k)

    def keys(self, product: int, index: int, step: int, tile: Tile) -> list[Key]:
        return [(product % self.products if self.product_stride else 0, index, step)]

    def shape(self, key: Key, tile: Tile) -> tuple[Span, Span]:
        """Vectors and elements of a chunk."""
        return span(key[1], self._size(tile), self.count), span(key[2], tile.k, self.k)

    def loads(self, key: Key, tile: Tile, to: Slot) -> list[Copy]:
        return [self.load(key, tile, to)]

    def first_row(self, product: int, vector: int) -> int:
        """The packed row of a vector of a product."""
        return (product % self.products * self.product_stride + vector * self.stride) // self.k

    def load(self, key: Key, tile: Tile, to: Slot) -> Copy:
        """From external memory to L3, of what comes first."""
        vectors, k = self.shape(key, tile)
        if self.packing is not Packing.DENSE:
            row, abreast = self.row_bytes(self.k), self.abreast
            first = self.first_row(key[0], vectors.first)
            start = self.offset + first * row + (abreast * self.row_bytes(k.first) if k.first else 0)
            run, runs = abreast * self.row_bytes(k.size), -(-vectors.size // abreast)
            return Copy(self.memory, start, to.memory, to.address, 1, 0, 0, runs, abreast * row, run, run)
        e = self.element_bytes
        at = key[0] * self.product_stride + vectors.first * self.stride + k.first * self.k_stride
        start = self.offset + at * e
        if self.k_stride == 1 or k.size == 1:
            run = k.size * e
            return Copy(self.memory, start, to.memory, to.address, 1, 0, 0, vectors.size, self.stride * e, run, run)
        if self.transposes:
            run = vectors.size * e
            return Copy(self.memory, start, to.memory, to.address, 1, 0, 0, k.size, self.k_stride * e, run, run)
        return Copy(
            self.memory, start, to.memory, to.address,
            vectors.size, self.stride * e, k.size * e, k.size, self.k_stride * e, e, e,
        )  # fmt: skip

    @cached_property
    def transposes(self) -> bool:
        """Whether vectors lie beside each other: the BlockMover transposes them."""
        return self.packing is Packing.DENSE and self.k_stride != 1 and self.stride == 1

    def lifts(self, key: Key, tile: Tile, start: Slot, to: Slot) -> list[Copy]:
        return [self.lift(key, tile, start, to)]

    def lift(self, key: Key, tile: Tile, start: Slot, to: Slot) -> Copy:
        """From L3 to L2."""
        vectors, k = self.shape(key, tile)
        if not self.transposes or k.size == 1:
            return Copy(start.memory, start.address, to.memory, to.address, run=self.bytes_of(vectors.size, k))
        e = self.element_bytes
        return Copy(
            start.memory, start.address, to.memory, to.address,
            vectors.size, e, k.size * e, k.size, vectors.size * e, e, e,
        )  # fmt: skip

    def feed(self, key: Key, tile: Tile, start: Slot, to: Slot) -> Copy:
        """From L2 to L1, which holds them as L2 does."""
        vectors, k = self.shape(key, tile)
        return Copy(start.memory, start.address, to.memory, to.address, run=self.bytes_of(vectors.size, k))

    def _size(self, tile: Tile) -> int:
        return min(tile.m if self.is_lhs else tile.n, self.count)


@dataclass(frozen=True)
class Windows:
    """The input of a convolution (`g`: fields of a volume geometry); a product is a group of an image."""

    memory: int
    offset: int
    element_bytes: int
    g: Mapping[str, int]
    unit: int
    """What the weights' elements of a step are a multiple of; 0: they are in one step."""

    @cached_property
    def taps(self) -> int:
        """Of a window, in one channel."""
        return self.g["kernel_depth"] * self.g["kernel_height"] * self.g["kernel_width"]

    @cached_property
    def channels(self) -> int:
        """Of a group."""
        return self.g["in_channels"] // self.g["groups"]

    def fitted_k(self, k: int) -> int:
        """The largest allowed step of at most k elements, or the smallest one."""
        whole = self.channels * self.taps
        if k >= whole or self.unit == 0:
            return whole
        least = self.unit // gcd(self.unit, self.taps)
        return min(whole, max(least, k // self.taps // least * least) * self.taps)

    def rows_per_block(self, tile: Tile) -> int:
        """Input rows of a chunk: as many as the stride moves over for the output rows of a tile."""
        rows = max(1, tile.m // self.g["out_width"]) * self.g["stride_height"]
        return min(rows, self.g["in_height"])

    def step_channels(self, tile: Tile) -> int:
        """Channels of a step."""
        return -(-min(tile.k, self.channels * self.taps) // self.taps)

    def bytes_in_l1(self, tile: Tile) -> int:
        return tile.m * self.step_channels(tile) * self.taps * self.element_bytes

    def chunk_bytes(self, tile: Tile) -> int:
        return self.step_channels(tile) * self.rows_per_block(tile) * self.g["in_width"] * self.element_bytes

    def moved_bytes(self, tile: Tile) -> int:
        return sum(copy.bytes for copy in self.loads((0, 0, 0), tile, Slot(0, 0, 0)))

    def chunks_of_step(self, tile: Tile) -> int:
        g, size = self.g, self.rows_per_block(tile)
        area = g["out_height"] * g["out_width"]
        lines = min(g["out_height"], (tile.m - 1 + g["out_width"] - 1) // g["out_width"] + 1)
        planes = min(g["in_depth"], g["kernel_depth"] * min(g["out_depth"], (tile.m - 1 + area - 1) // area + 1))
        rows = (lines - 1) * g["stride_height"] + (g["kernel_height"] - 1) * g["dilation_height"] + 1
        return planes * min(-(-g["in_height"] // size), (rows - 1 + size - 1) // size + 1)

    def all_chunks(self, tile: Tile) -> int:
        g = self.g
        blocks = g["in_depth"] * -(-g["in_height"] // self.rows_per_block(tile))
        return g["batch"] * g["groups"] * -(-self.channels // self.step_channels(tile)) * blocks

    def keys(self, product: int, index: int, step: int, tile: Tile) -> list[Key]:
        return [(product, block, step) for block in self.blocks(index, tile)]

    def blocks(self, index: int, tile: Tile) -> list[int]:
        """Blocks of input rows under the windows of a tile of outputs, in ascending order."""
        g, size = self.g, self.rows_per_block(tile)
        per_plane = -(-g["in_height"] // size)
        pixels = span(index, tile.m, g["out_depth"] * g["out_height"] * g["out_width"])
        first, last = pixels.first // g["out_width"], (pixels.first + pixels.size - 1) // g["out_width"]
        found: set[int] = set()
        for z in range(first // g["out_height"], last // g["out_height"] + 1):
            low = first - z * g["out_height"] if z == first // g["out_height"] else 0
            high = last - z * g["out_height"] if z == last // g["out_height"] else g["out_height"] - 1
            planes = _reached("depth", "pad_front", g, z, z)
            rows = _reached("height", "pad_top", g, low, high)
            if not rows:
                continue
            for plane in planes:
                found.update(range(plane * per_plane + rows[0] // size, plane * per_plane + rows[-1] // size + 1))
        return sorted(found)

    def loads(self, key: Key, tile: Tile, to: Slot) -> list[Copy]:
        """From external memory to L3. Lines that no window needs stay away; the others lie as if all were there.

        Of a line all pixels come: one by one, each would take a beat.
        """
        g, e = self.g, self.element_bytes
        channels, first_line, _ = self._shape(key, tile)
        image, group = divmod(key[0], g["groups"])
        volume = g["in_depth"] * g["in_height"] * g["in_width"]
        channel = image * g["in_channels"] + group * self.channels + channels.first
        start = self.offset + (channel * volume + first_line * g["in_width"]) * e
        return self._lines(key, tile, Copy(self.memory, start, to.memory, to.address, from0=volume * e))

    def lifts(self, key: Key, tile: Tile, start: Slot, to: Slot) -> list[Copy]:
        size = self._shape(key, tile)[2] * self.g["in_width"] * self.element_bytes
        return self._lines(key, tile, Copy(start.memory, start.address, to.memory, to.address, from0=size))

    def _lines(self, key: Key, tile: Tile, first: Copy) -> list[Copy]:
        """The lines of a chunk that are needed, of all its channels; `first` has the first line's place."""
        channels, first_line, lines = self._shape(key, tile)
        line, step = (
            self.g["in_width"] * self.element_bytes,
            self.g["stride_height"] * self.g["in_width"] * self.element_bytes,
        )
        copies = []
        for at, count, run in self._needed(first_line % self.g["in_height"], lines):
            copies.append(
                first._replace(
                    start=first.start + at * line, to=first.to + at * line, count0=channels.size, to0=lines * line,
                    count1=count, from1=step, to1=step, run=run * line,
                )
            )  # fmt: skip
        return copies

    def _needed(self, first: int, lines: int) -> list[tuple[int, int, int]]:
        """Which of some lines windows need, a stride apart: first line of them, how many runs, and lines of a run.

        All of them, but where the stride is larger than the kernel.
        """
        g, whole = self.g, [(0, 1, lines)]
        stride, pad = g["stride_height"], g["pad_top"]
        taps = [tap * g["dilation_height"] - pad for tap in range(g["kernel_height"])]
        places = sorted({tap % stride for tap in taps})
        if len(places) == stride:
            return whole
        low = max(first, taps[0])
        high = min(first + lines, (g["out_height"] - 1) * stride + taps[-1] + 1)
        found = []
        for place in places:
            start = low + (place - low) % stride
            if start < high:
                found.append((start - first, -(-(high - start) // stride), 1))
        return found or whole

    def _shape(self, key: Key, tile: Tile) -> tuple[Span, int, int]:
        """Channels, first line (rows of all planes counted on) and number of lines of a chunk."""
        size, height = self.rows_per_block(tile), self.g["in_height"]
        plane, block = divmod(key[1], -(-height // size))
        channels = span(key[2], self.step_channels(tile), self.channels)
        return channels, plane * height + block * size, min(size, height - block * size)


def _reached(axis: str, pad: str, g: Mapping[str, int], low: int, high: int) -> range:
    """Positions on the input, from the first to the last that windows of outputs `low` to `high` reach."""
    stride, dilation = g[f"stride_{axis}"], g[f"dilation_{axis}"]
    first = low * stride - g[pad]
    last = high * stride - g[pad] + (g[f"kernel_{axis}"] - 1) * dilation
    return range(max(first, 0), min(last, g[f"in_{axis}"] - 1) + 1)
