"""Recomputes the tables of the quick special functions: `python -m benchmarks.fit_tables` writes their C++ header.

The quick functions (`runtime/native/lane_quick.h`) approximate what the steps of `runtime/abi/special_f32.py` compute,
one short polynomial for each of 16 intervals, closely enough that the f32 next to it is nearly always known to be
theirs. Chebyshev interpolation in 40 digits, rounded to f64.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mpmath import cos, exp, expm1, factorial, log, lu_solve, matrix, mp, mpf, pi

from tfmbs.runtime.abi.special_f32 import GELU_STEP
from tfmbs.runtime.abi.special_polynomials import POLYNOMIALS
from tfmbs.runtime.abi.special_steps import f64_bits

PATH = Path(__file__).resolve().parents[1] / "runtime" / "native" / "special_tables.gen.h"
DIGITS = 40
ENTRIES = 16
EXP_TERMS = 3  # of (e**r - 1 - r) / r**2
ERF_TERMS = 8
SHORT_ENTRIES, SHORT_TERMS = 32, 6  # of erf in pairs of f32: eight intervals per unit
ERF_SCALE = mpf("3.875")  # intervals per unit: the last one is around 15 / 3.875 and ends at 4
TAIL_SCALE, TAIL_TERMS = mpf("2.5"), 12  # the same of the normal distribution: the last one is around 6


def interpolated(function: Callable[[Any], Any], low: Any, high: Any, terms: int) -> list[float]:
    """Coefficients, constant first, of the polynomial that meets the function at the Chebyshev points."""
    nodes = [(low + high) / 2 + (high - low) / 2 * cos(pi * (2 * i + 1) / (2 * terms)) for i in range(terms)]
    system = matrix(terms, terms)
    for row, node in enumerate(nodes):
        for power in range(terms):
            system[row, power] = node**power
    return [float(c) for c in lu_solve(system, matrix([function(node) for node in nodes]))]


def float_of(bits: int) -> float:
    """The f64 with these bits."""
    return float(struct.unpack("<d", struct.pack("<q", bits))[0])


def erf_by_magnitude(m: Any) -> Any:
    """erf(m) / m as the steps have it, without their roundings."""
    slope = sum(mpf(c) * m**power for power, c in enumerate(POLYNOMIALS["LOG_ERFC"].coefficients))
    return -expm1(-m * slope) / m


def normal_tail(m: Any) -> Any:
    """The probability of less than -m as the steps of gelu have it, without their roundings."""
    u = 1 / (1 + mpf(GELU_STEP) * m)
    terms = enumerate(POLYNOMIALS["NORMAL_TAIL"].coefficients)
    return exp(-m * m / 2) * u * sum(mpf(c) * u**power for power, c in terms)


def around(center: Any, low: Any, high: Any) -> list[float]:
    """Coefficients, `SHORT_TERMS` of them, of erf(m) / m in the distance of m from a centre."""
    return interpolated(lambda r: erf_by_magnitude(center + r), low, high, SHORT_TERMS)


def by_terms(function: Callable[[Any], Any], scale: Any, terms: int) -> Iterator[list[float]]:
    """Of each power of the distance from the nearest centre, the coefficients around all of them."""
    centers = [mpf(float(1 / scale)) * i for i in range(ENTRIES)]
    reach = mpf("0.5001") / scale
    rows = [
        interpolated(lambda r, at=center: function(at + r), mpf(0) if i == 0 else -reach, reach, terms)
        for i, center in enumerate(centers)
    ]
    yield from ([row[term] for row in rows] for term in range(terms))


def short(value: Any) -> float:
    """The f32 next to a number."""
    return float(struct.unpack("<f", struct.pack("<f", float(value)))[0])


def short_tables() -> Iterator[tuple[str, str, list[float]]]:
    """Name, comment and values of each table of f32."""
    half = log(2) / (2 * ENTRIES)
    poly = interpolated(lambda r: sum(r**k / factorial(k + 2) for k in range(20)), -half, half, EXP_TERMS)
    yield "SHORT_EXP_TERMS", "(e**r - 1 - r) / r**2 for |r| <= log(2) / 32, constant first", [short(c) for c in poly]
    high = short(log(2))
    yield "SHORT_LOG2", "log(2), and what is missing in it", [high, short(log(2) - mpf(high))]
    powers = [exp(log(2) * i / ENTRIES) for i in range(ENTRIES)]
    yield "SHORT_POWERS", "2**(i / 16)", [short(power) for power in powers]
    yield "SHORT_POWERS_LOW", "what is missing in them", [short(power - mpf(short(power))) for power in powers]
    reach = mpf("0.5001") / 8
    rows = [around(mpf(i) / 8, mpf(0) if i == 0 else -reach, reach) for i in range(SHORT_ENTRIES)]
    for term in range(SHORT_TERMS):
        values = [row[term] for row in rows]
        yield f"SHORT_ERF_{term}", f"erf(m) / m around i / 8: r**{term}", [short(value) for value in values]
        if term < 2:
            yield f"SHORT_ERF_{term}_LOW", "what is missing in it", [short(value - short(value)) for value in values]


def tables() -> Iterator[tuple[str, str, list[float]]]:
    """Name, comment and values of each table of f64."""
    half = log(2) / (2 * ENTRIES)
    poly = interpolated(lambda r: sum(r**k / factorial(k + 2) for k in range(20)), -half, half, EXP_TERMS)
    yield "EXP_TERMS", "(e**r - 1 - r) / r**2 for |r| <= log(2) / 32, constant first", poly
    powers = [float(exp(log(2) * i / ENTRIES)) for i in range(ENTRIES)]
    # Adding n << 48 to the bits then multiplies by 2**(n / 16), i being n's last four bits.
    yield (
        "EXP_POWERS",
        "the bits of 2**(i / 16), less i << 48",
        [float_of(f64_bits(power) - (i << 48)) for i, power in enumerate(powers)],
    )
    for term, values in enumerate(by_terms(erf_by_magnitude, ERF_SCALE, ERF_TERMS)):
        yield f"ERF_{term}", f"erf(m) / m around i / 3.875: r**{term}", values
    for term, values in enumerate(by_terms(normal_tail, TAIL_SCALE, TAIL_TERMS)):
        yield f"NORMAL_TAIL_{term}", f"the normal distribution below -m around m = i / 2.5: r**{term}", values


def header() -> str:
    """The text of the header."""
    lines = [
        "// Tables of the quick special functions, as the coefficients of their polynomials.",
        "// Generated by `python -m benchmarks.fit_tables`; do not edit.",
        "#pragma once",
        "",
        "namespace tfmbs::special {",
    ]
    with mp.workdps(DIGITS):
        for kind, rows in (("float", short_tables()), ("double", tables())):
            suffix = "f" if kind == "float" else ""
            for name, comment, values in rows:
                lines += ["", f"// {comment}", f"alignas(64) constexpr {kind} {name}[{len(values)}] = {{"]
                lines += [f"    {value.hex()}{suffix}," for value in values] + ["};"]
    return "\n".join([*lines, "", "}  // namespace tfmbs::special", ""])


def main() -> None:
    """Writes the header in place."""
    PATH.write_text(header(), encoding="utf-8")


if __name__ == "__main__":
    main()
