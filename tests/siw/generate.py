"""From a seed to a program and its inputs."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tests.siw.builder import Builder, Limits
from tests.siw.control import condition, element_of, element_put, for_loop, scalar_code, scan, while_loop
from tests.siw.elementwise import elementwise
from tests.siw.lane_loops import lane_loop
from tests.siw.movement import filled, insertion, joined, padding, reshaped, slice_of, transposed
from tests.siw.program import Program
from tests.siw.reductions import reduction
from tests.siw.values import ELEMENTS, Array, random_array

KINDS: dict[str, tuple[int, Callable[[Builder], object]]] = {
    "elementwise": (10, elementwise),
    "reduction": (6, reduction),
    "slice": (1, slice_of),
    "insertion": (1, insertion),
    "padding": (1, padding),
    "joined": (1, joined),
    "reshaped": (1, reshaped),
    "transposed": (1, transposed),
    "filled": (1, filled),
    "element": (1, element_of),
    "put": (1, element_put),
    "scalar": (1, scalar_code),
    "for": (1, lambda b: for_loop(b, grow)),
    "lanes": (2, lane_loop),
    "scan": (1, scan),
    "if": (1, lambda b: condition(b, grow)),
    "while": (1, lambda b: while_loop(b, grow)),
}
"""Weight and generator of each kind of step."""

NESTING = frozenset({"for", "lanes", "scan", "if", "while"})
EVERYTHING = Limits(kinds=frozenset({*KINDS, "gather"}))


def grow(b: Builder) -> None:
    """Adds one random step."""
    known = [name for name in KINDS if name in b.limits.kinds and (b.depth < b.limits.depth or name not in NESTING)]
    (name,) = b.rng.choices(known, [KINDS[name][0] for name in known])
    KINDS[name][1](b)


def generate(seed: int, limits: Limits = EVERYTHING) -> Program:
    """The program of a seed: the same on every machine. It uses two to five of the element types."""
    rng = random.Random(seed)
    wide = [element for element in ("i32", "i64") if element in limits.elements]
    elements = {rng.choice(wide), "i1", *rng.sample(limits.elements, min(len(limits.elements), rng.choice((1, 2, 3))))}
    if "f16" in elements and "bf16" in elements:
        elements.add("f32")
    chosen = tuple(element for element in ELEMENTS if element in elements)
    b = Builder(rng, replace(limits, elements=chosen))
    for _ in range(rng.randint(1, limits.steps)):
        grow(b)
    tensors = [i for i, type_ in enumerate(b.types) if not type_.is_scalar and i not in b.input_ids]
    if not tensors:
        tensors = [elementwise(b)]
    written = [i for i in tensors if i not in b.hidden]
    outputs = sorted(
        {written[-1 - min(int(rng.expovariate(0.7)), len(written) - 1)] for _ in range(rng.choice((1, 2, 3)))}
    )
    return b.finish(outputs).without_dead_steps()[0]


def inputs_of(program: Program, seed: int) -> list[Array]:
    """Arrays for its inputs."""
    rng = np.random.default_rng(seed)
    return [random_array(type_, rng) for type_ in program.inputs]
