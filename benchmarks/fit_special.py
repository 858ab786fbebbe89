"""Recomputes the polynomials of the special functions: `python -m benchmarks.fit_special [NAME…]`.

Prints the coefficients and the weighted error (as a power of two) that `runtime/abi/special_polynomials.py` states.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mpmath import atan, atanh, cos, erf, erfc, exp, expm1, log, lu_solve, matrix, mp, mpf, pi, sin, sqrt, workdps

from tfmbs.runtime.abi.special_f32 import GELU_STEP
from tfmbs.runtime.abi.special_f64_erf import ERFC_MIDDLE, TAIL_MIDDLE, TAIL_SLOPE

DIGITS = 80
POINTS = 20  # candidates between two extrema
MAX_EXCHANGES = 40
LEVELLED = mpf("1.01")  # how much larger than the levelled error the largest one may be


@dataclass(frozen=True)
class Fit:
    """A function to approximate by a polynomial of `degree` on `low`…`high`, with a weight of the error."""

    name: str
    degree: int
    low: Any
    high: Any
    function: Callable[[Any], Any]
    weight: Callable[[Any], Any]

    def points(self) -> list[Any]:
        """Chebyshev-spaced points that have a weight."""
        middle, half, count = (self.low + self.high) / 2, (self.high - self.low) / 2, POINTS * (self.degree + 2)
        spaced = [middle - half * cos(pi * i / (count - 1)) for i in range(count)]
        return [x for x in spaced if self.weight(x) != 0]


def _levelled(chosen: list[int], x: list[Any], f: list[Any], w: list[Any]) -> tuple[list[Any], Any]:
    """The polynomial whose weighted error alternates with one magnitude at the chosen points, and that magnitude."""
    n = len(chosen)
    system, right = matrix(n, n), matrix(n, 1)
    for row, point in enumerate(chosen):
        for power in range(n - 1):
            system[row, power] = x[point] ** power
        system[row, n - 1] = (-1) ** row / w[point]
        right[row] = f[point]
    solution = lu_solve(system, right)
    return [solution[i] for i in range(n - 1)], abs(solution[n - 1])


def _extrema(errors: list[Any], count: int) -> list[int]:
    """Places of `count` errors of alternating sign, the largest of each run and altogether as large as can be had."""
    places: list[int] = []
    for i, error in enumerate(errors):
        if places and (error > 0) == (errors[places[-1]] > 0):
            if abs(error) > abs(errors[places[-1]]):
                places[-1] = i
        else:
            places.append(i)
    while len(places) > count:
        sizes = [abs(errors[i]) for i in places]
        if len(places) == count + 1:
            del places[0 if sizes[0] < sizes[-1] else -1]
        else:
            least = min(range(len(places) - 1), key=lambda i: max(sizes[i], sizes[i + 1]))
            del places[least : least + 2]
    return places


def error_of(fit: Fit, coefficients: Sequence[Any], points: Sequence[Any]) -> Any:
    """The largest weighted error of a polynomial at `points`."""
    reverse = [mpf(c) for c in reversed(coefficients)]
    return max(abs(mp.polyval(reverse, x) - fit.function(x)) * abs(fit.weight(x)) for x in points)


def remez(fit: Fit) -> list[float]:
    """The coefficients of the minimax polynomial, constant first, each rounded to f64."""
    x = fit.points()
    f, w = [fit.function(point) for point in x], [fit.weight(point) for point in x]
    count = fit.degree + 2
    chosen = [round(i * (len(x) - 1) / (count - 1)) for i in range(count)]
    for _ in range(MAX_EXCHANGES):
        coefficients, level = _levelled(chosen, x, f, w)
        errors = [(mp.polyval(coefficients[::-1], p) - fp) * wp for p, fp, wp in zip(x, f, w, strict=True)]
        worst = max(abs(error) for error in errors)
        if worst < level * LEVELLED:
            return [float(c) for c in coefficients]
        chosen = _extrema(errors, count)
    raise RuntimeError(f"{fit.name}: no convergence after {MAX_EXCHANGES} exchanges")


def _scaled_erfc(x: Any) -> Any:
    return exp(x * x) * erfc(x)


def _scaled_tail(m: Any) -> Any:
    """e**(m**2 / 2) times the normal distribution's probability of more than m."""
    return _scaled_erfc(m / sqrt(2)) / 2


def _exponential(name: str, degree: int) -> Fit:
    half = log(2) / 2 * mpf("1.0001")
    return Fit(name, degree, -half, half, lambda r: (expm1(r) - r) / r**2, lambda r: r**2 / exp(r))


def _trigonometric() -> tuple[Fit, ...]:
    most = (pi / 4 * mpf("1.0001")) ** 2

    def sine(z: Any) -> Any:
        return (sin(sqrt(z)) / sqrt(z) - 1) / z

    def cosine(z: Any) -> Any:
        return (cos(sqrt(z)) - 1 + z / 2) / z**2

    def of_cosine(z: Any) -> Any:
        return z**2 / cos(sqrt(z))

    return (
        Fit("SIN", 3, mpf(0), most, sine, lambda z: z),
        Fit("COS", 2, mpf(0), most, cosine, of_cosine),
        Fit("SIN_64", 5, mpf(0), most, sine, lambda z: z),
        Fit("COS_64", 5, mpf(0), most, cosine, of_cosine),
    )


def _erf_64() -> tuple[Fit, ...]:
    k = mpf(ERFC_MIDDLE)

    def argument(q: Any) -> Any:
        return k * (1 + q) / (1 - q)

    return (
        Fit(
            "ERF_64", 11, mpf(0), mpf(1), lambda z: (erf(sqrt(z)) / sqrt(z) - 2 / sqrt(pi)) / z,
            lambda z: z * sqrt(z) / erf(sqrt(z)) if z else z,
        ),
        Fit(
            "ERFC_64", 12, (1 - k) / (1 + k), (6 - k) / (6 + k), lambda q: _scaled_erfc(argument(q)),
            lambda q: exp(-(argument(q) ** 2)) / erf(argument(q)),
        ),
    )  # fmt: skip


def _normal_tail() -> tuple[Fit, ...]:
    step, k, slope = mpf(GELU_STEP), mpf(TAIL_MIDDLE), mpf(TAIL_SLOPE)
    middle = (1 + slope * k) * _scaled_tail(k)

    def tail(u: Any) -> Any:
        return _scaled_tail((1 / u - 1) / step) / u

    def stretched(q: Any) -> Any:
        m = k * (1 + q) / (1 - q)
        return (1 + slope * m) * _scaled_tail(m)

    return (
        Fit("NORMAL_TAIL", 11, 1 / (1 + 15 * step), mpf(1), tail, lambda u: 1 / tail(u)),
        Fit(
            "NORMAL_TAIL_64", 21, mpf(-1), (40 - k) / (40 + k), lambda q: (stretched(q) - middle) / q,
            lambda q: q / stretched(q),
        ),
    )  # fmt: skip


def _arctangent() -> Fit:
    most = (sqrt(2) - 1) ** 2 * mpf("1.0001")
    return Fit(
        "ATAN_64", 11, mpf(0), most, lambda z: (atan(sqrt(z)) / sqrt(z) - 1) / z,
        lambda z: z * sqrt(z) / atan(sqrt(z)) if z else z,
    )  # fmt: skip


@workdps(DIGITS)
def fits() -> tuple[Fit, ...]:
    """The polynomials of `runtime/abi/special_polynomials.py`; intervals are a little wider than needed."""
    s = ((sqrt(2) - 1) / (sqrt(2) + 1)) ** 2 * mpf("1.0001")
    return (
        _exponential("EXPM1", 6),
        Fit("ATANH", 3, mpf(0), s, lambda z: (atanh(sqrt(z)) / sqrt(z) - 1) / z, lambda z: z),
        Fit(
            "LOG_ERFC", 12, mpf(0), mpf(4), lambda x: -log(erfc(x)) / x, lambda x: erfc(x) * x / erf(x) if x else x
        ),
        _exponential("EXPM1_64", 10),
        Fit(
            "ATANH_64", 7, mpf(0), s, lambda z: (atanh(sqrt(z)) / sqrt(z) - 1 - z / 3) / z**2, lambda z: z**2
        ),
        *_trigonometric(),
        *_erf_64(),
        *_normal_tail(),
        _arctangent(),
    )  # fmt: skip


@workdps(DIGITS)
def main() -> None:
    """Fits and prints."""
    for fit in fits():
        if fit.name in sys.argv[1:] or not sys.argv[1:]:
            coefficients = remez(fit)
            print(f"{fit.name}: error 2**{float(log(error_of(fit, coefficients, fit.points()), 2)):.2f}")
            print(f"    {', '.join(map(repr, coefficients))}", flush=True)


if __name__ == "__main__":
    main()
