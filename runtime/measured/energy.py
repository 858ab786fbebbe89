"""Energy of launches: what they did, times the figures of a profile."""

from __future__ import annotations

from collections.abc import Mapping

from tfmbs.runtime.abi.energy import PER_BYTE, PER_OP
from tfmbs.runtime.abi.target import Energy
from tfmbs.runtime.measured.traffic import LEVELS

COMPONENTS = ("array", "vector", "l1", "l2", "l3", "external")
"""Where energy goes."""


def energy_pj(
    operations: Mapping[str, int], levels: Mapping[str, Mapping[str, int]], profile: Energy
) -> dict[str, float]:
    """Picojoules by component, and `total`.

    Args:
        operations: How many of each kind of `PER_OP`.
        levels: By level, `read_bytes` and `written_bytes`.
        profile: The figures.
    """
    spent = {name: operations.get(name, 0) * getattr(profile.per_op, name) for name in PER_OP}
    result = {
        "array": sum(value for name, value in spent.items() if name.startswith("mac_")),
        "vector": sum(value for name, value in spent.items() if name.startswith("vector_")),
    }
    for level in reversed(LEVELS):
        read, written = (levels[level][f"{way}_bytes"] for way in ("read", "written"))
        result[level] = read * _figure(profile, level, "read") + written * _figure(profile, level, "write")
    return {**result, "total": sum(result.values())}


def _figure(profile: Energy, level: str, way: str) -> float:
    name = level if level in PER_BYTE else f"{level}_{way}"
    return float(getattr(profile.per_byte, name))
