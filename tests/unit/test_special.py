"""The special functions: error bounds against an 80-bit reference, special values, the C++ text, and the steps."""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.special import CANONICAL_NAN, CONSTANT, POLYNOMIALS, SPECIALS, STEP_KINDS
from tfmbs.runtime.abi.special_model import evaluate, fma
from tfmbs.runtime.abi.special_render import PATH, cxx_header, markdown

REFERENCES: dict[str, Callable[[Any], Any]] = {
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "erf": np.vectorize(math.erf, otypes=[np.float64]),
    "sin": np.sin,
    "cos": np.cos,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "gelu": np.vectorize(lambda x: x * math.erfc(-x / math.sqrt(2)) / 2, otypes=[np.float64]),
}


def sample() -> NDArray[np.float32]:
    """Every 65,537th bit pattern, so every exponent of both signs, and the values around the functions' own edges."""
    patterns = np.arange(0, 2**32, 65_537, dtype=np.uint64).astype(np.uint32).view(np.float32)
    edges = [
        0.0,
        1.0,
        1e-45,
        1.1754944e-38,
        88.72284,
        103.97208,
        104.0,
        9.0109,
        3.9192059,
        0.34657359,
        1.41421356,
        0.70710677,
    ]
    near = np.array([e * s for e in edges for s in (1, -1)], np.float32)
    around = [np.nextafter(near, np.float32(d)) for d in (np.inf, -np.inf)]
    return np.concatenate([patterns, near, *around, np.array([np.inf, -np.inf, np.nan], np.float32)])


@pytest.mark.parametrize("name", REFERENCES)
def test_error_is_within_the_stated_bound(name: str) -> None:
    x = sample()
    if name in ("sin", "cos"):
        x = x[~(np.abs(x) >= 2**32)]
    x = x[~(np.isneginf(x) & (name == "gelu"))]
    with np.errstate(all="ignore"):
        exact = REFERENCES[name](x.astype(np.longdouble))
        rounded = exact.astype(np.float32)
    got = evaluate(name, x)
    exceptional = ~np.isfinite(rounded) | (exact == 0)
    assert np.array_equal(np.isnan(got), np.isnan(rounded))
    assert np.array_equal(got[exceptional & ~np.isnan(got)], rounded[exceptional & ~np.isnan(rounded)])
    usable = ~exceptional
    ulp = np.spacing(np.abs(rounded[usable])).astype(np.longdouble)
    error = np.abs(got[usable] - exact[usable]) / ulp
    assert float(error.max()) <= 0.502 <= SPECIALS[name, "f32"].max_ulp


@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        ("rsqrt", 0.0, math.inf),
        ("rsqrt", -0.0, -math.inf),
        ("rsqrt", math.inf, 0.0),
        ("rsqrt", 4.0, 0.5),
        ("exp", -math.inf, 0.0),
        ("exp", 0.0, 1.0),
        ("exp", math.inf, math.inf),
        ("exp", 88.72284, math.inf),
        ("exp", -103.97208, 1e-45),
        ("exp", -103.97209, 0.0),
        ("log", 0.0, -math.inf),
        ("log", -0.0, -math.inf),
        ("log", 1.0, 0.0),
        ("log", math.inf, math.inf),
        ("tanh", -0.0, -0.0),
        ("tanh", -1e-45, -1e-45),
        ("tanh", math.inf, 1.0),
        ("erf", 0.0, 0.0),
        ("erf", -0.0, -0.0),
        ("erf", -math.inf, -1.0),
    ],
)
def test_special_values_with_their_sign(name: str, x: float, expected: float) -> None:
    got = evaluate(name, np.array([x], np.float32))
    assert got.tobytes() == np.array([expected], np.float32).tobytes()


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("payload", [0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFFFFFFF])
def test_any_nan_gives_the_canonical_one(name: str, payload: int) -> None:
    got = evaluate(name, np.array([payload], np.uint32).view(np.float32))
    assert int(got.view(np.uint32)[0]) == CANONICAL_NAN


@pytest.mark.parametrize("name", ["rsqrt", "log"])
def test_negative_arguments_give_the_canonical_nan(name: str) -> None:
    got = evaluate(name, np.array([-1e-45, -1.0, -np.inf], np.float32))
    assert got.view(np.uint32).tolist() == [CANONICAL_NAN] * 3


def test_every_special_opcode_has_a_definition() -> None:
    assert {op.name.lower() for op in siw.OPS if op.unit == "special"} == {name for name, _ in SPECIALS}


@pytest.mark.parametrize("special", SPECIALS.values(), ids=lambda special: f"{special.name}-{special.type}")
def test_steps_are_well_typed_and_used(special: Any) -> None:
    types = [*[special.type] * special.arguments, *(step.type for step in special.steps)]
    used = {i for step in special.steps for i in step.operands}
    for number, step in enumerate(special.steps, start=special.arguments):
        assert all(i < number for i in step.operands)
        if step.kind != CONSTANT:
            assert tuple(types[i] for i in step.operands) == STEP_KINDS[step.kind].operands
    assert types[-1] == special.type
    assert used == set(range(len(types) - 1))


WEIGHTED_ERRORS: dict[str, Callable[[Any, Any], Any]] = {
    "EXPM1": lambda r, p: (r + r * r * p - np.expm1(r)) / (r * r),
    "ATANH": lambda z, p: (np.sqrt(z) * (1 + z * p) - np.arctanh(np.sqrt(z))) / (z * np.sqrt(z)),
    "LOG_ERFC": lambda x, p: (-np.expm1(-x * p) - REFERENCES["erf"](x)) / REFERENCES["erf"](x),
}


@pytest.mark.parametrize("name", WEIGHTED_ERRORS)
def test_polynomials_have_their_stated_error(name: str) -> None:
    polynomial = POLYNOMIALS[name]
    low, high = (np.longdouble(end) for end in polynomial.interval)
    x = low + (high - low) * (1 - np.cos(np.linspace(0, np.pi, 4001, dtype=np.longdouble))) / 2
    x = x[np.abs(x) > (high - low) / 1000]  # near 0 the reference itself loses digits
    value = np.polynomial.polynomial.polyval(x, np.array(polynomial.coefficients, np.longdouble))
    worst = float(np.max(np.abs(WEIGHTED_ERRORS[name](x, value))))
    assert polynomial.error / 2 < worst <= polynomial.error


def test_model_fma_rounds_once() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.standard_normal((2, 2000))
    exact_product = [int(x * 2**80) * int(y * 2**80) for x, y in zip(a, b, strict=True)]
    c = -(a * b) * (1 + rng.integers(-2, 3, 2000) * 2.0**-53)
    expected = [(p + int(z * 2**160)) / 2**160 for p, z in zip(exact_product, c, strict=True)]
    assert fma(a, b, c).tolist() == expected


def test_header_is_fresh() -> None:
    assert PATH.read_text(encoding="utf-8") == cxx_header(), "run: python -m tfmbs.runtime.abi.special_render"


def test_documentation_lists_every_step() -> None:
    text = markdown()
    for special in SPECIALS.values():
        assert f"### {special.name} of {special.type}" in text
    assert text.count(" = ") >= sum(len(special.steps) for special in SPECIALS.values())


MAIN = """
#include <cstdio>
#include <cstdlib>
#include <vector>
#include "special.gen.h"
#define RUN(f) for (float& y : out) y = tfmbs::special::f(in[&y - out.data()]); std::fwrite(out.data(), 4, n, stdout);
int main(int, char** argv) {
  const std::size_t n = std::strtoul(argv[1], nullptr, 10);
  std::vector<float> in(n), out(n);
  if (std::fread(in.data(), 4, n, stdin) != n) return 1;
"""


@pytest.mark.parametrize(
    "flags", [["-O0"], ["-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math"]], ids=" ".join
)
def test_cxx_has_the_bits_of_the_model(flags: list[str], tmp_path: Path) -> None:
    compiler = shutil.which("c++")
    assert compiler, "a C++ compiler is a prerequisite of the project"
    source, program = tmp_path / "main.cpp", tmp_path / "main"
    source.write_text(MAIN + "".join(f"RUN({name})\n" for name in REFERENCES) + "}\n", encoding="utf-8")
    warn = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
    include = f"-I{PATH.parent}"
    subprocess.run(
        [compiler, "-std=c++17", "-ffp-contract=off", *flags, *warn, include, str(source), "-o", str(program)],
        check=True,
    )
    x = sample()
    out = subprocess.run([str(program), str(x.size)], input=x.tobytes(), capture_output=True, check=True).stdout
    assert out == b"".join(evaluate(name, x).tobytes() for name in REFERENCES)
