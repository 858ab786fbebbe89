"""Evaluates the special functions step by step with numpy, as the device does: the model that tests compare with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfmbs.runtime.abi.special import CANONICAL_NAN, CONSTANT, SPECIALS

Array = NDArray[Any]
_SPLIT = 2.0**27 + 1  # Veltkamp's splitter of an f64 into two halves


def _two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """a + b as an unevaluated sum (rounded, error); Knuth's TwoSum."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def _two_product(a: Array, b: Array) -> tuple[Array, Array]:
    """a * b as an unevaluated sum (rounded, error); Dekker's product, exact without over- and underflow."""

    def split(x: Array) -> tuple[Array, Array]:
        c = x * _SPLIT
        high = c - (c - x)
        return high, x - high

    p = a * b
    (ah, al), (bh, bl) = split(a), split(b)
    return p, ((ah * bh - p) + ah * bl + al * bh) + al * bl


def fma(a: Array, b: Array, c: Array) -> Array:
    """a * b + c of f64 arrays, rounded once (Boldo and Melquiond: the last sum but one is rounded to odd)."""
    a, b, c = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64), np.asarray(c, np.float64))
    with np.errstate(all="ignore"):
        plain = a * b + c
        product, error = _two_product(a, b)
        top, low = _two_sum(c, error)
        high, middle = _two_sum(product, top)
        tail, rest = _two_sum(middle, low)
        even = (tail.view(np.int64) & 1) == 0
        odd = np.where((rest != 0) & even, np.nextafter(tail, np.copysign(np.inf, rest)), tail)
        exact = high + odd
        usable = np.isfinite(exact) & np.isfinite(plain) & (product != 0)
        return np.where(usable, exact, plain)


def _canonical(x: Array) -> Array:
    return np.where(np.isnan(x), np.uint32(CANONICAL_NAN).view(np.float32), x)


def _shr(x: Array, count: Array) -> Array:
    return (x.view(np.uint64) >> count.astype(np.uint64)).view(np.int64)


_NUMPY: dict[str, Callable[..., Array]] = {
    "extend": lambda x: x.astype(np.float64),
    "truncate": lambda x: x.astype(np.float32),
    "neg": np.negative,
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "fma": fma,
    "sqrt": np.sqrt,
    "bits": lambda x: x.view(np.int64),
    "real": lambda x: x.view(np.float64),
    "iadd": np.add,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "shl": np.left_shift,
    "shr": _shr,
    "less": np.less,
    "equal": np.equal,
    "select": np.where,
    "canonical": _canonical,
}


def evaluate(name: str, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The special function `name` of every element of `x`, with the device's bits."""
    values: list[Array] = [np.ascontiguousarray(x, dtype=np.float32)]
    with np.errstate(all="ignore"):
        for step in SPECIALS[name].steps:
            if step.kind == CONSTANT:
                dtype = np.int64 if isinstance(step.constant, int) else np.float64
                values.append(np.full(x.shape, step.constant, dtype))
            else:
                values.append(_NUMPY[step.kind](*(values[i] for i in step.operands)))
    return values[-1]
