"""Weights by name, as a decoder's files hold them: floats, or integers with a scale for each group of a row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tfmbs.dialect.shapes import Shape

Array = npt.NDArray[Any]
I8 = npt.NDArray[np.int8]
F32 = npt.NDArray[np.float32]

TRITS, NIBBLES, BYTES = 2, 4, 8
"""Bits of a stored integer: what its values are is known by them."""


@dataclass(frozen=True)
class Grouped:
    """Rows of weights f32(stored) · scale: `stored` (rows, columns), `scales` (rows, groups) for equal parts of a row.

    `bits` is the width that each stored integer fits: 2 for trits.
    """

    stored: I8
    scales: F32
    bits: int

    @property
    def group(self) -> int:
        """Columns of a group."""
        return int(self.stored.shape[1]) // int(self.scales.shape[1])

    def real(self) -> F32:
        """The weights in f32."""
        rows, count = self.scales.shape
        parts = self.stored.reshape(rows, count, -1).astype(np.float32)
        product: F32 = parts * self.scales[..., None]
        return product.reshape(rows, -1)

    def merged(self) -> Grouped:
        """The same weights with one scale for each row, where every group that is not all zeros has the same.

        Ternary models have a scale for each tensor, which files with blocks repeat; a block of zeros has the scale 0.
        A scale of −s with the opposite trits is not looked for. Values stay: of equal scales, or of zeros.
        """
        rows, count = self.scales.shape
        used = self.stored.reshape(rows, count, -1).any(axis=2) & (self.scales != 0)
        largest = np.where(used, np.abs(self.scales), 0).argmax(axis=1)
        one = np.take_along_axis(self.scales, largest[:, None], axis=1)
        zero_with_weights = (self.scales == 0) & self.stored.reshape(rows, count, -1).any(axis=2)
        if count == 1 or zero_with_weights.any() or not np.isfinite(one).all() or np.any(used & (self.scales != one)):
            return self
        return Grouped(self.stored, np.where(used.any(axis=1, keepdims=True), one, np.float32(0)), self.bits)


Matrix = Grouped | F32 | npt.NDArray[np.float16]
"""A matrix of weights (rows, columns)."""


class Weights(Protocol):
    """A file of weights. What it does not hold raises KeyError; nothing is read before it is asked for."""

    @property
    def name(self) -> str:
        """What errors call the file."""

    def names(self) -> Iterable[str]:
        """Names of all tensors."""

    def shape(self, name: str) -> Shape:
        """Sizes of a tensor, outermost first."""

    def real(self, name: str) -> F32:
        """A tensor in f32, exactly; read only."""

    def matrix(self, name: str) -> Matrix:
        """A tensor of two dimensions as the file holds it, or in f32 where nothing smaller is exact; read only."""
