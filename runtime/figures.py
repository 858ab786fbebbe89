"""Every figure of the stats of a run, with its unit and what it means: the one table of them.

The JSON of `tfmbs-run --stats` carries the definitions, its schema and the pages are made from them.
"""

from __future__ import annotations

from typing import NamedTuple


class Figure(NamedTuple):
    """A figure: its unit, as in "ps" or "bytes" (1: a ratio), and its meaning."""

    unit: str
    meaning: str


_OPS, _ELEMENTS = "operations", "elements"

COUNTERS: dict[str, Figure] = {
    "total_ops": Figure(
        _OPS, "multiply-accumulates and pooling taps (none on padding), and lane operations of vector code"
    ),
    "active_ops": Figure(
        _OPS, "total_ops without the multiply-accumulates whose constant weight is zero (counted, not estimated)"
    ),
    "zero_skips": Figure(
        _OPS, "multiply-accumulates with a zero weight in a launch whose zero-skip mode is not NONE"
    ),
    "mem_reads": Figure(
        _ELEMENTS, "read: each operand element once per launch, and every element that vector code loads"
    ),
    "mem_writes": Figure(
        _ELEMENTS, "written: each result element once per launch, and every element that vector code stores"
    ),
    "broadcasts": Figure(
        _ELEMENTS, "left operand elements sent to all columns of an output tile, once per tile of columns"
    ),
    "residency_misses": Figure(
        "tiles", "weight tiles brought in: once each, and again per row of output tiles where outputs stay"
    ),
}  # fmt: skip
"""Counters of a launch."""

FIGURES: dict[str, Figure] = {
    "fabric_cost": Figure(
        "1", "active_ops + 5 mem_reads + 8 mem_writes + 2 broadcasts + 6 residency_misses, times 0.7 when fused"
    ),
    "semantic_efficiency": Figure("1", "active_ops / total_ops"),
    "economic_efficiency": Figure("1", "active_ops / fabric_cost"),
    "zero_skip_rate": Figure("1", "zero_skips / fabric_cost"),
}
"""Cost figures and their formulas; a ratio over nothing is 0."""

LAUNCH: dict[str, Figure] = {
    "start_ns": Figure("ns", "start, from that of the run: simulated time, or wall time of the emulator"),
    "wall_ns": Figure("ns", "from start to end, in the same time"),
    "start_cycle": Figure("cycles", "of the core clock, when the first movement starts; weights may come long before"),
    "cycles": Figure("cycles", "of the core clock, from the start of the first movement to the end of the last"),
    "predicted_cycles": Figure(
        "cycles", "by the closed model, which the compiler ranks schedules by; 0: it depends on values of operands"
    ),
    "predicted_external_bytes": Figure("bytes", "to and from external memory, by the same model"),
    "sparsity": Figure("1", "zero weights / weights"),
    "flops": Figure(_OPS, "of the ops of the network that it does, as imported"),
    "bytes": Figure("bytes", "of operands and results of these ops"),
    "intensity": Figure("operations/byte", "flops / bytes"),
}
"""Other figures of a launch. What is a word (`name`, `kind`, `layer`, `phase`, `kernels` and so on) has no unit."""

FIGURES_OF_TIME: dict[str, Figure] = {
    "total_ps": Figure("ps", "the run; of a launch, when it is on the critical path: these sum to the run"),
    "cycles": Figure("cycles", "total_ps / core_ps, rounded up"),
    "core_ps": Figure("ps", "period of the core clock"),
    "macs": Figure(_OPS, "multiply-accumulates of the arrays, those with padding and with zero weights among them"),
    "dense_macs": Figure(_OPS, "those of the product without any skipping"),
    "skipped_macs": Figure(_OPS, "of dense_macs, those that a compacted stream leaves out (zero-skip mode CYCLE)"),
    "gated_macs": Figure(_OPS, "those with a zero weight, which spend no energy (zero-skip mode ENERGY)"),
    "gated_pj": Figure("pJ", "what gated_macs would have spent"),
    "critical_ps": Figure(
        "ps",
        "the critical path by what its movements do: engines of a kind work, or `external`, a DMA engine only waits "
        "for external memory; they sum to total_ps",
    ),
    "overlap_ps": Figure(
        "ps",
        "by what goes on at the same time: load (data towards the array), store (results back), execute (arrays and "
        "vector engines), combinations, or nothing (idle); they sum to total_ps",
    ),
    "arrays_ps": Figure(
        "ps",
        "all arrays: busy, waiting by the engine that worked meanwhile on what was waited for, `external` memory, or "
        "an earlier launch (`barrier`), and idle behind the last; they sum to total_ps times arrays",
    ),
    "vectors_ps": Figure("ps", "the same of vector engines"),
    "movers_ps": Figure(
        "ps", "engines that move data, by kind: busy, waiting for an engine of a kind, idle; total_ps times engines"
    ),
    "bytes": Figure("bytes", "moved between neighbouring levels"),
    "levels": Figure(
        "bytes", "read_bytes and written_bytes of each level, and macs_per_byte, the reuse: macs / (read + written)"
    ),
    "slots": Figure(
        "multiply-accumulates",
        "of busy arrays: useful (macs), ragged (elements outside of the product), fill_and_drain (nothing enters yet, "
        "or no more)",
    ),
    "operations": Figure(_OPS, "that spend energy, by the figure of the profile that they take"),
    "minimum_external_bytes": Figure(
        "bytes",
        "what a launch touches of its tensors, once; of vector code what it moved, if less; of a run the sum",
    ),
    "traffic_ratio": Figure("1", "external bytes / minimum_external_bytes"),
    "minimum_network_bytes": Figure("bytes", "inputs, weights and outputs of the run, each byte once"),
    "network_traffic_ratio": Figure("1", "external bytes / minimum_network_bytes"),
    "utilization": Figure(
        "1",
        "parts of total_ps: array_macs (macs / peak), array, vector, dma, block_mover, streamer (busy engines / "
        "engines), external (busy memory)",
    ),
    "energy_pj": Figure("pJ", "operations, and bytes read and written of each level, times the figures of the profile"),
    "gops": Figure("10⁹ operations/s", "2 macs / total_ps"),
    "operations_per_pj": Figure("operations/pJ", "2 macs / energy, which is 10¹² operations per second and watt"),
}
"""Figures of `timing`, of a run and of each launch of a simulated device."""
