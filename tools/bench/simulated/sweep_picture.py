"""The points of a sweep as a self-contained SVG: energy and area over time, logarithmic, with the Pareto front."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from tfmbs.tools.bench.roofs import (
    COLOURS,
    GAP,
    HEADER,
    HEIGHT,
    ROW,
    WIDTH,
    axes,
    document,
    lattice,
    mark,
    panel,
    title,
)
from tfmbs.tools.bench.simulated.point import Point

MARGIN = 1.15
BEST, OTHER = COLOURS[0], COLOURS[-1]


def picture(points: Sequence[Point], on_front: Sequence[bool]) -> str:
    """Two panels; marks have the numbers of the table and are filled on the front of all three costs."""
    panels = (
        _panel(points, on_front, "energy, µJ", lambda one: one.energy_pj / 1e6),
        _panel(points, on_front, "area, mm²", lambda one: one.area_mm2),
    )
    parts = [title("tfmbs-bench sweep")]
    parts += [panel(content, index * (WIDTH + GAP), 0) for index, content in enumerate(panels)]
    y = HEADER + HEIGHT + ROW
    parts.append(mark(0, (GAP + 5, y - 4), BEST, "Pareto front", full=True))
    parts.append(f'<text x="{GAP + 16}" y="{y}">on the Pareto front of time, energy and area</text>')
    return document(parts, 2 * (WIDTH + GAP), y + ROW)


def _panel(points: Sequence[Point], on_front: Sequence[bool], what: str, cost: Callable[[Point], float]) -> str:
    times = [one.total_ps / 1e6 for one in points]
    costs = [cost(one) for one in points]
    x, y = axes(times, costs, (MARGIN, MARGIN))
    parts = [lattice(x, y, "time, µs", what)]
    shown = list(enumerate(zip(points, times, costs, on_front, strict=True), 1))
    for number, (one, time, value, best) in sorted(shown, key=lambda item: item[1][3]):  # the front above the others
        at = x.at(time), y.at(value)
        changes = ", ".join(f"{key}={changed}" for key, changed in one.changes.items())
        parts.append(
            mark(0, at, BEST if best else OTHER, f"{number}: {changes}: {time:.2f} µs, {value:.2f}", full=best)
        )
        parts.append(f'<text class="soft over" x="{at[0] + 8:.1f}" y="{at[1] - 6:.1f}">{escape(str(number))}</text>')
    return "".join(parts)
