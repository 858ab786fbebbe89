"""What this machine is and can do: named in every result, and measured in the loop of the kernels."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tfmbs.runtime import _native
from tfmbs.runtime.devices.emulator import ISA_VARIABLE
from tfmbs.tools.bench.timing import Sample, repeated

STREAM_BYTES = 200_000_000
"""More than any cache holds."""

BURST = 0.004
"""Seconds of a measurement of a unit's peak."""

PACKAGES = ("tfmbs", "numpy", "onnxruntime", "torch", "litespark-inference", "iree-base-runtime")


def machine() -> dict[str, Any]:
    """Processor, cores, instruction sets, versions."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "instruction_sets": _native.instruction_sets(),
        "packages": {name: version for name in PACKAGES if (version := _version(name)) is not None},
    }


def one_line(found: dict[str, Any]) -> str:
    """The machine for people."""
    packages = ", ".join(f"{name} {version}" for name, version in found["packages"].items())
    return f"{found['processor']}, {found['cores']} cores, {found['instruction_sets'][-1]}; {packages}"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def fastest_isa() -> str:
    """The instruction sets that a run takes: those of the environment, else the fastest."""
    return os.environ.get(ISA_VARIABLE) or _native.instruction_sets()[-1]


@dataclass(frozen=True)
class Limits:
    """Pseudo-kernels of the loop: the read stream of memory, and what a multiplier does at most."""

    isa: str
    threads: int
    clock: str = "wall"

    def stream(self) -> Sample:
        """Seconds to read `STREAM_BYTES`."""
        if self.clock == "wall":
            return lambda: _native.read_seconds(self.isa, stream_buffer(), self.threads)
        return repeated(lambda: _native.read_seconds(self.isa, stream_buffer(), self.threads), 0.0, self.clock)

    def peak(self, unit: str) -> Sample:
        """Seconds for 10⁹ operations of the unit of a type, ``i8`` or ``f32``."""
        return lambda: 1e9 / _native.peak(self.isa, unit, self.threads, BURST)[1]

    def unit(self, unit: str) -> str:
        """The instruction that `peak` runs."""
        return _native.peak(self.isa, unit, 1, 0.0)[0]


@cache
def stream_buffer() -> npt.NDArray[np.uint8]:
    """Bytes that are really there: pages that were never written would all be one."""
    return np.random.default_rng(0).integers(0, 256, STREAM_BYTES, np.uint8)
