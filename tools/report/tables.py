"""The tables of a run's report: launches with their time, traffic and energy; cost figures; levels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tfmbs.compiler.html import table
from tfmbs.runtime.figures import COUNTERS, FIGURES
from tfmbs.runtime.measured.traffic import LEVELS
from tfmbs.tools.report.spelled import joules, percent, words

SORTED, TOTALS = "sort", "totals"
NAMES = ("#", "Launch", "Kind", "Layer")
TIME = (
    "Cycles", "Share", "Predicted", "Simulated / predicted", "Limited by", "Of peak", "Array busy", "Vector busy",
    "External busy", "External bytes", "Bytes / predicted", "Bytes / least", "MACs per byte", "Energy, nJ", "Zero skip",
    "MACs not done", "Sparsity",
)  # fmt: skip
TEXTS = {"Launch", "Kind", "Layer", "Limited by", "Zero skip"}
"""Columns that are no numbers."""


def launch_table(launches: Sequence[dict[str, Any]], total_ps: int) -> str:
    """A row per launch of a simulated run."""
    rows = [(*_names(number, launch), *_time(launch, total_ps)) for number, launch in enumerate(launches)]
    return _sorted((*NAMES, *TIME), rows)


def _sorted(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that is sorted by clicks, without the columns in which no row has anything."""
    kept = [i for i in range(len(head)) if any(row[i] for row in rows)]
    numbers = [at for at, i in enumerate(kept) if head[i] not in TEXTS]
    return table([head[i] for i in kept], [[row[i] for i in kept] for row in rows], numbers, kind=SORTED)


def _names(number: int, launch: dict[str, Any]) -> tuple[str, ...]:
    return str(number), launch["name"], launch["kind"], launch["layer"] if launch["layer"] != launch["name"] else ""


def _time(launch: dict[str, Any], total_ps: int) -> Iterator[str]:
    timing, predicted = launch["timing"], launch["predicted_cycles"]
    critical, used, levels = timing["critical_ps"], timing["utilization"], timing["levels"]
    yield f"{timing['cycles']:,}"
    yield percent(timing["total_ps"] / total_ps if total_ps else 0.0)
    yield f"{predicted:,}" if predicted else ""
    yield f"{timing['cycles'] / predicted:.3f}" if predicted else ""
    yield words(max(critical, key=lambda name: critical[name])) if timing["total_ps"] else ""
    yield percent(used["array_macs"]) if timing["macs"] else ""
    for name in ("array", "vector", "external"):
        yield percent(used[name])
    external = levels["external"]["read_bytes"] + levels["external"]["written_bytes"]
    yield f"{external:,}"
    yield f"{external / launch['predicted_external_bytes']:.3f}" if launch["predicted_external_bytes"] else ""
    yield f"{timing['traffic_ratio']:.2f}"
    yield f"{levels['external']['macs_per_byte']:.1f}" if timing["macs"] else ""
    yield f"{timing['energy_pj']['total'] / 1000:,.1f}"
    yield launch["zero_skip_mode"].lower()
    left_out = timing["skipped_macs"] + timing["gated_macs"]
    yield percent(left_out / timing["dense_macs"]) if left_out else ""
    yield percent(launch["sparsity"]) if launch["sparsity"] else ""


def cost_table(value: dict[str, Any]) -> str:
    """Counters and cost figures per launch, and of the run; with the wall time of a device that is not simulated."""
    is_simulated = "timing" in value
    counted = (f"{name}, {figure.unit}" for name, figure in COUNTERS.items())
    figures = (*counted, *FIGURES, *(() if is_simulated else ("wall, µs",)))
    head = (*NAMES, *(name.replace("_", " ") for name in figures))

    def numbers(row: dict[str, Any]) -> Iterator[str]:
        yield from (f"{row[name]:,}" for name in COUNTERS)
        yield from (f"{row[name]:,.4g}" if row[name] < 1e4 else f"{row[name]:,.0f}" for name in FIGURES)
        if not is_simulated:
            yield f"{row['wall_ns'] / 1000:,.1f}"

    rows = [(*_names(i, launch), *numbers(launch)) for i, launch in enumerate(value["launches"])]
    total, columns = ("all launches", *numbers(value["totals"])), ("", *head[len(NAMES) :])
    return table(columns, [total], range(1, len(columns)), kind=TOTALS) + _sorted(head, rows)


def level_table(timing: dict[str, Any]) -> str:
    """Bytes, reuse and energy of each level."""
    rows = [
        (
            words(name),
            f"{timing['levels'][name]['read_bytes']:,}",
            f"{timing['levels'][name]['written_bytes']:,}",
            f"{timing['levels'][name]['macs_per_byte']:,.2f}",
            joules(timing["energy_pj"][name]),
        )
        for name in LEVELS
    ]
    return table(("Level", "Bytes read", "Bytes written", "MACs per byte", "Energy"), rows, range(1, 5))
