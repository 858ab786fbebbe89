"""Cuts a program that fails down to a small one that fails alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from tests.siw.meaning import Doubt
from tests.siw.program import Program
from tests.siw.values import Array

Case = tuple[Program, list[Array]]
MOST_TRIES = 400


def reduce(program: Program, inputs: Sequence[Array], fails: Callable[[Program, Sequence[Array]], bool]) -> Case:
    """The smallest case found for which `fails` holds, as it does for the one given."""
    case, tries, progress = (program, list(inputs)), 0, True
    while progress and tries < MOST_TRIES:
        progress = False
        for candidate in _smaller(*case):
            tries += 1
            if fails(*candidate):
                case, progress = candidate, True
                break
            if tries >= MOST_TRIES:
                break
    return case


def _smaller(program: Program, inputs: list[Array]) -> Iterator[Case]:
    if len(program.outputs) > 1:
        for output in program.outputs:
            yield _cleaned(replace(program, outputs=(output,)), inputs)
    values, starts = _values(program, inputs), program.starts
    if values is not None:
        for count in reversed(range(1, len(program.steps))):
            yield _without_first(program, values, count, starts[count])
        for start, step in zip(starts, program.steps, strict=True):
            for output in range(start, start + len(step.results)):
                if output not in program.outputs and not step.results[output - start].is_scalar:
                    yield _cleaned(replace(program, outputs=(output,)), inputs)
    for position, step in enumerate(program.steps):
        for simpler in step.simpler():
            yield _cleaned(
                replace(program, steps=(*program.steps[:position], simpler, *program.steps[position + 1 :])), inputs
            )
    yield from _simpler_inputs(program, inputs)


def _values(program: Program, inputs: list[Array]) -> list[Array] | None:
    """All values, by numpy; None where that itself fails."""
    try:
        with np.errstate(all="ignore"):
            return program.values(inputs, Doubt(0, np.random.default_rng(0)))
    except (AssertionError, ArithmeticError, IndexError, TypeError, ValueError):
        return None


def _without_first(program: Program, values: list[Array], count: int, start: int) -> Case:
    """The values of the first steps as inputs; scalars cannot be inputs, so steps that give them stay."""
    types, starts = program.types, program.starts
    known = [i for i in range(start) if not types[i].is_scalar]
    number = {old: new for new, old in enumerate(known)}
    steps, following = [], len(known)
    for position, step in enumerate(program.steps):
        early = position < count
        if early and not any(result.is_scalar for result in step.results):
            continue
        steps.append(replace(step, operands=tuple(number[i] for i in step.operands)))
        for old in range(starts[position], starts[position] + len(step.results)):
            if not early or types[old].is_scalar:
                number[old] = following
            following += 1
    shorter = Program(tuple(types[i] for i in known), tuple(steps), tuple(number[i] for i in program.outputs))
    return _cleaned(shorter, [values[i] for i in known])


def _cleaned(program: Program, inputs: Sequence[Array]) -> Case:
    program, kept = program.without_dead_steps()
    return program, [inputs[i] for i in kept]


def _simpler_inputs(program: Program, inputs: list[Array]) -> Iterator[Case]:
    for position, array in enumerate(inputs):
        if array.any():
            yield program, [*inputs[:position], np.zeros_like(array), *inputs[position + 1 :]]
