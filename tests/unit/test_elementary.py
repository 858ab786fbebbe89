"""Functions composed by `tfmbs-compose-functions`, compiled by LLVM, against mpmath and numpy; their special values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.special_accuracy import DTYPES, errors
from tfmbs.compiler.jit import Reference
from tfmbs.dialect.mlir import context, ir
from tfmbs.passes.linalg.elementary import COMPOSED
from tfmbs.runtime.abi.special import CANONICAL_NAN, CANONICAL_NAN64

Array = NDArray[Any]
INF, NAN = math.inf, math.nan

REFERENCES: dict[str, Callable[..., Any]] = {
    "exp2": lambda x: mpmath.mpf(2) ** x,
    "log2": lambda x: mpmath.log(x, 2),
    "log10": lambda x: mpmath.log(x, 10),
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    **{name: getattr(mpmath, name) for name in ("expm1", "log1p", "sinh", "cosh", "tan", "asin", "acos", "atan")},
    "erfc": mpmath.erfc,
    **{name: getattr(mpmath, name) for name in ("atan2", "asinh", "acosh", "atanh")},
}
BOUNDS = {"f32": 0.51, "f64": 3.0}
"""In units of the last place; docs/numerics.md states the same."""


def apply(name: str, *arguments: Array) -> Array:
    """`math.name` of each element."""
    element = {v: k for k, v in DTYPES.items()}[arguments[0].dtype]
    tensor, one = f"tensor<{arguments[0].size}x{element}>", "affine_map<(d0) -> (d0)>"
    letters = "abc"[: len(arguments)]
    inputs = ", ".join(f"%x{letter}: {tensor}" for letter in letters)
    text = f"""func.func @f({inputs}) -> {tensor} {{
      %e = tensor.empty() : {tensor}
      %0 = linalg.generic {{indexing_maps = [{", ".join([one] * (len(letters) + 1))}], iterator_types = ["parallel"]}}
          ins({", ".join(f"%x{letter}" for letter in letters)} : {", ".join([tensor] * len(letters))})
          outs(%e : {tensor}) {{
      ^bb0({", ".join(f"%{letter}: {element}" for letter in letters)}, %o: {element}):
        %r = math.{name} {", ".join(f"%{letter}" for letter in letters)} : {element}
        linalg.yield %r : {element}
      }} -> {tensor}
      return %0 : {tensor}
    }}"""
    with context(), ir.Location.unknown():
        reference = Reference(ir.Module.parse(text))
        given = {slot.name: argument for slot, argument in zip(reference.inputs, arguments, strict=True)}
        return reference.run(given)[reference.outputs[0].name]


def domain(name: str, dtype: np.dtype[Any], count: int) -> tuple[Array, ...]:
    """Arguments in the domain, of all magnitudes and where the function is not trivial."""
    rng = np.random.default_rng(list(name.encode()))
    limits = np.finfo(dtype)
    least, most = int(limits.minexp) - int(limits.nmant), int(limits.maxexp)

    def magnitudes(low: float, high: float) -> Array:
        return np.exp2(rng.uniform(low, high, count)).astype(dtype)

    def signed(x: Array) -> Array:
        return (x * rng.choice([-1, 1], x.size)).astype(dtype)

    span = (most if name == "exp2" else most * math.log(2)) * 0.999
    near_one = (1 + signed(magnitudes(-int(limits.nmant), -1))).astype(dtype)
    parts: dict[str, tuple[Array, ...]] = {
        **dict.fromkeys(("log2", "log10"), (magnitudes(least, most), near_one)),
        "log1p": (signed(magnitudes(least, -1)), magnitudes(-2, most), -1 + magnitudes(-int(limits.nmant), 0)),
        **dict.fromkeys(
            ("exp2", "expm1", "sinh", "cosh"), (rng.uniform(-span, span, count), signed(magnitudes(least, 2)))
        ),
        **dict.fromkeys(("asin", "acos", "atanh"), (signed(magnitudes(least, -0.01)), signed(near_one[near_one < 1]))),
        "acosh": (1 + magnitudes(-int(limits.nmant), 3), magnitudes(0.01, most)),
        "erfc": (rng.uniform(-6, 28 if dtype == np.float64 else 10.5, count), signed(magnitudes(least, 3))),
        "tan": (signed(magnitudes(least, 16)), rng.uniform(-10, 10, count)),
    }
    if name == "atan2":
        return signed(magnitudes(-20, 20)), signed(magnitudes(-20, 20))
    return (np.concatenate(parts.get(name, (signed(magnitudes(least, most)),))).astype(dtype),)


def test_every_composed_function_is_tested() -> None:
    assert {f"math.{name}" for name in REFERENCES} == set(COMPOSED)


@pytest.mark.parametrize("element", DTYPES)
@pytest.mark.parametrize("name", REFERENCES)
def test_error_is_within_the_stated_bound(name: str, element: str) -> None:
    arguments = domain(name, DTYPES[element], 400)
    with mpmath.workprec(160):
        rows = zip(*(argument.tolist() for argument in arguments), strict=True)
        exact = [REFERENCES[name](*(mpmath.mpf(value) for value in row)) for row in rows]
    error = errors(apply(name, *arguments), exact)
    worst = int(np.argmax(error))
    assert error[worst] <= BOUNDS[element], [float(argument[worst]).hex() for argument in arguments]


VALUES: dict[str, tuple[tuple[float, float], ...]] = {
    "exp2": ((0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, 0.0), (10.0, 1024.0), (2000.0, INF)),
    "expm1": ((0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -1.0), (-1000.0, -1.0)),
    "log1p": ((0.0, 0.0), (-0.0, -0.0), (INF, INF), (-1.0, -INF), (-2.0, NAN), (-INF, NAN)),
    "log2": ((0.0, -INF), (-0.0, -INF), (1.0, 0.0), (INF, INF), (-1.0, NAN), (-INF, NAN)),
    "log10": ((0.0, -INF), (-0.0, -INF), (1.0, 0.0), (INF, INF), (-1.0, NAN), (-INF, NAN)),
    "sinh": ((0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (1e4, INF), (-1e4, -INF)),
    "cosh": ((0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, INF), (-1e4, INF)),
    "tan": ((0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN)),
    "asin": ((0.0, 0.0), (-0.0, -0.0), (1.0, math.pi / 2), (-1.0, -math.pi / 2), (1.5, NAN), (-INF, NAN)),
    "acos": ((1.0, 0.0), (-1.0, math.pi), (1.5, NAN), (-1.5, NAN), (INF, NAN)),
    "atan": ((0.0, 0.0), (-0.0, -0.0), (INF, math.pi / 2), (-INF, -math.pi / 2)),
    "asinh": ((0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF)),
    "acosh": ((1.0, 0.0), (INF, INF), (0.5, NAN), (-1.0, NAN), (-2.0, NAN), (-INF, NAN)),
    "atanh": ((0.0, 0.0), (-0.0, -0.0), (1.0, INF), (-1.0, -INF), (1.5, NAN), (-3.0, NAN), (INF, NAN)),
    "erfc": ((0.0, 1.0), (-0.0, 1.0), (INF, 0.0), (-INF, 2.0), (30.0, 0.0), (-7.0, 2.0), (5e-324, 1.0)),
    "cbrt": ((0.0, 0.0), (-0.0, -0.0), (INF, INF), (-INF, -INF), (27.0, 3.0), (-8.0, -2.0)),
}


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
@pytest.mark.parametrize("name", VALUES)
def test_special_values_with_their_sign(name: str, dtype: np.dtype[Any]) -> None:
    rows = [*VALUES[name], (NAN, NAN), (-NAN, NAN)]
    x, expected = (np.array(column, dtype) for column in zip(*rows, strict=True))
    assert_same(apply(name, x), expected)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)
def test_angles_of_zeros_and_infinities(dtype: np.dtype[Any]) -> None:
    ends = np.array([0.0, -0.0, 1.0, -1.0, INF, -INF, NAN, -NAN], dtype)
    y, x = (grid.ravel() for grid in np.meshgrid(ends, ends))
    assert_same(apply("atan2", y, x), np.array([math.atan2(a, b) for a, b in zip(y, x, strict=True)]).astype(dtype))


def assert_same(got: Array, expected: Array) -> None:
    nan = CANONICAL_NAN if got.dtype == np.float32 else CANONICAL_NAN64
    bits = f"u{got.dtype.itemsize}"
    np.testing.assert_array_equal(got.view(bits), np.where(np.isnan(expected), nan, expected.view(bits)))
