"""Rooflines of a run: each launch as a point under the peak and the bandwidth of each link, one panel per link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from tfmbs.tools.bench.roofs import Axis
from tfmbs.tools.report.look import LAUNCH_COLOURS
from tfmbs.tools.report.spelled import amount, percent, plain, seconds

WIDTH, HEIGHT, LEFT, RIGHT, TOP, FOOT = 440, 300, 50, 12, 40, 38
ROOM = 16  # between two numbers of points, pixels
MOST_NUMBERS = 4  # of points that meet
LINKS = {
    "external": ("External memory", ("external_to_l3", "l3_to_external")),
    "block_mover": ("L3–L2 (BlockMovers)", ("l3_to_l2", "l2_to_l3")),
    "streamer": ("L2–L1 (Streamers)", ("l2_to_l1", "l1_to_l2")),
}
"""Bandwidths of the machine: what they are of, and the bytes that they move."""


@dataclass(frozen=True)
class _Point:
    number: int
    name: str
    intensity: float
    gops: float
    share: float
    told: str


def rooflines(machine: dict[str, Any], launches: Sequence[dict[str, Any]]) -> str:
    """A panel per link. Launches without multiply-accumulates are no points."""
    total = sum(launch["timing"]["total_ps"] for launch in launches) or 1
    panels = []
    for link, (title, ways) in LINKS.items():
        points = [
            _point(number, launch, ways, total)
            for number, launch in enumerate(launches)
            if launch["timing"]["macs"]
            and launch["timing"]["total_ps"]
            and sum(launch["timing"]["bytes"][way] for way in ways)
        ]
        panels.append(_panel(title, machine["peak_gops"], machine["gbytes_per_second"][link], points))
    return f'<div class="roofs">{"".join(panels)}</div>'


def _point(number: int, launch: dict[str, Any], ways: Sequence[str], total: int) -> _Point:
    timing = launch["timing"]
    moved = sum(timing["bytes"][way] for way in ways)
    share = timing["total_ps"] / total
    told = (
        f"{launch['name']}: {timing['gops']:.4g} GOPS, {2 * timing['macs'] / moved:.4g} operations per byte, "
        f"{seconds(timing['total_ps'])}, {percent(share)} of the run"
    )
    return _Point(number, launch["name"], 2 * timing["macs"] / moved, timing["gops"], share, told)


def _panel(title: str, peak: float, bandwidth: float, points: Sequence[_Point]) -> str:
    ridge = peak / bandwidth
    x = Axis(
        min([ridge, *(p.intensity for p in points)]) / 2, max([ridge, *(p.intensity for p in points)]) * 2,
        LEFT, WIDTH - RIGHT,
    )  # fmt: skip
    low = min([x.low * bandwidth, *(p.gops for p in points)])
    y = Axis(low / 1.5, peak * 2, HEIGHT - FOOT, TOP)
    parts = [f'<text x="{LEFT}" y="16" style="font-weight:600">{escape(title)}</text>', _grid(x, y)]
    left = max(x.low, y.low / bandwidth)
    foot = f"M{x.at(left):.1f} {y.at(left * bandwidth):.1f}"
    said = f"slope: {plain(bandwidth)} GB/s; ridge at {plain(ridge)} operations per byte"
    parts.append(
        f'<path class="roof" d="{foot}L{x.at(ridge):.1f} {y.at(peak):.1f}H{x.end}"/>'
        f'<text class="soft" x="{x.end}" y="{y.at(peak) - 6:.1f}" text-anchor="end">peak {plain(peak)} GOPS</text>'
        f'<text class="soft" x="{LEFT}" y="30">{said}</text>'
    )
    parts += [_mark(p, x, y) for p in sorted(points, key=lambda p: -p.share)]
    parts += _numbers(points, x, y)
    return f'<svg role="img" viewBox="0 0 {WIDTH} {HEIGHT}"><title>{escape(title)}</title>{"".join(parts)}</svg>'


def _numbers(points: Sequence[_Point], x: Axis, y: Axis) -> list[str]:
    """Numbers below the points; where these meet, below the one that took longest, the first `MOST_NUMBERS`."""
    places: dict[tuple[float, float], list[int]] = {}
    for p in sorted(points, key=lambda p: -p.share):
        at = x.at(p.intensity), y.at(p.gops) + 20
        near = (other for other in places if abs(at[0] - other[0]) <= ROOM and abs(at[1] - other[1]) <= ROOM)
        places.setdefault(next(near, at), []).append(p.number)
    return [
        f'<text class="soft" x="{a:.1f}" y="{b:.1f}" text-anchor="middle">'
        f"{', '.join(map(str, sorted(numbers[:MOST_NUMBERS])))}{', …' if len(numbers) > MOST_NUMBERS else ''}</text>"
        for (a, b), numbers in places.items()
    ]


def _mark(point: _Point, x: Axis, y: Axis) -> str:
    fill = LAUNCH_COLOURS[point.number % len(LAUNCH_COLOURS)]
    size = 3 + 9 * point.share**0.5
    return (
        f'<circle class="point" cx="{x.at(point.intensity):.1f}" cy="{y.at(point.gops):.1f}" r="{size:.1f}" '
        f'style="fill:{fill}"><title>{point.number}: {escape(point.told)}</title></circle>'
    )


def _grid(x: Axis, y: Axis) -> str:
    parts = []
    for value in x.ticks():
        at = x.at(value)
        parts.append(f'<line class="grid" x1="{at:.1f}" y1="{y.end}" x2="{at:.1f}" y2="{y.start}"/>')
        parts.append(f'<text class="soft" x="{at:.1f}" y="{y.start + 13}" text-anchor="middle">{amount(value)}</text>')
    for value in y.ticks():
        at = y.at(value)
        parts.append(f'<line class="grid" x1="{x.start}" y1="{at:.1f}" x2="{x.end}" y2="{at:.1f}"/>')
        parts.append(f'<text class="soft" x="{x.start - 5}" y="{at + 4:.1f}" text-anchor="end">{amount(value)}</text>')
    middle = (x.start + x.end) / 2
    parts.append(
        f'<text class="soft" x="{middle:.1f}" y="{y.start + 29}" text-anchor="middle">operations per byte</text>'
        f'<text class="soft" transform="translate(11,{(y.start + y.end) / 2:.1f}) rotate(-90)" '
        'text-anchor="middle">GOPS</text>'
    )
    return "".join(parts)
