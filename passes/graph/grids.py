"""Grids that weights are rounded to: integers up to a largest magnitude, times a scale for each group of a row.

Where `quantization` takes a scale from the largest weight, scales here have the least error, each weight counted by how
much its input matters (the diagonal of the second moment of the inputs).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I8 = npt.NDArray[np.int8]

SHRINKS = np.arange(100, 39, -2) / 100
"""Fractions of the largest weight of a group that are tried as the end of its grid."""


@dataclass(frozen=True)
class Grid:
    """Integers in −most…most; `group` weights of a row have a scale of their own, the whole row where it is None.

    With `signed` scales the integers are −most − 1…most, and a scale is negative where that puts the longer end to the
    weight that is largest.
    """

    most: int
    group: int | None = None
    signed: bool = False

    def columns(self, width: int) -> int:
        """Weights in a group of rows of `width`. Raises ValueError where groups do not divide it."""
        group = width if self.group is None else self.group
        if width % group:
            raise ValueError(f"groups of {group} do not divide rows of {width} weights")
        return group

    def __post_init__(self) -> None:
        if self.most < 1 or (self.group is not None and self.group < 1):
            raise ValueError(f"a grid of −{self.most}…{self.most} in groups of {self.group}")

    def scales(self, rows: F64, importance: F64) -> F32:
        """The scales N×G of weights N×K with the least Σ importance·(w − stored·scale)²; `importance` is K, positive.

        Trits: the k largest |w| of a group are selected and the scale is the weighted mean of them, for the k of the
        least error (the solution of Li and Liu, "Ternary weight networks", 2016, §2.1, without its approximation of the
        threshold). Other grids: max|w| / most times the best of `SHRINKS`; signed scales: w / (−most − 1), or w / most,
        of the largest w.
        A group of zeros has scale 0 for trits, else 1. Weights that are on a grid of trits already are found exactly.
        """
        groups = rows.reshape(rows.shape[0], -1, self.columns(rows.shape[1]))
        weights = importance.reshape(groups.shape[1:])
        choose = _ternary_scales if self.most == 1 else self._integer_scales
        scales: F32 = choose(groups, np.broadcast_to(weights, groups.shape)).astype(np.float32)
        return scales

    def stored(self, rows: F64, scales: F32) -> I8:
        """The stored integers N×K nearest to weights N×K in units of their scales N×G."""
        wide = np.repeat(scales.astype(np.float64), self.columns(rows.shape[1]), axis=1)
        return self.nearest(rows, wide).astype(np.int8)

    def nearest(self, values: F64, scales: F64) -> F64:
        """The stored integers nearest to values / scales, half to even; 0 where a scale is 0."""
        quotient = np.divide(values, scales, out=np.zeros_like(values), where=scales != 0)
        rounded: F64 = np.clip(np.rint(quotient), self.least, self.most)
        return rounded

    @property
    def least(self) -> int:
        """The smallest integer."""
        return -self.most - 1 if self.signed else -self.most

    def _integer_scales(self, groups: F64, importance: F64) -> F64:
        """Of all ends of the grid that are tried, those with the least error."""
        largest = np.take_along_axis(groups, np.abs(groups).argmax(axis=2)[:, :, None], axis=2)[:, :, 0]
        ends = (largest / self.least, largest / self.most) if self.signed else (np.abs(largest) / self.most,)
        best, least = np.ones(largest.shape), np.full(largest.shape, np.inf)
        for end in ends:
            for shrink in SHRINKS:
                scales = np.where(end != 0, end * shrink, 1.0).astype(np.float32).astype(np.float64)
                stored = np.clip(np.rint(groups / scales[:, :, None]), self.least, self.most)
                errors = (importance * (groups - stored * scales[:, :, None]) ** 2).sum(axis=2)
                best, least = np.where(errors < least, scales, best), np.minimum(errors, least)
        return best


def real_weights(stored: I8, scales: F32) -> F32:
    """The weights that stored integers N×… stand for with their scales N×G: f32(stored) · scale, rounded."""
    groups = stored.reshape(*scales.shape, -1).astype(np.float32)
    weights: F32 = groups * scales[:, :, None]
    return weights.reshape(stored.shape)


def _ternary_scales(groups: F64, importance: F64) -> F64:
    """For each prefix of |w| in falling order the error is Σh·w² − (Σh|w|)² / Σh, with Σh|w| / Σh as the scale."""
    magnitude = np.abs(groups)
    order = np.argsort(-magnitude, axis=2, kind="stable")
    weight = np.take_along_axis(importance, order, axis=2)
    sums = np.add.accumulate(weight * np.take_along_axis(magnitude, order, axis=2), axis=2)
    totals = np.add.accumulate(weight, axis=2)
    best = np.argmax(sums**2 / totals, axis=2, keepdims=True)
    scales: F64 = np.take_along_axis(sums / totals, best, axis=2)[:, :, 0]
    return scales
