"""The report of a run: one self-contained HTML page with a row for each launch and the definition of each counter."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from tfmbs.runtime.stats import COUNTERS, FIGURES, LaunchStats, Stats

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 14px/1.45 system-ui, sans-serif; margin: 2rem; color: #1a1a1a; background: #fff }}
table {{ border-collapse: collapse; margin-bottom: 2rem }}
th, td {{ text-align: left; padding: .3rem .8rem; border-bottom: 1px solid #ddd; vertical-align: top }}
td.number {{ text-align: right; font-variant-numeric: tabular-nums }}
dl {{ display: grid; grid-template-columns: max-content auto; gap: .2rem 1rem }} dd {{ margin: 0 }}
</style></head><body><h1>{title}</h1>
<table><thead><tr>{head}</tr></thead><tbody>
{rows}
</tbody></table><dl>{definitions}</dl>
</body></html>
"""

NAMES = ("Launch", "Kind", "Layer", "Pattern", "Sparsity")


def html_report(stats: Stats, title: str) -> str:
    """The page. Wall time is that of this machine's emulation, microseconds; the counters are the fabric's."""
    head = "".join(f"<th>{escape(name)}</th>" for name in (*NAMES, *COUNTERS, "fabric_cost", "wall, µs"))
    rows = [_row(_names(launch), _numbers(launch)) for launch in stats.launches]
    rows.append(
        _row(("all", "", "", "", ""), (*stats.totals.values(), stats.figures["fabric_cost"], stats.wall_ns / 1000))
    )
    definitions = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(meaning)}</dd>" for name, meaning in {**COUNTERS, **FIGURES}.items()
    )
    heading = escape(f"{title}: {stats.entry} on {stats.device}")
    return _PAGE.format(title=heading, head=head, rows="\n".join(rows), definitions=definitions)


def _names(launch: LaunchStats) -> tuple[str, ...]:
    return launch.name, launch.kind, launch.layer, launch.pattern, f"{launch.sparsity:.1%}" if launch.sparsity else ""


def _numbers(launch: LaunchStats) -> tuple[float, ...]:
    return *(getattr(launch, name) for name in COUNTERS), launch.fabric_cost, launch.wall_ns / 1000


def _row(names: Iterable[str], numbers: Iterable[float]) -> str:
    cells = [f"<td>{escape(name)}</td>" for name in names]
    cells += [f'<td class="number">{number:,.0f}</td>' for number in numbers]
    return f"<tr>{''.join(cells)}</tr>"
