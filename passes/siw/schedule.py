"""Scheduled programs on virtual registers: words of up to one operation per slot, and the regions they control."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tfmbs.passes.siw.machine import Instr, Loop, Reg, Skip
from tfmbs.runtime.abi import siw


@dataclass(eq=False)
class Word:
    """Operations that issue together, by slot. All of them read before any writes."""

    slots: dict[str, Instr] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Instr]:
        return iter(self.slots.values())


@dataclass(eq=False)
class Region:
    """What a LOOP or SKIP controls; that operation is in slot C of the word before it."""

    item: Loop | Skip
    body: list[Node]


Node = Word | Region

LOOP = siw.OP_BY_NAME["C", "LOOP"]
SKIP = siw.OP_BY_NAME["C", "SKIP"]
BREAK = siw.OP_BY_NAME["C", "BREAK"]


def control_of(item: Loop | Skip) -> Instr:
    """The operation that starts a region; how many words it spans is known when the program is encoded."""
    if isinstance(item, Loop):
        return Instr(LOOP, {"c_reg": item.count}, source=item.source)
    return Instr(SKIP, {"c_reg": item.condition}, source=item.source)


def words_of(nodes: Sequence[Node]) -> Iterator[Word]:
    """All words of a program, in order."""
    for node in nodes:
        if isinstance(node, Word):
            yield node
        else:
            yield from words_of(node.body)


def word_count(nodes: Sequence[Node]) -> int:
    """How many words a program has."""
    return sum(1 if isinstance(node, Word) else word_count(node.body) for node in nodes)


class Fresh:
    """Makes virtual registers that the program does not have yet."""

    def __init__(self, used: Iterator[Reg]) -> None:
        self._next = 1 + max((register.number for register in used), default=0)

    def like(self, register: Reg) -> Reg:
        """A new register of the same bank."""
        self._next += 1
        return Reg(register.bank, self._next)
