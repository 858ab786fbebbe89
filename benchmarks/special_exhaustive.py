"""Every f32 argument of every special function of one: `python -m benchmarks.special_exhaustive`.

Compiles the functions' C++ and compares each f32 result with the f64 function of the same argument, which is itself
within two units in the last place of f64 (`benchmarks.special_accuracy`), that is, exact for this purpose. Prints the
largest error in units of the last place, its argument, and how many results are not the correctly rounded ones. Exits
with 1 where an error is above the stated bound. Takes minutes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tfmbs.runtime.abi.special import SPECIALS
from tfmbs.runtime.abi.special_render import PATH

_SOURCE = """
#include <cstdio>
#include "special.gen.h"

static float of_bits(std::uint32_t bits) { float x; std::memcpy(&x, &bits, sizeof x); return x; }

// The error of `got` in units of the last place of `exact`, or of the least denormal.
static inline double error(float got, double exact) {
  const double over = 0x1p128;
  const float most = std::numeric_limits<float>::max();
  const double number = got > most ? over : got < -most ? -over : static_cast<double>(got);
  const double bounded = exact > over ? over : exact < -over ? -over : exact;
  std::uint64_t exponent = tfmbs::special::to_bits(bounded) >> 52 & 2047;
  exponent = exponent < 897 ? 897 : exponent > 1150 ? 1150 : exponent;
  const double place = tfmbs::special::to_real((2046 + 23 - exponent) << 52);
  const double distance = std::fabs(number - bounded) * place;
  const bool both = got != got && exact != exact;
  return both ? 0.0 : distance == distance ? distance : 1e9;
}

#define RUN(name)                                                                  \\
  {                                                                                \\
    double worst = -1.0;                                                           \\
    std::uint32_t where = 0;                                                       \\
    std::uint64_t misrounded = 0;                                                  \\
    for (std::uint64_t base = 0; base < std::uint64_t{1} << 32; base += N) {       \\
      for (std::uint32_t i = 0; i < N; ++i) {                                      \\
        const float x = of_bits(static_cast<std::uint32_t>(base) + i);             \\
        const float got = tfmbs::special::name(x);                                 \\
        const double exact = tfmbs::special::name(static_cast<double>(x));         \\
        errors[i] = error(got, exact);                                             \\
        wrong[i] = got != static_cast<float>(exact) && got == got;                 \\
      }                                                                            \\
      for (std::uint32_t i = 0; i < N; ++i) misrounded += wrong[i];                \\
      double most = 0.0;                                                           \\
      for (std::uint32_t i = 0; i < N; ++i) most = errors[i] > most ? errors[i] : most; \\
      if (most > worst) {                                                          \\
        worst = most;                                                              \\
        for (std::uint32_t i = 0; i < N; ++i)                                      \\
          if (errors[i] == most) where = static_cast<std::uint32_t>(base) + i;     \\
      }                                                                            \\
    }                                                                              \\
    std::printf("%s %.6f %a %llu\\n", #name, worst, static_cast<double>(of_bits(where)), \\
                static_cast<unsigned long long>(misrounded));                      \\
    std::fflush(stdout);                                                           \\
  }

constexpr std::uint32_t N = 1 << 14;
static double errors[N];
static std::uint32_t wrong[N];

int main() {
"""


def main() -> None:
    """Compiles, runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compiler", default="c++")
    parser.add_argument("--only", default="", help="a function's name")
    options = parser.parse_args()
    names = [s.name for s in SPECIALS.values() if s.type == "f32" and s.arguments == 1 and options.only in ("", s.name)]
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder) / "main.cpp", Path(folder) / "main"
        source.write_text(_SOURCE + "".join(f"  RUN({name})\n" for name in names) + "}\n", encoding="utf-8")
        flags = ["-std=c++17", "-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
        command = [options.compiler, *flags, f"-I{PATH.parent}", str(source), "-o", str(program)]
        subprocess.run(command, check=True)
        with subprocess.Popen([str(program)], stdout=subprocess.PIPE, text=True) as running:
            for line in running.stdout or ():
                name, worst, where, misrounded = line.split()
                failed |= not float(worst) <= SPECIALS[name, "f32"].max_ulp
                print(f"{name:8} {worst} ulp at {where}, {misrounded} of 2**32 not correctly rounded", flush=True)
            failed |= running.wait() != 0
    sys.exit(failed)


if __name__ == "__main__":
    main()
