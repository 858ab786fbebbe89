"""Parts of a vector program and their transfers: operands come through L3 and L2, results go the same way back, and
what is kept on chip stays where the plan has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tfmbs.runtime.abi.movement.areas import Area
from tfmbs.runtime.abi.movement.expansion import DROP, FEED, LIFT, LOAD, Expansion
from tfmbs.runtime.abi.movement.fields import Memory, Op
from tfmbs.runtime.abi.movement.kept import LINE, Home, Kept, Line, Lines, Plan, lines_of, passes
from tfmbs.runtime.abi.movement.machine import EngineKind
from tfmbs.runtime.abi.movement.memory import Ring, Slot
from tfmbs.runtime.abi.movement.program import Copy, Way, What
from tfmbs.runtime.abi.movement.walks import WANTED, Part, Runs

PAGE = 1 << 16  # of external memory, by which stores are found again


@dataclass
class _Stores:
    """What parts of a launch have stored, by memory and page: hulls and movements."""

    by_page: dict[tuple[int, int], list[tuple[int, int, int]]] = field(default_factory=dict)

    def add(self, runs: Sequence[Runs], movement: int) -> None:
        for run in runs:
            for page in range(run.first // PAGE, (run.end - 1) // PAGE + 1):
                self.by_page.setdefault((run.memory, page), []).append((run.first, run.end, movement))

    def before(self, runs: Sequence[Runs]) -> set[int]:
        """Movements whose hull meets that of some runs."""
        return {
            movement
            for run in runs
            for page in range(run.first // PAGE, (run.end - 1) // PAGE + 1)
            for low, high, movement in self.by_page.get((run.memory, page), ())
            if low < run.end and run.first < high
        }


class _Piece(NamedTuple):
    """A copy, with the areas that it reads and writes, where these are no slots."""

    copy: Copy
    start: Area | None = None
    to: Area | None = None


class _Use(NamedTuple):
    """Runs as a program finds them in L1: the address of the first, and the bytes from one to the next."""

    kept: Kept | None
    run: Runs
    address: int
    step: int

    @property
    def home(self) -> Area | None:
        """Where in L1 they stay."""
        return self.kept.place if isinstance(self.kept, Home) and self.kept.is_in_l1 else None

    @property
    def values(self) -> tuple[int, ...]:
        """As a movement describes them."""
        return (*self.run, self.address, self.step)

    def places(self) -> list[tuple[int, int]]:
        """First byte and end of each run in L1."""
        starts = (self.address + i * self.step for i in range(self.run.times))
        return [(start, start + self.run.bytes) for start in starts]


class Parts:
    """Adds the parts of a launch."""

    def __init__(self, x: Expansion, parts: Sequence[Part], plan: Plan, tile: int) -> None:
        self.x, self.parts, self.plan, self.tile = x, parts, plan, tile
        spaces, of_slots = (x.l3, x.l2, x.l1[tile]), (plan.below, plan.below, plan.l1)
        self._loads, self._results = (
            [Ring(space.slots(count, size)) for space, count, size in zip(spaces, plan.counts, sizes, strict=True)]
            for sizes in ([one.reads for one in of_slots], [one.writes for one in of_slots])
        )
        self._stores = _Stores()
        self._engine = x.machine.first(EngineKind.VECTOR) + tile
        self._done: set[int] = set()  # the parts themselves, which the engine keeps in order, beat by beat
        self._at: dict[Line, int] = {}  # where L2 has the lines of a part

    def add(self) -> None:
        """Adds all movements."""
        for number, part in enumerate(self.parts):
            self._add(part, number == 0)

    def _add(self, part: Part, is_first: bool) -> None:
        loads, slot, size = self._bring(part)
        stores, out, out_size = self._leaving(part)
        waits = [*(slot.writers if slot else ()), *(out.to_write(out_size) if out else ())]
        in_l1 = [
            (use.home, low, high, writes)
            for uses, writes in ((loads, False), (stores, True))
            for use in uses
            if use.home is not None
            for low, high in use.places()
        ]
        for home, low, high, writes in in_l1:
            waits += home.before(low, high, writes=writes)
        waits = [number for number in waits if number not in self._done]
        l1 = Memory.L1 + self.tile
        places = [[(l1, low, high) for _, low, high, writes in in_l1 if writes == way] for way in (False, True)]
        parameters = [
            l1, part.accesses, is_first, False, -1, 0, len(loads), len(stores),
            *(value for use in (*loads, *stores) for value in use.values),
        ]  # fmt: skip
        what = What(
            tile=self.tile,
            parameters=parameters,
            reads=[*([slot.place(size)] if slot else ()), *places[False]],
            writes=[*([out.place(out_size)] if out else ()), *places[True]],
            operations=part.cycles,
        )
        busy = part.cycles + part.lag
        done = self.x.program.add(Op.VECTOR, self._engine, self.x.launch, busy, waits, what, part.lag)
        self._done.add(done)
        for home, low, high, writes in in_l1:
            home.note(low, high, done, writes=writes)
        if slot:
            slot.readers.append(done)
        if out:
            out.writers.append(done)
            self._leave(stores, out)

    # --- operands ---------------------------------------------------------------------------------------------------

    def _bring(self, part: Part) -> tuple[list[_Use], Slot | None, int]:
        """Brings what a part reads to a slot of L1: where it finds that, the slot, and the bytes of it in use."""
        self._bring_lines(part)
        here, moved = self._cut(part.reads)
        total = sum(run.total for _, run in moved)
        if not total:
            return here, None, 0
        l3, l2, l1 = (ring.take() for ring in self._loads)
        passing = [run for kept, run in moved if kept is None]
        pieces, before = [], l1.to_write(total)
        if passing:
            copies, size = _dense(passing, l3)
            self.x.load(copies, l3, self._stores.before(passing))
            self.x.lift([Copy(l3.memory, l3.address, l2.memory, l2.address, run=size)], l3, l2)
            pieces.append(_Piece(Copy(l2.memory, l2.address, l1.memory, l1.address, run=size)))
            before += l2.writers
        moved.sort(key=lambda one: one[0] is not None)
        uses = _in_slot(moved, l1)
        for use in uses:
            if isinstance(use.kept, Home):
                pieces.append(_Piece(_reversed(_to_home(use, l1)), start=use.kept.place))
            elif use.kept is not None:
                pieces += self._of_lines(use.kept, use.run, l1, use.address)
        fed = self._carry(pieces, FEED, before)
        if passing:
            l2.readers.append(fed)
        l1.writers.append(fed)
        return [*here, *uses], l1, total

    def _cut(self, runs: Sequence[Runs]) -> tuple[list[_Use], list[tuple[Kept | None, Runs]]]:
        """Runs that are in L1 already, and those that come or go."""
        here, moved = [], []
        for kept, run in self.plan.ranges.cut(runs):
            if isinstance(kept, Home) and kept.is_in_l1:
                here.append(_Use(kept, run, kept.address(run.first), run.stride))
            else:
                moved.append((kept, run))
        return here, moved

    def _of_lines(self, lines: Lines, run: Runs, l1: Slot, at: int) -> list[_Piece]:
        area, pieces = self.plan.lines[0], []
        for first, end in run.each():
            low = first
            while low < end:
                line = Line(lines, (low - lines.low) // LINE)
                high = min(end, line.start + LINE)
                start = self._at[line] + low - line.start
                pieces.append(_Piece(Copy(area.memory, start, l1.memory, at, run=high - low), start=area))
                at, low = at + high - low, high
        return pieces

    def _bring_lines(self, part: Part) -> None:
        """To L2, the lines that a part reads and that are not there."""
        self._at.clear()
        bringing: list[tuple[Line, int, bool]] = []
        size = 0
        for line in lines_of(part, self.plan.ranges):
            slot, is_brought = next(self.plan.held[0])
            self._at[line] = self.plan.lines[0].address + slot * LINE
            if is_brought:
                above, is_loaded = next(self.plan.held[1])
                bringing.append((line, self.plan.lines[1].address + above * LINE, is_loaded))
                size += line.size
            if size >= WANTED:
                self._lift_lines(bringing)
                bringing, size = [], 0
        if bringing:
            self._lift_lines(bringing)

    def _lift_lines(self, lines: Sequence[tuple[Line, int, bool]]) -> None:
        l2, l3 = self.plan.lines
        loaded, lifted = [], []
        for line, above, is_loaded in lines:
            for low, high in line.bytes:
                start, to = above + low - line.start, self._at[line] + low - line.start
                if is_loaded:
                    loaded.append(_Piece(Copy(line.lines.memory, low, l3.memory, start, run=high - low), to=l3))
                lifted.append(_Piece(Copy(l3.memory, start, l2.memory, to, run=high - low), start=l3, to=l2))
        if loaded:
            self._carry(loaded, LOAD)
        self._carry(lifted, LIFT)

    # --- results ----------------------------------------------------------------------------------------------------

    def _leaving(self, part: Part) -> tuple[list[_Use], Slot | None, int]:
        """Where a part leaves what it writes: in its slot what goes out is first."""
        here, moved = self._cut(part.writes)
        total = sum(run.total for _, run in moved)
        if not total:
            return here, None, 0
        out = self._results[-1].take()
        moved.sort(key=lambda one: not passes(one[0]))
        return [*here, *_in_slot(moved, out)], out, total

    def _leave(self, uses: Sequence[_Use], out: Slot) -> None:
        """Takes results to where they stay, and out."""
        homes = [
            _Piece(_to_home(use, out), to=use.kept.place)
            for use in uses
            if isinstance(use.kept, Home) and not use.kept.is_in_l1
        ]
        if homes:
            out.readers.append(self._carry(homes, DROP, out.writers))
        passing = [use.run for use in uses if passes(use.kept)]
        if passing:
            out3, out2 = (ring.take() for ring in self._results[:-1])
            loads, size = _dense(passing, out3)
            copies = [_reversed(copy) for copy in loads]
            before = self._stores.before(passing)
            self._stores.add(passing, self.x.drop(out, size, (out2, out3), copies, self.tile, before))

    # --- transfers --------------------------------------------------------------------------------------------------

    def _carry(self, pieces: Sequence[_Piece], way: Way, waits: Sequence[int] = ()) -> int:
        """Adds a movement after `waits` and those that its areas have before it."""
        before = list(waits)
        for copy, start, to in pieces:
            for i in range(copy.count1):
                if start:
                    at = copy.start + i * copy.from1
                    before += start.before(at, at + copy.run, writes=False)
                if to:
                    at = copy.to + i * copy.to1
                    before += to.before(at, at + copy.run, writes=True)
        number = self.x.carry(_merged([piece.copy for piece in pieces]), way, before, self.tile)
        for copy, start, to in pieces:
            for i in range(copy.count1):
                if start:
                    at = copy.start + i * copy.from1
                    start.note(at, at + copy.run, number, writes=False)
                if to:
                    at = copy.to + i * copy.to1
                    to.note(at, at + copy.run, number, writes=True)
        return number


def _in_slot(runs: Sequence[tuple[Kept | None, Runs]], slot: Slot) -> list[_Use]:
    """Runs that follow each other in a slot of L1."""
    uses, at = [], slot.address
    for kept, run in runs:
        uses.append(_Use(kept, run, at, run.bytes))
        at += run.total
    return uses


def _to_home(use: _Use, slot: Slot) -> Copy:
    """Runs of a slot to where they stay in L2."""
    run, home = use.run, use.kept
    assert isinstance(home, Home)
    to = home.address(run.first)
    return Copy(slot.memory, use.address, home.place.memory, to, 1, 0, 0, run.times, run.bytes, run.stride, run.bytes)


def _reversed(copy: Copy) -> Copy:
    """Back to where it came from."""
    source, start, target, to, _, _, _, count, from1, to1, run = copy
    return Copy(target, to, source, start, 1, 0, 0, count, to1, from1, run)


def _merged(copies: Sequence[Copy]) -> list[Copy]:
    """Copies of bytes that follow each other on both sides as one."""
    merged: list[Copy] = []
    for copy in copies:
        last = merged[-1] if merged else None
        if (
            last is not None
            and (last.source, last.target) == (copy.source, copy.target)
            and last.count1 == copy.count1 == 1
            and (last.start + last.run, last.to + last.run) == (copy.start, copy.to)
        ):
            merged[-1] = last._replace(run=last.run + copy.run)
        else:
            merged.append(copy)
    return merged


def _dense(runs: Sequence[Runs], slot: Slot) -> tuple[list[Copy], int]:
    """Copies of runs to a slot, one after the other, and their bytes."""
    copies, at = [], slot.address
    for run in runs:
        copies.append(
            Copy(run.memory, run.first, slot.memory, at, 1, 0, 0, run.times, run.stride, run.bytes, run.bytes)
        )
        at += run.total
    return copies, at - slot.address
