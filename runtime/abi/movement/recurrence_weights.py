"""Pages of an LSTM: weights of both operands, and inputs of some steps."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from tfmbs.runtime.abi.movement.operands import Span, span
from tfmbs.runtime.abi.movement.pages import Page
from tfmbs.runtime.abi.movement.program import Copy
from tfmbs.runtime.abi.movement.recurrence_plan import GATES, WORD, RecurrenceWork


class Weights:
    """Weights of one operand: (ways, gates, hidden, k) f32, `start` bytes into a memory; panels of `gates` gates of a
    block and `depth` of k, in pages of at most so many bytes."""

    def __init__(
        self,
        name: str,
        place: tuple[int, int],
        work: RecurrenceWork,
        k: int,
        *,
        block: int,
        gates: int,
        depth: int,
        page: int,
    ) -> None:
        self.name, self.place, self.work, self.k = name, place, work, k
        self.block, self.gates, self.depth, self.page = block, gates, depth, page
        self._panels: dict[tuple[int, int, int, int], list[Page]] = {}

    def steps(self) -> list[Span]:
        """Parts of the reduction."""
        return [span(i, self.depth, self.k) for i in range(-(-self.k // self.depth))]

    def keys(self, way: int) -> list[Hashable]:
        """All pages of a direction, in the order of their use."""
        return [
            page.key
            for block in range(-(-self.work.hidden // self.block))
            for gate in range(0, GATES, self.gates)
            for part in range(len(self.steps()))
            for page in self.panel(way, block, gate, part)
        ]

    def panel(self, way: int, block: int, gate: int, part: int) -> list[Page]:
        """Pages of a panel: they follow each other in L1, rows of one gate behind those of the other."""
        key = way, block, gate, part
        if key not in self._panels:
            self._panels[key] = list(self._pages(*key))
        return self._panels[key]

    def _pages(self, way: int, block: int, gate: int, part: int) -> Iterator[Page]:
        hidden, k = self.work.hidden, self.k
        elements, depth = span(block, self.block, hidden), span(part, self.depth, k)
        row = depth.size * WORD
        per_page, rows = max(1, self.page // row), self.gates * elements.size
        for first in range(0, rows, per_page):
            end, copies = min(first + per_page, rows), []
            for number in range(first // elements.size, (end - 1) // elements.size + 1):
                low, high = max(first, number * elements.size), min(end, (number + 1) * elements.size)
                vector = (way * GATES + gate + number) * hidden + elements.first + low - number * elements.size
                start = self.place[1] + (vector * k + depth.first) * WORD
                copies.append(
                    Copy(self.place[0], start, 0, (low - first) * row, 1, 0, 0, high - low, k * WORD, row, row)
                )
            yield Page((self.name, way, block, gate, part, first), (end - first) * row, tuple(copies))


class Inputs:
    """Inputs of a job, `rows` of (steps, batch, width) f32, in slices of `depth` of the width."""

    def __init__(self, place: tuple[int, int], work: RecurrenceWork, rows: Span, depth: int, page: int) -> None:
        self.place, self.work, self.rows, self.depth, self.page = place, work, rows, depth, page

    def keys(self, places: Span) -> list[Hashable]:
        """All pages of some places of the sequence."""
        parts = -(-self.work.width // self.depth)
        return [page.key for part in range(parts) for page in self.slice(places, part)]

    def slice(self, places: Span, part: int) -> list[Page]:
        """Pages of a slice: all rows of a place, then those of the next; they follow each other in L1."""
        depth = span(part, self.depth, self.work.width)
        row = depth.size * WORD
        per_page, every = max(1, self.page // row), places.size * self.rows.size
        return [
            Page(
                ("inputs", self.rows.first, places.first, part, first),
                (min(first + per_page, every) - first) * row,
                tuple(self._copies(places.first, first, min(first + per_page, every), depth)),
            )
            for first in range(0, every, per_page)
        ]

    def _copies(self, place: int, first: int, end: int, depth: Span) -> Iterator[Copy]:
        """Rows `first` to `end` from a place on: those of the whole batch follow each other outside."""
        work, rows, row = self.work, self.rows, depth.size * WORD
        at = first
        while at < end:
            number, sequence = divmod(at, rows.size)
            count = end - at if rows.size == work.batch else min(end - at, rows.size - sequence)
            vector = (place + number) * work.batch + rows.first + sequence
            start = self.place[1] + (vector * work.width + depth.first) * WORD
            yield Copy(self.place[0], start, 0, (at - first) * row, 1, 0, 0, count, work.width * WORD, row, row)
            at += count
