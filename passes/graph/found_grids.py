"""Whether weights already are small integers times a scale for each channel or group, to the last bit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfmbs.passes.graph.quantization import INT4_MAX, SMALLEST_NORMAL, WEIGHT_MAX

F32 = npt.NDArray[np.float32]

LARGEST = {"ternary": 1, "int4": INT4_MAX, "int8": WEIGHT_MAX}
"""Grids that are looked for, the fewest bits first: precision → largest integer."""

GROUPS = (128, 64, 32)
"""Sizes of groups with a scale of their own that are looked for in linear layers, where a channel has not one."""

LEAST = 8
"""Weights for each scale from which on a grid is one: fewer are integers times something by chance, or gain nothing."""

_PROBE = 16  # weights of a group that must be on a grid before the others are looked at


@dataclass(frozen=True)
class FoundGrid:
    """A precision and the scales N×G with which weights are f32(integer) · scale."""

    precision: str
    scales: F32


def find_grid(weights: F32, precisions: Iterable[str]) -> FoundGrid | None:
    """The first of `precisions` whose grid all weights O×… lie on, with the fewest scales; None where there is none."""
    if not weights.size or not np.isfinite(weights).all():
        return None
    rows = np.ascontiguousarray(weights.reshape(len(weights), -1))
    width = rows.shape[1]
    sizes = [width, *(size for size in GROUPS if weights.ndim == 2 and width > size and width % size == 0)]
    for precision in precisions:
        for size in sizes:
            if size < LEAST:
                continue
            scales = _scales(rows.reshape(-1, size), LARGEST[precision])
            if scales is not None:
                return FoundGrid(precision, scales.reshape(len(rows), -1))
    return None


def _scales(groups: F32, most: int) -> F32 | None:
    """A scale of each row with which it is integers of magnitude up to `most`; None where a row has none."""
    scales = np.ones(len(groups), np.float32)
    for index, group in enumerate(groups):
        found = _scale(group, most)
        if found is None:
            return None
        scales[index] = found
    return scales


def _scale(group: F32, most: int) -> float | None:
    """The largest scale with which all of `group` is f32(integer) · scale; 1 for zeros.

    Where the largest weight is q units, f32(q · scale) is that weight for at most three neighbouring scales.
    """
    magnitude = np.abs(group)
    top = magnitude.max()
    if top == 0:
        return 1.0
    quotients = top / np.arange(1, most + 1, dtype=np.float32)
    up, down = np.nextafter(quotients, np.float32(np.inf)), np.nextafter(quotients, np.float32(0))
    candidates = np.stack([quotients, up, down], axis=1).reshape(-1)
    candidates = candidates[candidates >= np.float32(SMALLEST_NORMAL)]
    for values in (magnitude[:: max(1, magnitude.size // _PROBE)][:_PROBE], magnitude):
        candidates = candidates[_are_on(values, candidates, most)]
        if not candidates.size:
            return None
    return float(candidates[0])


def _are_on(magnitude: F32, scales: F32, most: int) -> npt.NDArray[np.bool_]:
    """For each of `scales`, whether all of `magnitude` are integers of at most `most` times it."""
    with np.errstate(over="ignore"):
        integers = np.rint(magnitude / scales[:, None])
        found: npt.NDArray[np.bool_] = ((integers <= most) & (integers * scales[:, None] == magnitude)).all(axis=1)
    return found
