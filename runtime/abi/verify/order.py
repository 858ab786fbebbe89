"""Checks of waits and signals, and that descriptors which touch the same bytes are ordered by them.

Descriptors are taken in their order. A map from byte ranges to who last wrote them, and who read them since, finds for
each access the conflicting ones next to it; those further back are ordered through these. The time is linear in the
accesses and in the ranges they are cut into.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Row
from tfmbs.runtime.abi.limits import MAX_ORDER_STEPS
from tfmbs.runtime.abi.records import DESCRIPTOR, ENTRY, NONE, Kind
from tfmbs.runtime.abi.types import Region
from tfmbs.runtime.abi.verify.subject import Subject

_WORD = 64
NOBODY = -1


class _Budget:
    """The steps that the check of one entry has left; spending more refuses the file."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.spent = 0

    def spend(self, steps: int) -> None:
        self.spent += steps
        if self.spent > MAX_ORDER_STEPS:
            what = "steps to check the order of memory accesses"
            raise TfmbsError("resource-limit", self.where, what, f"at most {MAX_ORDER_STEPS}", self.spent)


class _Ancestors:
    """For each descriptor of an entry the set of those that are complete before it starts.

    A set is all below a `base`, plus bits for those from it on: serial programs need no bits, so that sets stay small.
    """

    def __init__(self, budget: _Budget) -> None:
        self.sets: list[tuple[int, int]] = []
        self.budget = budget

    def add(self, waits: list[int]) -> None:
        """The next descriptor, which waits for the descriptors `waits`."""
        base, bits = max((self.sets[wait][0] for wait in waits), default=0), 0
        for wait in waits:
            wait_base, wait_bits = self.sets[wait]
            bits |= wait_bits >> (base - wait_base)
            if wait >= base:
                bits |= 1 << (wait - base)
        ones = (~bits & (bits + 1)).bit_length() - 1
        self.sets.append((base + ones, bits >> ones))
        self.budget.spend(1 + len(waits) + bits.bit_length() // _WORD)

    def before(self, first: int, second: int) -> bool:
        """Whether `first` is complete before `second` starts."""
        base, bits = self.sets[second]
        return first < base or bool(bits >> (first - base) & 1)


@dataclass
class _Range:
    """Bytes up to `end` with one history: last writer, readers since."""

    end: int
    writer: int
    readers: list[int] = field(default_factory=list)


@dataclass
class _Memory:
    """The accesses to one buffer so far: ranges by their first byte. Bytes in no range were never touched."""

    budget: _Budget
    starts: list[int] = field(default_factory=list)
    ranges: list[_Range] = field(default_factory=list)

    def _cut(self, at: int) -> None:
        i = bisect_right(self.starts, at) - 1
        if i >= 0 and self.starts[i] < at < self.ranges[i].end:
            left = self.ranges[i]
            self.starts.insert(i + 1, at)
            self.ranges.insert(i + 1, _Range(left.end, left.writer, list(left.readers)))
            left.end = at
            self.budget.spend(len(left.readers))

    def _within(self, start: int, end: int) -> tuple[int, int]:
        self._cut(start)
        self._cut(end)
        first, last = bisect_left(self.starts, start), bisect_left(self.starts, end)
        self.budget.spend(1 + last - first)
        return first, last

    def read(self, who: int, start: int, end: int) -> set[int]:
        """Records a read; returns the writers of the bytes, with NOBODY where there is none."""
        first, last = self._within(start, end)
        writers = {self.ranges[i].writer for i in range(first, last)}
        if not self._is_covered(first, last, start, end):
            writers.add(NOBODY)
            self._fill(first, last, start, end)
            first, last = self._within(start, end)
        for i in range(first, last):
            self.ranges[i].readers.append(who)
        return writers

    def write(self, who: int, start: int, end: int) -> set[int]:
        """Records a write; returns the writers and readers it must come after."""
        first, last = self._within(start, end)
        others: set[int] = set()
        for i in range(first, last):
            others.add(self.ranges[i].writer)
            others.update(self.ranges[i].readers)
            self.budget.spend(len(self.ranges[i].readers))
        self.starts[first:last] = [start]
        self.ranges[first:last] = [_Range(end, who)]
        return others - {NOBODY}

    def _is_covered(self, first: int, last: int, start: int, end: int) -> bool:
        position = start
        for i in range(first, last):
            if self.starts[i] != position:
                return False
            position = self.ranges[i].end
        return position == end

    def _fill(self, first: int, last: int, start: int, end: int) -> None:
        """Puts ranges without a writer where bytes start…end are in none."""
        starts, ranges, position = [], [], start
        for i in range(first, last):
            if self.starts[i] > position:
                starts.append(position)
                ranges.append(_Range(self.starts[i], NOBODY))
            starts.append(self.starts[i])
            ranges.append(self.ranges[i])
            position = self.ranges[i].end
        if position < end:
            starts.append(position)
            ranges.append(_Range(end, NOBODY))
        self.starts[first:last], self.ranges[first:last] = starts, ranges

    def is_written(self, end: int) -> bool:
        """Whether every byte up to `end` has a writer."""
        first, last = self._within(0, end)
        writers = [self.ranges[i].writer for i in range(first, last)]
        return self._is_covered(first, last, 0, end) and NOBODY not in writers


def _accesses(subject: Subject, descriptor: Row) -> Iterator[tuple[int, bool]]:
    """(tensor, is a write) of a descriptor, reads first. A window both loaded and stored counts as written."""
    args = subject.args(descriptor)
    stored = subject.windows[descriptor["program"]].stored if descriptor["program"] != NONE else set()
    loaded = subject.windows[descriptor["program"]].loaded if descriptor["program"] != NONE else set()
    yield from ((descriptor[name], False) for name in ("lhs", "rhs") if descriptor[name] != NONE)
    yield from ((args[window], False) for window in sorted(loaded - stored))
    if descriptor["kind"] != Kind.VECTOR:
        yield descriptor["out"], True
    yield from ((args[window], True) for window in sorted(stored))


class _Entry:
    """The walk over the descriptors of one entry."""

    def __init__(self, subject: Subject, index: int, entry: Row) -> None:
        self.subject = subject
        self.first: int = entry["first_descriptor"]
        self.count: int = entry["descriptor_count"]
        self.budget = _Budget(subject.where(ENTRY, index))
        self.ancestors = _Ancestors(self.budget)
        self.memories: dict[tuple[int, int], _Memory] = {}
        self.signals: dict[int, int] = {}

    def walk(self) -> None:
        for local in range(self.count):
            descriptor = self.subject.image.descriptors[self.first + local]
            self._wait(local, descriptor)
            for tensor, is_write in _accesses(self.subject, descriptor):
                self._access(local, self.subject.tensor(tensor), is_write=is_write)
            self._signal(local, descriptor)

    def _wait(self, local: int, descriptor: Row) -> None:
        tokens = self.subject.waits(descriptor)
        for token in tokens:
            if token not in self.signals:
                what = self._deadlock(local, token) or "token"
                raise self._refuse(local, "waits_first", what, "signalled by an earlier descriptor", token)
        if len(set(tokens)) != len(tokens):
            raise self._refuse(local, "waits_first", "tokens", "each once", tokens)
        self.ancestors.add([self.signals[token] for token in tokens])

    def _deadlock(self, local: int, token: int) -> str:
        """The cycle through descriptor `local`, which waits for a token that no earlier one signals; "": nobody does.

        Descriptors start in order. So waits for earlier ones alone have no cycle, and any other wait closes one.
        """
        here = self.first + local
        for other in range(here, self.first + self.count):
            if self.subject.image.descriptors[other]["signal"] == token:
                then = (
                    f"waits for CODE[{other}], which starts after CODE[{here}]" if other > here else "waits for itself"
                )
                return f"deadlock, CODE[{here}] {then}: token"
        return ""

    def _signal(self, local: int, descriptor: Row) -> None:
        token, count = descriptor["signal"], len(self.subject.image.descriptors)
        if token >= count:
            raise self._refuse(local, "signal", "token", f"below {count}", token)
        if token in self.signals:
            raise self._refuse(local, "signal", "token", "signalled once", token)
        self.signals[token] = local

    def _access(self, local: int, tensor: Row, *, is_write: bool) -> None:
        region = Region(tensor["region"])
        if region in (Region.WEIGHTS, Region.INPUT):
            return
        memory = self.memories.setdefault((region, tensor["slot"]), _Memory(self.budget))
        start, end = tensor["offset"], tensor["offset"] + tensor["bytes"]
        others = memory.write(local, start, end) if is_write else memory.read(local, start, end)
        if NOBODY in others and region is not Region.STATE:
            raise self._refuse(
                local, "", f"reads {region.name} bytes {start}…{end - 1}", "written before", "not written"
            )
        for other in sorted(others - {NOBODY, local}):
            if not self.ancestors.before(other, local):
                what = f"touches {region.name} bytes {start}…{end - 1} without waiting for CODE[{self.first + other}]"
                raise self._refuse(local, "waits_count", what)

    def _refuse(self, local: int, name: str, what: str, expected: object = None, got: object = None) -> TfmbsError:
        return self.subject.refuse(DESCRIPTOR, self.first + local, name, what, expected, got)


def check_order(subject: Subject, index: int, entry: Row, outputs: dict[int, int]) -> None:
    """Checks one entry; `outputs` are the bytes of each output, all of which must be written."""
    walk = _Entry(subject, index, entry)
    walk.walk()
    for slot, size in outputs.items():
        memory = walk.memories.get((Region.OUTPUT, slot), _Memory(walk.budget))
        if not memory.is_written(size):
            raise subject.refuse(ENTRY, index, "outputs_first", f"output {slot}", "every byte written", "not all")
