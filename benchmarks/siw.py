"""How well the code generator schedules, and how fast the emulator runs it beside onnxruntime and torch.

`python -m benchmarks.siw` prints three tables and, with `--json FILE`, writes the same figures.

- Inner loops, of all kernels and of the vBench mixes: the scheduled words are executed cycle by cycle with the target's
  latencies. `II` is cycles per trip in the steady state, `bound` the larger of the resource and recurrence bounds,
  `busiest` how busy the fullest slot is, which is also how much of what the slot mix allows is reached, `ops/cycle` the
  slot-cycles of work per cycle without moves and constants; `alone` the cycles if operations ran one after the other.
- Programs: operations as written, words, values spilled.
- Wall time for 1 M elements: medians of interleaved rounds, one thread each, with the time on the processor, to which
  other processes add nothing. The ratio is to the slower of onnxruntime and torch; that to the faster stands beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from benchmarks.siw_kernels import Kernel, gelu, layer_norm, requantize, rms_norm, rotary, softmax
from benchmarks.siw_measure import (
    TARGET,
    InnerLoop,
    Schedules,
    Seconds,
    compiled,
    interleaved,
    schedules,
)
from benchmarks.siw_moves import cumulative_sum, depthwise, gather, int4_dequantize, max_pool, top_k, transpose
from benchmarks.siw_onnx import onnxruntime_of
from benchmarks.siw_vbench import MIXES
from tfmbs.passes.siw.backend import compile_code
from tfmbs.passes.siw.schedule_check import check_schedule
from tfmbs.runtime.abi.records import ProgramKind
from tfmbs.runtime.abi.siw_timing import Timing
from tfmbs.runtime.abi.target_file import load_target
from tfmbs.runtime.program import Program

KERNELS: tuple[Callable[[], Kernel], ...] = (
    lambda: softmax(1024, 1024),
    lambda: layer_norm(1024, 1024),
    lambda: rms_norm(1024, 1024),
    lambda: gelu(1024, 1024),
    lambda: rotary(16, 512, 128),
    lambda: requantize(1024, 1024),
    lambda: depthwise(64, 130),
    lambda: max_pool(64, 129),
    lambda: transpose(16, 256, 256),
    lambda: top_k(1024, 1024),
    lambda: cumulative_sum(1024, 1024),
    lambda: gather(8192, 128),
    lambda: int4_dequantize(32, 1024),
)
BOUND_SHARE, MIX_SHARE, BALANCED, RATIO = 0.9, 0.95, 2.5, 3.0
"""What is asked: loops at their bound, share of the slot mix in each, operations per cycle of the mixes, wall time."""


def measured_mixes() -> Iterator[tuple[str, Schedules]]:
    """The vBench mixes, their schedules checked against the programs that they come from."""
    timing = Timing.of(load_target(TARGET).vector)
    for name, make in MIXES.items():
        code = make()
        program = compile_code(code, timing, ProgramKind.VECTOR)
        check_schedule(code, program.words, program.windows, program.max_steps, ProgramKind.VECTOR)
        yield name, schedules([program])


def checked(kernel: Kernel, program: Program) -> None:
    """Compares a run with torch. Raises ValueError where they differ by more than the kernel's tolerance."""
    got = program.run(kernel.inputs)["y"].astype(np.float64)
    expected = kernel.torch({name: torch.from_numpy(array) for name, array in kernel.inputs.items()}).numpy()
    if got.shape != expected.shape or np.abs(got - expected).max() > kernel.tolerance * np.abs(expected).max():
        raise ValueError(f"{kernel.name}: the results are not those of torch")


def wall(kernel: Kernel, program: Program, rounds: int) -> dict[str, Seconds]:
    """Times of the emulator, torch and, where it has the kernel, onnxruntime."""
    tensors = {name: torch.from_numpy(array) for name, array in kernel.inputs.items()}
    context = program.context(threads=1)
    runs: dict[str, Callable[[], object]] = {
        "emulator": lambda: context.run(kernel.inputs),
        "torch": lambda: kernel.torch(tensors),
    }
    other = onnxruntime_of(kernel)
    return interleaved({**runs, **({"onnxruntime": other} if other else {})}, rounds)


def ratios(times: dict[str, Seconds], kind: str) -> tuple[float, float]:
    """The emulator's time by that of the slower and of the faster of the others."""
    others = [getattr(seconds, kind) for name, seconds in times.items() if name != "emulator"]
    own = getattr(times["emulator"], kind)
    return own / max(others), own / min(others)


def print_loops(named: list[tuple[str, Schedules]]) -> None:
    """A line for each inner loop."""
    heads = ("trips", "II", "bound", "busiest", "ops/cycle", "alone")
    print(f"\n{'inner loop of':<26} {' '.join(f'{head:>9}' for head in heads)}")
    for name, found in named:
        for loop in found.loops:
            print(
                f"{name:<26} {loop.trips:>9} {loop.interval:>9.1f} {loop.bound:>9.0f} {loop.of_mix:>9.1%} "
                f"{loop.operations / loop.interval:>9.2f} {loop.sequential:>9.0f}"
            )
        if not found.loops:
            print(f"{name:<26} no loop that runs twice")
    print(f"\n{'programs of':<26} {'operations':>10} {'words':>6} {'spilled':>8}")
    for name, found in named:
        print(f"{name:<26} {found.sequential:>10} {found.words:>6} {found.spilled:>8}")


def print_wall(times: dict[str, dict[str, Seconds]]) -> None:
    """A line for each kernel."""
    print(
        f"\n{'1 M elements, ms':<20} {'emulator':>15} {'torch':>15} {'onnxruntime':>15} {'ratio':>7} {'to faster':>9}"
    )
    for name, found in times.items():
        cells = [
            f"{found[who].wall * 1e3:>7.2f} {found[who].processor * 1e3:>7.2f}" if who in found else f"{'–':>15}"
            for who in ("emulator", "torch", "onnxruntime")
        ]
        slower, faster = ratios(found, "processor")
        print(f"{name:<20} {' '.join(cells)} {slower:>7.2f} {faster:>9.2f}")
    print("two figures each: wall time, time on the processor; the ratios are of the latter")


def summary(kernels: list[tuple[str, Schedules]], mixes: list[tuple[str, Schedules]]) -> Iterator[str]:
    """How much of what is asked holds."""
    loops: list[InnerLoop] = [loop for _, found in (*kernels, *mixes) for loop in found.loops]
    at_bound = sum(loop.at_bound for loop in loops)
    close = sum(loop.interval <= 1.01 * loop.bound for loop in loops)
    share = f"{at_bound / len(loops):.0%}, asked: {BOUND_SHARE:.0%}; {close} are within 1 % of it"
    yield f"{at_bound} of {len(loops)} inner loops reach their bound ({share})"
    least = min(loop.of_mix for loop in loops)
    yield f"the least share of what the slot mix allows is {least:.1%} (asked: {MIX_SHARE:.0%})"
    rates = [loop.operations / loop.interval for _, found in mixes for loop in found.loops]
    yield f"the vBench mixes issue {min(rates):.2f} to {max(rates):.2f} operations per cycle (asked: {BALANCED})"


def main() -> int:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="interleaved runs of each (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    kernels: list[tuple[str, Schedules]] = []
    times: dict[str, dict[str, Seconds]] = {}
    for make in KERNELS:
        kernel = make()
        program, words = compiled(kernel)
        checked(kernel, program)
        kernels.append((kernel.name, schedules(words)))
        times[kernel.name] = wall(kernel, program, arguments.rounds)
    mixes = list(measured_mixes())
    print_loops([*kernels, *mixes])
    print_wall(times)
    print()
    for line in summary(kernels, mixes):
        print(line)
    slowest = max(ratios(found, "processor")[0] for found in times.values())
    print(f"the largest ratio of times is {slowest:.2f} (asked: {RATIO})")
    if arguments.json:
        figures: dict[str, Any] = {
            "schedules": {name: asdict(found) for name, found in (*kernels, *mixes)},
            "seconds": {name: {who: asdict(found) for who, found in row.items()} for name, row in times.items()},
        }
        arguments.json.write_text(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
