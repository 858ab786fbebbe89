"""Our simulator beside SCALE-Sim 3.0.0 (PyPI) in one run: ``python -m benchmarks.scale_sim [--layers …]``.

Cycles are compared where its assumptions hold: a 16×16 array whose operands are always there, no double buffering; its
count is of the last cycle (one less), and output stationary without the drain of R cycles per fold. Ours executes the
product with values on a target whose memories and movers are so large that only the array counts. Time is of the
product as users get it: on kpu-16x16 with the whole memory hierarchy, default schedule, values checked against the
emulator; opening the device, expansion, deadlock check and simulation count, compilation does not (it is in the table,
too). Seconds are the processor's: a shared machine stretches those on the clock, which are beside them, and long runs
more than short ones. Ours are the least of 20 runs in one process, its of one run where that takes more than a second.

SCALE-Sim needs numpy below 2.4, so it gets an environment of its own in build/scale_sim, made by pip.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import venv
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from tfmbs.runtime.abi.array_timing import ArrayShape, Sizes, fold_count
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.movement.machine import EngineKind
from tfmbs.runtime.abi.records import Dataflow
from tfmbs.runtime.devices.kpu import Kpu
from tfmbs.tools.bench.machine import machine, one_line
from tfmbs.tools.bench.options import table
from tfmbs.tools.bench.simulated import models
from tfmbs.tools.bench.simulated.workload import Workload, compiled_for

ROOT = Path(__file__).parents[2]
PACKAGES = ("scalesim==3.0.0", "numpy<2.4")
LAYERS = {
    "64³": (64, 64, 64),
    "256³": (256, 256, 256),
    "512³": (512, 512, 512),
    "ResNet-18 conv1": (12544, 64, 147),
    "ResNet-18 layer1": (3136, 64, 576),
    "ResNet-18 fc": (1, 1000, 512),
}
"""M×N×K of the layers, by name."""

FLOWS = {"os": Dataflow.OUTPUT_STATIONARY, "ws": Dataflow.WEIGHT_STATIONARY}
ARRAY = ArrayShape(16, 16)
HUGE = 1 << 28  # bytes
WIDE: dict[str, int | float | str] = {
    **{f"{level}.size": HUGE for level in ("l1", "l2", "l3")},
    **{f"{mover}.width_bytes": 1 << 20 for mover in ("dma", "block_mover", "streamer")},
    "external.gbytes_per_second": 1e6,
}
"""Operands are there when the array wants them."""

ROUNDS = 20
HEAD = (
    "layer", "M×N×K", "flow", "its cycles", "with what it leaves out", "ours", "equal", "our run", "its s", "clock",
    "ours s", "clock", "times", "again s", "times", "compile s",
)  # fmt: skip
NUMBERS = frozenset(range(3, len(HEAD))) - {6}


@dataclass(frozen=True)
class Ours:
    """Cycles of the array alone and of the run on kpu-16x16; seconds of the latter, the processor's and on the clock,
    of another one with the movements that it made, and of the compilation.
    """

    array: int
    run: int
    seconds: float
    clock: float
    again_seconds: float
    compile_seconds: float


def environment() -> Path:
    """The interpreter of an environment that has SCALE-Sim; makes it where there is none."""
    folder = ROOT / "build" / "scale_sim"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        venv.create(folder, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
        subprocess.run(command, check=True)
        (folder / "ready").touch()
    return python


def theirs(python: Path, sizes: tuple[int, int, int], flow: str) -> dict[str, Any]:
    """Cycles, stalls and seconds of SCALE-Sim."""
    command = [str(python), str(Path(__file__).with_name("peer.py")), *map(str, sizes), flow]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def ours(sizes: tuple[int, int, int], flow: Dataflow) -> Ours:
    """The product with values: under SCALE-Sim's assumptions, and as users get it."""
    build = partial(models.product, "int8", *sizes)
    usual = Workload("scale_sim", "usual", build)
    start = time.perf_counter()
    program = compiled_for(build(), usual)
    compiled = time.perf_counter()
    expected = program.run(build().inputs)
    entry, arrays = program.accepted.arrays(build().inputs, None)
    seconds, clock, again, cycles = [], [], [], 0
    for _ in range(ROUNDS):
        begun, shown = time.process_time(), time.perf_counter()
        context = Kpu(program.image).context()
        outputs = context.run(entry.name, arrays)
        ran = time.process_time()
        clock.append(time.perf_counter() - shown)
        seconds.append(ran - begun)
        context.run(entry.name, arrays)
        again.append(time.process_time() - ran)
        cycles = -(-context.timing.total_ps // context.timing.core_ps)
        _check(outputs, expected)
    bare = replace(usual, vary=WIDE)
    context = Kpu(_whole(compiled_for(build(), bare).image, sizes, flow)).context()
    _check(context.run(entry.name, arrays), expected)
    timing = context.timing
    array = timing.program.machine.first(EngineKind.ARRAY)
    busy = timing.stalls(array)["busy"]
    return Ours(busy // timing.core_ps, cycles, min(seconds), min(clock), min(again), compiled - start)


def _whole(image: Image, sizes: tuple[int, int, int], flow: Dataflow) -> Image:
    """One tile for all, without double buffering."""
    m, n, k = sizes
    rows = [{**row, "tile_m": m, "tile_n": n, "tile_k": k, "dataflow": flow, "buffers": 1} for row in image.schedules]
    return Image.from_buffer(replace(image, schedules=rows, file=None).to_bytes())


def _check(outputs: Any, expected: Any) -> None:
    if any(array.tobytes() != expected[name].tobytes() for name, array in outputs.items()):
        sys.exit("error: outputs, expected the emulator's bytes")


def _row(name: str, flow: str, python: Path) -> tuple[str, ...]:
    sizes = LAYERS[name]
    own, its = ours(sizes, FLOWS[flow]), theirs(python, sizes, flow)
    drain = ARRAY.rows * fold_count(FLOWS[flow], Sizes(*sizes), ARRAY) if flow == "os" else 0
    whole = its["cycles"] + 1 + drain
    return (
        name,
        "×".join(map(str, sizes)),
        flow,
        f"{its['cycles']:,}",
        f"{whole:,}",
        f"{own.array:,}",
        "yes" if whole == own.array and its["stalls"] == 0 else "NO",
        f"{own.run:,}",
        f"{its['seconds']:.3f}",
        f"{its['clock']:.3f}",
        f"{own.seconds:.5f}",
        f"{own.clock:.5f}",
        f"{its['seconds'] / own.seconds:,.0f}",
        f"{own.again_seconds:.5f}",
        f"{its['seconds'] / own.again_seconds:,.0f}",
        f"{own.compile_seconds:.2f}",
    )


def main() -> None:
    """The table. Exit code 1 where cycles or outputs differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale_sim", description=__doc__.split("\n", 1)[0])
    quick = "64³,256³,ResNet-18 fc"
    parser.add_argument("--layers", default=quick, help=f"some of {','.join(LAYERS)}, or all (default: {quick})")
    parser.add_argument("--flows", default="os,ws", help="(default: %(default)s)")
    given = parser.parse_args()
    names = list(LAYERS) if given.layers == "all" else given.layers.split(",")
    flows = given.flows.split(",")
    unknown = [one for one in (*names, *flows) if one not in LAYERS and one not in FLOWS]
    if unknown:
        parser.error(f"expected layers of {','.join(LAYERS)} and flows of {','.join(FLOWS)}, got {unknown[0]}")
    python = environment()
    print(f"{one_line(machine())}; SCALE-Sim 3.0.0\n", flush=True)
    rows = [HEAD]
    for name in names:
        for flow in flows:
            rows.append(_row(name, flow, python))
            print(f"{name}, {flow}: {rows[-1][8]} s beside {rows[-1][10]} s", file=sys.stderr, flush=True)
    print(table(rows, NUMBERS))
    print("\nours: the array's cycles; our run: cycles on kpu-16x16 with memories, movers and double buffering")
    if any("NO" in row for row in rows):
        sys.exit("error: cycles differ")


if __name__ == "__main__":
    main()
