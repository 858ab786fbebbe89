"""A product y = x · wᵀ of tokens x (n, K) with weights w (N, K): its numbers, and which results are right."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

SEED = 2026
GROUP = 32
"""Weights of a row that share a scale, where there are groups."""

EVERY = 13
"""Of so many rows of weights one is checked."""

I4_LOW, I4_HIGH = -8, 7


@dataclass(frozen=True)
class Type:
    """What is multiplied. `unit` is the multiplier it is compared with, ``i8`` or ``f32``; `exact`: integers."""

    name: str
    unit: str
    exact: bool
    what: str


TYPES: dict[str, Type] = {
    kind.name: kind
    for kind in (
        Type("ternary", "i8", True, "trits × i8 → i32"),
        Type("int8", "i8", True, "i8 × i8 → i32"),
        Type("int4", "f32", False, f"int4 with a scale for each {GROUP} × f32 → f32"),
        Type("f32", "f32", False, "f32 × f32 → f32"),
        Type("bf16", "f32", False, "bf16 × bf16 → f32"),
    )
}
"""Every type by name."""


@dataclass(frozen=True)
class Shape:
    """Weights: `rows` outputs of `columns` inputs."""

    rows: int
    columns: int

    def __str__(self) -> str:
        return f"{self.rows}x{self.columns}"

    @property
    def weights(self) -> int:
        """How many there are."""
        return self.rows * self.columns


@dataclass(frozen=True)
class Problem:
    """Stored weights, their scales where there are groups (N, K / GROUP), and tokens (n, K)."""

    kind: Type
    shape: Shape
    stored: Array
    scales: Array | None
    tokens: Array

    @property
    def operations(self) -> int:
        """A multiplication and an addition for each weight and token."""
        return 2 * self.shape.weights * len(self.tokens)

    def copy(self, number: int) -> tuple[Array, Array | None]:
        """Weights and scales of a copy, whose rows are those of the first, `number` further down."""
        turned = None if self.scales is None else np.roll(self.scales, number, axis=0)
        return np.roll(self.stored, number, axis=0), turned

    @cached_property
    def checked(self) -> Array:
        """The rows of weights that are checked: odd and even ones."""
        return np.arange(0, self.shape.rows, EVERY)

    @cached_property
    def expected(self) -> Array:
        """The outputs of the checked rows: exact integers, or f64."""
        stored = self.stored[self.checked]
        if self.kind.exact:
            integers: Array = self.tokens.astype(np.int64) @ stored.astype(np.int64).T
            return integers
        floats: Array = self.tokens.astype(np.float64) @ self._scaled.T
        return floats

    @cached_property
    def magnitude(self) -> Array:
        """What an error of floats is relative to: Σ |x · w| of each of the expected outputs."""
        sums: Array = np.abs(self.tokens).astype(np.float64) @ np.abs(self._scaled).T
        np.maximum(sums, np.finfo(np.float64).tiny, out=sums)
        return sums

    @cached_property
    def _scaled(self) -> Array:
        values = self.stored[self.checked].astype(np.float64)
        if self.scales is not None:
            values *= np.repeat(self.scales[self.checked].astype(np.float64), GROUP, axis=1)
        return values

    def worst(self, outputs: Array, number: int) -> float:
        """How far the outputs (n, N) of a copy are off in the checked rows: of integers the largest difference, of
        floats that of |difference| / Σ |x · w|. Infinity where something is no number.
        """
        found = outputs[:, (self.checked + number) % self.shape.rows]
        if not np.isfinite(found).all():
            return math.inf
        off = np.abs(found.astype(np.float64) - self.expected)
        return float((off if self.kind.exact else off / self.magnitude).max())


def drawn(kind: Type, shape: Shape, tokens: int) -> Problem:
    """The seeded problem: the weights depend on type and shape alone."""
    rng = np.random.default_rng((SEED, sorted(TYPES).index(kind.name), shape.rows, shape.columns))
    size = (shape.rows, shape.columns)
    scales = None
    if kind.name == "ternary":
        stored = rng.integers(-1, 2, size, np.int8)
    elif kind.name == "int8":
        stored = rng.integers(-127, 128, size, np.int8)
    elif kind.name == "int4":
        stored = rng.integers(I4_LOW, I4_HIGH + 1, size, np.int8)
        scales = rng.uniform(0.5, 1.5, (shape.rows, shape.columns // GROUP)).astype(np.float32)
    else:
        stored = rng.standard_normal(size, np.float32)
    if kind.exact:
        x = rng.integers(-128, 128, (tokens, shape.columns), np.int8)
        x[:, 0], x[:, 1] = -128, 127  # the range that a kernel with a scale found at run time takes as it is
    else:
        x = rng.standard_normal((tokens, shape.columns), np.float32)
    if kind.name == "bf16":
        stored, x = bf16(stored), bf16(x)
    return Problem(kind, shape, stored, scales, x)


def extreme(kind: Type, shape: Shape, tokens: int) -> Problem:
    """All operands as large as they can be: tokens are, by turns, -128 and 127 everywhere, rows of weights the largest
    and the least there is.
    """
    high, low = (1, -1) if kind.name == "ternary" else (127, -127)
    stored = np.full((shape.rows, shape.columns), high, np.int8)
    stored[1::2] = low
    x = np.full((tokens, shape.columns), -128, np.int8)
    x[1::2] = 127
    return Problem(kind, shape, stored, None, x)


def bf16(values: Array) -> Array:
    """f32 rounded to bf16, to nearest even; as f32."""
    bits = values.astype(np.float32).view(np.uint32)
    rounded: npt.NDArray[np.uint32] = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    narrow: Array = rounded.view(np.float32)
    return narrow
