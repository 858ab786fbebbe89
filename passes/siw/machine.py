"""Programs between instruction selection and scheduling: slot operations on virtual registers, in written order.

Emission (`addresses`, `body`, `codegen`) appends to these lists and never asks how many registers there are. The back
end then chooses slots, schedules, allocates registers, spills and encodes. A virtual register may be written more than
once: it is a variable, not an SSA value. Written order is the meaning of a program; whatever the back end does must
keep the bytes that it stores. A register that was never written, and lanes of one that no write reached, hold anything;
`fixed` registers hold what the ABI puts there. Lanes from VL on keep their value, as in the machine.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from tfmbs.runtime.abi import siw


class CodegenError(Exception):
    """Vector code that cannot be generated; the text says what is exceeded or missing."""


class NoWindowError(CodegenError):
    """There is no operand window left for spilled values."""


class Bank(Enum):
    """Which registers can hold a value: scalar ones, vector ones, or aligned pairs of these for 64-bit lanes."""

    SCALAR = "s"
    VECTOR = "v"
    PAIR = "p"


@dataclass(frozen=True)
class Reg:
    """A virtual register. `fixed` is the number of the register that it must be in, where the ABI says so."""

    bank: Bank
    number: int
    fixed: int | None = None

    def __hash__(self) -> int:
        """Its number, which few registers share: they are looked up very often."""
        return self.number


ZERO = Reg(Bank.SCALAR, 0, fixed=0)
"""s0."""


@dataclass(frozen=True)
class Touch:
    """What part of a window a memory operation touches, for telling accesses apart.

    Lane i is element `offset` + sum of `coefficient` * (iteration number of loop `id`) over `terms` + i * `stride`.
    `terms` is None where the place depends on data: then it may be any element of the window.
    """

    window: int
    offset: int = 0
    terms: tuple[tuple[int, int], ...] | None = ()
    stride: int = 0


@dataclass(eq=False)
class Instr:
    """One operation of one slot. `regs` maps register fields to virtual registers, `imms` the other fields to values.

    `stream` marks an LD or ST that walks its window in order: over the whole program these accesses touch elements 0,
    1, 2, … once each, and no other access to the window is of the same direction. The back end may make them RECV or
    SEND, all of a window or none. `source` is an index into the locations of the code; -1 where there is none.
    """

    op: siw.Op
    regs: dict[str, Reg]
    imms: dict[str, int] = field(default_factory=dict)
    touch: Touch | None = None
    stream: bool = False
    source: int = -1

    @cached_property
    def reads(self) -> tuple[Reg, ...]:
        """Registers it reads; s0 is not one. An operation does not change once this was asked."""
        return tuple(r for name, r in self.regs.items() if (name != self.op.writes or self.op.acc) and r != ZERO)

    @cached_property
    def writes(self) -> Reg | None:
        """The register it writes."""
        return self.regs.get(self.op.writes) if self.op.writes else None


@dataclass(eq=False)
class Loop:
    """`body` runs s[`count`] times; `trips` is that number where it is known when the program is made."""

    id: int
    count: Reg
    trips: int | None
    body: list[Item] = field(default_factory=list)
    source: int = -1


@dataclass(eq=False)
class Skip:
    """`body` runs unless s[`condition`] is 0."""

    condition: Reg
    body: list[Item] = field(default_factory=list)
    source: int = -1


Item = Instr | Loop | Skip


@dataclass(frozen=True)
class Code:
    """A program to be scheduled, and the number of its operand windows."""

    items: list[Item]
    windows: int


def contents(items: Sequence[Item]) -> Hashable:
    """What a program consists of: equal for programs of which the back end makes the same words."""
    found: list[Hashable] = []
    for item in items:
        if isinstance(item, Instr):
            operands = (tuple(item.regs.items()), tuple(item.imms.items()))
            found.append((item.op.slot, item.op.code, *operands, item.touch, item.stream, item.source))
        elif isinstance(item, Loop):
            found.append((item.id, item.count, item.trips, item.source, contents(item.body)))
        else:
            found.append((item.condition, item.source, contents(item.body)))
    return tuple(found)


def instructions(items: Sequence[Item]) -> Iterator[Instr]:
    """All operations of a program, in written order."""
    for item in items:
        if isinstance(item, Instr):
            yield item
        else:
            yield from instructions(item.body)
