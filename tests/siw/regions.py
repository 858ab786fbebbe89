"""Steps with regions: scf.for, scf.if and scf.while; and the scalars that drive them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tests.siw.body import Body
from tests.siw.meaning import Doubt
from tests.siw.program import Program, Step, Writer, join
from tests.siw.values import Array, Type


@dataclass(frozen=True)
class Element(Step):
    """tensor.extract at constant places, or at places given by operands of type index behind the tensor (place -1)."""

    places: tuple[int, ...]

    def write(self, out: Writer, names: Sequence[str], types: Sequence[Type]) -> list[str]:
        left = list(names[1:])
        places = [left.pop(0) if place == -1 else out.index(place) for place in self.places]
        return [out.assign(f"tensor.extract {names[0]}[{join(places)}] : {types[0]}")]

    def evaluate(self, values: Sequence[Array], doubt: Doubt) -> list[Array]:
        left = [int(value) for value in values[1:]]
        return [np.asarray(values[0][tuple(left.pop(0) if place == -1 else place for place in self.places)])]


@dataclass(frozen=True)
class Replace(Step):
    """tensor.insert of the scalar operand into the tensor behind it, at places as `Element` has them."""

    places: tuple[int, ...]

    def write(self, out: Writer, names: Sequence[str], types: Sequence[Type]) -> list[str]:
        left = list(names[2:])
        places = [left.pop(0) if place == -1 else out.index(place) for place in self.places]
        return [out.assign(f"tensor.insert {names[0]} into {names[1]}[{join(places)}] : {types[1]}")]

    def evaluate(self, values: Sequence[Array], doubt: Doubt) -> list[Array]:
        left = [int(value) for value in values[2:]]
        result = values[1].copy()
        result[tuple(left.pop(0) if place == -1 else place for place in self.places)] = values[0]
        return [result]


@dataclass(frozen=True)
class ScalarCode(Step):
    """Scalar operations between tensors; operands are the leaves."""

    body: Body

    def write(self, out: Writer, names: Sequence[str], types: Sequence[Type]) -> list[str]:
        return self.body.write(out, names)

    def evaluate(self, values: Sequence[Array], doubt: Doubt) -> list[Array]:
        return self.body.evaluate(values, doubt)

    def simpler(self) -> Iterator[Step]:
        yield from (replace(self, body=body) for body in self.body.simpler())


@dataclass(frozen=True)
class ToIndex(Step):
    """An integer, unsigned modulo `bound`, as an index; or an index as an integer, where `bound` is 0."""

    bound: int

    def write(self, out: Writer, names: Sequence[str], types: Sequence[Type]) -> list[str]:
        element, target = types[0].element, self.results[0].element
        if not self.bound:
            return [out.assign(f"arith.index_cast {names[0]} : index to {target}")]
        bound = out.assign(f"arith.constant {self.bound} : {element}")
        inside = out.assign(f"arith.remui {names[0]}, {bound} : {element}")
        return [out.assign(f"arith.index_castui {inside} : {element} to index")]

    def evaluate(self, values: Sequence[Array], doubt: Doubt) -> list[Array]:
        if not self.bound:
            return [np.asarray(values[0]).astype(f"int{self.results[0].element[1:]}")]
        unsigned = np.dtype(f"u{values[0].dtype.itemsize}")
        return [np.asarray(values[0].view(unsigned) % unsigned.type(self.bound)).astype(np.int64)]


@dataclass(frozen=True)
class For(Step):
    """scf.for: operands are the upper bound where `upper` is None, the initial values, and what the body captures.

    The body's inputs are the induction variable, the carried values, the captured ones; its outputs are carried on.
    """

    lower: int
    upper: int | None
    step: int
    body: Program

    def write(self, out: Writer, names: Sequence[str], types: Sequence[Type]) -> list[str]:
        left = list(names)
        upper = left.pop(0) if self.upper is None else out.index(self.upper)
        lower, step = out.index(self.lower), out.index(self.step)
        carried = len(self.results)
        variable, arguments, results = out.fresh(), [out.fresh() for _ in range(carried)], out.fresh()
        given = join(f"{a} = {n}" for a, n in zip(arguments, left, strict=False))
        head = f"{results}:{carried} = scf.for {variable} = {lower} to {upper} step {step}"
        out.line(f"{head} iter_args({given}) -> ({join(self.results)}) {{")
        _write_region(self.body, out, [variable, *arguments, *left[carried:]], self.results)
        out.line("}")
        return [f"{results}#{i}" for i in range(carried)]

    def evaluate(self, values: Sequence[Array], doubt: Doubt) -> list[Array]:
        left = list(values)
        upper = int(left.pop(0)) if self.upper is None else self.upper
        carried, captured = left[: len(self.results)], left[len(self.results) :]
        for i in range(self.lower, upper, self.step):
            carried = self.body.evaluate([np.array(i, np.int64), *carried, *captured], doubt)
        return carried

    def simpler(self) -> Iterator[Step]:
        if self.upper is not None and self.upper > self.lower + self.step:
            yield replace(self, upper=self.upper - self.step)
        yield from (replace(self, body=body) for body in simpler_regions(self.body))


@dataclass(frozen=True)
class If(Step):
    """scf.if: operands are the condition and what the branches, which have the same inputs, capture."""

    yes: Program
    no: Program

    def write(self, out: Writer, names: Sequence[str], types: Sequence[Type]) -> list[str]:
        results = out.fresh()
        out.line(f"{results}:{len(self.results)} = scf.if {names[0]} -> ({join(self.results)}) {{")
        _write_region(self.yes, out, names[1:], self.results)
        out.line("} else {")
        _write_region(self.no, out, names[1:], self.results)
        out.line("}")
        return [f"{results}#{i}" for i in range(len(self.results))]

    def evaluate(self, values: Sequence[Array], doubt: Doubt) -> list[Array]:
        return (self.yes if values[0] else self.no).evaluate(values[1:], doubt)

    def simpler(self) -> Iterator[Step]:
        yield from (replace(self, yes=region) for region in simpler_regions(self.yes))
        yield from (replace(self, no=region) for region in simpler_regions(self.no))


@dataclass(frozen=True)
class While(Step):
    """scf.while that runs at most `most` times: its first result counts iterations (i32).

    Operands are the initial values of the others, then what both regions capture. Inputs of both regions are the
    counter, the carried values and the captured ones; `condition` gives an i1, `body` the carried values.
    """

    most: int
    condition: Program
    body: Program

    def write(self, out: Writer, names: Sequence[str], types: Sequence[Type]) -> list[str]:
        carried = len(self.results) - 1
        start, most, one = (out.assign(f"arith.constant {value} : i32") for value in (0, self.most, 1))
        results, arguments = out.fresh(), [out.fresh() for _ in range(carried + 1)]
        given = join(f"{a} = {n}" for a, n in zip(arguments, [start, *names[:carried]], strict=True))
        signature = f"({join(self.results)}) -> ({join(self.results)})"
        out.line(f"{results}:{carried + 1} = scf.while ({given}) : {signature} {{")
        out.depth += 1
        (goes_on,) = self.condition.write(out, [*arguments, *names[carried:]])
        inside = out.assign(f"arith.cmpi slt, {arguments[0]}, {most} : i32")
        both = out.assign(f"arith.andi {inside}, {goes_on} : i1")
        out.line(f"scf.condition({both}) {join(arguments)} : {join(self.results)}")
        out.depth -= 1
        out.line("} do {")
        arguments = [out.fresh() for _ in range(carried + 1)]
        out.line(f"^bb0({join(f'{a}: {t}' for a, t in zip(arguments, self.results, strict=True))}):")
        out.depth += 1
        yielded = self.body.write(out, [*arguments, *names[carried:]])
        following = out.assign(f"arith.addi {arguments[0]}, {one} : i32")
        out.line(f"scf.yield {join([following, *yielded])} : {join(self.results)}")
        out.depth -= 1
        out.line("}")
        return [f"{results}#{i}" for i in range(carried + 1)]

    def evaluate(self, values: Sequence[Array], doubt: Doubt) -> list[Array]:
        count = len(self.results) - 1
        number, carried, captured = 0, list(values[:count]), list(values[count:])
        while True:
            state = [np.array(number, np.int32), *carried, *captured]
            (goes_on,) = self.condition.evaluate(state, doubt)
            if number >= self.most or not goes_on:
                return [np.array(number, np.int32), *carried]
            carried = self.body.evaluate(state, doubt)
            number += 1

    def simpler(self) -> Iterator[Step]:
        if self.most > 1:
            yield replace(self, most=self.most - 1)
        yield from (replace(self, condition=region) for region in simpler_regions(self.condition))
        yield from (replace(self, body=region) for region in simpler_regions(self.body))


def _write_region(region: Program, out: Writer, names: Sequence[str], types: Sequence[Type]) -> None:
    out.depth += 1
    out.line(f"scf.yield {join(region.write(out, names))} : {join(types)}")
    out.depth -= 1


def simpler_regions(region: Program) -> Iterator[Program]:
    """Regions of the same inputs and outputs with less in them."""
    types = region.types
    for place, output in enumerate(region.outputs):
        for other in range(len(region.inputs)):
            if types[other] == types[output] and other != output:
                outputs = (*region.outputs[:place], other, *region.outputs[place + 1 :])
                yield replace(region, outputs=outputs).without_dead_steps(keep_inputs=True)[0]
    for position, step in enumerate(region.steps):
        for simpler in step.simpler():
            steps = (*region.steps[:position], simpler, *region.steps[position + 1 :])
            yield replace(region, steps=steps).without_dead_steps(keep_inputs=True)[0]
