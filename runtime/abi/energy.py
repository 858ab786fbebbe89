"""Energy profiles: picojoules per operation and per byte, each with its source. The one table of them.

A profile is a core (`CORES`: what operations and on-chip memories take) with an external memory (`EXTERNAL`). Its name
is that of the core, for the external memory that the core's own source has, or core and memory, as in `kpu-16nm-hbm2`.
Published figures of external memory differ 27 times from each other, so a figure in joules says little without the
profile's name; whatever prints one prints name and source.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.types import DType

PER_OP = ("mac_f32", "mac_i8", "mac_trit", "vector_i32", "vector_f32")
PER_BYTE = ("l1_read", "l1_write", "l2", "l3", "external")
BITS = 8


@dataclass(frozen=True)
class Core:
    """Figures of operations (`PER_OP`) and of on-chip memories (`PER_BYTE` but for `external`), picojoules."""

    per_op: tuple[float, ...]
    per_byte: tuple[float, ...]
    external: str
    """The external memory of its own source, a key of `EXTERNAL`."""
    source: str


CORES = {
    "horowitz-45nm": Core(
        (3.7 + 0.9, 0.2 + 0.1, 0.1, 0.1, 0.9),
        (10 / 8, 10 / 8, 20 / 8, 100 / 8),
        "dram",
        "M. Horowitz, ISSCC 2014, 45 nm: f32 multiply 3.7 and add 0.9, i8 multiply 0.2, i32 add 0.1, which is also "
        "what a trit takes; SRAM of 8, 32 and 1024 KB as L1, L2 and L3, 10, 20 and 100 pJ per 64 bits",
    ),
    "accelergy-45nm": Core(
        (3.7 + 0.9, 0.315, 0.1, 0.1, 0.9),
        (32.4 / 8, 26.2 / 8, 32.4 / 8, 32.4 / 8),
        "lpddr4",
        "Accelergy: 8 bit by 8 bit multiply with 16 bit add 0.315; a 128 KB buffer, 32.4 pJ to read and 26.2 pJ to "
        "write 64 bits, that to read for L2 and L3; f32, trits and vector operations of M. Horowitz, ISSCC 2014, 45 nm",
    ),
    "kpu-16nm": Core(
        (0.80, 0.25, 0.08, 0.08, 0.40),
        (0.2, 0.3, 0.7, 1.5),
        "lpddr5",
        "KPU design notes, 16 nm, uncited there: multiply-accumulates; the accumulate of i8, also for trits and i32 "
        "vector operations; for f32 vector operations half of an f32 multiply-accumulate",
    ),
}
"""Cores by name."""

EXTERNAL = {
    "dram": (1300 / 8, "DRAM at 1300 pJ per 64 bits, the low end of M. Horowitz, ISSCC 2014"),
    "lpddr5": (12.0, "LPDDR5 of the KPU design notes, uncited there"),
    "lpddr4": (8.0 * BITS, "LPDDR4 of Accelergy, 8 pJ per bit"),
    "hbm2": (3.9 * BITS, "HBM2 of Accelergy, 3.9 pJ per bit"),
    "gddr5": (14.0 * BITS, "GDDR5 of Accelergy, 14 pJ per bit"),
    "ddr3": (70.0 * BITS, "DDR3 of Accelergy, 70 pJ per bit"),
}
"""External memories: picojoules per byte, and the source."""


def energy_profiles() -> dict[str, dict[str, Any]]:
    """All profiles by name, as the table `energy` of a target has them."""
    return {
        name: _profile(name, core, kind)
        for core_name, core in CORES.items()
        for kind in EXTERNAL
        for name in ([core_name] if kind == core.external else [f"{core_name}-{kind}"])
    }


def energy_profile(name: str, where: str) -> dict[str, Any]:
    """The profile of that name. Raises TfmbsError `target`, at `where`, where there is none."""
    profiles = energy_profiles()
    if name not in profiles:
        raise TfmbsError("target", where, "energy profile", f"one of {', '.join(profiles)}", repr(name))
    return profiles[name]


def _profile(name: str, core: Core, kind: str) -> dict[str, Any]:
    external, source = EXTERNAL[kind]
    return {
        "profile": name,
        "source": f"{core.source}; {source}",
        "per_op": _rounded(PER_OP, core.per_op),
        "per_byte": _rounded(PER_BYTE, (*core.per_byte, external)),
    }


def _rounded(names: tuple[str, ...], values: tuple[float, ...]) -> dict[str, float]:
    """To 10⁻⁶ pJ: 3.7 + 0.9 is 4.6."""
    return {name: round(value, 6) for name, value in zip(names, values, strict=True)}


def mac_figure(is_float: bool, weights: DType) -> str:
    """Which figure of `PER_OP` a multiply-accumulate is: of f32 where the other operand is, else by the weights."""
    if is_float:
        return "mac_f32"
    return "mac_trit" if weights is DType.TRIT else "mac_i8"
