"""A random program as data: steps on values, which can be written as MLIR, evaluated with numpy and cut down.

Values are numbered: first the inputs, then the results of the steps in order. A region (the body of a loop, a branch)
is a program too, whose inputs are its block arguments and what it captures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from tests.siw.meaning import Doubt
from tests.siw.values import Array, Type


@dataclass
class Writer:
    """Collects lines of MLIR and invents names."""

    lines: list[str] = field(default_factory=list)
    depth: int = 1
    _numbers: Iterator[int] = field(default_factory=count)

    def fresh(self) -> str:
        """A name that no other value has."""
        return f"%v{next(self._numbers)}"

    def line(self, text: str) -> None:
        """Adds a line at the current depth."""
        self.lines.append("  " * self.depth + text)

    def assign(self, text: str) -> str:
        """Adds a line that defines one value; returns its name."""
        name = self.fresh()
        self.line(f"{name} = {text}")
        return name

    def index(self, value: int) -> str:
        """A constant of type index."""
        return self.assign(f"arith.constant {value} : index")


@dataclass(frozen=True)
class Step:
    """One operation on values. `operands` are value numbers, `results` the types of what it defines."""

    operands: tuple[int, ...]
    results: tuple[Type, ...]

    def write(self, out: Writer, names: Sequence[str], types: Sequence[Type]) -> list[str]:
        """Writes the operation; `names` and `types` are those of the operands. Returns the names of the results."""
        raise NotImplementedError

    def evaluate(self, values: Sequence[Array], doubt: Doubt) -> list[Array]:
        """The results in numpy; scalars are arrays of rank 0."""
        raise NotImplementedError

    def simpler(self) -> Iterator[Step]:
        """Smaller steps with the same results, for reducing a program that fails."""
        yield from ()


@dataclass(frozen=True)
class Program:
    """Inputs, steps and the numbers of the values that are the outputs."""

    inputs: tuple[Type, ...]
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]

    @property
    def types(self) -> list[Type]:
        """Types of all values."""
        return [*self.inputs, *(result for step in self.steps for result in step.results)]

    def write(self, out: Writer, inputs: Sequence[str]) -> list[str]:
        """Writes the steps; `inputs` are names. Returns the names of the outputs."""
        names, types = list(inputs), self.types
        for step in self.steps:
            operands = [names[i] for i in step.operands]
            names += step.write(out, operands, [types[i] for i in step.operands])
        return [names[i] for i in self.outputs]

    def evaluate(self, inputs: Sequence[Array], doubt: Doubt) -> list[Array]:
        """The outputs in numpy."""
        values = self.values(inputs, doubt)
        return [values[i] for i in self.outputs]

    def values(self, inputs: Sequence[Array], doubt: Doubt) -> list[Array]:
        """All values in numpy."""
        values = list(inputs)
        for step in self.steps:
            results = step.evaluate([values[i] for i in step.operands], doubt)
            for result, type_ in zip(results, step.results, strict=True):
                expected = () if type_.is_scalar else type_.sizes
                assert result.shape == expected, (step, result.shape)
            values += results
        return values

    def mlir(self) -> str:
        """The whole module: a function `main` whose arguments are in0…, its results out0…."""
        types, out = self.types, Writer()
        names = [f"%in{i}" for i in range(len(self.inputs))]
        results = self.write(out, names)
        arguments = ", ".join(
            f'{name}: {type_} {{tfmbs.name = "in{i}"}}'
            for i, (name, type_) in enumerate(zip(names, self.inputs, strict=True))
        )
        given = [types[i] for i in self.outputs]
        returned = ", ".join(f'{type_} {{tfmbs.name = "out{i}"}}' for i, type_ in enumerate(given))
        out.line(f"return {', '.join(results)} : {', '.join(map(str, given))}")
        return "\n".join([f"func.func @main({arguments}) -> ({returned}) {{", *out.lines, "}"]) + "\n"

    def without_dead_steps(self, *, keep_inputs: bool = False) -> tuple[Program, list[int]]:
        """The program without what its outputs do not need, and the numbers of the inputs that are left."""
        starts = self.starts
        needed = set(self.outputs)
        for start, step in zip(reversed(starts), reversed(self.steps), strict=True):
            if needed & set(range(start, start + len(step.results))):
                needed |= set(step.operands)
        kept_inputs = [i for i in range(len(self.inputs)) if keep_inputs or i in needed]
        number = {old: new for new, old in enumerate(kept_inputs)}
        steps = []
        for start, step in zip(starts, self.steps, strict=True):
            results = range(start, start + len(step.results))
            if needed & set(results):
                steps.append(replace(step, operands=tuple(number[i] for i in step.operands)))
                number |= {old: len(number) + k for k, old in enumerate(results)}
        program = Program(
            tuple(self.inputs[i] for i in kept_inputs), tuple(steps), tuple(number[i] for i in self.outputs)
        )
        return program, kept_inputs

    @property
    def starts(self) -> list[int]:
        """For each step, the number of its first result."""
        starts, number = [], len(self.inputs)
        for step in self.steps:
            starts.append(number)
            number += len(step.results)
        return starts


def join(items: Sequence[object]) -> str:
    """A list in MLIR: the items with commas between them."""
    return ", ".join(map(str, items))
