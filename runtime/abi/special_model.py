"""Evaluates the special functions step by step with numpy, as the device does: the model that tests compare with."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfmbs.runtime.abi.special import CANONICAL_NAN, CANONICAL_NAN64, CONSTANT, SPECIALS

Array = NDArray[Any]
_NAN = np.uint32(CANONICAL_NAN).view(np.float32)
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
        result = _middling_fma(a, b, c)
        magnitudes = np.stack([np.abs(a), np.abs(b), np.abs(a * b)])
        # Where no part of the computation over- or underflows, and nothing is zero, the result above is right.
        middling = ((magnitudes > 2.0**-450) & (magnitudes < 2.0**450)).all(axis=0) & (np.abs(c) < 2.0**900)
        finite = np.isfinite(a) & np.isfinite(b)
        result = np.where(middling, result, np.where(finite & np.isinf(c), c, plain))
        for i in np.argwhere(finite & ~middling & np.isfinite(c) & (a != 0) & (b != 0)):
            result[tuple(i)] = _exact_fma(float(a[tuple(i)]), float(b[tuple(i)]), float(c[tuple(i)]))
        return result


def _middling_fma(a: Array, b: Array, c: Array) -> Array:
    product, error = _two_product(a, b)
    top, low = _two_sum(c, error)
    high, middle = _two_sum(product, top)
    return high + _add_to_odd(middle, low)


def _exact_fma(a: float, b: float, c: float) -> float:
    """Of finite numbers; Python divides integers correctly rounded."""
    (an, ad), (bn, bd), (cn, cd) = (x.as_integer_ratio() for x in (a, b, c))
    numerator, denominator = an * bn * cd + cn * ad * bd, ad * bd * cd
    if numerator == 0:
        return a * b + c  # only the sign is left to find: the product is exact, or as small as c
    try:
        return numerator / denominator
    except OverflowError:
        return math.inf if numerator > 0 else -math.inf


def canonical(x: Array) -> Array:
    """An f32 or f64 array with every NaN replaced by the canonical one."""
    nan = np.uint64(CANONICAL_NAN64).view(np.float64) if x.dtype == np.float64 else _NAN
    return np.where(np.isnan(x), nan, x)


_ELEMENTS = {np.dtype(np.float32): "f32", np.dtype(np.float64): "f64"}


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
    "round": np.rint,
    "bits": lambda x: x.view(np.int64),
    "real": lambda x: x.view(np.float64),
    "iadd": np.add,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "shl": np.left_shift,
    "shr": _shr,
    "less": np.less,
    "equal": np.equal,
    "select": np.where,
    "canonical": canonical,
    "canonical64": canonical,
}


def evaluate(name: str, *arguments: Array) -> Array:
    """The special function `name` of every element, with the device's bits.

    The arguments are arrays of f32 or of f64, of one shape, and so is the result.
    """
    dtype = np.result_type(*arguments)
    special = SPECIALS[name, _ELEMENTS[dtype]]
    values: list[Array] = [np.ascontiguousarray(argument, dtype) for argument in arguments]
    with np.errstate(all="ignore"):
        for step in special.steps:
            if step.kind == CONSTANT:
                values.append(np.asarray(step.constant, np.int64 if step.type == "i64" else np.float64))
            else:
                values.append(_NUMPY[step.kind](*(values[i] for i in step.operands)))
    return values[-1]
