"""What may be in flight before each word of a SIW program on any path, hence what its words lack and what they need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tfmbs.runtime.abi.siw import Dep
from tfmbs.runtime.abi.siw_deps import MOST_LEFT, NOTHING, Flight, Wait, after, effect_of, need_of, youngest
from tfmbs.runtime.abi.siw_word import Word

_SCOPES = frozenset({"LOOP", "SKIP"})


class _Scope:
    """A loop or a skipped part that is open: its last word, and what may be in flight on the ways past that."""

    def __init__(self, end: int, past: Flight, loop: int | None) -> None:
        self.end = end
        self.past = past
        self.loop = loop  # the word of a LOOP; None for a SKIP


class _Flow:
    """What is in flight before each word of a structured program whose words wait as `waits` says.

    `needs` are the weakest waits with which each word may issue, as of the last sweep over it.
    """

    def __init__(self, words: Sequence[Word], waits: list[Wait]) -> None:
        self.controls = [(word.c.op.name, word.c.fields["c_imm"]) for word in words]
        self.waits = waits
        self.effects = [effect_of(word) for word in words]
        self.needs = [Wait()] * len(words)

    def parts(self) -> Iterator[range]:
        """The program in pieces that no control leaves: outermost loops and skips with all they contain, and the words
        between."""
        start, i = 0, 0
        while i < len(self.controls):
            name, length = self.controls[i]
            if name in _SCOPES:
                if start < i:
                    yield range(start, i)
                yield range(i, i + length + 1)
                start = i = i + length + 1
            else:
                i += 1
        if start < i:
            yield range(start, i)

    def sweep(self, part: range, flight: Flight, again: dict[int, Flight], *, assign: bool = False) -> Flight:
        """Goes once through the words of `part`; returns what is in flight behind them.

        `again` is what another trip of each loop starts with; it is brought up to date. With `assign`, words that wait
        for too little wait for what they need.
        """
        scopes: list[_Scope] = []
        for i in part:
            effect, wait = self.effects[i], self.waits[i]
            need = self.needs[i] = need_of(effect, flight)
            if assign and wait.lacks(need):
                wait = self.waits[i] = wait | need
            flight = after(effect, wait, flight)
            name, length = self.controls[i]
            if name == "LOOP":
                scopes.append(_Scope(i + length, flight, i))
                flight = flight.join(again.get(i, NOTHING))
            elif name == "SKIP":
                scopes.append(_Scope(i + length, flight, None))
            elif name == "BREAK":
                loop = next(scope for scope in reversed(scopes) if scope.loop is not None)
                loop.past = loop.past.join(flight)
            while scopes and scopes[-1].end == i:
                scope = scopes.pop()
                if scope.loop is not None:
                    again[scope.loop] = flight._replace(loads=youngest(flight.loads))
                flight = flight.join(scope.past)
        return flight

    def settle(self, part: range, flight: Flight) -> tuple[Flight, dict[int, Flight]]:
        """Sweeps until every trip of every loop is covered; returns what is in flight behind the words, and `again`.

        One more sweep for each level of nesting is enough: what was in flight before a trip is no younger behind it.
        """
        again: dict[int, Flight] = {}
        while True:
            before = dict(again)
            behind = self.sweep(part, flight, again)
            if again == before:
                return behind, again

    def assign(self, part: range, flight: Flight) -> Flight:
        """Gives the words of `part` the waits that they need; returns what is in flight behind them."""
        # As if each loop ran once: these waits are needed whatever other trips need.
        behind = self.sweep(part, flight, {}, assign=True)
        if not any(self.controls[i][0] == "LOOP" for i in part):
            return behind
        behind, again = self.settle(part, flight)
        while self._lacking(part):
            self.sweep(part, flight, again, assign=True)
            behind, again = self.settle(part, flight)
        return self.settle(part, flight)[0] if self._relax(part, flight, part) else behind

    def _lacking(self, part: range) -> bool:
        return any(self.waits[i].lacks(self.needs[i]) for i in part)

    def _relax(self, part: range, flight: Flight, among: Sequence[int]) -> bool:
        """Weakens the waits of words `among` those of `part` as far as all words still wait for enough; returns whether
        it tried. `needs` must be settled before, and are behind.

        A wait that one trip needed can become too strong when a later word got one for the sake of the next trip.
        """
        spare = [i for i in among if self.waits[i] != self.needs[i]]
        if not spare or self._try(part, flight, {i: self.needs[i] for i in spare}):
            return bool(spare)
        if len(spare) > 1:
            self._relax(part, flight, spare[: len(spare) // 2])
            self._relax(part, flight, spare[len(spare) // 2 :])
        else:
            self._relax_one(part, flight, spare[0])
        return True

    def _relax_one(self, part: range, flight: Flight, i: int) -> None:
        for dep in Dep:
            if self.waits[i].deps & dep:
                fewer = self.waits[i].deps & ~dep
                self._try(part, flight, {i: Wait(fewer, self.waits[i].left if fewer & Dep.LOAD else 0)})
        while self.waits[i].deps & Dep.LOAD and self.waits[i].left < MOST_LEFT:
            if not self._try(part, flight, {i: self.waits[i]._replace(left=self.waits[i].left + 1)}):
                break

    def _try(self, part: range, flight: Flight, waits: Mapping[int, Wait]) -> bool:
        """Whether all words still wait for enough with other waits; these are kept if so."""
        kept = {i: self.waits[i] for i in waits}
        for i, wait in waits.items():
            self.waits[i] = wait
        self.settle(part, flight)
        if not self._lacking(part):
            return True
        for i, wait in kept.items():
            self.waits[i] = wait
        self.settle(part, flight)
        return False


def missing_deps(words: Sequence[Word]) -> list[Wait]:
    """What each word must wait for beyond its own waits; control must be properly nested."""
    flow, flight = _Flow(words, [Wait(word.deps, word.left) for word in words]), NOTHING
    for part in flow.parts():
        flight, _ = flow.settle(part, flight)
    return [need if wait.lacks(need) else Wait() for wait, need in zip(flow.waits, flow.needs, strict=True)]


def assign_deps(words: Sequence[Word]) -> list[Wait]:
    """Waits with which no word lacks any, whatever `words` carry: none could be weaker. Control must be nested."""
    flow, flight = _Flow(words, [Wait()] * len(words)), NOTHING
    for part in flow.parts():
        flight = flow.assign(part, flight)
    return flow.waits
