"""Charts as inline SVG, for the pages of `tfmbs.compiler.html`, whose style gives the classes their colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_ROW = 20  # pixels
_BARS, _VALUES = 560, 110
_WIDTH, _HEIGHT, _FOOT, _TOP = 250, 96, 16, 16
_CHARACTERS, _CHARACTER = 40, 6.5  # of a label: how many, and the width of one in pixels


@dataclass(frozen=True)
class Bar:
    """A bar of a chart: its label, its length, what is written behind it, and whether it stands out."""

    label: str
    value: float
    text: str
    bad: bool = False


def bars(rows: Sequence[Bar], top: float | None = None) -> str:
    """Horizontal bars from zero to `top`, or the longest; infinite ones have the full width, negative and NaN none."""
    if top is None:
        top = max((row.value for row in rows if 0 < row.value < math.inf), default=1.0)
    lines = []
    names = [row.label if len(row.label) <= _CHARACTERS else f"…{row.label[1 - _CHARACTERS :]}" for row in rows]
    start = 12 + _CHARACTER * max(map(len, names), default=0)
    for number, (row, name) in enumerate(zip(rows, names, strict=True)):
        y, length = number * _ROW, _BARS * min(max(row.value, 0.0), top) / top if row.value == row.value else 0.0
        kind = "bad" if row.bad else "light" if math.isinf(row.value) else "mark"
        lines.append(
            f'<text x="{start - 8:.1f}" y="{y + 14}" text-anchor="end">{escape(name)}<title>{escape(row.label)}</title>'
            f'</text><rect class="{kind}" x="{start:.1f}" y="{y + 4}" width="{length:.1f}" height="{_ROW - 7}" rx="2"/>'
            f'<text class="soft" x="{start + length + 6:.1f}" y="{y + 14}">{escape(row.text)}</text>'
        )
    return _svg(start + _BARS + _VALUES, len(rows) * _ROW, "".join(lines))


@dataclass(frozen=True)
class Histogram:
    """Counts of values in bins of equal width between two ends, all values being finite."""

    low: float
    high: float
    counts: Array

    @classmethod
    def of(cls, values: npt.NDArray[np.floating], bins: int = 61, ends: tuple[float, float] | None = None) -> Histogram:
        """The histogram of the finite ones of `values` between their ends, or the given ones."""
        finite = values[np.isfinite(values)].astype(np.float64)
        low, high = ends or ((float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0))
        if low == high:
            low, high = low - 0.5, high + 0.5
        counts, _ = np.histogram(finite, bins, (low, high))
        return cls(low, high, counts.astype(np.float64))


def histogram(
    title: str, filled: Histogram, outline: Histogram | None = None, span: tuple[float, float] | None = None
) -> str:
    """Filled bins, with the outline of a second histogram over them; what is outside of `span` is shaded.

    The height of a bin is the logarithm of 1 + its count, of both in one scale.
    """
    shown = [filled] if outline is None else [filled, outline]
    low, high = min(h.low for h in shown), max(h.high for h in shown)
    tallest = max(math.log1p(float(h.counts.max(initial=0.0))) for h in shown) or 1.0
    bottom = _TOP + _HEIGHT

    def x(value: float) -> float:
        return _WIDTH * (value - low) / (high - low)

    def y(count: float) -> float:
        return bottom - _HEIGHT * math.log1p(count) / tallest

    parts = [f'<text x="0" y="11">{escape(title)}</text>']
    if span is not None:
        sides = ((low, min(max(span[0], low), high)), (min(max(span[1], low), high), high))
        parts += [
            f'<rect class="outside" x="{x(a):.1f}" y="{_TOP}" width="{x(b) - x(a):.1f}" height="{_HEIGHT}"/>'
            for a, b in sides
        ]
    parts += [
        f'<rect class="light" x="{x(a):.1f}" y="{y(n):.1f}" width="{x(b) - x(a):.2f}" height="{bottom - y(n):.1f}"/>'
        for a, b, n in _bins(filled)
        if n
    ]
    if outline is not None:
        points = " ".join(f"{x(edge):.1f},{y(n):.1f}" for a, b, n in _bins(outline) for edge in (a, b))
        parts.append(f'<polyline class="step" points="{points}"/>')
    parts.append(f'<line class="axis" x1="0" y1="{bottom}" x2="{_WIDTH}" y2="{bottom}"/>')
    ends = ((0.0, "start", low), (float(_WIDTH), "end", high))
    parts += [
        f'<text class="soft" x="{at}" y="{bottom + 13}" text-anchor="{anchor}">{value:.3g}</text>'
        for at, anchor, value in ends
    ]
    if low < 0 < high and _WIDTH / 5 < x(0) < _WIDTH * 4 / 5:
        parts.append(f'<text class="soft" x="{x(0):.1f}" y="{bottom + 13}" text-anchor="middle">0</text>')
    return _svg(_WIDTH, bottom + _FOOT, "".join(parts))


def _bins(histogram: Histogram) -> list[tuple[float, float, float]]:
    """Left end, right end and count of each bin."""
    edges = np.linspace(histogram.low, histogram.high, len(histogram.counts) + 1)
    return [(float(a), float(b), float(n)) for a, b, n in zip(edges[:-1], edges[1:], histogram.counts, strict=True)]


def _svg(width: float, height: float, content: str) -> str:
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    return f'<svg role="img" {size}>{content}</svg>'
