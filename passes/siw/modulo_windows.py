"""Windows of the interval for the operations of all VLs but the one with the most work, packed as tightly as they go.

A SETVL takes a cycle of slot C, an operation of C with the VL of the most work cannot reach over it, and it waits for
the last beats of what works with the VL before it, but for what issues in its own word; so what lies between the SETVL
is lost to the others, and the fewer cycles the better. The operations in the windows keep their place in the interval:
only the iteration that is under way there, and so how long they come after what they need, is left to the scheduler.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, permutations

from tfmbs.passes.siw.modulo_phases import Phases

_MOST_ORDERS = 6
"""Orders of the windows that are tried: all of up to three."""


@dataclass(frozen=True)
class Windows:
    """Where the SETVL of each phase is in the interval, and the operations of all phases but one (`place`, by number).

    `bound` is the least interval that leaves room for the other operations of each slot.
    """

    starts: tuple[int, ...]
    place: dict[int, int]
    bound: int

    @classmethod
    def of(
        cls, phases: Phases, slots: Sequence[str], busy: Sequence[int], before: Collection[tuple[int, int]]
    ) -> Windows | None:
        """The tightest windows for operations in `slots` that are `busy` so long; None where there is one VL only.

        Of a pair in `before` that is in one window, the first issues in an earlier word.
        """
        if not phases.vls:
            return None
        most = phases.wants.index(max(phases.wants))
        others = [phase for phase in range(len(phases.vls)) if phase != most]
        orders = islice(permutations(others), _MOST_ORDERS)
        return min(
            (_Packing(phases, slots, busy, before, (*order, most)).packed() for order in orders),
            key=lambda windows: windows.bound,
        )


def fits_before(setvl: int, time: int, busy: int) -> bool:
    """Whether a SETVL does not wait for an operation: one that issues in its word, or has its last beat by then."""
    return time == setvl or time + busy - 1 <= setvl


class _Packing:
    """One order of the phases, the one with the most work last."""

    def __init__(
        self,
        phases: Phases,
        slots: Sequence[str],
        busy: Sequence[int],
        before: Collection[tuple[int, int]],
        order: Sequence[int],
    ) -> None:
        self.phases, self.slots, self.busy, self.before, self.order = phases, slots, busy, before, order
        self.place: dict[int, int] = {}
        self.starts = [0]

    def packed(self) -> Windows:
        """The windows in this order."""
        for phase in self.order[:-1]:
            self._pack(phase)
        for slot in "DS":
            self._delay(slot)
        starts = dict(zip(self.order, self.starts, strict=True))
        bound = max(self._needs(slot) for slot in "DSC")
        return Windows(tuple(starts[phase] for phase in range(len(starts))), self.place, bound)

    def _members(self, phase: int, slot: str) -> Iterator[int]:
        return (n for n, member in enumerate(self.phases.member) if member == phase and self.slots[n] == slot)

    def _pack(self, phase: int) -> None:
        """Places the operations of a phase behind its SETVL, and the next one as early as they allow."""
        start = self.starts[-1]
        end = start + 1
        for slot in "DSC":
            free = max([start + 1, *(at + self.busy[n] for n, at in self.place.items() if self.slots[n] == slot)])
            for n in self._members(phase, slot):
                behind = [self.place[m] + 1 for m, other in self.before if other == n and m in self.place]
                self.place[n] = max([free, *behind])
                free = self.place[n] + self.busy[n]
                end = max(end, free if slot == "C" else self.place[n])
        own = [n for n, member in enumerate(self.phases.member) if member == phase]
        while not all(fits_before(end, self.place[n], self.busy[n]) for n in own):
            end += 1
        self.starts.append(end)

    def _delay(self, slot: str) -> None:
        """Moves the operations of a slot to the ends of their windows, so that what comes before has the cycles."""
        following: int | None = None
        for position in reversed(range(len(self.order) - 1)):
            for n in reversed(list(self._members(self.order[position], slot))):
                limit = end = self.starts[position + 1]
                behind = [self.place[m] - 1 for other, m in self.before if other == n and m in self.place]
                limit = min([limit, *behind, *([] if following is None else [following - self.busy[n]])])
                while not fits_before(end, limit, self.busy[n]):
                    limit -= 1
                following = self.place[n] = max(self.place[n], limit)

    def _needs(self, slot: str) -> int:
        """The least interval for the operations of a slot."""
        own = [n for n in range(len(self.phases.member)) if self.slots[n] == slot]
        packed = [n for n in own if n in self.place]
        others = sum(self.busy[n] for n in own if n not in self.place)
        end = max([self.starts[-1] + 1, *(self.place[n] + self.busy[n] for n in packed)])
        first = 0 if slot == "C" else min((self.place[n] for n in packed), default=end)
        return end - first + others
