"""Measures as JSON: those of `Measures`, and the ratios of them."""

from __future__ import annotations

from typing import Any

from tfmbs.runtime.abi.movement.machine import EngineKind, Machine
from tfmbs.runtime.abi.target import Energy
from tfmbs.runtime.measured.run import Measured, Measures
from tfmbs.runtime.measured.waits import BUSY
from tfmbs.runtime.timing import MOVERS


def machine_of(machine: Machine) -> dict[str, Any]:
    """What the machine could do at most; bandwidths in 10⁹ bytes per second."""
    target = machine.target
    return {
        "target": target.name,
        "tiles": target.tiles,
        "rows": target.array.rows,
        "columns": target.array.columns,
        "core_mhz": target.clocks.core_mhz,
        "peak_gops": target.peak_gops,
        "external_kind": target.external.kind,
        "gbytes_per_second": {
            "external": target.external.channels * target.external.gbytes_per_second,
            "dma": target.mover_gbytes_per_second(target.dma),
            "block_mover": target.mover_gbytes_per_second(target.block_mover),
            "streamer": target.mover_gbytes_per_second(target.streamer),
        },
    }


def of_launch(one: Measures, machine: Machine, profile: Energy) -> dict[str, Any]:
    """The figures of a launch, or those that a run has in common with it; see `figures.FIGURES_OF_TIME`."""
    total, core, energy = one.total_ps, machine.core_ps, one.energy_pj(profile)
    return {
        "total_ps": total,
        "cycles": -(-total // core),
        "core_ps": core,
        "macs": one.macs,
        "dense_macs": one.dense_macs,
        "skipped_macs": one.dense_macs - one.macs,
        "gated_macs": sum(one.gated.values()),
        "gated_pj": sum(count * getattr(profile.per_op, name) for name, count in one.gated.items()),
        "critical_ps": one.critical_ps,
        "overlap_ps": one.overlap_ps,
        "arrays_ps": one.array_ps,
        "vectors_ps": one.vector_ps,
        "bytes": one.links,
        "levels": {
            name: {**amounts, "macs_per_byte": _ratio(one.macs, sum(amounts.values()))}
            for name, amounts in one.levels.items()
        },
        "slots": one.slots,
        "operations": one.operations,
        "minimum_external_bytes": one.minimum_external_bytes,
        "traffic_ratio": _ratio(one.external_bytes(), one.minimum_external_bytes),
        "utilization": _utilization(one, machine),
        "energy_pj": energy,
        "gops": _ratio(2000 * one.macs, total),
        "operations_per_pj": _ratio(2 * one.macs, energy["total"]),
    }


def whole_run(found: Measured, profile: Energy) -> dict[str, Any]:
    """The figures of a run."""
    return {
        **of_launch(found.total, found.machine, profile),
        "movers_ps": found.movers_ps,
        "minimum_network_bytes": found.minimum_network_bytes,
        "network_traffic_ratio": _ratio(found.total.external_bytes(), found.minimum_network_bytes),
    }


def _utilization(one: Measures, machine: Machine) -> dict[str, float]:
    total = one.total_ps
    counts = {kind: sum(engine.kind is kind for engine in machine.engines) for kind in EngineKind}
    busy = {EngineKind.ARRAY: one.array_ps[BUSY], EngineKind.VECTOR: one.vector_ps[BUSY]}
    busy |= {kind: one.busy_ps[kind.name.lower()] for kind in MOVERS}
    return {
        "array_macs": _ratio(one.macs * machine.core_ps, total * machine.target.macs_per_cycle),
        **{kind.name.lower(): _ratio(busy[kind], total * counts[kind]) for kind in EngineKind},
        "external": _ratio(one.busy_ps["external"], total),
    }


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
