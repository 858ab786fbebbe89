"""Random scalar code: forward from the leaves, each operation picked by the type of a recent value."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tests.siw.body import CONSTANT, GATHER, INDEX, SELECT, Body, Node
from tests.siw.builder import Limits
from tests.siw.integers import INTEGER_OPS, LOGICAL_OPS, casts_between
from tests.siw.values import DTYPE_OF, FLOATS, INTEGERS, Type, edges

UNARY = frozenset(
    {"arith.negf", "math.absf", "math.ceil", "math.floor", "math.trunc", "math.round", "math.roundeven", "math.sqrt"}
    | {f"math.{name}" for name in ("rsqrt", "exp", "log", "tanh", "erf", "sin", "cos", "absi", "ctlz", "cttz", "ctpop")}
    | {"tfmbs.sigmoid", "tfmbs.gelu"}
)
SPECIAL = (
    *(f"math.{name}" for name in ("rsqrt", "exp", "log", "tanh", "erf", "sin", "cos", "powf")),
    "tfmbs.sigmoid",
    "tfmbs.gelu",
)
PLAIN_FLOAT = (
    "arith.addf", "arith.subf", "arith.mulf", "arith.divf", "arith.maximumf", "arith.minimumf", "arith.maxnumf",
    "arith.minnumf", "arith.negf", "arith.remf", "math.absf", "math.copysign", "math.ceil", "math.floor", "math.trunc",
    "math.round", "math.roundeven", "math.sqrt", "math.fma",
)  # fmt: skip
FLOAT_PREDICATES = (
    "oeq", "ogt", "oge", "olt", "ole", "one", "ord", "ueq", "ugt", "uge", "ult", "ule", "une", "uno"
)  # fmt: skip
FOLDED_ON_EQUALS = tuple(
    f"arith.{name}"
    for name in ("divsi", "divui", "floordivsi", "ceildivsi", "ceildivui", "remsi", "remui", "shli", "shrsi", "shrui")
)
"""Upstream's canonicalization takes x / x for 1 and x >> x for 0, whatever x is; a graph means what stands after it."""
IDEMPOTENT = frozenset(f"arith.{name}" for name in ("andi", "ori", "minsi", "minui", "maxsi", "maxui"))
INTEGER_PREDICATES = ("eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge")


class BodyBuilder:
    """A body in the making. `loops` are sizes that linalg.index may count, `tensors` what gathers may read."""

    def __init__(
        self,
        rng: random.Random,
        limits: Limits,
        leaves: Sequence[str],
        loops: Sequence[int] = (),
        tensors: Sequence[Type] = (),
    ) -> None:
        self.rng, self.limits, self.leaves = rng, limits, tuple(leaves)
        self.loops, self.tensors = loops, tensors
        self.nodes: list[Node] = []
        self.elements: list[str] = list(leaves)
        self.hidden: set[int] = set()

    def add(self, op: str, args: Sequence[int], element: str, *detail: int | str) -> int:
        """Appends a node; returns its number."""
        source = self.elements[args[0]] if args else ""
        self.nodes.append(Node(op, tuple(args), element, source, detail))
        self.elements.append(element)
        return len(self.elements) - 1

    def retype(self, leaf: int, element: str) -> None:
        """Says what a leaf is that was hidden so far."""
        self.leaves = (*self.leaves[:leaf], element, *self.leaves[leaf + 1 :])
        self.elements[leaf] = element

    def constant(self, element: str) -> int:
        """A constant that no fold of upstream takes for neutral: its NaN rules are not the fabric's."""
        if element == "i1":
            return self.add(CONSTANT, [], element, self.rng.randrange(2))
        values = edges(element)
        if element in FLOATS:
            with np.errstate(invalid="ignore"):  # a signalling NaN is among them
                values = values[np.isfinite(values)]
            values = values[(values != 0) & (np.abs(values) != 1)]
        value = values[self.rng.randrange(len(values))]
        if self.rng.random() < 0.5:
            value = DTYPE_OF[element].type(self.rng.choice((0.3, 0.5, 1.5, 3, -2.75, 7)))
            value = DTYPE_OF[element].type(2) if element in INTEGERS else value
        bits = int(np.array(value).view(np.dtype(f"u{DTYPE_OF[element].itemsize}")))
        return self.add(CONSTANT, [], element, bits)

    def recent(self) -> int:
        """A visible value that is no constant, the newest likeliest."""
        first = len(self.leaves)
        seen = [
            i
            for i in range(len(self.elements))
            if i not in self.hidden and (i < first or self.nodes[i - first].op != CONSTANT)
        ]
        return seen[-1 - min(int(self.rng.expovariate(0.5)), len(seen) - 1)]

    def operand(self, element: str) -> int:
        """A value of this type: one there is, a converted one, or a constant."""
        same = [i for i, other in enumerate(self.elements) if other == element and i not in self.hidden]
        roll = self.rng.random()
        if same and roll < 0.6:
            return self.rng.choice(same)
        return self.constant(element) if roll > 0.85 else self.convert(self.recent(), element)

    def convert(self, value: int, element: str) -> int:
        """A value in another type, by any conversion there is, over f32 between f16 and bf16."""
        source = self.elements[value]
        if source == element:
            return value
        if element == "i1" and (source in FLOATS or self.rng.random() < 0.5):
            return self.compare(value, self.constant(source))
        casts = [cast for cast in casts_between(source, element) if cast not in self.limits.refused]
        if {source, element} == {"f16", "bf16"} and self.rng.random() < 0.8:
            casts = []
        if not casts:
            return self.convert(self.convert(value, "f32"), element)
        return self.add(self.rng.choice(casts), [value], element)

    def compare(self, a: int, b: int) -> int:
        """An i1 from two values of one type."""
        is_float = self.elements[a] in FLOATS
        predicate = self.rng.choice(FLOAT_PREDICATES if is_float else INTEGER_PREDICATES)
        return self.add("arith.cmpf" if is_float else "arith.cmpi", [a, b], "i1", predicate)

    def grow(self) -> int:
        """One random operation on a recent value and others."""
        roll = self.rng.random()
        if self.loops and roll < 0.08:
            return self.index(self.rng.choice([e for e in self.limits.elements if e in ("i32", "i64")]))
        if self.tensors and roll < 0.3:
            return self.gather()
        first = self.recent()
        element = self.elements[first]
        if roll < 0.4:
            return self.compare(first, self.operand(element))
        if roll < 0.5:
            condition = self.operand("i1")
            return self.add(SELECT, [condition, first, self.operand(element)], element)
        if roll < 0.6:
            return self.convert(first, self.rng.choice(self.limits.elements))
        return self._operation(first, element)

    def _operation(self, first: int, element: str) -> int:
        """One of the operations on this type."""
        names = self._operations(element)
        name = self.rng.choice(names)
        arity = 3 if name == "math.fma" else 1 if name in UNARY else 2
        operands = [first, *(self.operand(element) for _ in range(arity - 1))]
        if name in FOLDED_ON_EQUALS:
            return self.add(name, [first, self._other(element, first)], element)
        if element in FLOATS or self.rng.random() < 0.7:
            self.rng.shuffle(operands)
        return self.add(name, operands, element)

    def _other(self, element: str, first: int) -> int:
        """A second operand that upstream does not take for the first one: a constant, or a value without one."""
        if self.rng.random() < 0.5:
            return self.constant(element)
        operands = [self.operand(element), self.constant(element)]
        if self.nodes[-1].detail == (0,):  # what is subtracted is not nothing: that folds to the value
            self.nodes[-1] = replace(self.nodes[-1], detail=(1,))
        other = self.add("arith.subi", operands, element)
        return self.constant(element) if self._form(other) == self._form(first) else other

    def _form(self, value: int) -> str:
        """What a value is computed by; the same for two that upstream takes for one another."""
        if value < len(self.leaves):
            return f"leaf {value}"
        node = self.nodes[value - len(self.leaves)]
        args = [self._form(arg) for arg in node.args]
        if node.op in IDEMPOTENT and len(set(args)) == 1:
            return args[0]
        return f"{node.op} {node.element} {node.detail} ({', '.join(args)})"

    def _operations(self, element: str) -> list[str]:
        if element in FLOATS:
            known: Sequence[str] = SPECIAL if self.rng.random() < 0.2 else PLAIN_FLOAT
        else:
            known = [*LOGICAL_OPS, *(INTEGER_OPS if element != "i1" else ())]
        return [
            name for name in known if name not in self.limits.refused and f"{name} {element}" not in self.limits.refused
        ]

    def index(self, element: str) -> int:
        """The number of a loop's iteration."""
        return self.add(INDEX, [], element, self.rng.randrange(len(self.loops)))

    def gather(self) -> int:
        """An element of a captured tensor, at places that depend on data, or partly on loops."""
        number = self.rng.randrange(len(self.tensors))
        type_ = self.tensors[number]
        source = self.rng.choice([e for e in self.limits.elements if e in ("i32", "i64")])
        places: list[int] = []
        args: list[int] = []
        for size in type_.sizes:
            fitting = [loop for loop, trips in enumerate(self.loops) if trips <= size]
            if fitting and self.rng.random() < 0.4:
                places.append(self.rng.choice(fitting))
            else:
                places.append(-1)
                args.append(self.convert(self.recent(), source))
        node = Node(GATHER, tuple(args), type_.element, source, (number, *places))
        self.nodes.append(node)
        self.elements.append(type_.element)
        return len(self.elements) - 1

    def done(self, *results: int) -> Body:
        """The body that yields these values."""
        return Body(self.leaves, tuple(self.nodes), tuple(results)).cleaned()
