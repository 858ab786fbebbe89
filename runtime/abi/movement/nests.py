"""The loops around the tiles of a product: which output tiles follow each other, and for which steps of k.

Without blocks an output tile has all of its steps, one after the other; its sums stay in L1. With blocks, the tiles of
a block of the output each have the steps of a block of k, before the next ones of the same block: so a block's operands
stay on chip with few steps of k, and serve all its tiles. Sums *park* in between, in slots of L2 or L3 of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from typing import NamedTuple

from tfmbs.runtime.abi.movement.misses import parts
from tfmbs.runtime.abi.records import LoopOrder


class Nest(NamedTuple):
    """What a schedule says of loops: which tiles follow each other, and sizes of a block in elements, 0 for all."""

    order: LoopOrder = LoopOrder.ANY
    m: int = 0
    n: int = 0
    k: int = 0


FREE = Nest()
"""Of a schedule that says nothing."""


class Place(NamedTuple):
    """An output tile of a round: product, blocks of rows and columns, the fabric tile, and its number in its block."""

    product: int
    row: int
    column: int
    fabric: int
    number: int


class Round(NamedTuple):
    """Output tiles, one for each tile of the fabric, and their steps of k from `first` to `last`, without it."""

    places: list[Place]
    first: int
    last: int


class Loops(NamedTuple):
    """Tiles and steps of a product, those of a block, and whether tiles of rows follow each other in it."""

    rows: int
    columns: int
    steps: int
    block_rows: int
    block_columns: int
    block_steps: int
    m_fastest: bool

    @property
    def parks(self) -> bool:
        """Whether sums leave L1 between steps."""
        return self.block_steps < self.steps

    @property
    def block_tiles(self) -> int:
        """Output tiles of a block."""
        return self.block_rows * self.block_columns

    def round_count(self, products: int, fabric: int) -> int:
        """Rounds in which all output tiles are done, each in all of its steps."""
        if not self.parks:
            return -(-products * self.rows * self.columns // fabric)
        blocks = product(parts(self.rows, self.block_rows), parts(self.columns, self.block_columns))
        counts = (down * across * -(-rows * columns // fabric) for (rows, down), (columns, across) in blocks)
        return products * sum(counts)

    @property
    def is_blocked(self) -> bool:
        """Whether the product is more than one block."""
        return self.parks or self.block_rows < self.rows or self.block_columns < self.columns

    def halved(self) -> Loops:
        """With a smaller block, along the axis of more tiles; the same where it has one."""
        if self.block_rows >= self.block_columns:
            return self._replace(block_rows=-(-self.block_rows // 2))
        return self._replace(block_columns=-(-self.block_columns // 2))

    def rounds(
        self, products: int, fabric: tuple[int, ...], order: Iterable[tuple[int, int]] | None = None
    ) -> Iterator[Round]:
        """All rounds; those of a block whose sums park have tiles of no other one. `order`, if it is given, are rows
        and columns of the output tiles of a product that is one block."""
        current: list[Place] = []
        first = last = 0
        for number_of_product in range(products):
            for rows, columns in self._blocks():
                for first in range(0, self.steps, self.block_steps):
                    last = min(first + self.block_steps, self.steps)
                    for number, (row, column) in enumerate(order or self._tiles(rows, columns)):
                        current.append(Place(number_of_product, row, column, fabric[len(current)], number))
                        if len(current) == len(fabric):
                            yield Round(current, first, last)
                            current = []
                    if current and self.parks:
                        yield Round(current, first, last)
                        current = []
        if current:
            yield Round(current, first, last)

    def _blocks(self) -> Iterator[tuple[range, range]]:
        """Tiles of rows and columns of each block."""
        for number in range(-(-self.rows // self.block_rows) * -(-self.columns // self.block_columns)):
            if self.m_fastest:
                column, row = divmod(number, -(-self.rows // self.block_rows))
            else:
                row, column = divmod(number, -(-self.columns // self.block_columns))
            top, left = row * self.block_rows, column * self.block_columns
            yield (
                range(top, min(top + self.block_rows, self.rows)),
                range(left, min(left + self.block_columns, self.columns)),
            )

    def _tiles(self, rows: range, columns: range) -> Iterator[tuple[int, int]]:
        if self.m_fastest:
            return ((row, column) for column in columns for row in rows)
        return ((row, column) for row in rows for column in columns)


def is_parked_in_l3(number: int, l2: int, l3: int) -> bool:
    """Where sums of a tile of a block park, of so many slots: tiles of either memory come in even turns."""
    return (number + 1) * l3 // (l2 + l3) > number * l3 // (l2 + l3)
