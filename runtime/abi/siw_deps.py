"""The dependency rule of SIW programs: what is in flight before a word, and which bits the word must therefore carry.

Results of loads (LOAD) and of the units div and special (COMPUTE) are in flight until a word with that bit; a word that
reads or writes a register in flight must carry the bit. Stores are in flight until a word with STORE; a word that loads
from a window stored to must carry it. All other results are forwarded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tfmbs.runtime.abi.siw import Dep, Op

INTERLOCKED_UNITS = frozenset({"div", "special"})


@dataclass(frozen=True)
class Word:
    """A decoded instruction word with its opcode in each slot."""

    fields: Mapping[str, int]
    ops: Mapping[str, Op]


@dataclass(frozen=True)
class _Flight:
    """Bit masks of what may be in flight: vector registers behind loads and slow units, windows behind stores."""

    load: int = 0
    compute: int = 0
    store: int = 0

    def __or__(self, other: _Flight) -> _Flight:
        return _Flight(self.load | other.load, self.compute | other.compute, self.store | other.store)


@dataclass(frozen=True)
class _Effect:
    """What a word touches (vector registers, window loaded from) and what it puts in flight."""

    registers: int
    loads: int
    starts: _Flight

    def needs(self, flight: _Flight) -> int:
        bits = Dep.LOAD if self.registers & flight.load else 0
        bits |= Dep.COMPUTE if self.registers & flight.compute else 0
        return bits | (Dep.STORE if self.loads & flight.store else 0)


def _effect(word: Word) -> _Effect:
    d, s, fields = word.ops["D"], word.ops["S"], word.fields
    registers = 0
    for name in (*d.vectors, *s.vectors):
        registers |= 1 << fields[name]
    slow = 1 << fields[d.writes] if d.unit in INTERLOCKED_UNITS else 0
    window = 1 << fields["s_win"]
    starts = _Flight(1 << fields["s_reg"] if s.is_load else 0, slow, window if s.is_store else 0)
    return _Effect(registers, window if s.is_load else 0, starts)


def _after(flight: _Flight, bits: int, starts: _Flight) -> _Flight:
    """What is in flight after a word that waits for `bits` and starts `starts`."""
    waited = _Flight(
        0 if bits & Dep.LOAD else flight.load,
        0 if bits & Dep.COMPUTE else flight.compute,
        0 if bits & Dep.STORE else flight.store,
    )
    return waited | starts


def loop_end(words: Sequence[Word], start: int) -> int:
    """Index of the last word of the body of the LOOP in word `start`."""
    return start + words[start].fields["c_imm"]


class _Flow:
    """A walk over a structured program: `bits` are the dependency bits of the words, `need` what they lack."""

    def __init__(self, words: Sequence[Word], bits: list[int], *, assign: bool) -> None:
        self.words = words
        self.bits = bits
        self.need = [0] * len(words)
        self.assign = assign
        self.effects = [_effect(word) for word in words]

    def _step(self, i: int, flight: _Flight) -> _Flight:
        lacking = self.effects[i].needs(flight) & ~self.bits[i]
        if self.assign:
            self.bits[i] |= lacking
        else:
            self.need[i] |= lacking
        return _after(flight, self.bits[i], self.effects[i].starts)

    def _left_by(self, first: int, end: int, flight: _Flight) -> _Flight:
        """What may be in flight behind words first…end, with the bits as they are.

        Each word clears some and adds some, whatever was before it; so does a sequence of words. Hence one trip through
        a loop leaves all that more trips leave, and what was before the loop stays where it runs no trip.
        """
        i = first
        while i <= end:
            flight = _after(flight, self.bits[i], self.effects[i].starts)
            if self.words[i].ops["C"].name == "LOOP":
                last = loop_end(self.words, i)
                flight |= self._left_by(i + 1, last, flight)
                i = last
            i += 1
        return flight

    def walk(self, first: int, end: int, flight: _Flight) -> _Flight:
        """Goes through words first…end; returns what may be in flight behind them."""
        i = first
        while i <= end:
            flight = self._step(i, flight)
            if self.words[i].ops["C"].name == "LOOP":
                last = loop_end(self.words, i)
                if self.assign:  # first as if it ran once, so that waits for the trip before are not overstated
                    self.walk(i + 1, last, flight)
                around = flight | self._left_by(i + 1, last, flight)
                flight |= self.walk(i + 1, last, around)
                i = last
            i += 1
        return flight


def missing_deps(words: Sequence[Word]) -> list[int]:
    """The dependency bits that each word lacks; loops must be properly nested."""
    flow = _Flow(words, [word.fields["deps"] for word in words], assign=False)
    flow.walk(0, len(words) - 1, _Flight())
    return flow.need


def assign_deps(words: Sequence[Word]) -> list[int]:
    """Dependency bits with which no word lacks any; loops must be properly nested."""
    flow = _Flow(words, [0] * len(words), assign=True)
    flow.walk(0, len(words) - 1, _Flight())
    return flow.bits
