"""Times of code that is run several times, of which the shortest counts: what else runs on the machine only adds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.devices.emulator import Emulator


def best_seconds(run: Callable[[], object], repeats: int) -> float:
    """The shortest of `repeats` runs, after one that warms up."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def launch_seconds(image: Image, inputs: Mapping[str, Any], isa: str, repeats: int) -> float:
    """The shortest time of the first launch of a binary alone, as the emulator counts it, on one thread."""
    context = Emulator(image, isa).context(1)

    def run() -> float:
        context.run("main", inputs)
        return float(context.native.counters()[0]["wall_ns"]) * 1e-9

    run()
    return min(run() for _ in range(repeats))
