"""The zero-skip mode CYCLE: which k of a tile the array leaves out.

Weights are a compacted stream (`SPARSE` packings: flags, and a sign for each that is not 0). The array leaves out a k
for which no column of the tile has a weight, and takes the tile as one of so many k, or of one if there is none. Only
integers: of a product with 0, nothing is left in their sums, while in reals it can be a NaN.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.movement.fields import Memory
from tfmbs.runtime.abi.movement.operands import Matrix, Span
from tfmbs.runtime.abi.movement.plan import Work
from tfmbs.runtime.abi.types import SPARSE

FLAGS = 8  # in a byte


def kept_of(image: Image, work: Work, where: str) -> Callable[[int, Span], int]:
    """How many k of a product and a span of its columns are multiplied.

    Raises TfmbsError `unsupported`, located at `where`, for weights that are no compacted stream, and for reals.
    """
    rhs = work.rhs
    if rhs.packing not in SPARSE or rhs.memory != Memory.WEIGHTS or work.lhs.element_bytes != 1:
        expected = "constant weights in packing S2 or S4, integer activations"
        raise TfmbsError("unsupported", where, "zero-skip mode CYCLE", expected, rhs.packing.name)
    flags = _flags(image, rhs)

    def kept(product: int, columns: Span) -> int:
        first = rhs.first_row(product, columns.first)
        some = np.bitwise_or.reduce(flags[first : first + columns.size], axis=0)
        return max(1, int(np.unpackbits(some, count=rhs.k, bitorder="little").sum()))

    return kept


def _flags(image: Image, rhs: Matrix) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """The bytes of flags of all rows."""
    size, row = rhs.products * rhs.count, rhs.row_bytes(rhs.k)
    data = np.frombuffer(image.weights, np.uint8, size * row, rhs.offset)
    return data.reshape(size, row)[:, : -(-rhs.k // FLAGS)]
