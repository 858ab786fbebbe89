"""Every f32 argument of the quick special functions: `python -m benchmarks.special_quick`.

Compiles `runtime/native/lane_quick.h` as the emulator's AVX-512 kernels are and compares the bits of each function with
those of the steps that define it, for all 2**32 arguments. Prints how many differ and how often the steps had to be
taken; exits with 1 where any differ. Needs a processor with AVX-512, and takes a minute.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tfmbs.runtime.abi.special_render import PATH

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

int main() { return compare<QuickExp>("exp") | compare<QuickErf>("erf"); }
"""


def main() -> None:
    """Compiles, runs and prints."""
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder) / "main.cpp", Path(folder) / "main"
        source.write_text(_SOURCE, encoding="utf-8")
        subprocess.run(["c++", *FLAGS, f"-I{PATH.parent}", str(source), "-o", str(program)], check=True)
        sys.exit(subprocess.run([str(program)], check=False).returncode)


if __name__ == "__main__":
    main()
