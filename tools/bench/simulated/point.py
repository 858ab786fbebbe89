"""A point of a sweep: a model on a variation of a target, compiled, simulated with values, and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.target_file import load_target
from tfmbs.tools.bench.simulated.area import area
from tfmbs.tools.bench.simulated.variation import Value, target_file, varied

SEED = 0
"""Of inputs that are not given."""


@dataclass(frozen=True)
class Point:
    """Cycles and picoseconds of the run, picojoules, square millimetres; what of the peak and of the external bandwidth
    was reached. `exact`: outputs have the emulator's bytes.
    """

    changes: Mapping[str, Value]
    cycles: int
    total_ps: int
    energy_pj: float
    area_mm2: float
    peak: float
    external: float
    profile: str
    exact: bool

    @property
    def costs(self) -> tuple[float, ...]:
        """What should be small: time, energy, area."""
        return self.total_ps, self.energy_pj, self.area_mm2


@dataclass(frozen=True)
class Refusal:
    """A variation on which the model does not compile or run, and why."""

    changes: Mapping[str, Value]
    why: str


def front(points: Sequence[Point]) -> list[bool]:
    """Whether each point is on the Pareto front: no other one is as good in every cost and better in one.

    Joules of another profile do not compare.
    """

    def beats(one: Point, other: Point) -> bool:
        compares = one.profile == other.profile and one.costs != other.costs
        return compares and all(a <= b for a, b in zip(one.costs, other.costs, strict=True))

    return [not any(beats(other, one) for other in points) for one in points]


def evaluated(given: Any, changes: Mapping[str, Value]) -> Point | Refusal:
    """The point of a variation; `given` are parsed arguments of a model. Runs in a process of its own.

    Raises TfmbsError, what is refused but for what a target lacks.
    """
    table = varied(given.target, changes)
    with target_file(table) as path:
        try:
            return _run(given, changes, path)
        except TfmbsError as error:
            if error.code not in ("unsupported", "resource-limit"):
                raise
            return Refusal(changes, str(error).removeprefix("error: "))


def _run(given: Any, changes: Mapping[str, Value], path: str) -> Point:
    from tfmbs.compiler.compilation import Compilation
    from tfmbs.compiler.jit import Slot
    from tfmbs.compiler.numeric_check import random_inputs
    from tfmbs.runtime.program import Program
    from tfmbs.tools.model_options import model_options

    asked, given.target = given.target, path
    try:
        program = Program(Compilation.of(given.model, model_options(given)).image())
    finally:
        given.target = asked
    entry = program.entry()
    inputs = random_inputs(tuple(Slot(one.name, one.shape, one.dtype) for one in entry.inputs), SEED)
    context = program.context("kpu", threads=1)
    outputs, expected = context.run(inputs), program.context(threads=1).run(inputs)
    timing, target = context.stats.timing, load_target(path)
    assert timing is not None  # of a simulated device there is one
    moved = timing["bytes"]["external_to_l3"] + timing["bytes"]["l3_to_external"]
    bandwidth = target.external.channels * target.external.gbytes_per_second / 1000  # bytes per picosecond
    return Point(
        changes=changes,
        cycles=timing["cycles"],
        total_ps=timing["total_ps"],
        energy_pj=timing["energy_pj"]["total"],
        area_mm2=area(target),
        peak=timing["macs"] / (target.macs_per_cycle * timing["cycles"]),
        external=moved / (bandwidth * timing["total_ps"]),
        profile=f"{target.energy.profile}: {target.energy.source}",
        exact=all(array.tobytes() == expected[name].tobytes() for name, array in outputs.items()),
    )
