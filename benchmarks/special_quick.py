"""Every f32 argument of the quick special functions: `python -m benchmarks.special_quick`.

Compiles `runtime/native/lane_quick.h` as the emulator's AVX-512 kernels are and compares the bits of each function with
those of the steps that define it, for all 2**32 arguments. Prints how many differ and how often the steps had to be
taken. Then, for all arguments again, the emulator's bits of the same functions in chains that are machine code beside
those of the functions just compared. Exits with 1 where any differ. Needs a processor with AVX-512, and takes minutes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from tests.conformance.builder import END, Builder, c, d, s
from tfmbs.runtime.abi.siw import VLMAX
from tfmbs.runtime.abi.special_render import PATH
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.devices.emulator import Emulator

BLOCK = 1 << 22

FLAGS = (
    "-std=c++17", "-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off", "-fno-strict-aliasing",
    "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mprefer-vector-width=512",
)  # fmt: skip
_SOURCE = """
#include <cstdio>
#include "lane_quick.h"

constexpr uint32_t N = 1 << 14;
alignas(64) float in[N], steps[N], out[N];

template <class Quick> int compare(const char* name) {
  uint64_t wrong = 0, taken = 0;
  for (uint64_t base = 0; base < uint64_t{1} << 32; base += N) {
    for (uint32_t i = 0; i < N; ++i) in[i] = from_bits<float>(static_cast<uint32_t>(base) + i);
    for (uint32_t i = 0; i < N; i += GROUP) by_steps<Quick>(steps + i, in + i);
    quick<Quick>(out, in, in, in, N);
    for (uint32_t i = 0; i < N; ++i) wrong += bits_of(steps[i]) != bits_of(out[i]);
    for (uint32_t i = 0; i < N; i += GROUP) taken += Quick::is_odd(_mm512_load_ps(in + i)) != 0;
  }
  std::printf("%s: %llu of 2^32 results differ; %.1f %% of all groups of arguments are out of the ordinary\\n", name,
              static_cast<unsigned long long>(wrong), static_cast<double>(taken) / (1 << 28) * 100);
  return wrong != 0;
}

int main() { return compare<QuickExp>("exp") | compare<QuickErf>("erf") | compare<QuickGelu>("gelu"); }
"""


def wrong_in_chains(op: str) -> int:
    """Of how many arguments the machine code of a chain with the function has other bits than the function."""
    builder = Builder()
    x, y = (make(name, (BLOCK,), DType.F32) for make, name in ((builder.input, "x"), (builder.output, "y")))
    body = [
        s("LD", DType.F32, reg=2, win=0, base=2, index=1),
        d(op, DType.F32, vd=3, va=2),
        s("ST", DType.F32, reg=3, win=1, base=2, index=1),
        s("ADDI", reg=2, base=2, imm=VLMAX),
    ]
    start = [{**s("LI", reg=1, imm=1), **c("SETVL", imm=VLMAX)}, s("LI", reg=3, imm=BLOCK // VLMAX)]
    builder.vector([*start, c("LOOP", reg=3, imm=len(body)), *body, END], [x, y])
    image = builder.image()
    coded, called = (Emulator(image, jit=jit).context(1) for jit in (True, False))
    wrong = 0
    for first in range(0, 1 << 32, BLOCK):
        arguments = {"x": np.arange(first, first + BLOCK, dtype=np.uint64).astype(np.uint32).view(np.float32)}
        got, expected = (context.run("main", arguments)["y"].view(np.uint32) for context in (coded, called))
        wrong += int(np.count_nonzero(got != expected))
    return wrong


def main() -> None:
    """Compiles, runs and prints."""
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder) / "main.cpp", Path(folder) / "main"
        source.write_text(_SOURCE, encoding="utf-8")
        subprocess.run(["c++", *FLAGS, f"-I{PATH.parent}", str(source), "-o", str(program)], check=True)
        differs = subprocess.run([str(program)], check=False).returncode != 0
    for op in ("EXP", "ERF"):
        wrong = wrong_in_chains(op)
        print(f"{op.lower()} in chains: {wrong} of 2^32 results differ", flush=True)
        differs |= wrong != 0
    sys.exit(differs)


if __name__ == "__main__":
    main()
