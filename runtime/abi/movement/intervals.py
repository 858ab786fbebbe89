"""Sets of bytes, as disjoint intervals in ascending order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class Intervals:
    """Bytes of one memory. An interval is its first byte and the one behind its last."""

    def __init__(self) -> None:
        self._lows: list[int] = []
        self._highs: list[int] = []

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._lows, self._highs, strict=True)

    @property
    def bytes(self) -> int:
        """How many there are."""
        return sum(self._highs) - sum(self._lows)

    def add(self, low: int, high: int) -> None:
        """Adds bytes."""
        first, last = bisect_left(self._highs, low), bisect_right(self._lows, high)
        if first < last:
            low, high = min(low, self._lows[first]), max(high, self._highs[last - 1])
        self._lows[first:last], self._highs[first:last] = [low], [high]

    def remove(self, low: int, high: int) -> None:
        """Takes bytes away."""
        first, last = bisect_right(self._highs, low), bisect_left(self._lows, high)
        left = [
            (a, b)
            for one, other in self.within(low, high, clipped=False)
            for a, b in ((one, min(other, low)), (max(one, high), other))
            if a < b
        ]
        self._lows[first:last], self._highs[first:last] = [a for a, _ in left], [b for _, b in left]

    def within(self, low: int, high: int, *, clipped: bool = True) -> list[tuple[int, int]]:
        """The intervals that have bytes of others, as far as they are in these."""
        first, last = bisect_right(self._highs, low), bisect_left(self._lows, high)
        found = list(zip(self._lows[first:last], self._highs[first:last], strict=True))
        return [(max(a, low), min(b, high)) for a, b in found] if clipped else found

    def copy(self) -> Intervals:
        """The same bytes."""
        made = Intervals()
        made._lows, made._highs = self._lows[:], self._highs[:]
        return made
