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


def _add_to_odd(a: Array, b: Array) -> Array:
    """a + b rounded to odd: an inexact sum has its last bit set, so that rounding it once more is harmless."""
    total, rest = _two_sum(a, b)
    even = (total.view(np.int64) & 1) == 0
    return np.where((rest != 0) & even, np.nextafter(total, np.copysign(np.inf, rest)), total)


def fma(a: Array, b: Array, c: Array) -> Array:
    """a * b + c rounded once, of f32 or of f64 arrays (Boldo and Melquiond: the last sum but one is rounded to odd)."""
    if a.dtype == b.dtype == c.dtype == np.float32:
        with np.errstate(all="ignore"):
            product, addend = np.broadcast_arrays(
                a.astype(np.float64) * b, c.astype(np.float64)
            )  # the product is exact
            odd = _add_to_odd(product, addend)
            return np.where(np.isfinite(odd), odd, product + addend).astype(np.float32)
    a, b, c = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64), np.asarray(c, np.float64))
    with np.errstate(all="ignore"):
        plain = a * b + c
        product, error = _two_product(a, b)
        top, low = _two_sum(c, error)
        high, middle = _two_sum(product, top)
        exact = high + _add_to_odd(middle, low)
        usable = np.isfinite(exact) & np.isfinite(plain) & (product != 0)
        return np.where(usable, exact, plain)


def canonical(x: Array) -> Array:
    """An f32 array with every NaN replaced by the canonical one."""
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
    "canonical": canonical,
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
