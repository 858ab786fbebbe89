"""A roofline as a self-contained SVG: operations per second over operations per byte of weights, both logarithmic."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from tfmbs.tools.bench.cell import DRAM, Cell

COLOURS = ("#2563a8", "#c2382e", "#2f855a", "#8b5cf6", "#b7791f", "#0e7490", "#be185d", "#4b5563")
"""Of kernels, in the order in which they come; ours first."""

WIDTH, HEIGHT = 560, 400  # of a panel, in pixels
LEFT, RIGHT, TOP, FOOT, GAP = 64, 16, 34, 46, 28
ROW, LEGEND_COLUMN, HEADER = 18, 270, 44

_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1c2430}.soft{fill:#5b6675;font-size:11px}.grid{stroke:#e8ecf0}"
    ".roof{fill:none;stroke:#1c2430;stroke-width:1.4}.over{paint-order:stroke;stroke:#fff;stroke-width:3px}.title{font-size:15px;font-weight:600}.head{font-weight:600}"
)


@dataclass(frozen=True)
class Axis:
    """A logarithmic axis: values from `low` to `high` on pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a value."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Powers of ten, and twice and five times these where there are few."""
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        steps = (1, 2, 5) if len(decades) <= 4 else (1,)
        values = (step * 10.0**decade for decade in decades for step in steps)
        return [value for value in values if self.low <= value <= self.high]


def roofline(cells: Sequence[Cell], machine: str) -> str:
    """A panel for each number of threads; slopes are the read stream, horizontal lines the peak of each multiplier."""
    threads = sorted({cell.threads for cell in cells})
    kernels = list(dict.fromkeys(cell.kernel for cell in sorted(cells, key=lambda cell: not cell.ours)))
    kinds = list(dict.fromkeys(cell.type for cell in cells))
    colours = {kernel: COLOURS[index % len(COLOURS)] for index, kernel in enumerate(kernels)}
    panels = [
        _panel([cell for cell in cells if cell.threads == number], cells, number, colours, kinds) for number in threads
    ]
    width = max(len(panels) * (WIDTH + GAP), 3 * LEGEND_COLUMN) + GAP
    per_column = math.ceil(len(kernels) / max(1, int((width - GAP) / LEGEND_COLUMN)))
    height = HEADER + HEIGHT + (max(per_column, 1) + 2) * ROW + GAP
    parts = [
        f'<text class="title" x="{GAP}" y="22">tfmbs-bench kernels</text>'
        f'<text class="soft" x="{GAP}" y="39">{escape(machine)}</text>'
    ]
    parts += [
        f'<g transform="translate({GAP / 2 + index * (WIDTH + GAP):g},{HEADER})">{panel}</g>'
        for index, panel in enumerate(panels)
    ]
    parts.append(_legend(colours, kinds, HEADER + HEIGHT + ROW, per_column))
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}><style>{_STYLE}</style>'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _panel(
    shown: Sequence[Cell], every: Sequence[Cell], threads: int, colours: dict[str, str], kinds: Sequence[str]
) -> str:
    x = Axis(*_ends([_intensity(cell) for cell in every], 1.6), LEFT, WIDTH - RIGHT)
    tops = [cell.limit.operations_per_second for cell in every]
    y = Axis(*_ends([*(cell.operations_per_second for cell in every), *tops], 1.4), HEIGHT - FOOT, TOP)
    title = f"{threads} thread{'s' if threads > 1 else ''}"
    parts = [f'<text class="head" x="{LEFT}" y="{TOP - 12}">{title}</text>', _grid(x, y)]
    for cell in sorted(shown, key=lambda cell: cell.ours):  # ours above the others
        at = x.at(_intensity(cell)), y.at(cell.operations_per_second)
        label = (
            f"{cell.kernel}, {cell.type} {cell.rows}×{cell.columns}, n={cell.tokens}, weights in "
            f"{'memory' if cell.residence == DRAM else 'caches'}: {cell.operations_per_second / 1e9:.1f} GOPS"
        )
        parts.append(_mark(kinds.index(cell.type), at, colours[cell.kernel], label, full=cell.ours))
    parts.append(_roofs(shown, x, y))
    return "".join(parts)


def _intensity(cell: Cell) -> float:
    return cell.operations / cell.weight_bytes


def _ends(values: Iterable[float], margin: float) -> tuple[float, float]:
    found = list(values)
    return min(found) / margin, max(found) * margin


def _grid(x: Axis, y: Axis) -> str:
    parts = []
    for value in x.ticks():
        at = x.at(value)
        parts.append(f'<line class="grid" x1="{at:.1f}" y1="{y.end}" x2="{at:.1f}" y2="{y.start}"/>')
        parts.append(f'<text class="soft" x="{at:.1f}" y="{y.start + 15:.1f}" text-anchor="middle">{value:g}</text>')
    for value in y.ticks():
        at = y.at(value)
        parts.append(f'<line class="grid" x1="{x.start}" y1="{at:.1f}" x2="{x.end}" y2="{at:.1f}"/>')
        label = f"{value / 1e9:g}"
        parts.append(f'<text class="soft" x="{x.start - 6:.1f}" y="{at + 4:.1f}" text-anchor="end">{label}</text>')
    middle = (x.start + x.end) / 2
    parts.append(
        f'<text class="soft" x="{middle:.1f}" y="{y.start + 34:.1f}" text-anchor="middle">'
        "operations per byte of weights</text>"
        f'<text class="soft" x="{x.start - 48:.1f}" y="{y.end - 12:.1f}">GOPS</text>'
    )
    return "".join(parts)


def _roofs(shown: Sequence[Cell], x: Axis, y: Axis) -> str:
    """What memory and each multiplier allow: the medians of all rounds."""
    bandwidth = statistics.median(cell.limit.bytes_per_second for cell in shown)
    units = {unit: statistics.median(_peaks(shown, unit)) for unit in dict.fromkeys(cell.limit.unit for cell in shown)}
    parts = []
    for unit, peak in units.items():
        ridge = min(max(peak / bandwidth, x.low), x.high)
        at = y.at(peak)
        parts.append(f'<path class="roof" d="M{x.at(ridge):.1f} {at:.1f}H{x.end}"/>')
        label = f"{unit}: {peak / 1e9:.0f} GOPS"
        parts.append(f'<text class="soft over" x="{x.end}" y="{at - 6:.1f}" text-anchor="end">{escape(label)}</text>')
    top = max(units.values())
    low, high = max(x.low, y.low / bandwidth), min(x.high, top / bandwidth)
    if low < high:
        a, b = (x.at(low), y.at(low * bandwidth)), (x.at(high), y.at(high * bandwidth))
        parts.append(f'<path class="roof" d="M{a[0]:.1f} {a[1]:.1f}L{b[0]:.1f} {b[1]:.1f}"/>')
        middle = (a[0] + b[0]) / 2, (a[1] + b[1]) / 2
        turn = math.degrees(math.atan2(b[1] - a[1], b[0] - a[0]))
        parts.append(
            f'<text class="soft over" text-anchor="middle" transform="translate({middle[0]:.1f},{middle[1] - 6:.1f}) '
            f'rotate({turn:.1f})">read stream: {bandwidth / 1e9:.1f} GB/s</text>'
        )
    return "".join(parts)


def _peaks(shown: Sequence[Cell], unit: str) -> list[float]:
    return [cell.limit.operations_per_second for cell in shown if cell.limit.unit == unit]


def _mark(kind: int, at: tuple[float, float], colour: str, label: str, *, full: bool) -> str:
    """A circle, square, triangle, diamond or cross for the type; filled where it is ours."""
    x, y = at
    shapes = (
        f"M{x - 5:.1f} {y:.1f}a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z",
        f"M{x - 4.5:.1f} {y - 4.5:.1f}h9v9h-9z",
        f"M{x:.1f} {y - 5.5:.1f}l5.5 10h-11z",
        f"M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6z",
        f"M{x - 2:.1f} {y - 6:.1f}h4v4h4v4h-4v4h-4v-4h-4v-4h4z",
    )
    fill, opacity = (colour, 0.9) if full else ("#fff", 0.75)
    return (
        f'<path d="{shapes[kind % len(shapes)]}" fill="{fill}" fill-opacity="{opacity}" stroke="{colour}" '
        f'stroke-width="1.4"><title>{escape(label)}</title></path>'
    )


def _legend(colours: dict[str, str], kinds: Sequence[str], top: float, per_column: int) -> str:
    parts = []
    for index, (kernel, colour) in enumerate(colours.items()):
        x, y = GAP + index // per_column * LEGEND_COLUMN, top + (index % per_column) * ROW
        parts.append(f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{x + 16}" y="{y}">{escape(kernel)}</text>')
    y, x = top + per_column * ROW + 8, GAP
    for index, kind in enumerate(kinds):
        parts.append(_mark(index, (x + 5, y - 4), "#5b6675", kind, full=False))
        parts.append(f'<text x="{x + 16}" y="{y}">{escape(kind)}</text>')
        x += 16 + 8 * len(kind) + 24
    parts.append(f'<text class="soft" x="{x}" y="{y}">filled: ours; several marks of a kind: shapes and batches</text>')
    return "".join(parts)
