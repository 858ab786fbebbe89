"""The errors of the special functions against mpmath: `python -m benchmarks.special_accuracy --count 20000`.

Prints, for each function and element type, how many random arguments were tried and the largest error in units of the
last place, with the arguments that show it. Exits with 1 where one is above the stated bound.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from typing import Any

import mpmath
import numpy as np
from numpy.typing import NDArray

from tfmbs.runtime.abi.special import SPECIALS, Special
from tfmbs.runtime.abi.special_model import evaluate

Array = NDArray[Any]
DTYPES = {"f32": np.dtype(np.float32), "f64": np.dtype(np.float64)}
PRECISION = 160  # bits of the reference

REFERENCES: dict[str, Callable[..., Any]] = {
    "rsqrt": lambda x: 1 / mpmath.sqrt(x),
    "exp": mpmath.exp,
    "log": mpmath.log,
    "tanh": mpmath.tanh,
    "erf": mpmath.erf,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "pow": lambda x, y: x**y,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "gelu": lambda x: x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2,
}


def exact(name: str, *arguments: Array) -> list[Any]:
    """The function of finite arguments in its domain, in `PRECISION` bits."""
    with mpmath.workprec(PRECISION):
        rows = zip(*(argument.tolist() for argument in arguments), strict=True)
        return [REFERENCES[name](*(mpmath.mpf(value) for value in row)) for row in rows]


def errors(got: Array, expected: list[Any]) -> NDArray[np.float64]:
    """How far `got` is from the exact values, in units of their last place or of the least denormal.

    Infinity counts as the power of two behind the largest number.
    """
    limits = np.finfo(got.dtype)
    least, over = int(limits.minexp) - int(limits.nmant), mpmath.ldexp(1, int(limits.maxexp))
    out = np.empty(got.size)
    with mpmath.workprec(PRECISION):
        for i, (value, reference) in enumerate(zip(got.tolist(), expected, strict=True)):
            exponent = mpmath.frexp(reference)[1] - 1 - int(limits.nmant) if reference else least
            number = mpmath.mpf(value) if np.isfinite(value) else np.copysign(1, value) * over
            distance = abs(number - min(max(reference, -over), over))
            out[i] = np.nan if np.isnan(value) else distance * mpmath.ldexp(1, -max(exponent, least))
    return out


def samples(special: Special, count: int, rng: np.random.Generator) -> Iterator[tuple[Array, ...]]:
    """Argument arrays of about `count` elements: all magnitudes, and where the function changes most."""
    dtype = DTYPES[special.type]
    limits = np.finfo(dtype)
    exponents = (int(limits.minexp) - int(limits.nmant), int(limits.maxexp))
    span = np.log(2.0) * (int(limits.maxexp) + int(limits.nmant))  # beyond it, exponentials are 0 or infinite

    def uniform(low: float, high: float) -> Array:
        return rng.uniform(low, high, count).astype(dtype)

    def magnitudes(low: float, high: float) -> Array:
        return np.exp2(rng.uniform(low, high, count)).astype(dtype)

    def signed(x: Array) -> Array:
        return x * rng.choice([-1, 1], count).astype(dtype)

    match special.name:
        case "rsqrt" | "log":
            yield (magnitudes(*exponents),)
            yield (uniform(0.4, 2.5),)
            yield ((1 + signed(magnitudes(-int(limits.nmant), -3))).astype(dtype),)
        case "exp" | "sigmoid":
            yield (uniform(-span, span),)
            yield (uniform(-2, 2),)
            yield (signed(magnitudes(exponents[0], 0)),)
        case "tanh" | "erf":
            yield (signed(magnitudes(exponents[0], 5)),)
            yield (uniform(-6, 6),)
            yield (uniform(-1, 1),)
        case "sin" | "cos":
            yield (signed(magnitudes(exponents[0], np.log2(1e5))),)
            yield (uniform(-10, 10),)
            yield ((rng.integers(-63_000, 63_000, count) * (np.pi / 2)).astype(dtype),)
            yield (signed(magnitudes(np.log2(1e5), 31.99)),)
        case "pow":
            x = magnitudes(*exponents)
            yield x, (uniform(-1, 1) * span / np.abs(np.log(x.astype(np.float64)))).astype(dtype)
            near = (1 + signed(magnitudes(-int(limits.nmant), -1))).astype(dtype)
            bound = span / np.maximum(np.abs(np.log(near.astype(np.float64))), 1e-300)
            yield near, (rng.uniform(-1, 1, count) * np.minimum(bound, 1e30)).astype(dtype)
            yield uniform(0.5, 2), uniform(-30, 30)
            yield -uniform(0.01, 50), rng.integers(-40, 40, count).astype(dtype)
        case "gelu":
            yield (uniform(-np.sqrt(2 * span), 9),)
            yield (uniform(-3, 3),)
            yield (signed(magnitudes(exponents[0], 3)),)


def worst(special: Special, count: int, rng: np.random.Generator) -> tuple[float, tuple[float, ...], int]:
    """The largest error over `samples`, the arguments that have it, and how many there were."""
    largest, where, tried = -1.0, (), 0
    for arguments in samples(special, count, rng):
        error = errors(evaluate(special.name, *arguments), exact(special.name, *arguments))
        at = int(np.argmax(error))  # of a NaN, if there is one
        tried += error.size
        if not error[at] <= largest:
            largest, where = float(error[at]), tuple(float(argument[at]) for argument in arguments)
    return largest, where, tried


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=20_000, help="arguments per kind of sample")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="a function's name")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    failed = False
    for special in SPECIALS.values():
        if options.only in ("", special.name):
            largest, where, tried = worst(special, options.count, rng)
            failed |= not largest <= special.max_ulp
            shown = ", ".join(value.hex() for value in where)
            print(f"{special.name:8} {special.type}  {tried:8} arguments  {largest:.4f} ulp at {shown}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
