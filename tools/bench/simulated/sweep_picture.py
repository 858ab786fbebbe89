"""The points of a sweep as a self-contained SVG: energy and area over time, logarithmic, with the Pareto front."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from tfmbs.tools.bench.roofs import (
    COLOURS,
    FOOT,
    GAP,
    HEADER,
    HEIGHT,
    LEFT,
    RIGHT,
    ROW,
    STYLE,
    TOP,
    WIDTH,
    Axis,
    ends,
    lattice,
    mark,
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
    parts = [f'<text class="title" x="{GAP}" y="22">tfmbs-bench sweep</text>']
    for index, panel in enumerate(panels):
        parts.append(f'<g transform="translate({GAP / 2 + index * (WIDTH + GAP):g},{HEADER})">{panel}</g>')
    y = HEADER + HEIGHT + ROW
    parts.append(mark(0, (GAP + 5, y - 4), BEST, "Pareto front", full=True))
    parts.append(f'<text x="{GAP + 16}" y="{y}">on the Pareto front of time, energy and area</text>')
    size = f'width="{2 * (WIDTH + GAP):g}" height="{y + ROW}" viewBox="0 0 {2 * (WIDTH + GAP):g} {y + ROW}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}><style>{STYLE}</style>'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _panel(points: Sequence[Point], on_front: Sequence[bool], title: str, cost: Callable[[Point], float]) -> str:
    times = [one.total_ps / 1e6 for one in points]
    costs = [cost(one) for one in points]
    x = Axis(*ends(times, MARGIN), LEFT, WIDTH - RIGHT)
    y = Axis(*ends(costs, MARGIN), HEIGHT - FOOT, TOP)
    parts = [lattice(x, y, "time, µs", title)]
    shown = list(enumerate(zip(points, times, costs, on_front, strict=True), 1))
    for number, (one, time, value, best) in sorted(shown, key=lambda item: item[1][3]):  # the front above the others
        at = x.at(time), y.at(value)
        changes = ", ".join(f"{key}={changed}" for key, changed in one.changes.items())
        parts.append(
            mark(0, at, BEST if best else OTHER, f"{number}: {changes}: {time:.2f} µs, {value:.2f}", full=best)
        )
        parts.append(f'<text class="soft over" x="{at[0] + 8:.1f}" y="{at[1] - 6:.1f}">{escape(str(number))}</text>')
    return "".join(parts)
