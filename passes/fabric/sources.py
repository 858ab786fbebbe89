"""Where vector code comes from: places of ops by number while it is made, runs of words by place when it is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.location import UNKNOWN, place
from tfmbs.runtime.abi.records import ORIGIN
from tfmbs.runtime.abi.siw_word import SLOTS

_MOST_WORDS = next((1 << 8 * f.size) - 1 for f in ORIGIN.fields if f.name == "word_count")


@dataclass(frozen=True)
class Run:
    """What is in `slots` (of which bit 0 is D, 1 is S, 2 is C) of `count` words from `first` on comes from `place`."""

    place: str
    first: int
    count: int
    slots: int


class Sources:
    """Numbers of the places of one program's ops, by first use: equal code of other ops has equal numbers."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def of(self, op: Any) -> int:
        """The number of an op's place; -1 where it is not known."""
        where = place(op.location)
        return -1 if where == UNKNOWN else self._numbers.setdefault(str(where), len(self._numbers))

    def place(self, number: int) -> str:
        """The place of a number; "" for -1."""
        return "" if number < 0 else list(self._numbers)[number]

    def runs(self, words: Sequence[Mapping[str, int]], launch: Any) -> tuple[Run, ...]:
        """The runs of words that have a source other than the place of `launch`; `words` has sources by slot.

        A slot without operation belongs to any run, so that few runs do; runs of several slots that are alike are one.
        """
        own, places = self.of(launch), tuple(self._numbers)
        slots: dict[tuple[int, int, int], int] = {}
        for bit, slot in enumerate(SLOTS):
            for first, end, source in _tiles([word.get(slot) for word in words]):
                if source in (own, -1):
                    continue
                for start in range(first, end, _MOST_WORDS):
                    run = start, min(_MOST_WORDS, end - start), source
                    slots[run] = slots.get(run, 0) | 1 << bit
        return tuple(Run(places[source], first, count, mask) for (first, count, source), mask in sorted(slots.items()))


def _tiles(sources: Sequence[int | None]) -> Iterator[tuple[int, int, int]]:
    """A slot's words as ranges of one source: the first word, the word behind the last one, the source.

    None is a word without operation: it goes with the words before it, or behind it where nothing is before.
    """
    first, current = 0, None
    for at, source in enumerate(sources):
        if source is None or source == current:
            continue
        if current is not None:
            yield first, at, current
            first = at
        current = source
    if current is not None:
        yield first, len(sources), current


def first_users(block: Any) -> dict[Any, Any]:
    """The first op of a block that uses a value, by value: what it loads comes from there."""
    users: dict[Any, Any] = {}
    for op in block.operations:
        for operand in op.operands:
            users.setdefault(operand, op)
    return users
