"""What takes part in the benchmark of products: one protocol for our programs and for the peers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tfmbs.tools.bench.problem import Array, Problem

Run = Callable[[], Sequence[Array]]
"""Multiplies with every copy; gives the outputs (n, N) of each."""


class Prepared(Protocol):
    """A problem with its copies in the form that a kernel takes."""

    @property
    def weight_bits(self) -> float:
        """Of each weight, with what belongs to it: scales, padding."""

    def start(self, threads: int) -> Run:
        """Ready to run on so many threads, until something starts with another number."""


@dataclass(frozen=True)
class Kernel:
    """Somebody's product. `bits` are those of a weight, as it lies in memory, by the types that there are.

    `prepare(problem, copies)` may take seconds. `tolerance` is how far a result may be off, as `Problem.worst` has it
    for the type, times 1 for floats or the largest result for integers. `refuses` says what it cannot do of a problem.
    """

    name: str
    bits: dict[str, float]
    prepare: Callable[[Problem, int], Prepared]
    ours: bool = False
    isa: str | None = None
    tolerance: float = 0.0
    refuses: Callable[[Problem], str | None] = lambda problem: None


FLOAT_TOLERANCE = 3e-6
"""Of Σ |x · w|: sums of f32 in any order."""


@dataclass(frozen=True)
class Calls:
    """Prepared weights, one value for each copy, and a function that multiplies with one of them."""

    weights: Sequence[Any]
    multiply: Callable[[Any], Any]
    weight_bits: float
    set_threads: Callable[[int], None]

    def start(self, threads: int) -> Run:
        """See `Prepared`."""

        self.set_threads(threads)
        return lambda: [self.multiply(weights) for weights in self.weights]
