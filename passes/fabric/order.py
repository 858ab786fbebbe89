"""Which launches wait for which: those that touch the same bytes, one of them writing; no wait follows from others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tfmbs.passes.fabric.tables import TensorKey
from tfmbs.runtime.abi.types import Region

_READ_ONLY = frozenset({Region.WEIGHTS, Region.INPUT})


@dataclass(frozen=True)
class _Touch:
    """Bytes first…end - 1 of a buffer, touched by launch `who`."""

    first: int
    end: int
    who: int
    is_write: bool


@dataclass
class Order:
    """The launches of one entry so far."""

    _touched: dict[tuple[Region, int], list[_Touch]] = field(default_factory=dict)
    _before: list[int] = field(default_factory=list)  # bit set of the launches that are complete before each starts

    def add(self, reads: Sequence[TensorKey], writes: Sequence[TensorKey]) -> list[int]:
        """The next launch; returns the launches it must wait for, ascending."""
        who = len(self._before)
        touches = [(key, is_write) for keys, is_write in ((reads, False), (writes, True)) for key in keys]
        touches = [(key, is_write) for key, is_write in touches if key.region not in _READ_ONLY]
        conflicts = {other for key, is_write in touches for other in self._conflicts(key, is_write=is_write)}
        before, waits = 0, []
        for other in sorted(conflicts, reverse=True):
            if not before >> other & 1:
                before |= self._before[other] | 1 << other
                waits.append(other)
        self._before.append(before)
        for key, is_write in touches:
            self._record(key, who, is_write=is_write)
        return waits[::-1]

    def _conflicts(self, key: TensorKey, *, is_write: bool) -> list[int]:
        first, end = key.offset, key.offset + key.bytes
        touches = self._touched.get((key.region, key.slot), [])
        return [t.who for t in touches if t.first < end and first < t.end and (is_write or t.is_write)]

    def _record(self, key: TensorKey, who: int, *, is_write: bool) -> None:
        touches = self._touched.setdefault((key.region, key.slot), [])
        first, end = key.offset, key.offset + key.bytes
        if is_write:  # what lies within is ordered before this write, and later launches come after it
            touches[:] = [t for t in touches if t.first < first or end < t.end or t.who == who]
        touches.append(_Touch(first, end, who, is_write))
