"""Sizes of dimensions as users give them: a number, or a range of numbers for the run to choose from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmbs.runtime.abi.errors import TfmbsError

GREATEST = (1 << 32) - 1
"""Of a run-time size: a dim of a tensor record holds no more."""

DOTS = ".."
"""Between the ends of a range, as text."""


@dataclass(frozen=True)
class Range:
    """Sizes from `low` to `high`."""

    low: int
    high: int


Given = int | tuple[int, int] | str | Range


def size_of(name: str, given: Any) -> Any:
    """A size as it is given, or the range that a pair of sizes or text like ``1..128`` gives; of one size, that size.

    Raises:
        TfmbsError: ``onnx.dim``, for a pair or text that is none, and for a range that holds nothing or too much.
    """
    if not isinstance(given, str | tuple | list | Range):
        return given  # importers check numbers
    where = f"dims: '{name}'"
    if isinstance(given, Range):
        ends: list[Any] = [given.low, given.high]
    elif isinstance(given, str):
        ends = [int(end) if end.isascii() and end.isdigit() else None for end in given.split(DOTS)]
    else:
        ends = list(given)
    if len(ends) != 2 or not all(isinstance(end, int | np.integer) and not isinstance(end, bool) for end in ends):
        raise TfmbsError("onnx.dim", where, "size", "an integer, at least 1, or a range LO..HI", repr(given))
    low, high = (int(end) for end in ends)
    if not 1 <= low <= high <= GREATEST:
        raise TfmbsError("onnx.dim", where, "range of sizes", f"1 <= LO <= HI <= {GREATEST}", f"{low}{DOTS}{high}")
    return low if low == high else Range(low, high)


def sizes_of(dims: Mapping[str, Any]) -> dict[str, Any]:
    """All sizes by name. Raises TfmbsError ``onnx.dim``."""
    return {name: size_of(name, given) for name, given in dims.items()}


def has_ranges(*dims: object) -> bool:
    """Whether a size in one of the mappings is a range."""
    return any(isinstance(size, Range) for sizes in dims if isinstance(sizes, Mapping) for size in sizes.values())


def greatest(dims: Mapping[str, Any]) -> dict[str, Any]:
    """The sizes, of a range the greatest."""
    return {name: size.high if isinstance(size, Range) else size for name, size in dims.items()}
