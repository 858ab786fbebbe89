"""Pages of operands in L3 and L2: those with a slot of their own stay, all others stream through a few.

What is read over and over in the same order is not kept by the last use: the chunk that comes next would always be the
one that has just gone. So it is decided beforehand which pages stay, as many as there are slots for, evenly between
those that stream: so the engines in front of both memories always have something to bring.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.memory import Slot
from tfmbs.runtime.abi.movement.program import Copy


class Page(NamedTuple):
    """Bytes that move at once: `copies` from external memory to a slot, whose address is 0 in them."""

    key: Hashable
    size: int
    copies: tuple[Copy, ...]


class Stream:
    """Slots that are used in turn, which remember what is in them."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self._slots, self._next = slots, 0
        self._at: dict[Hashable, Slot] = {}

    def find(self, key: Hashable) -> Slot | None:
        """The slot that holds a page."""
        return self._at.get(key)

    def take(self, key: Hashable) -> Slot:
        """The slot that is used next, for a page (None: for something without a name)."""
        slot = self._slots[self._next]
        self._next = (self._next + 1) % len(self._slots)
        if slot.key is not None:
            del self._at[slot.key]
        slot.key = key
        if key is not None:
            self._at[key] = slot
        return slot


class _Homes:
    """Slots of a memory in which pages stay."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self._free = list(slots)[::-1]
        self._at: dict[Hashable, Slot] = {}
        self._filled: set[Hashable] = set()

    def keep(self, keys: Iterable[Hashable]) -> None:
        """Frees the slots of all other pages."""
        kept = set(keys)
        for key in [key for key in self._at if key not in kept]:
            self._free.append(self._at.pop(key))
            self._filled.discard(key)

    def settle(self, key: Hashable) -> bool:
        """Gives a page a slot, if one is free."""
        if self._free:
            self._at[key] = self._free.pop()
            return True
        return False

    def has(self, key: Hashable) -> bool:
        return key in self._at

    def find(self, key: Hashable) -> tuple[Slot | None, bool]:
        """The slot of a page that has one, and whether the page is there; from now on it is."""
        is_filled = key in self._filled
        if key in self._at:
            self._filled.add(key)
        return self._at.get(key), is_filled

    @property
    def keys(self) -> list[Hashable]:
        """The pages that have slots."""
        return list(self._at)

    @property
    def room(self) -> int:
        """Slots that are free."""
        return len(self._free)


class Pages:
    """Pages of L3 and L2. `slots` are, of both, those that stream and those that stay."""

    def __init__(
        self, x: Expansion, l3: tuple[Sequence[Slot], Sequence[Slot]], l2: tuple[Sequence[Slot], Sequence[Slot]]
    ) -> None:
        self.x = x
        self._streams = Stream(l3[0]), Stream(l2[0])
        self._homes = _Homes(l3[1]), _Homes(l2[1])

    def settle(self, *classes: Sequence[Hashable]) -> None:
        """Decides which pages stay: as many of the first class as there are slots for, then of the next; of a class of
        which not all do, those that are spread evenly in its order. Pages that have slots keep them."""
        every = {key for one in classes for key in one}
        for homes in self._homes:
            homes.keep(every)
        for one in classes:
            new = [key for key in one if not any(homes.has(key) for homes in self._homes)]
            room = min(len(new), sum(homes.room for homes in self._homes))
            chosen = [new[number * len(new) // room] for number in range(room)]
            # Of these, again evenly: L3 takes every so many of them.
            share = min(self._homes[0].room, room)
            taken = 0
            for number, key in enumerate(chosen):
                wants_l3 = (number + 1) * share // max(1, room) > taken
                first, second = self._homes if wants_l3 else self._homes[::-1]
                if first.settle(key):
                    taken += first is self._homes[0]
                else:
                    second.settle(key)
                    taken += second is self._homes[0]

    @property
    def kept(self) -> set[Hashable]:
        """The pages that stay."""
        return {key for homes in self._homes for key in homes.keys}

    def in_l2(self, page: Page) -> Slot:
        """The slot of L2 with a page, which is brought there if it is not."""
        home, is_there = self._homes[1].find(page.key)
        if home is not None and is_there:
            return home
        passing = self._streams[1].find(page.key)
        if home is None and passing is not None:
            return passing
        slot = home or self._streams[1].take(page.key)
        start = self.in_l3(page)
        self.x.lift([Copy(start.memory, start.address, slot.memory, slot.address, run=page.size)], start, slot)
        return slot

    def in_l3(self, page: Page) -> Slot:
        """The slot of L3 with a page, which is brought there if it is not."""
        home, is_there = self._homes[0].find(page.key)
        if home is not None and is_there:
            return home
        slot = home or self._streams[0].take(None)
        copies = [copy._replace(target=slot.memory, to=slot.address + copy.to) for copy in page.copies]
        self.x.load(copies, slot)
        return slot
