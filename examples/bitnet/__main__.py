"""``python -m examples.bitnet``: the 2B geometry compiled, measured, run and compared; `--small` for a quick look.

Each step is a process of its own, so that its peak of memory is its own.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from examples.bitnet.geometry_2b import FULL
from examples.bitnet.model_file import Geometry, write_model
from examples.bitnet.steps import PROMPT, apart, compile_file, decode, decode_in_numpy

MOST_BYTES, MOST_SECONDS, MOST_PER_WEIGHT = 8 << 30, 600, 0.25


def measure(folder: Path, geometry: Geometry, count: int) -> bool:
    """Prints the figures; whether all bars hold."""
    source, binary = folder / "model.gguf", folder / "model.tfb"
    apart(write_model, source, geometry)
    weights, table = geometry.ternary_weights, geometry.vocabulary * geometry.width
    print(f"{weights:,} ternary weights, {table:,} of the embedding; GGUF {source.stat().st_size:,} bytes")
    size, seconds, cpu, peak = apart(compile_file, source, binary)
    embedding = 36 * table // 32  # int8 and a scale of f32 for each 32: looked up and multiplied by
    share = (size - embedding) / weights
    print(f"compile   {seconds:7.1f} s ({cpu:.1f} s of CPU), peak {peak / 2**30:.2f} GiB")
    print(f"binary    {size:,} bytes, of them embedding {embedding:,}: {share:.4f} bytes per ternary weight")
    (ours, steps, last), seconds, _, run_peak = apart(decode, binary, count)
    later = sorted(steps[1:])
    print(
        f"emulator  {later[len(later) // 2]:.3f} s per token, first {steps[0]:.1f} s, peak {run_peak / 2**30:.2f} GiB"
    )
    (theirs, expected), seconds, _, _ = apart(decode_in_numpy, source, geometry, count)
    values, others = np.frombuffer(last, np.float32), np.frombuffer(expected, np.float32)
    off = float(np.abs(values - others).max())
    print(f"numpy     {seconds / count:.1f} s per token")
    print(f"tokens    {ours[len(PROMPT) :]}\n          {'equal' if ours == theirs else f'NOT EQUAL: {theirs}'}")
    print(
        f"logits    {np.mean(values == others):.2%} of the last step's are the same bits, largest difference {off:.1e}"
    )
    bars = {"peak": peak <= MOST_BYTES, "time": cpu <= MOST_SECONDS, "size": share <= MOST_PER_WEIGHT}
    bars |= {"tokens": ours == theirs}
    print("bars      " + ", ".join(f"{name} {'holds' if holds else 'FAILS'}" for name, holds in bars.items()))
    return all(bars.values())


def main() -> int:
    """Exit code 1 where a bar does not hold."""
    parser = argparse.ArgumentParser("examples.bitnet", description=__doc__)
    parser.add_argument("--small", action="store_true", help="2 layers of 256 instead")
    parser.add_argument("--tokens", type=int, default=12, help="steps to run (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="where files are written (default: a temporary one)")
    given = parser.parse_args()
    geometry = Geometry() if given.small else FULL
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        return 0 if measure(Path(folder), geometry, given.tokens) else 1


if __name__ == "__main__":
    raise SystemExit(main())
