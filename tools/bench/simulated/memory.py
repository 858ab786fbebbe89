"""Whether this machine can hold the movements of a program: what it cannot is refused, before it is tried."""

from __future__ import annotations

from math import prod
from pathlib import Path

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.records import NONE, Kind

STEP_BYTES = 8000
"""Of a step of an output tile: some seven movements of about a kilobyte (measured: int8 8192³ on kpu-16x16)."""

SHARE = 0.9
"""Of the memory that is there."""


def check_memory(name: str, image: Image) -> None:
    """Raises TfmbsError `resource-limit` where the steps of products need more memory than there is."""
    needed, there = STEP_BYTES * steps(image), available()
    if there is not None and needed > SHARE * there:
        gigabytes = [f"{amount / 1e9:.0f} GB" for amount in (SHARE * there, needed)]
        raise TfmbsError("resource-limit", name, "memory for its movements", f"at most {gigabytes[0]}", gigabytes[1])


def steps(image: Image) -> int:
    """Steps of output tiles of all matrix products, by their schedules."""
    total = 0
    for row in image.descriptors:
        if row["kind"] == Kind.GEMM and row["schedule"] != NONE:
            g, schedule = image.gemm_geometries[row["geometry"]], image.schedules[row["schedule"]]
            total += g["batch"] * prod(-(-g[axis] // schedule[f"tile_{axis}"]) for axis in ("m", "n", "k"))
    return total


def available() -> int | None:
    """Bytes that programs can get, where the system tells."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    (found,) = [line for line in lines if line.startswith("MemAvailable:")]
    return int(found.split()[1]) * 1024
