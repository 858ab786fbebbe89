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

from typing import NamedTuple

from tfmbs.runtime.abi.siw import BIT_FIELD, VECTOR_REGISTERS, Dep
from tfmbs.runtime.abi.siw_word import Word

INTERLOCKED_UNITS = frozenset({"div", "special", "scan"})

MOST_LEFT = BIT_FIELD["left"].bounds[1]
_AGES = MOST_LEFT + 1
_REGISTERS = (1 << VECTOR_REGISTERS) - 1
_EVERY_AGE = sum(1 << VECTOR_REGISTERS * age for age in range(_AGES))
_OLDEST = _REGISTERS << VECTOR_REGISTERS * MOST_LEFT


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
    ones too, so of one register the least k counts; beyond `MOST_LEFT` it makes no difference. `results` are registers
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


def youngest(loads: int) -> int:
    """`loads` with the least number of each register only, which is one form for all that mean the same."""
    seen, kept = 0, 0
    for age in range(_AGES):
        row = loads >> VECTOR_REGISTERS * age & _REGISTERS & ~seen
        seen |= row
        kept |= row << VECTOR_REGISTERS * age
    return kept


class Effect(NamedTuple):
    """What a word needs and starts: masks of registers it touches (at every age) and windows it loads from; registers
    behind its loads, in their order, and behind its slow unit; windows it stores to."""

    touched: int
    registers: int
    loaded: int
    loads: tuple[int, ...]
    results: int
    stores: int


def effect_of(word: Word) -> Effect:
    """What a word does to what is in flight."""
    d, s, c = word.d, word.s, word.c
    registers = d.registers | s.registers | c.registers
    return Effect(
        registers * _EVERY_AGE,
        registers,
        s.loaded | c.loaded,
        tuple(slot.written for slot in (s, c) if slot.loaded),
        d.written if d.op.unit in INTERLOCKED_UNITS else 0,
        s.stored | c.stored,
    )


def need_of(effect: Effect, flight: Flight) -> Wait:
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


def after(effect: Effect, wait: Wait, flight: Flight) -> Flight:
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
