"""The dependency rule of SIW programs: what is in flight before a word, and which waits the word must therefore carry.

Results of loads (LD, GATHER, GATHER64, RECV) and of the units div, special and scan are in flight until a word waits
for them: with LOAD, or with COMPUTE. A word that reads or writes a register in flight must wait for it. Stores (ST,
SCATTER, SCATTER64, SEND) are in flight until a word with STORE; a word that loads from a window stored to must carry
it. All other results are forwarded, and stores to a window land in program order.

Loads become visible in the order in which they were issued, in one word S before C. A word with LOAD therefore says
how many may still be under way: `left` = n waits for all loads before it but the n youngest. A register that was loaded
when k loads have been issued since is visible behind a wait with `left` of at most k.

What counts is every path through the program: a loop may run any number of times, also none, a skipped part may run or
not, and a BREAK may leave its loop or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tfmbs.runtime.abi.siw import BIT_FIELD, VECTOR_REGISTERS, Dep
from tfmbs.runtime.abi.siw_word import Word

_SCOPES = frozenset({"LOOP", "SKIP"})
INTERLOCKED_UNITS = frozenset({"div", "special", "scan"})

_MOST_LEFT = BIT_FIELD["left"].bounds[1]
_AGES = _MOST_LEFT + 1
_REGISTERS = (1 << VECTOR_REGISTERS) - 1
_EVERY_AGE = sum(1 << VECTOR_REGISTERS * age for age in range(_AGES))
_OLDEST = _REGISTERS << VECTOR_REGISTERS * _MOST_LEFT


class Wait(NamedTuple):
    """What a word waits for: its fields `deps` and `left`."""

    deps: int = 0
    left: int = 0

    def __or__(self, other: object) -> Wait:
        """The weakest wait that is as strong as both."""
        if not isinstance(other, Wait):
            return NotImplemented
        lefts = [wait.left for wait in (self, other) if wait.deps & Dep.LOAD]
        return Wait(self.deps | other.deps, min(lefts, default=0))

    def __str__(self) -> str:
        """As in assembly: `COMPUTE+LOAD-2`."""
        names = {dep: f"{dep.name}-{self.left}" if dep is Dep.LOAD and self.left else dep.name for dep in Dep}
        return "+".join(name for dep, name in names.items() if self.deps & dep) or "nothing"

    def lacks(self, need: Wait) -> bool:
        """Whether it does not wait for all of `need`."""
        return bool(need.deps & ~self.deps or (need.deps & Dep.LOAD and self.left > need.left))


class Flight(NamedTuple):
    """What may be in flight, as bit masks.

    Bit 32 k + r of `loads`: the load of register r, with k loads issued since. Who waits for a load waits for older
    ones too, so of one register the least k counts; beyond `_MOST_LEFT` it makes no difference. `results` are registers
    behind slow units, `stores` windows behind stores.
    """

    loads: int = 0
    results: int = 0
    stores: int = 0

    def join(self, other: Flight) -> Flight:
        """What may be in flight on either of two paths."""
        return Flight(self.loads | other.loads, self.results | other.results, self.stores | other.stores)


NOTHING = Flight()
_NO_WAIT = Wait()


def _youngest(loads: int) -> int:
    """`loads` with the least number of each register only, which is one form for all that mean the same."""
    seen, kept = 0, 0
    for age in range(_AGES):
        row = loads >> VECTOR_REGISTERS * age & _REGISTERS & ~seen
        seen |= row
        kept |= row << VECTOR_REGISTERS * age
    return kept


class _Effect(NamedTuple):
    """What a word needs and starts: masks of registers it touches (at every age) and windows it loads from; registers
    behind its loads, in their order, and behind its slow unit; windows it stores to."""

    touched: int
    registers: int
    loaded: int
    loads: tuple[int, ...]
    results: int
    stores: int


def _effect(word: Word) -> _Effect:
    d, s, c = word.d, word.s, word.c
    registers = d.registers | s.registers | c.registers
    return _Effect(
        registers * _EVERY_AGE,
        registers,
        s.loaded | c.loaded,
        tuple(slot.written for slot in (s, c) if slot.loaded),
        d.written if d.op.unit in INTERLOCKED_UNITS else 0,
        s.stored | c.stored,
    )


def _need(effect: _Effect, flight: Flight) -> Wait:
    """The weakest wait with which a word may issue."""
    touched = effect.touched & flight.loads
    if not (touched or effect.registers & flight.results or effect.loaded & flight.stores):
        return _NO_WAIT
    deps = left = 0
    if touched:
        deps, left = Dep.LOAD, ((touched & -touched).bit_length() - 1) // VECTOR_REGISTERS
    if effect.registers & flight.results:
        deps |= Dep.COMPUTE
    if effect.loaded & flight.stores:
        deps |= Dep.STORE
    return Wait(deps, left)


def _after(effect: _Effect, wait: Wait, flight: Flight) -> Flight:
    """What is in flight behind a word."""
    loads, results, stores = flight
    if wait.deps:
        if wait.deps & Dep.LOAD:
            loads &= (1 << VECTOR_REGISTERS * wait.left) - 1
        if wait.deps & Dep.COMPUTE:
            results = 0
        if wait.deps & Dep.STORE:
            stores = 0
    for mask in effect.loads:
        loads = (loads & ~_OLDEST) << VECTOR_REGISTERS | loads & _OLDEST | mask
    return Flight(loads, results | effect.results, stores | effect.stores)


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
        self.effects = [_effect(word) for word in words]
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
            need = self.needs[i] = _need(effect, flight)
            if assign and wait.lacks(need):
                wait = self.waits[i] = wait | need
            flight = _after(effect, wait, flight)
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
                    again[scope.loop] = flight._replace(loads=_youngest(flight.loads))
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
        while self.waits[i].deps & Dep.LOAD and self.waits[i].left < _MOST_LEFT:
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
