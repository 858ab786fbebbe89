"""What pictures are drawn of: panels with logarithmic axes and a grid, slopes of bandwidths under peaks, and marks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

COLOURS = ("#2563a8", "#c2382e", "#2f855a", "#8b5cf6", "#b7791f", "#0e7490", "#be185d", "#4b5563")
"""Of kernels, in the order in which they come; ours first."""

WIDTH, HEIGHT = 560, 400  # of a panel, in pixels
LEFT, RIGHT, TOP, FOOT, GAP = 64, 16, 34, 46, 28
ROW, LEGEND_COLUMN, HEADER = 18, 270, 44

STYLE = (
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
        """Powers of ten, and multiples of these where there are few."""
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        steps = range(1, 10) if self.high < 8 * self.low else (1, 2, 5) if len(decades) <= 4 else (1,)
        values = (step * 10.0**decade for decade in decades for step in steps)
        return [value for value in values if self.low <= value <= self.high]


def axes(
    xs: Iterable[float], ys: Iterable[float], margins: tuple[float, float], width: float = WIDTH
) -> tuple[Axis, Axis]:
    """Those of a panel, for values along both, with margins as factors."""
    x, y = (_ends(list(values), margin) for values, margin in zip((xs, ys), margins, strict=True))
    return Axis(*x, LEFT, width - RIGHT), Axis(*y, HEIGHT - FOOT, TOP)


def _ends(values: Sequence[float], margin: float) -> tuple[float, float]:
    return min(values) / margin, max(values) * margin


def title(text: str) -> str:
    """Of the whole picture."""
    return f'<text class="title" x="{GAP}" y="22">{escape(text)}</text>'


def head(text: str) -> str:
    """Of a panel."""
    return f'<text class="head" x="{LEFT}" y="{TOP - 12}">{escape(text)}</text>'


def panel(content: str, x: float, y: float) -> str:
    """A panel that lies so far right and below."""
    return f'<g transform="translate({GAP / 2 + x:g},{HEADER + y:g})">{content}</g>'


def document(parts: Sequence[str], width: float, height: float) -> str:
    """The whole picture, self-contained."""
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}><style>{STYLE}</style>'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def grid(x: Axis, y: Axis, per: str) -> str:
    """Of a roofline: operations per `per`, and 10⁹ operations per second."""
    return lattice(x, y, f"operations per {per}", "GOPS", 1e9)


def lattice(x: Axis, y: Axis, x_title: str, y_title: str, y_unit: float = 1.0) -> str:
    """Lines and numbers, those of y in a unit, and what the axes are."""
    parts = []
    for value in x.ticks():
        at = x.at(value)
        parts.append(f'<line class="grid" x1="{at:.1f}" y1="{y.end}" x2="{at:.1f}" y2="{y.start}"/>')
        parts.append(f'<text class="soft" x="{at:.1f}" y="{y.start + 15:.1f}" text-anchor="middle">{value:g}</text>')
    for value in y.ticks():
        at = y.at(value)
        parts.append(f'<line class="grid" x1="{x.start}" y1="{at:.1f}" x2="{x.end}" y2="{at:.1f}"/>')
        label = f"{value / y_unit:g}"
        parts.append(f'<text class="soft" x="{x.start - 6:.1f}" y="{at + 4:.1f}" text-anchor="end">{label}</text>')
    middle = (x.start + x.end) / 2
    parts.append(
        f'<text class="soft" x="{middle:.1f}" y="{y.start + 34:.1f}" text-anchor="middle">{escape(x_title)}</text>'
        f'<text class="soft" x="{x.start - 48:.1f}" y="{y.end - 12:.1f}">{escape(y_title)}</text>'
    )
    return "".join(parts)


def roofs(bandwidths: Mapping[str, float], peaks: Mapping[str, float], x: Axis, y: Axis) -> str:
    """Slopes of bandwidths, bytes per second, up to the highest of `peaks`, operations per second; by their labels."""
    parts = []
    widest, top = max(bandwidths.values()), max(peaks.values())
    for name, peak in peaks.items():
        ridge = min(max(peak / widest, x.low), x.high)
        at = y.at(peak)
        parts.append(f'<path class="roof" d="M{x.at(ridge):.1f} {at:.1f}H{x.end}"/>')
        label = f"{name}: {peak / 1e9:.0f} GOPS"
        parts.append(f'<text class="soft over" x="{x.end}" y="{at - 6:.1f}" text-anchor="end">{escape(label)}</text>')
    for name, bandwidth in bandwidths.items():
        low, high = max(x.low, y.low / bandwidth), min(x.high, top / bandwidth)
        if low >= high:
            continue
        a, b = (x.at(low), y.at(low * bandwidth)), (x.at(high), y.at(high * bandwidth))
        parts.append(f'<path class="roof" d="M{a[0]:.1f} {a[1]:.1f}L{b[0]:.1f} {b[1]:.1f}"/>')
        middle = (a[0] + b[0]) / 2, (a[1] + b[1]) / 2
        turn = math.degrees(math.atan2(b[1] - a[1], b[0] - a[0]))
        parts.append(
            f'<text class="soft over" text-anchor="middle" transform="translate({middle[0]:.1f},{middle[1] - 6:.1f}) '
            f'rotate({turn:.1f})">{escape(name)}: {bandwidth / 1e9:.1f} GB/s</text>'
        )
    return "".join(parts)


def mark(kind: int, at: tuple[float, float], colour: str, label: str, *, full: bool) -> str:
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
