"""How near the outputs of a network stay to those in f32, on samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from tfmbs.runtime.abi.errors import TfmbsError

Array = npt.NDArray[Any]
_T = TypeVar("_T")


def spread(items: Sequence[_T], most: int) -> list[_T]:
    """At most so many of the items, evenly from first to last."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def agreement(outputs: Iterable[Mapping[str, Array]], expected: Iterable[Mapping[str, Array]]) -> float:
    """The mean over runs of the least cosine, over the float outputs of a run, to what is expected of it.

    Raises:
        TfmbsError: ``unsupported``, no output is a float.
    """
    return agreement_and_error(outputs, expected)[0]


def agreement_and_error(
    outputs: Iterable[Mapping[str, Array]], expected: Iterable[Mapping[str, Array]]
) -> tuple[float, float]:
    """`agreement`, and the standard error of that mean: other samples will give others. Raises as `agreement`."""
    runs = [_least_cosine(ours, reference) for ours, reference in zip(outputs, expected, strict=True)]
    return float(np.mean(runs)), float(np.std(runs, ddof=1) / np.sqrt(len(runs))) if len(runs) > 1 else 0.0


def _least_cosine(ours: Mapping[str, Array], expected: Mapping[str, Array]) -> float:
    names = [name for name, array in expected.items() if array.dtype.kind == "f"]
    if not names:
        raise TfmbsError("unsupported", "accuracy budget", "outputs", "at least one of floats", "none")
    return min(cosine(ours[name], expected[name]) for name in names)


def cosine(a: Array, b: Array) -> float:
    """Of the angle between two arrays as vectors; 1 where both are zero, 0 where one is or holds what is not finite."""
    x, y = (array.astype(np.float64).ravel() for array in (a, b))
    tops = [float(np.abs(v).max(initial=0.0)) for v in (x, y)]
    if tops == [0.0, 0.0]:
        return 1.0
    if 0.0 in tops or not np.isfinite(tops).all():
        return 0.0
    x, y = x / tops[0], y / tops[1]
    return float(np.clip(x @ y / (np.linalg.norm(x) * np.linalg.norm(y)), -1, 1))
