"""Recomputes the polynomials of the special functions: `pip install mpmath`, then `python -m benchmarks.fit_special`.

Prints the coefficients and the weighted error (as a power of two) that `runtime/abi/special.py` states.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mpmath import atanh, cos, erf, erfc, expm1, log, lu_solve, matrix, mp, mpf, pi, sqrt

POINTS = 3000
MAX_EXCHANGES = 400


@dataclass(frozen=True)
class Fit:
    """A function to approximate by a polynomial of `degree` on `low`…`high`, with a weight of the error."""

    name: str
    degree: int
    low: Any
    high: Any
    function: Callable[[Any], Any]
    weight: Callable[[Any], Any] = lambda x: mpf(1)


def _points(fit: Fit) -> list[Any]:
    middle, half = (fit.low + fit.high) / 2, (fit.high - fit.low) / 2
    return [fit.low, *(middle - half * cos(pi * i / (POINTS - 1)) for i in range(1, POINTS))]


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


def _exchange(chosen: list[int], errors: list[Any], worst: int) -> list[int]:
    """The chosen points with `worst` instead of a neighbour of the same sign."""

    def same(point: int) -> bool:
        return bool((errors[worst] > 0) == (errors[point] > 0))

    if worst < chosen[0]:
        return [worst, *(chosen[1:] if same(chosen[0]) else chosen[:-1])]
    if worst > chosen[-1]:
        return [*(chosen[:-1] if same(chosen[-1]) else chosen[1:]), worst]
    place = next(i for i in range(len(chosen) - 1) if chosen[i] <= worst <= chosen[i + 1])
    place += 0 if same(chosen[place]) else 1
    return [*chosen[:place], worst, *chosen[place + 1 :]]


def remez(fit: Fit) -> tuple[list[float], Any]:
    """Coefficients, constant first, and the largest weighted error of the exact minimax polynomial."""
    x = _points(fit)
    f, w = [fit.function(point) for point in x], [fit.weight(point) for point in x]
    count = fit.degree + 2
    chosen = [round(i * (POINTS - 1) / (count - 1)) for i in range(count)]
    for _ in range(MAX_EXCHANGES):
        coefficients, level = _levelled(chosen, x, f, w)
        errors = [(mp.polyval(coefficients[::-1], p) - fp) * wp for p, fp, wp in zip(x, f, w, strict=True)]
        worst = max(range(POINTS), key=lambda i: abs(errors[i]))
        if abs(errors[worst]) < level * mpf("1.02"):
            return [float(c) for c in coefficients], abs(errors[worst])
        chosen = _exchange(chosen, errors, worst)
    raise RuntimeError(f"{fit.name}: no convergence after {MAX_EXCHANGES} exchanges")


def fits() -> tuple[Fit, ...]:
    """The polynomials of `runtime/abi/special.py`; intervals are a little wider than needed."""
    half = log(2) / 2 * mpf("1.0001")
    s = ((sqrt(2) - 1) / (sqrt(2) + 1)) ** 2 * mpf("1.0001")
    tiny = mpf(10) ** -20
    return (
        Fit("EXPM1", 6, -half, half, lambda r: (expm1(r) - r) / r**2 if r else mpf(1) / 2),
        Fit("ATANH", 3, mpf(0), s, lambda z: (atanh(sqrt(z)) / sqrt(z) - 1) / z if z > tiny else mpf(1) / 3),
        Fit(
            "LOG_ERFC",
            12,
            mpf(0),
            mpf(4),
            lambda x: -log(erfc(x)) / x if x > tiny else 2 / sqrt(pi),
            lambda x: erfc(x) * x / erf(x) if x > tiny else sqrt(pi) / 2,
        ),
    )


def main() -> None:
    """Fits and prints."""
    mp.dps = 50
    for fit in fits():
        coefficients, error = remez(fit)
        print(f"{fit.name}: error 2**{float(log(error, 2)):.2f}")
        for coefficient in coefficients:
            print(f"    {coefficient!r}")


if __name__ == "__main__":
    main()
