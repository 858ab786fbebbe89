"""Builds programs step by step: values to choose from, regions that capture what lies around them, sizes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import prod

from tests.siw.program import Program, Step
from tests.siw.values import ELEMENTS, Type
from tests.siw.views import Fill

SMALL = (1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17)
LARGE = (31, 33, 100, 257, 513, 600, 1025)
MOST_ELEMENTS = 2500


@dataclass(frozen=True)
class Limits:
    """What a program may contain. `refused` are operations that the compiler is known to refuse."""

    elements: tuple[str, ...] = ELEMENTS
    kinds: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    steps: int = 6
    depth: int = 2


@dataclass
class Builder:
    """A program, or a region of one, in the making. Values are numbered in the order in which they appear."""

    rng: random.Random
    limits: Limits
    parent: Builder | None = None
    depth: int = 0
    types: list[Type] = field(default_factory=list)
    input_ids: list[int] = field(default_factory=list)
    steps: list[tuple[Step, list[int]]] = field(default_factory=list)
    bounds: dict[int, int] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)
    _captured: dict[int, int] = field(default_factory=dict)

    def add(self, step: Step) -> list[int]:
        """Appends a step; returns the numbers of its results."""
        results = list(range(len(self.types), len(self.types) + len(step.results)))
        self.types += step.results
        self.steps.append((step, results))
        return results

    def empty(self, type_: Type) -> int:
        """A tensor whose elements are not defined, for a result that is written over it."""
        (value,) = self.add(Fill((), (type_,), None))
        self.hidden.add(value)
        return value

    def input(self, type_: Type) -> int:
        """A new input, or block argument."""
        self.types.append(type_)
        self.input_ids.append(len(self.types) - 1)
        return len(self.types) - 1

    def fresh(self, type_: Type) -> int:
        """A value of this type that nobody has used: an input of the whole program."""
        return self.input(type_) if self.parent is None else self.capture(self.parent.fresh(type_))

    def capture(self, outer: int) -> int:
        """A value of the builder around, as a value of this one."""
        if self.parent is None:
            raise ValueError("a program has nothing around it")
        if outer not in self._captured:
            number = self._captured[outer] = self.input(self.parent.types[outer])
            if outer in self.parent.bounds:
                self.bounds[number] = self.parent.bounds[outer]
        return self._captured[outer]

    @property
    def captured(self) -> list[int]:
        """Numbers, in the builder around, of what has been captured, in the order of the inputs that stand for it."""
        return list(self._captured)

    def find(self, wanted: Callable[[Type], bool]) -> int | None:
        """A value of a type that is wanted, the newest likeliest; None if there is none."""
        own = [i for i, type_ in enumerate(self.types) if i not in self.hidden and wanted(type_)]
        if self.parent is not None and (not own or self.rng.random() < 0.25):
            outer = self.parent.find(wanted)
            if outer is not None:
                return self.capture(outer)
        if not own:
            return None
        return own[-1 - min(int(self.rng.expovariate(0.6)), len(own) - 1)]

    def tensor(self, wanted: Callable[[Type], bool] = lambda _: True) -> int:
        """A tensor of a type that is wanted, a new one of any type if there is none."""

        def known(type_: Type) -> bool:
            return not type_.is_scalar and type_.element in self.limits.elements and wanted(type_)

        found = self.find(known) if self.rng.random() < 0.8 else None
        if found is not None:
            return found
        for _ in range(50):
            type_ = Type(self.shape(), self.element())
            if known(type_):
                return self.fresh(type_)
        found = self.find(known)
        return self.fresh(type_) if found is None else found

    def of(self, type_: Type) -> int:
        """A value of exactly this type."""
        found = self.find(lambda other: other == type_) if self.rng.random() < 0.5 else None
        return self.fresh(type_) if found is None else found

    def element(self, among: Sequence[str] | None = None) -> str:
        """An element type."""
        known = [element for element in self.limits.elements if among is None or element in among]
        return self.rng.choice(known)

    def shape(self, least: int = 0) -> tuple[int, ...]:
        """A shape of at least this rank."""
        rank = max(least, self.rng.choice((0, 1, 1, 2, 2, 2, 3, 3, 4)))
        sizes = [self.rng.choice(SMALL) for _ in range(rank)]
        if rank and self.rng.random() < 0.25:
            sizes[self.rng.randrange(rank)] = self.rng.choice(LARGE)
        return shrunk(sizes)

    def finish(self, outputs: Sequence[int]) -> Program:
        """The program, with its values numbered as `Program` wants it."""
        order = [*self.input_ids, *(number for _, results in self.steps for number in results)]
        number = {old: new for new, old in enumerate(order)}
        steps = tuple(replace(step, operands=tuple(number[i] for i in step.operands)) for step, _ in self.steps)
        return Program(tuple(self.types[i] for i in self.input_ids), steps, tuple(number[i] for i in outputs))


def shrunk(sizes: Sequence[int]) -> tuple[int, ...]:
    """The sizes, the larger of them halved until there are few elements."""
    sizes = list(sizes)
    while prod(sizes) > MOST_ELEMENTS:
        largest = sizes.index(max(sizes))
        others = prod(sizes) // sizes[largest]
        if sizes[largest] > 512 and others > 1 and others * 513 > MOST_ELEMENTS:
            largest = max((i for i in range(len(sizes)) if i != largest), key=lambda i: sizes[i])
        sizes[largest] = max(1, sizes[largest] // 2)
    return tuple(sizes)
