"""Constant integer weights of a product: what a kernel stores of them, in the fewest bits that hold it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfmbs.dialect import graph
from tfmbs.dialect.resources import resource_attr
from tfmbs.dialect.types import int4, quantized, ternary
from tfmbs.passes.graph.quantization import I8, I32
from tfmbs.runtime.abi.packing import pack_rows
from tfmbs.runtime.abi.types import Packing

_LOW, _HIGH = -128, 127
_NIBBLES = (-8, 7)


@dataclass(frozen=True)
class IntegerWeights:
    """Weights O×… less their zero points: `stored` plus `offset`, one of each output channel.

    The offset is 0 unless differences leave i8, as those of unsigned weights around an odd zero point do.
    """

    stored: I8
    offset: I32

    @classmethod
    def of(cls, weights: npt.NDArray[Any], zero_point: npt.NDArray[Any] | int) -> IntegerWeights:
        """Of integers of at most 8 bits; `zero_point` is one, or one for each output channel."""
        points = np.asarray(zero_point, np.int32).reshape(-1)
        rows = weights.astype(np.int32).reshape(len(weights), -1) - points[:, None]
        low, high = rows.min(axis=1), rows.max(axis=1)
        fits = (low >= _LOW) & (high <= _HIGH)
        offset = np.where(fits, 0, (low + high + 1) // 2).astype(np.int32)
        return cls((rows - offset[:, None]).astype(np.int8).reshape(weights.shape), offset)

    @property
    def sums(self) -> I32:
        """The sum of each output channel's weights."""
        sums: I32 = self._real().sum(axis=1).astype(np.int32)
        return sums

    def bound(self, largest: int, bias: I32 | None) -> int:
        """The largest magnitude that a sum over inputs of magnitude `largest` can have, at any point."""
        sums = np.abs(self._real()).sum(axis=1) * largest
        return int((sums if bias is None else sums + np.abs(bias.astype(np.int64))).max())

    def _real(self) -> npt.NDArray[np.int64]:
        rows = self.stored.astype(np.int64).reshape(len(self.stored), -1)
        return rows + self.offset.astype(np.int64)[:, None]

    def constant(self, name: str) -> Any:
        """A `tfmbs.constant` of what is stored: trits, 4-bit integers or i8, whichever holds it."""
        return byte_constant(self.stored, name)


def byte_constant(stored: I8, name: str) -> Any:
    """A `tfmbs.constant` of integers that count as they are, in the fewest bits that hold all of them."""
    low, high = int(stored.min()), int(stored.max())
    array, element = stored, quantized(1.0)
    if low >= -1 and high <= 1:
        element = ternary(Packing.I8)
    elif low >= _NIBBLES[0] and high <= _NIBBLES[1]:
        element = int4()
        array = pack_rows(stored.reshape(len(stored), -1), Packing.NIBBLES).view(np.int8)
    return graph.constant(resource_attr(array, name), stored.shape, element).result
