"""The C++ text of the special functions and their documentation: fresh, complete, and with the bits of the model."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.special_accuracy import DTYPES, samples
from tfmbs.runtime.abi.special import SPECIALS
from tfmbs.runtime.abi.special_model import evaluate
from tfmbs.runtime.abi.special_render import PATH, cxx_header, markdown

OPTIMIZED = ["-O3", "-fno-math-errno", "-fno-trapping-math"]


def test_header_is_fresh() -> None:
    assert PATH.read_text(encoding="utf-8") == cxx_header(), "run: python -m tfmbs.runtime.abi.special_render"


def test_documentation_lists_every_step() -> None:
    text = markdown()
    for special in SPECIALS.values():
        assert f"### {special.name} of {special.type}\n" in text
    assert text.count(" = ") >= sum(len(special.steps) for special in SPECIALS.values())


def patterns(dtype: np.dtype[Any], count: int) -> NDArray[Any]:
    """Numbers of all exponents, NaN and infinities, zeros."""
    size = dtype.itemsize
    step = (1 << 8 * size) // count
    bits = np.array([i * step + i for i in range(count)], f"u{size}").view(dtype)
    return np.concatenate([bits, np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0], dtype)])


def compiler() -> str:
    found = shutil.which("c++")
    assert found, "a C++ compiler is a prerequisite of the project"
    return found


MAIN = """
#include <cstdio>
#include <cstdlib>
#include <vector>
#include "special.gen.h"
template <class T, class F> void run(F f) {
  std::size_t n;
  if (std::fread(&n, sizeof n, 1, stdin) != 1) std::exit(1);
  std::vector<T> x(n), y(n), out(n);
  if (std::fread(x.data(), sizeof(T), n, stdin) != n || std::fread(y.data(), sizeof(T), n, stdin) != n) std::exit(1);
  for (std::size_t i = 0; i < n; ++i) out[i] = f(x[i], y[i]);
  std::fwrite(out.data(), sizeof(T), n, stdout);
}
int main() {
"""


@pytest.mark.parametrize("flags", [["-O0"], [*OPTIMIZED, "-march=native"]], ids=" ".join)
def test_cxx_has_the_bits_of_the_model(flags: list[str], tmp_path: Path) -> None:
    source, program = tmp_path / "main.cpp", tmp_path / "main"
    given, expected, calls = [], [], []
    rng = np.random.default_rng(3)
    for special in SPECIALS.values():
        dtype, real = DTYPES[special.type], {"f32": "float", "f64": "double"}[special.type]
        awkward = patterns(dtype, 2000)
        sets = [*samples(special, 500, rng), (awkward, rng.permutation(awkward))]
        x, y = (np.concatenate([arguments[-1 if i else 0] for arguments in sets]) for i in range(2))
        given.append(np.uint64(x.size).tobytes() + x.tobytes() + y.tobytes())
        expected.append(evaluate(special.name, *(x, y)[: special.arguments]).tobytes())
        call = f"tfmbs::special::{special.name}({', '.join('xy'[: special.arguments])})"
        unused = "" if special.arguments == 2 else "(void)y; "
        calls.append(f"  run<{real}>([]({real} x, {real} y) {{ {unused}return {call}; }});\n")
    source.write_text(MAIN + "".join(calls) + "}\n", encoding="utf-8")
    warn = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
    command = [compiler(), "-std=c++17", "-ffp-contract=off", *flags, *warn, f"-I{PATH.parent}", str(source)]
    subprocess.run([*command, "-o", str(program)], check=True)
    out = subprocess.run([str(program)], input=b"".join(given), capture_output=True, check=True).stdout
    for special, bits in zip(SPECIALS.values(), expected, strict=True):
        assert out[: len(bits)] == bits, (special.name, special.type)
        out = out[len(bits) :]


@pytest.mark.parametrize("flags", ["-mavx2 -mfma", "-mavx512f"])
def test_loops_over_lanes_vectorize(flags: str, tmp_path: Path) -> None:
    """GCC says which loops it vectorizes; every function is straight-line code, so each must be among them."""
    version = subprocess.run([compiler(), "--version"], capture_output=True, text=True, check=True).stdout
    if "Free Software Foundation" not in version:
        pytest.skip("the compiler is not GCC")
    target = subprocess.run([compiler(), "-dumpmachine"], capture_output=True, text=True, check=True).stdout
    if not target.startswith("x86_64"):
        pytest.skip("these are flags of x86")
    loops = []
    for special in SPECIALS.values():
        real = {"f32": "float", "f64": "double"}[special.type]
        call = f"tfmbs::special::{special.name}({', '.join(['x[i]', 'y[i]'][: special.arguments])})"
        head = f"void f_{special.name}(const {real}* __restrict x, const {real}* __restrict y, {real}* __restrict out)"
        loops.append(f"{head} {{ for (int i = 0; i < 512; ++i) out[i] = {call}; }}")
    source = tmp_path / "loops.cpp"
    source.write_text('#include "special.gen.h"\n' + "\n".join(loops) + "\n", encoding="utf-8")
    command = [compiler(), "-std=c++17", "-ffp-contract=off", *OPTIMIZED, *flags.split(), f"-I{PATH.parent}"]
    report = subprocess.run(
        [*command, "-fopt-info-vec-optimized", "-c", str(source), "-o", str(tmp_path / "loops.o")],
        capture_output=True, text=True, check=True,
    ).stderr  # fmt: skip
    vectorized = {line.split(":")[1] for line in report.splitlines() if "loop vectorized" in line}
    assert vectorized == {str(number) for number in range(2, 2 + len(loops))}
