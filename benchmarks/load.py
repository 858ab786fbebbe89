"""How long a large binary takes to load, by packing of its weights.

`python -m benchmarks.load [--megabytes 1024]` writes a program of products in a row for each packing, maps it lazily
and makes a context, which is when its first launch can begin, and loads it with all checks. Files lie in the system's
cache; each time is the best of several.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

import tfmbs
from benchmarks.clock import best_seconds
from tests.conformance.builder import Builder
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.types import DType, Packing, packed_dtype, row_bytes

SIZE = 8192
"""Inputs and outputs of a layer."""

PACKINGS = {"i8": Packing.DENSE, "A5": Packing.A5, "PT-5": Packing.PT5, "2-bit": Packing.T2}
REPEATS = 3
LAZY_BAR, EAGER_BAR = 0.5, 3e9
"""Seconds until the first launch may begin, and bytes per second of all checks."""


def program(packing: Packing, size: int) -> Image:
    """Products of SIZE i8, each with weights of its own, of `size` bytes together."""
    dense = packing is Packing.DENSE
    row = row_bytes(DType.I8 if dense else packed_dtype(packing), packing, SIZE)
    builder, rng = Builder(), np.random.default_rng(0)
    x = builder.input("x", (1, SIZE), DType.I8)
    most = 127 if dense else 1
    weights = rng.integers(-most, most + 1, (SIZE, SIZE), np.int8)
    for layer in range(-(-size // (SIZE * row))):
        y = builder.output(f"y{layer}", (1, SIZE), DType.I32)
        builder.gemm(x, builder.constant(np.roll(weights, layer, axis=0), packing), y, m=1, n=SIZE, k=SIZE)
    return builder.image()


def measure(path: Path) -> tuple[float, float]:
    """Seconds until a lazily loaded program has a context, and of a load that checks everything."""
    lazy = best_seconds(lambda: tfmbs.load(path, verify="lazy").context(), REPEATS)
    return lazy, best_seconds(lambda: tfmbs.load(path), REPEATS)


def main() -> int:
    """Prints a line for each packing; exits 1 where one is slower than the bars."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--megabytes", type=int, default=1024, help="of weights (default 1024)")
    parser.add_argument("--packing", choices=PACKINGS, action="append", help="may be repeated (default: all)")
    given = parser.parse_args()
    is_met = True
    for name in given.packing or PACKINGS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "large.tfb"
            program(PACKINGS[name], given.megabytes << 20).save(path)
            size = path.stat().st_size
            lazy, eager = measure(path)
        is_met &= lazy < LAZY_BAR and size / eager >= EAGER_BAR
        sys.stdout.write(
            f"{name:6} {size / 1e6:6.0f} MB: ready lazily in {lazy * 1e3:6.1f} ms, "
            f"checked in {eager:6.3f} s, {size / eager / 1e9:5.2f} GB/s\n"
        )
        sys.stdout.flush()
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
