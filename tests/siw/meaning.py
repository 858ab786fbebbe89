"""What scalar operations mean, in numpy, elementwise: docs/numerics.md written a second time, with known errors.

Correctly rounded operations are computed as they are. Where the fabric's result is only bounded (special functions),
`Doubt` perturbs what numpy gives, so that several evaluations of a program show how far its results may differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.siw.values import DTYPE_OF, FLOATS, Array, bits_of
from tfmbs.runtime.abi.special_model import fma as exact_fma

EPSILON = {"f16": 2.0**-11, "bf16": 2.0**-8, "f32": 2.0**-24, "f64": 2.0**-53}


@dataclass(frozen=True)
class Doubt:
    """Perturbs inexact results: `direction` -1, 0 or 1, or None for a random one per element. 0 leaves them alone."""

    direction: int | None
    rng: np.random.Generator

    def apply(self, value: Array, element: str, ulps: float) -> Array:
        """`value` moved by about `ulps` units in the last place."""
        if self.direction == 0:
            return value
        sign = self.rng.integers(-1, 2, value.shape) if self.direction is None else self.direction
        with np.errstate(all="ignore"):
            wide = np.asarray(value, np.float64)
            if element == "f64":
                return np.asarray(wide * (1 + sign * ulps * 2 * EPSILON[element]))
            return rounded(wide * (1 + sign * ulps * 2 * EPSILON[element]), element)

    def anything(self, value: Array, where: Array, low: float, high: float) -> Array:
        """`value`, where it is not defined replaced by anything between `low` and `high`."""
        if self.direction == 0:
            return value
        return np.where(where, self.rng.uniform(low, high, value.shape), value).astype(value.dtype)


def rounded(value: Array, element: str) -> Array:
    """`value` in the element type, a NaN as the canonical one."""
    with np.errstate(all="ignore"):
        result = np.asarray(value).astype(DTYPE_OF[element])
    return np.where(np.isnan(result), np.array(np.nan, DTYPE_OF[element]), result).astype(DTYPE_OF[element])


def working(value: Array) -> Array:
    """Small floats in f32, in which they are computed; other arrays as they are."""
    return value.astype(np.float32) if value.dtype.itemsize == 2 and value.dtype.kind not in "iu" else value


def _float(compute: Callable[..., Array]) -> Callable[..., Array]:
    def run(element: str, doubt: Doubt, *operands: Array) -> Array:
        with np.errstate(all="ignore"):
            return rounded(compute(*(working(operand) for operand in operands)), element)

    return run


def maximum(a: Array, b: Array) -> Array:
    """IEEE 754-2019 maximum: NaN wins, -0 < +0."""
    larger = np.where((a > b) | ((a == b) & ~np.signbit(a)), a, b)
    return np.where(np.isnan(a) | np.isnan(b), np.array(np.nan, a.dtype), larger)


def minimum(a: Array, b: Array) -> Array:
    """IEEE 754-2019 minimum."""
    return -maximum(-a, -b)


def _number(choose: Callable[[Array, Array], Array]) -> Callable[..., Array]:
    """maxnumf and minnumf: a NaN operand gives the other one, with its bits."""

    def run(element: str, doubt: Doubt, a: Array, b: Array) -> Array:
        result = rounded(choose(working(a), working(b)), element)
        result = np.where(np.isnan(b), a, result)
        return np.where(np.isnan(a), b, result).astype(DTYPE_OF[element])

    return run


def _fma(element: str, doubt: Doubt, a: Array, b: Array, c: Array) -> Array:
    a, b, c = (working(operand) for operand in np.broadcast_arrays(a, b, c))
    with np.errstate(all="ignore"):
        if element != "f64":
            return rounded(exact_fma(a, b, c), element)
        wide = a.astype(np.longdouble) * b.astype(np.longdouble) + c.astype(np.longdouble)
        lost = np.abs(a * b) * EPSILON["f64"]  # what a cancellation leaves of the product's error
        moved = wide if doubt.direction == 0 else wide + lost * (doubt.direction or doubt.rng.uniform(-1, 1, a.shape))
        return doubt.apply(rounded(moved.astype(np.float64), element), element, 1)


def _special(function: Callable[..., Array], ulps: float = 4) -> Callable[..., Array]:
    def run(element: str, doubt: Doubt, *operands: Array) -> Array:
        with np.errstate(all="ignore"):
            value = function(*(operand.astype(np.float64) for operand in operands))
            single = rounded(value, "f64" if element == "f64" else "f32")
        return doubt.apply(rounded(single, element), element, ulps if element in ("f32", "f64") else 1)

    return run


def _periodic(function: Callable[[Array], Array]) -> Callable[..., Array]:
    inner = _special(function)

    def run(element: str, doubt: Doubt, x: Array) -> Array:
        result = inner(element, doubt, x)
        return doubt.anything(result, np.abs(x.astype(np.float64)) > 1e5, -1, 1)

    return run


def _flip_sign(element: str, doubt: Doubt, x: Array) -> Array:
    bits = np.dtype(f"u{x.dtype.itemsize}")
    return (x.view(bits) ^ bits.type(1 << (bits_of(element) - 1))).view(x.dtype)


def _clear_sign(element: str, doubt: Doubt, x: Array) -> Array:
    bits = np.dtype(f"u{x.dtype.itemsize}")
    return (x.view(bits) & bits.type((1 << (bits_of(element) - 1)) - 1)).view(x.dtype)


def _copy_sign(element: str, doubt: Doubt, x: Array, y: Array) -> Array:
    x, y = np.broadcast_arrays(x, y)
    bits = np.dtype(f"u{x.dtype.itemsize}")
    sign = y.view(bits) & bits.type(1 << (bits_of(element) - 1))
    return (_clear_sign(element, doubt, x).view(bits) | sign).view(x.dtype)


def _round_away(x: Array) -> Array:
    whole = np.trunc(x)
    return np.copysign(np.where(np.abs(x - whole) >= 0.5, whole + np.copysign(1, x), whole), x).astype(x.dtype)


def _gelu(x: Array) -> Array:
    """x times the normal distribution, by erfc, which keeps the lower tail."""
    tail = np.vectorize(math.erfc, otypes=[np.float64])(-x * 2**-0.5)
    return np.where(np.isneginf(x), -0.0, x * tail / 2)


FLOAT_OPS: dict[str, Callable[..., Array]] = {
    "arith.addf": _float(np.add),
    "arith.subf": _float(np.subtract),
    "arith.mulf": _float(np.multiply),
    "arith.divf": _float(np.divide),
    "arith.remf": _float(np.fmod),
    "arith.maximumf": _float(maximum),
    "arith.minimumf": _float(minimum),
    "arith.maxnumf": _number(maximum),
    "arith.minnumf": _number(minimum),
    "arith.negf": _flip_sign,
    "math.absf": _clear_sign,
    "math.copysign": _copy_sign,
    "math.ceil": _float(np.ceil),
    "math.floor": _float(np.floor),
    "math.trunc": _float(np.trunc),
    "math.round": _float(_round_away),
    "math.roundeven": _float(np.rint),
    "math.sqrt": _float(np.sqrt),
    "math.fma": _fma,
    "math.rsqrt": _special(lambda x: np.where(x == 0, np.copysign(np.inf, x), 1 / np.sqrt(x))),
    "math.exp": _special(np.exp),
    "math.log": _special(np.log),
    "math.tanh": _special(np.tanh),
    "math.erf": _special(np.vectorize(math.erf, otypes=[np.float64])),
    "math.sin": _periodic(np.sin),
    "math.cos": _periodic(np.cos),
    "tfmbs.sigmoid": _special(lambda x: 1 / (1 + np.exp(-x))),
    "tfmbs.gelu": _special(_gelu, ulps=6),
    "math.powf": _special(np.power, ulps=6),
}
"""Operations on floats of one type, called with the element type, the doubt and the operands."""


def compare_floats(predicate: str, a: Array, b: Array) -> Array:
    """`arith.cmpf`."""
    a, b = working(a), working(b)
    unordered = np.isnan(a) | np.isnan(b)
    if predicate in ("ord", "uno"):
        return unordered if predicate == "uno" else ~unordered
    relation: dict[str, Any] = {
        "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal
    }  # fmt: skip
    with np.errstate(invalid="ignore"):
        holds = relation[predicate[1:]](a, b)
    return np.where(unordered, predicate[0] == "u", holds)


def is_float(element: str) -> bool:
    """Whether an element type is a float."""
    return element in FLOATS
