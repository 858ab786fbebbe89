"""linalg.generic as a step: loops, affine maps, a scalar body; gathers and scalars are captured from outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from tests.siw.body import Body
from tests.siw.meaning import Doubt, rounded
from tests.siw.program import Step, Writer, join
from tests.siw.values import DTYPE_OF, Array, Type

PARTIALS = 16


@dataclass(frozen=True)
class Place:
    """An affine expression: sum of `factors` * loop, plus `offset`."""

    factors: tuple[tuple[int, int], ...] = ()
    offset: int = 0

    def __str__(self) -> str:
        terms = [f"d{loop}" if factor == 1 else f"d{loop} * {factor}" for loop, factor in self.factors]
        return " + ".join([*terms, str(self.offset)] if self.offset or not terms else terms)

    def of(self, indices: Sequence[Array]) -> Array | int:
        """Its value for these iteration numbers."""
        return sum((factor * indices[loop] for loop, factor in self.factors), start=self.offset)


def loop(number: int) -> Place:
    """The expression d<number>."""
    return Place(((number, 1),))


Map = tuple[Place, ...]


@dataclass(frozen=True)
class Generic(Step):
    """A linalg.generic. `operands` are inputs, inits, captured tensors and captured scalars, in this order.

    The body's leaves are a scalar per input and per init, then the captured scalars. Loops from `parallel` on reduce.
    Inits are indexed by distinct parallel loops, all of them.
    """

    sizes: tuple[int, ...]
    parallel: int
    inputs: tuple[Map, ...]
    inits: tuple[Map, ...]
    captured: int
    body: Body

    @property
    def is_float_sum(self) -> bool:
        """Whether it is a sum that is kept in 16 partials: the one accumulator is used once, by the addition."""
        nodes, first = self.body.nodes, len(self.body.leaves)
        accumulator, last = len(self.inputs), self.body.results[0] - first
        if self.parallel == len(self.sizes) or len(self.inits) != 1 or last < 0 or nodes[last].op != "arith.addf":
            return False
        uses = [i for node in nodes for i in node.args].count(accumulator) + self.body.results.count(accumulator)
        return uses == 1 and accumulator in nodes[last].args and nodes[last].element in ("f32", "f64")

    def write(self, out: Writer, names: Sequence[str], types: Sequence[Type]) -> list[str]:
        ins, inits = len(self.inputs), len(self.inits)
        tensors = list(zip(names, types, strict=True))[ins + inits : ins + inits + self.captured]
        loops = join([f"d{i}" for i in range(len(self.sizes))])
        maps = join([f"affine_map<({loops}) -> ({join(map_)})>" for map_ in (*self.inputs, *self.inits)])
        kinds = ['"parallel"'] * self.parallel + ['"reduction"'] * (len(self.sizes) - self.parallel)
        given = f"ins({join(names[:ins])} : {join(types[:ins])}) " if ins else ""
        results = [out.fresh() for _ in self.inits]
        out.line(f"{join(results)} = linalg.generic {{indexing_maps = [{maps}], iterator_types = [{join(kinds)}]}}")
        kept = f"outs({join(names[ins : ins + inits])} : {join(types[ins : ins + inits])})"
        out.line(f"    {given}{kept} {{")
        leaves = [out.fresh() for _ in range(ins + inits)]
        out.line(f"^bb0({join(f'{n}: {t.element}' for n, t in zip(leaves, types, strict=False))}):")
        out.depth += 1
        yielded = self.body.write(out, [*leaves, *names[ins + inits + self.captured :]], tensors)
        out.line(f"linalg.yield {join(yielded)} : {join(type_.element for type_ in self.results)}")
        out.depth -= 1
        out.line(f"}} -> ({join(self.results)})" if inits > 1 else f"}} -> {self.results[0]}")
        return results

    def evaluate(self, values: Sequence[Array], doubt: Doubt) -> list[Array]:
        ins, inits = len(self.inputs), len(self.inits)
        tensors = values[ins + inits : ins + inits + self.captured]
        scalars = values[ins + inits + self.captured :]
        outer = list(np.indices(self.sizes[: self.parallel]))
        shape = self.sizes[: self.parallel]
        found = [value[_at(map_, outer, shape)] for value, map_ in zip(values[ins:], self.inits, strict=False)]
        float_sum = self.is_float_sum
        partials = [np.zeros(shape, found[0].dtype) for _ in range(PARTIALS)] if float_sum else []
        steps = product(*(range(size) for size in self.sizes[self.parallel :]))
        for number, inner in enumerate(steps):
            indices = [*outer, *(np.full(shape, i) for i in inner)]
            leaves = [value[_at(map_, indices, shape)] for value, map_ in zip(values, self.inputs, strict=False)]
            state = [partials[number % PARTIALS]] if float_sum else found
            state = self.body.evaluate([*leaves, *state, *scalars], doubt, indices, tensors)
            state = [np.broadcast_to(value, shape) for value in state]
            if float_sum:
                partials[number % PARTIALS] = state[0]
            else:
                found = state
        if float_sum:
            found = [_folded(found[0], partials, self.results[0].element)]
        placed = zip(found, self.inits, self.results, strict=True)
        return [_placed(value, map_, outer, type_) for value, map_, type_ in placed]

    def simpler(self) -> Iterator[Step]:
        yield from (replace(self, body=body) for body in self.body.simpler())


def _at(map_: Map, indices: Sequence[Array], shape: tuple[int, ...]) -> tuple[Array, ...]:
    return tuple(np.broadcast_to(place.of(indices), shape) for place in map_)


def _folded(init: Array, partials: list[Array], element: str) -> Array:
    with np.errstate(all="ignore"):
        while len(partials) > 1:
            half = len(partials) // 2
            partials = [partials[j] + partials[j + half] for j in range(half)]
        return rounded(init + partials[0], element)


def _placed(value: Array, map_: Map, outer: Sequence[Array], type_: Type) -> Array:
    result = np.zeros(type_.sizes, DTYPE_OF[type_.element])
    result[_at(map_, outer, value.shape)] = value
    return result
