"""The special functions: error bounds against mpmath, special values, and the steps as data."""

from __future__ import annotations

import itertools
import math
from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.fit_special import DIGITS, error_of, fits
from benchmarks.special_accuracy import DTYPES, errors, exact, worst
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.special import (
    CANONICAL_NAN,
    CANONICAL_NAN64,
    CONSTANT,
    POLYNOMIALS,
    SPECIALS,
    STEP_KINDS,
    Special,
)
from tfmbs.runtime.abi.special_model import evaluate, fma

INF, NAN = math.inf, math.nan
LARGEST_ERRORS = {"f32": 0.504, "f64": 1.25}
"""What is measured is well below the bounds of the contract: an error above these is a mistake in some step."""
COUNT = {"f32": 1000, "f64": 1500}


def identified(special: Special) -> str:
    return f"{special.name}-{special.type}"


each = pytest.mark.parametrize("special", SPECIALS.values(), ids=identified)
each_type = pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)


@each
def test_error_is_within_the_stated_bound(special: Special) -> None:
    error, where, _ = worst(special, COUNT[special.type], np.random.default_rng(7))
    assert error <= min(special.max_ulp, LARGEST_ERRORS[special.type]), where


# Arguments near the functions' own edges: over- and underflow, clamps, ends of polynomials, hardest cases known.
EDGES: dict[str, tuple[float, ...]] = {
    "rsqrt": (1e-45, 1.1754944e-38, 2.0**-900, 2.0**-1022, 5e-324, 4.0, 3.4e38, 1.7e308),
    "exp": (
        88.72284,
        -87.33655,
        -103.97208,
        709.782712893384,
        -708.3964185322641,
        -745.1332191019411,
        0.34657359,
        1e-300,
    ),
    "log": (1e-45, 5e-324, 2.0**-1022, 1.41421356, 0.70710677, 0.7071067811865475, 1.4142135623730951, 1.0000001),
    "tanh": (9.0109, 19.06, 22.0, 20.0, 1e-45, 0.17328679, 1e-310),
    "erf": (3.9192059, 4.0, 5.92, 6.0, 1.0, 1e-45, 1e-310),
    "sin": (1.57079632, 3.14159265, 99999.5, 6381956970095103 * 2.0**-30, 4294965248.0, 1e-45, 1e-310, 0.78539816),
    "cos": (1.57079632, 3.14159265, 99999.5, 6381956970095103 * 2.0**-30, 4294965248.0, 1e-45, 1e-310, 0.78539816),
    "sigmoid": (-103.97, -87.3, -745.13, -708.4, 16.6, 36.7, 1e-310),
    "gelu": (-14.2, -13.1, -14.37, -38.4, -37.5, -38.58, 5.6, 8.3, 20.0, 40.0, 1e-310, 1e-45),
}


@pytest.mark.parametrize("element", DTYPES)
@pytest.mark.parametrize("name", EDGES)
def test_error_around_the_edges(name: str, element: str) -> None:
    edges = np.array(EDGES[name])
    both = edges if name in ("rsqrt", "log") else np.concatenate([edges, -edges])
    x = both[np.abs(both) <= np.finfo(DTYPES[element]).max].astype(DTYPES[element])
    for _ in range(4):
        x = np.unique(np.concatenate([x, np.nextafter(x, x.dtype.type(INF)), np.nextafter(x, x.dtype.type(-INF))]))
    x = x[x > 0] if name in ("rsqrt", "log") else x
    error = errors(evaluate(name, x), exact(name, x))
    assert error.max() <= min(SPECIALS[name, element].max_ulp, LARGEST_ERRORS[element]), float(x[error.argmax()]).hex()


VALUES: dict[str, tuple[tuple[float, float], ...]] = {
    "rsqrt": ((0.0, INF), (-0.0, -INF), (INF, 0.0), (4.0, 0.5), (-1e-45, NAN), (-1.0, NAN), (-INF, NAN)),
    "exp": ((-INF, 0.0), (0.0, 1.0), (-0.0, 1.0), (INF, INF), (1e30, INF), (-1e30, 0.0)),
    "log": ((0.0, -INF), (-0.0, -INF), (1.0, 0.0), (INF, INF), (-1e-45, NAN), (-1.0, NAN), (-INF, NAN)),
    "tanh": ((0.0, 0.0), (-0.0, -0.0), (-1e-45, -1e-45), (INF, 1.0), (-INF, -1.0), (1e30, 1.0)),
    "erf": ((0.0, 0.0), (-0.0, -0.0), (-INF, -1.0), (INF, 1.0), (-1e30, -1.0)),
    "sin": ((0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN), (2.0**32, 0.0), (-1e30, -0.0)),
    "cos": ((0.0, 1.0), (-0.0, 1.0), (INF, NAN), (-INF, NAN), (2.0**32, 1.0), (-1e30, 1.0)),
    "sigmoid": ((0.0, 0.5), (-0.0, 0.5), (INF, 1.0), (-INF, 0.0), (1e30, 1.0), (-1e30, 0.0)),
    "gelu": ((0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -0.0), (1e30, 1e30), (-1e30, -0.0)),
}


def same(got: NDArray[Any], expected: NDArray[Any]) -> bool:
    """Equal bit by bit, NaN being the canonical one."""
    nan = CANONICAL_NAN if got.dtype == np.float32 else CANONICAL_NAN64
    bits = f"u{got.dtype.itemsize}"
    return np.array_equal(got.view(bits), np.where(np.isnan(expected), nan, expected.view(bits)))


@each_type
@pytest.mark.parametrize("name", VALUES)
def test_special_values_with_their_sign(name: str, dtype: np.dtype[Any]) -> None:
    x, expected = (np.array(column, dtype) for column in zip(*VALUES[name], strict=True))
    assert same(evaluate(name, x), expected)


@each_type
@pytest.mark.parametrize("name", VALUES)
def test_any_nan_gives_the_canonical_one(name: str, dtype: np.dtype[Any]) -> None:
    payloads = {
        4: [0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFFFFFFF],
        8: [0x7FF8 << 48, 0xFFF8 << 48, 0x7FF0 << 48 | 1, -1],
    }
    x = np.array([payload & (1 << 64) - 1 for payload in payloads[dtype.itemsize]], "u8").astype(f"u{dtype.itemsize}")
    assert same(evaluate(name, x.view(dtype)), np.full(4, NAN, dtype))


@each_type
def test_powers_of_exceptional_arguments(dtype: np.dtype[Any]) -> None:
    """IEEE 754's list, as C's pow has it: Python's float is the reference, where it does not raise."""
    limits = np.finfo(dtype)
    near = [np.nextafter(dtype.type(1), dtype.type(end)) for end in (0, 2)]
    whole = 2.0 ** (limits.nmant + 1)
    positive = [0.0, 1.0, 2.0, 0.5, 3.0, 1.5, INF, limits.smallest_subnormal, limits.max, *near, whole, whole - 1, 1e30]
    values = np.array([*positive, *(-x for x in positive), NAN], dtype)
    x, y = (grid.ravel() for grid in np.meshgrid(values, values))
    with np.errstate(all="ignore"):
        expected = np.power(x.astype(np.longdouble), y.astype(np.longdouble)).astype(dtype)
        got = evaluate("pow", x, y)
        close = np.abs(got.astype(np.longdouble) - expected) <= np.spacing(np.abs(expected))
    agrees = ((got == expected) | close) & (np.signbit(got) == np.signbit(expected)) | (
        np.isnan(got) & np.isnan(expected)
    )
    assert not [(a, b, g) for a, b, g, ok in zip(x, y, got, agrees, strict=True) if not ok]
    assert same(got[np.isnan(got)], expected[np.isnan(got)])


def test_every_special_opcode_has_a_definition() -> None:
    opcodes = {op.name.lower(): op for op in siw.OPS if op.unit == "special"}
    assert set(itertools.product(opcodes, DTYPES)) == set(SPECIALS)
    for (name, _), special in SPECIALS.items():
        assert len(opcodes[name].vectors) == special.arguments + 1


@each
def test_steps_are_well_typed_and_used(special: Special) -> None:
    types = [*[special.type] * special.arguments, *(step.type for step in special.steps)]
    used = {i for step in special.steps for i in step.operands}
    for number, step in enumerate(special.steps, start=special.arguments):
        assert all(i < number for i in step.operands)
        if step.kind != CONSTANT:
            assert tuple(types[i] for i in step.operands) == STEP_KINDS[step.kind].operands
    assert types[-1] == special.type
    assert used == set(range(len(types) - 1))


@pytest.mark.parametrize("fit", fits(), ids=lambda fit: fit.name)
def test_polynomials_have_their_stated_error(fit: Any) -> None:
    polynomial = POLYNOMIALS[fit.name]
    with mpmath.workdps(DIGITS):
        low, high = (mpmath.mpf(end) for end in polynomial.interval)
        points = [(low + high) / 2 - (high - low) / 2 * mpmath.cos(mpmath.pi * (i + 0.37) / 120) for i in range(120)]
        assert polynomial.error / 2 < error_of(fit, polynomial.coefficients, points) <= polynomial.error


def test_each_polynomial_has_a_fit() -> None:
    assert {fit.name: fit.degree + 1 for fit in fits()} == {
        name: len(p.coefficients) for name, p in POLYNOMIALS.items()
    }


def test_model_fma_rounds_once() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.standard_normal((2, 2000))
    exact_product = [int(x * 2**80) * int(y * 2**80) for x, y in zip(a, b, strict=True)]
    c = -(a * b) * (1 + rng.integers(-2, 3, 2000) * 2.0**-53)
    expected = [(p + int(z * 2**160)) / 2**160 for p, z in zip(exact_product, c, strict=True)]
    assert fma(a, b, c).tolist() == expected


@pytest.mark.parametrize(
    ("a", "b", "c", "expected"),
    [
        (2.0**600, 2.0**500, -(2.0**1023), INF),
        (2.0**600, 2.0**424, -(2.0**1023), 2.0**1023),
        (2.0**-600, 2.0**-500, 2.0**-1074, 2.0**-1074),
        (2.0**-538 * 3, 2.0**-537, 0.0, 2.0**-1074 * 2),
        (2.0**-538 * 3, 2.0**-537, -(2.0**-1074), 0.0),
        (2.0**-600, -(2.0**-600), 0.0, -0.0),
        (2.0**-600, 2.0**-600, 1.0, 1.0),
        (1e300, 1e300, -INF, -INF),
        (0.0, -1.0, 0.0, 0.0),
        (-0.0, 1.0, -0.0, -0.0),
    ],
)
def test_model_fma_at_the_ends_of_the_range(a: float, b: float, c: float, expected: float) -> None:
    got = fma(np.array([a]), np.array([b]), np.array([c]))
    assert got.tobytes() == np.array([expected]).tobytes()
