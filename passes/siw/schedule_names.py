"""Names of what lanes and elements of memory are computed from, and the windows that hold them.

A name is a 64-bit hash of an operation and of the names that it depends on, which two different computations do not
share. Where INDEX made a lane, and where I64 divides such lanes, the lane holds its number instead.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tfmbs.passes.siw.machine import CodegenError
from tfmbs.runtime.abi.types import DType

Names = NDArray[np.uint64]

_NAME = np.uint64(1 << 62)  # the two highest bits of a name are 01, those of a number 00 or 11
_LOW = np.uint64((1 << 62) - 1)
_MULTIPLIERS = tuple(np.uint64(m) for m in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xD6E8FEB86659FD93))
KEPT = frozenset({DType.F32, DType.F64, DType.I32, DType.I64, DType.U32, DType.U64})
"""Types in memory that keep all bits of a lane."""


class ScheduleError(CodegenError):
    """Words that do not do what the program says."""


def mix(kind: str, number: int, *operands: Names) -> Names:
    """Names of what an operation makes of lanes; the order of `operands` counts."""
    seed = np.uint64(int.from_bytes(f"{kind}:{number}".encode().ljust(8, b"\0")[-8:], "little"))
    shape = operands[0].shape if operands else ()
    state: Names = np.full(shape, seed ^ _MULTIPLIERS[2] ^ np.uint64(len(operands)), np.uint64)
    for operand in operands:
        state = (state ^ operand) * _MULTIPLIERS[0]
        state ^= state >> np.uint64(29)
        state = state * _MULTIPLIERS[1] + np.uint64(1)
        state ^= state >> np.uint64(32)
    named: Names = state & _LOW | _NAME
    return named


def number_of(name: np.uint64, bound: int) -> int:
    """The number that a lane holds, or one drawn from its name."""
    if int(name) >> 62 == 1:
        return int(name) % bound
    return signed(int(name))


def quotients(number: int, a: Names, b: Names) -> Names:
    """The names of quotients; of two numbers the number, rounded to zero."""
    names = mix("DIV", number, a, b)
    for lane in np.flatnonzero((a >> np.uint64(62) != 1) & (b >> np.uint64(62) != 1)):
        over, by = signed(int(a[lane])), signed(int(b[lane]))
        whole = abs(over) // abs(by) if by else 0
        names[lane] = np.uint64((whole if (over < 0) == (by < 0) else -whole) % (1 << 64))
    return names


def signed(value: int) -> int:
    """A number modulo 2**64 as one of 64 bits with a sign."""
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


class Memory:
    """Windows of names. What is in them at the start is named by its place."""

    def __init__(self) -> None:
        self.names: dict[int, Names] = {}
        self.cursors: dict[tuple[str, int], int] = {}
        self.reach: dict[int, int] = {}  # elements of each window up to the last one touched

    def size(self, window: int) -> int:
        """How many elements have names."""
        return self.names[window].size if window in self.names else 0

    def window(self, window: int, size: int) -> Names:
        """A window with at least `size` elements."""
        have = self.names.get(window, np.zeros(0, np.uint64))
        if have.size < size:
            places = np.arange(have.size, max(size, 2 * have.size), dtype=np.uint64)
            have = self.names[window] = np.concatenate([have, mix("memory", window, places)])
        return have

    def _touched(self, window: int, places: NDArray[np.int64]) -> Names:
        """A window with room for these elements, of which at least one is there."""
        if places.min() < 0:
            raise ScheduleError(f"element {places.min()} of window {window} is touched")
        size = int(places.max()) + 1
        self.reach[window] = max(self.reach.get(window, 0), size)
        return self.window(window, size)

    def load(self, window: int, places: NDArray[np.int64], dtype: int) -> Names:
        """What a load of these elements gives."""
        names: Names = self._touched(window, places)[places]
        return names if DType(dtype) in KEPT else mix("widen", dtype, names)

    def store(self, window: int, places: NDArray[np.int64], dtype: int, names: Names) -> None:
        """Stores in ascending order, so that the last of several at one place stays."""
        target = self._touched(window, places)
        target[places] = names if dtype in KEPT else mix("narrow", dtype, names)
