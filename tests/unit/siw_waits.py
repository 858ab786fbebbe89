"""A simulation of every way through a SIW program, with what is in flight on it: what its words must wait for."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import assume

from tests.unit.siw_programs import Fields, ways
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.siw import Dep
from tfmbs.runtime.abi.siw_deps import Wait

_MOST_STATES = 30_000


class _Machine(NamedTuple):
    """What is in flight: the registers of each load in the order of issue, registers, windows."""

    loads: tuple[frozenset[int], ...] = ()
    results: frozenset[int] = frozenset()
    stores: frozenset[int] = frozenset()


class _Uses(NamedTuple):
    touched: frozenset[int]
    loads: tuple[frozenset[int], ...]
    results: frozenset[int]
    read: frozenset[int]
    stored: frozenset[int]


def _uses(word: Fields) -> _Uses:
    """What a word does, from the opcode table."""
    touched: set[int] = set()
    loads, results, read, stored = [], frozenset(), set(), set()
    for slot, window in (("D", ""), ("S", "s_win"), ("C", "c_src")):
        op = siw.OP_BY_CODE[slot, word.get(f"{slot.lower()}_op", 0)]
        for name in op.vectors:
            touched |= set(op.registers(name, word))
        if op.name in ("LD", "GATHER", "GATHER64", "RECV"):
            loads.append(frozenset(op.registers(op.writes, word)))
            read.add(word.get(window, 0))
        if op.name in ("ST", "SCATTER", "SCATTER64", "SEND"):
            stored.add(word.get(window, 0))
        if op.unit in ("div", "special", "scan"):
            results = frozenset(op.registers(op.writes, word))
    return _Uses(frozenset(touched), tuple(loads), results, frozenset(read), frozenset(stored))


def _need(uses: _Uses, machine: _Machine) -> Wait:
    ages = [age for age, load in enumerate(reversed(machine.loads)) if load & uses.touched]
    need = Wait(Dep.LOAD, min(31, *ages, 31)) if ages else Wait()
    need |= Wait(Dep.COMPUTE) if uses.touched & machine.results else Wait()
    return need | (Wait(Dep.STORE) if uses.read & machine.stores else Wait())


def _step(uses: _Uses, wait: Wait, machine: _Machine) -> _Machine:
    loads, results, stores = machine
    if wait.deps & Dep.LOAD:
        loads = loads[len(loads) - wait.left :] if wait.left < len(loads) else loads
    if wait.deps & Dep.COMPUTE:
        results = frozenset()
    if wait.deps & Dep.STORE:
        stores = frozenset()
    return _Machine(loads + uses.loads, results | uses.results, stores | uses.stored)


def needs_of_every_way(words: list[Fields], waits: list[Wait]) -> list[Wait]:
    """What each word must wait for on some way through the program, with the waits as given.

    Gives up on the example (hypothesis) where the ways are too many.
    """
    uses = [_uses(word) for word in words]
    needs = [Wait()] * len(words)
    todo = [(0, (), _Machine())]
    seen = set(todo)
    while todo:
        at, scopes, machine = todo.pop()
        needs[at] |= _need(uses[at], machine)
        machine = _step(uses[at], waits[at], machine)
        for place, around in ways(words[at], at, scopes):
            state = (place, around, machine)
            if state not in seen:
                seen.add(state)
                todo.append(state)
        assume(len(seen) < _MOST_STATES)
    return needs
