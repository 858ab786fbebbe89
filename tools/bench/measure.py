"""Measures all kernels at one problem, in one loop, after their results were checked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmbs.tools.bench.cell import CACHE, DRAM, Cell, Limit
from tfmbs.tools.bench.kernel import Kernel, Prepared, Run
from tfmbs.tools.bench.machine import STREAM_BYTES, Limits
from tfmbs.tools.bench.problem import Problem, Shape, Type, drawn, extreme
from tfmbs.tools.bench.timing import Sample, interleaved, repeated

SAMPLE_SECONDS = 0.01
"""A sample takes at least about so long."""

EXTREME_SHAPES = (Shape(64, 40_000), Shape(66, 2_560))
"""For results that are as large as they can be: beyond K = 33,000, where some tricks with residues end, and below."""


@dataclass(frozen=True)
class Entry:
    """A kernel that takes part, with its weights."""

    kernel: Kernel
    prepared: Prepared
    copies: int


@dataclass(frozen=True)
class Wrong:
    """A kernel whose results are wrong for some inputs."""

    kernel: str
    ours: bool
    type: str
    what: str
    worst: float

    def to_json(self) -> dict[str, Any]:
        """Everything; `worst` is null where a result is no number."""
        return {**vars(self), "worst": self.worst if math.isfinite(self.worst) else None}

    def __str__(self) -> str:
        return f"{self.kernel} is WRONG for {self.type}, {self.what}: off by {self.worst:g}"


def cells(
    kernels: Sequence[Kernel],
    problem: Problem,
    residence: str,
    threads: Sequence[int],
    rounds: int,
    rotation: int,
    clock: str = "wall",
) -> Iterator[Cell]:
    """The cells of a problem. In memory, the copies of each kernel's weights have `rotation` bytes together."""
    entries = []
    for kernel in taking_part(kernels, problem):
        bits = kernel.bits[problem.kind.name]
        one = problem.shape.weights * bits / 8
        # Not more than rows: those further down would be equal to others, and take no memory of their own.
        copies = min(math.ceil(rotation / one), problem.shape.rows) if residence == DRAM else 1
        entries.append(Entry(kernel, kernel.prepare(problem, copies), copies))
    for number in threads:
        yield from _side_by_side(entries, problem, residence, number, rounds, clock)


def taking_part(kernels: Sequence[Kernel], problem: Problem) -> list[Kernel]:
    """Those that have the type and do not refuse the problem."""
    return [k for k in kernels if problem.kind.name in k.bits and k.refuses(problem) is None]


def _side_by_side(
    entries: Sequence[Entry], problem: Problem, residence: str, threads: int, rounds: int, clock: str
) -> Iterator[Cell]:
    samples: dict[str, Sample] = {}
    units: dict[str, str] = {}
    for isa in dict.fromkeys(entry.kernel.isa for entry in entries if entry.kernel.isa):
        limits = Limits(isa, threads, clock)
        samples |= {f"stream {isa}": limits.stream(), f"unit {isa}": limits.peak(problem.kind.unit)}
        units[isa] = limits.unit(problem.kind.unit)
    checks = {}
    for entry in entries:
        run = entry.prepared.start(threads)
        checks[entry.kernel.name] = _worst(run, problem)
        samples[entry.kernel.name] = repeated(run, SAMPLE_SECONDS, clock, warm=residence == CACHE)
    timings = interleaved(samples, rounds)
    fastest = list(units)[-1]
    for entry in entries:
        kernel, isa = entry.kernel, entry.kernel.isa or fastest
        stream, unit = timings[f"stream {isa}"].median, timings[f"unit {isa}"].median
        worst = checks[kernel.name]
        yield Cell(
            kernel=kernel.name,
            ours=kernel.ours,
            isa=kernel.isa,
            type=problem.kind.name,
            rows=problem.shape.rows,
            columns=problem.shape.columns,
            tokens=len(problem.tokens),
            threads=threads,
            residence=residence,
            copies=entry.copies,
            weight_bits=entry.prepared.weight_bits,
            timing=timings[kernel.name].scaled(1 / entry.copies),
            limit=Limit(STREAM_BYTES / stream, units[isa], 1e9 / unit),
            worst=worst,
            right=worst <= _allowed(kernel, problem),
        )


def _worst(run: Run, problem: Problem) -> float:
    return max(problem.worst(np.asarray(outputs), number) for number, outputs in enumerate(run()))


def _allowed(kernel: Kernel, problem: Problem) -> float:
    """How far the results may be off: integers of a kernel that has them not at all."""
    if not problem.kind.exact:
        return kernel.tolerance
    return 0.0 if kernel.ours else kernel.tolerance * 128 * 127 * problem.shape.columns


def wrong_at_extremes(kernels: Sequence[Kernel], kind: Type, tokens: Sequence[int]) -> Iterator[Wrong]:
    """Kernels of integers whose results are wrong where all operands are as large as they can be."""
    for shape in EXTREME_SHAPES:
        for count in tokens:
            problem = extreme(kind, shape, count)
            for kernel in taking_part(kernels, problem):
                worst = _worst(kernel.prepare(problem, 1).start(1), problem)
                if worst > _allowed(kernel, problem):
                    what = f"{shape}, n={count}, all operands of the largest magnitude"
                    yield Wrong(kernel.name, kernel.ours, kind.name, what, worst)


def problems(kind: Type, shapes: Sequence[Shape], tokens: Sequence[int]) -> Iterator[tuple[Problem, str]]:
    """Each problem and where its weights are: those of one token in memory, and again in the caches."""
    for shape in shapes:
        for count in tokens:
            problem = drawn(kind, shape, count)
            for residence in (DRAM, CACHE) if count == 1 else (CACHE,):
                yield problem, residence
