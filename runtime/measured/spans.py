"""Spans of time: sets of disjoint intervals, and how much of them lies in others. Whole picoseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Spans:
    """Disjoint intervals in ascending order."""

    start: Times
    end: Times

    @classmethod
    def union(cls, start: Times, end: Times) -> Spans:
        """The union of any intervals."""
        order = np.argsort(start, kind="stable")
        start, end = start[order], end[order]
        if not len(start):
            return cls(start, end)
        reach = np.maximum.accumulate(end)
        first = np.concatenate([[True], start[1:] > reach[:-1]])
        last = np.concatenate([first[1:], [True]])
        return cls(start[first], reach[last])

    @classmethod
    def of(cls, intervals: Sequence[tuple[int, int]]) -> Spans:
        """Disjoint intervals in ascending order, as they are."""
        table = np.array(intervals, np.int64).reshape(-1, 2)
        return cls(table[:, 0], table[:, 1])

    def before(self, times: Times) -> Times:
        """How much of them lies before each of some times."""
        lengths = np.concatenate([[0], np.cumsum(self.end - self.start)])
        index = np.searchsorted(self.start, times, side="right")
        if not len(self.start):
            return np.zeros_like(times)
        over = np.where(index > 0, np.maximum(self.end[index - 1] - times, 0), 0)
        result: Times = lengths[index] - over
        return result

    def covers(self, times: Times) -> npt.NDArray[np.bool_]:
        """Which of some times lie in them; an interval has its start and not its end."""
        index = np.searchsorted(self.start, times, side="right")
        if not len(self.start):
            return np.zeros(times.shape, bool)
        result: npt.NDArray[np.bool_] = (index > 0) & (self.end[index - 1] > times)
        return result


@dataclass(frozen=True)
class Shares:
    """A run cut into pieces that belong to launches: piece i ends at `ends[i]` and begins where the one before ends."""

    ends: Times
    owners: Times
    launches: int

    def of(self, spans: Spans) -> Times:
        """By launch, how much of some spans lies in its pieces."""
        return self.added(np.diff(spans.before(self.ends), prepend=0))

    def added(self, amounts: Times) -> Times:
        """By launch, the sum of amounts of pieces."""
        result = np.zeros(self.launches, np.int64)
        np.add.at(result, self.owners, amounts)
        return result
