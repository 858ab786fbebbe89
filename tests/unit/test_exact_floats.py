"""Float arithmetic of the byte reference in f16, bf16, f32 and f64, by bytes, against numpy and ml_dtypes."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.scalar_code import (
    FLOATS,
    NUMPY,
    SMALL,
    apply,
    bits,
    canonical,
    float_pairs,
    floats,
    same_bits,
)

Array = NDArray[Any]
pytestmark = pytest.mark.usefixtures("no_numpy_warnings")


def in_f32(function: Callable[..., Array], element: str, *arrays: Array) -> Array:
    """What an operation gives: of the small types the f32 operation, rounded by ml_dtypes."""
    wide = [array.astype(np.float32) if element in SMALL else array for array in arrays]
    return canonical(function(*wide).astype(NUMPY[element]), element)


def signed_least(a: Array, b: Array) -> Array:
    both = (a == 0) & (b == 0)
    return np.where(both, np.where(np.signbit(a), a, b), np.minimum(a, b))


def signed_most(a: Array, b: Array) -> Array:
    both = (a == 0) & (b == 0)
    return np.where(both, np.where(np.signbit(a), b, a), np.maximum(a, b))


def away(x: Array) -> Array:
    """To the nearest integer, ties away from zero; exact where |x| has a fraction."""
    whole = np.trunc(x)
    step = np.where(np.abs(x - whole) >= 0.5, np.sign(x), 0).astype(x.dtype)
    return np.copysign(whole + step, x)


BINARY = {
    "arith.addf": np.add,
    "arith.subf": np.subtract,
    "arith.mulf": np.multiply,
    "arith.divf": np.divide,
    "arith.remf": np.fmod,
    "arith.minimumf": signed_least,
    "arith.maximumf": signed_most,
}
UNARY = {
    "math.sqrt": np.sqrt,
    "math.floor": np.floor,
    "math.ceil": np.ceil,
    "math.trunc": np.trunc,
    "math.round": away,
    "math.roundeven": np.rint,
}


@pytest.mark.parametrize("element", FLOATS)
def test_binary_arithmetic(element: str) -> None:
    a, b = float_pairs(element)
    code = "\n".join(f"%r{i} = {op} %a0, %a1 : {element}" for i, op in enumerate(BINARY))
    for result, function in zip(
        apply(code, [element] * 2, [element] * len(BINARY), a, b), BINARY.values(), strict=True
    ):
        same_bits(result, in_f32(function, element, a, b))


@pytest.mark.parametrize("element", FLOATS)
def test_unary_arithmetic(element: str) -> None:
    x = floats(element)
    code = "\n".join(f"%r{i} = {op} %a0 : {element}" for i, op in enumerate(UNARY))
    for result, function in zip(apply(code, [element], [element] * len(UNARY), x), UNARY.values(), strict=True):
        same_bits(result, in_f32(function, element, x))


@pytest.mark.parametrize("element", FLOATS)
def test_signs_and_moves_keep_the_bits_of_a_nan(element: str) -> None:
    a, b = float_pairs(element)
    code = f"""%r0 = arith.negf %a0 : {element}
      %r1 = math.absf %a0 : {element}
      %r2 = math.copysign %a0, %a1 : {element}
      %c = arith.cmpf olt, %a0, %a1 : {element}
      %r3 = arith.select %c, %a0, %a1 : {element}"""
    got = apply(code, [element] * 2, [element] * 4, a, b)
    top = np.array(1 << 8 * a.dtype.itemsize - 1, f"u{a.dtype.itemsize}")
    for result, expected in zip(
        got[:3], (bits(a) ^ top, bits(a) & ~top, (bits(a) & ~top) | (bits(b) & top)), strict=True
    ):
        same_bits(result, expected.view(a.dtype))
    same_bits(got[3], np.where(a < b, bits(a), bits(b)).view(a.dtype))


@pytest.mark.parametrize("element", FLOATS)
def test_minnumf_and_maxnumf_pass_over_a_nan(element: str) -> None:
    a, b = float_pairs(element)
    code = f"%r0 = arith.minnumf %a0, %a1 : {element}\n%r1 = arith.maxnumf %a0, %a1 : {element}"
    for result, function in zip(
        apply(code, [element] * 2, [element] * 2, a, b), (signed_least, signed_most), strict=True
    ):
        best = in_f32(function, element, a, b)
        other = np.where(np.isnan(a), bits(b), np.where(np.isnan(b), bits(a), bits(best)))
        same_bits(result, other.view(a.dtype))


PREDICATES = {
    "oeq": lambda a, b: a == b,
    "ogt": lambda a, b: a > b,
    "oge": lambda a, b: a >= b,
    "olt": lambda a, b: a < b,
    "ole": lambda a, b: a <= b,
    "one": lambda a, b: (a < b) | (a > b),
    "ord": lambda a, b: ~(np.isnan(a) | np.isnan(b)),
}
NEGATED = {"oeq": "une", "ogt": "ule", "oge": "ult", "olt": "uge", "ole": "ugt", "one": "ueq", "ord": "uno"}


@pytest.mark.parametrize("element", FLOATS)
def test_comparisons(element: str) -> None:
    a, b = float_pairs(element)
    names = [*PREDICATES, *NEGATED.values(), "true", "false"]
    code = "\n".join(f"%r{i} = arith.cmpf {name}, %a0, %a1 : {element}" for i, name in enumerate(names))
    got = dict(zip(names, apply(code, [element] * 2, ["i1"] * len(names), a, b), strict=True))
    for name, holds in PREDICATES.items():
        same_bits(got[name], holds(a, b))
        same_bits(got[NEGATED[name]], ~holds(a, b))
    assert got["true"].all()
    assert not got["false"].any()


@pytest.mark.parametrize("element", FLOATS)
def test_classes(element: str) -> None:
    x, info = floats(element), ml_dtypes.finfo(NUMPY[element])
    names = ["isnan", "isinf", "isfinite", "isnormal"]
    code = "\n".join(f"%r{i} = math.{name} %a0 : {element}" for i, name in enumerate(names))
    normal = np.isfinite(x) & (np.abs(x) >= info.smallest_normal)
    for got, expected in zip(
        apply(code, [element], ["i1"] * 4, x), (np.isnan(x), np.isinf(x), np.isfinite(x), normal), strict=True
    ):
        same_bits(got, expected)


@pytest.mark.parametrize("element", SMALL)
def test_small_fma_is_the_one_of_f32_then_rounded(element: str) -> None:
    rng = np.random.default_rng(3)
    a, b, c = (rng.standard_normal(4000).astype(NUMPY[element]) for _ in range(3))
    wide = a.astype(np.float64) * b.astype(np.float64)  # exact
    total = wide + c.astype(np.float64)
    exact = np.array([Fraction(p) + Fraction(float(z)) == Fraction(t) for p, z, t in zip(wide, c, total, strict=True)])
    assert exact.mean() > 0.9
    (got,) = apply(f"%r0 = math.fma %a0, %a1, %a2 : {element}", [element] * 3, [element], a, b, c)
    same_bits(got[exact], total.astype(np.float32).astype(NUMPY[element])[exact])


def test_f64_fma_is_rounded_once() -> None:
    rng = np.random.default_rng(4)
    a, b, c = (rng.standard_normal(500) * np.exp2(rng.integers(-20, 20, 500)) for _ in range(3))
    c[:250] = -a[:250] * b[:250]  # what is left is the rounding error of the product
    expected = [float(Fraction(x) * Fraction(y) + Fraction(z)) for x, y, z in zip(a, b, c, strict=True)]
    (got,) = apply("%r0 = math.fma %a0, %a1, %a2 : f64", ["f64"] * 3, ["f64"], a, b, c)
    same_bits(got, np.array(expected))


def test_a_chain_of_small_arithmetic_rounds_at_each_step() -> None:
    a, b = float_pairs("f16")
    code = "%s = arith.addf %a0, %a1 : f16\n%p = arith.mulf %s, %a1 : f16\n%r0 = arith.subf %p, %s : f16"
    total = (a.astype(np.float32) + b.astype(np.float32)).astype(np.float16)
    product = (total.astype(np.float32) * b.astype(np.float32)).astype(np.float16)
    expected = (product.astype(np.float32) - total.astype(np.float32)).astype(np.float16)
    same_bits(apply(code, ["f16"] * 2, ["f16"], a, b)[0], canonical(expected, "f16"))


def test_functions_of_small_floats_are_those_of_f32() -> None:
    from tfmbs.runtime.abi.special_model import evaluate

    for element in SMALL:
        x = floats(element)
        names = ["exp", "log", "tanh", "erf", "rsqrt", "sin", "cos"]
        code = "\n".join(f"%r{i} = math.{name} %a0 : {element}" for i, name in enumerate(names))
        for name, got in zip(names, apply(code, [element], [element] * len(names), x), strict=True):
            same_bits(got, canonical(evaluate(name, x.astype(np.float32)).astype(NUMPY[element]), element))
