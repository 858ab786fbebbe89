"""Random operands of every kind that the kernels multiply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfmbs.runtime.abi.types import Packing

Array = NDArray[Any]

PAIRS = ("f32-f32", "f32-trit", "f32-i4", "i8-i8", "i8-trit", "i8-i4")
PACKINGS = {"trit": (Packing.I8, Packing.PT5, Packing.T2, Packing.R5, Packing.A5), "i4": (Packing.NIBBLES,)}
"""Packings of weights; others are dense."""
EXTREMES = np.array([0.0, -0.0, 1e-45, -1e-40, 1e30, -3e38, 2.0**-100, -(2.0**100)], np.float32)


def floats(rng: np.random.Generator, shape: Sequence[int]) -> Array:
    """Floats over many magnitudes, some of them extreme: sums whose bits depend on every rounding."""
    x = rng.standard_normal(shape) * 2.0 ** rng.integers(-12, 12, shape)
    return np.where(rng.random(shape) < 0.03, rng.choice(EXTREMES, shape), x).astype(np.float32)


def bytes_i8(rng: np.random.Generator, shape: Sequence[int]) -> Array:
    return rng.integers(-128, 128, shape).astype(np.int8)


def trits(rng: np.random.Generator, shape: Sequence[int]) -> Array:
    return rng.integers(-1, 2, shape).astype(np.int8)


def nibbles(rng: np.random.Generator, shape: Sequence[int]) -> Array:
    return rng.integers(-8, 8, shape).astype(np.int8)


def packings(pair: str) -> tuple[Packing, ...]:
    """How the right operand of a type pair may be packed."""
    return PACKINGS.get(pair.split("-")[1], (Packing.DENSE,))


def operands(pair: str, lhs: Sequence[int], rhs: Sequence[int], seed: int = 0) -> tuple[Array, Array]:
    """A left and a right operand of a type pair; trits and nibbles are i8 arrays."""
    rng = np.random.default_rng(seed)
    make = {"f32": floats, "i8": bytes_i8, "trit": trits, "i4": nibbles}
    left, right = pair.split("-")
    return make[left](rng, lhs), make[right](rng, rhs)
