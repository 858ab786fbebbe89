"""The report of a run: one self-contained HTML page with a row for each launch and the definition of each counter."""

from __future__ import annotations

from collections.abc import Iterable

from tfmbs.compiler.html import facts, page, table
from tfmbs.runtime.figures import COUNTERS, FIGURES
from tfmbs.runtime.stats import LaunchStats, Stats

NAMES = ("Launch", "Kind", "Layer", "Pattern", "Sparsity")


def html_report(stats: Stats, title: str) -> str:
    """The page. Wall time is that of this machine's emulation, microseconds; the counters are the fabric's."""
    head = (*NAMES, *COUNTERS, "fabric_cost", "wall, µs")
    rows = [(*_names(launch), *_spelled(_numbers(launch))) for launch in stats.launches]
    totals = (*stats.totals.values(), stats.figures["fabric_cost"], stats.wall_ns / 1000)
    rows.append(("all", *[""] * (len(NAMES) - 1), *_spelled(totals)))
    launches = table(head, rows, range(len(NAMES), len(head)))
    return page(
        f"{title}: {stats.entry} on {stats.device}",
        launches,
        facts({name: figure.meaning for name, figure in {**COUNTERS, **FIGURES}.items()}),
    )


def _names(launch: LaunchStats) -> tuple[str, ...]:
    return launch.name, launch.kind, launch.layer, launch.pattern, f"{launch.sparsity:.1%}" if launch.sparsity else ""


def _numbers(launch: LaunchStats) -> tuple[float, ...]:
    return *(getattr(launch, name) for name in COUNTERS), launch.fabric_cost, launch.wall_ns / 1000


def _spelled(numbers: Iterable[float]) -> tuple[str, ...]:
    return tuple(f"{number:,.0f}" for number in numbers)
