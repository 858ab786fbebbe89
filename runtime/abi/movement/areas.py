"""Bytes of an on-chip memory whose users are known byte by byte, for data that several movements write and read.

A slot is written whole and then read; an area holds what stays: a movement that reads some of its bytes waits for those
that wrote them, one that writes waits for those that used them before, of this launch or of earlier ones.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise
from typing import NamedTuple

from tfmbs.runtime.abi.movement.memory import Piece, Space

MOST_READERS = 16
"""Of which only the last of each queue are kept."""


class _Used(NamedTuple):
    """Bytes up to `high`, who wrote them, and who read them since (at first: who used them in earlier launches)."""

    high: int
    writers: list[int]
    readers: list[int]


class Area:
    """`size` bytes of a memory from `address` on."""

    def __init__(self, space: Space, size: int) -> None:
        (slot,) = space.slots(1, size)
        self.memory, self.address, self.size = slot.memory, slot.address, slot.size
        self._program = space.program
        self._lows: list[int] = []
        self._used: list[_Used] = []
        for piece in slot.before:
            for low, high in self._split(piece.low, piece.high):
                self._note(low, high, piece.movements)
        slot.owner = self

    def before(self, low: int, high: int, *, writes: bool) -> list[int]:
        """Movements that come before an access to bytes, by their addresses."""
        first, last = self._range(low, high)
        found: list[int] = []
        for used in self._used[first:last]:
            found += used.writers
            if writes:
                found += used.readers
        return found

    def note(self, low: int, high: int, movement: int, *, writes: bool) -> None:
        """Notes an access."""
        self._cut(low)
        self._cut(high)
        if writes:
            first, last = self._range(low, high)
            self._lows[first:last], self._used[first:last] = [low], [_Used(high, [movement], [])]
            return
        for one, other in self._split(low, high):
            self._note(one, other, [movement])

    def pieces(self) -> list[Piece]:
        """Who used which bytes last, for later launches."""
        return [
            Piece(low, used.high, list(self._program.last_of_queues([*used.writers, *used.readers]).values()))
            for low, used in zip(self._lows, self._used, strict=True)
        ]

    def _range(self, low: int, high: int) -> tuple[int, int]:
        """Of what meets some bytes: the first, and the one behind the last."""
        first = bisect_right(self._lows, low) - 1
        if first < 0 or self._used[first].high <= low:
            first += 1
        return first, bisect_left(self._lows, high)

    def _cut(self, at: int) -> None:
        index = bisect_left(self._lows, at) - 1
        if index >= 0 and self._used[index].high > at:
            high, writers, readers = self._used[index]
            self._used[index] = _Used(at, writers, readers)
            self._lows.insert(index + 1, at)
            self._used.insert(index + 1, _Used(high, writers[:], readers[:]))

    def _split(self, low: int, high: int) -> list[tuple[int, int]]:
        """Bytes, cut where their users change."""
        self._cut(low)
        self._cut(high)
        first, last = self._range(low, high)
        bounds = sorted({low, high, *self._lows[first:last], *(used.high for used in self._used[first:last])})
        return list(pairwise(bounds))

    def _note(self, low: int, high: int, readers: list[int]) -> None:
        """Adds readers of bytes that have the same users."""
        index = bisect_left(self._lows, low)
        if index == len(self._lows) or self._lows[index] != low:
            self._lows.insert(index, low)
            self._used.insert(index, _Used(high, [], []))
        own = self._used[index].readers
        own += readers
        if len(own) > MOST_READERS:
            own[:] = self._program.last_of_queues(own).values()
