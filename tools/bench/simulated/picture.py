"""Workloads under the roofs of their target as a self-contained SVG: operations over external bytes, logarithmic."""

from __future__ import annotations

from collections.abc import Sequence
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
    Axis,
    ends,
    grid,
    mark,
    roofs,
)  # fmt: skip
from tfmbs.tools.bench.simulated.result import Simulated

WIDTH = 760  # of a panel, pixels
COLUMN = 150
LEVELS = {"external": "external memory", "L3–L2": "L3–L2", "L2–L1": "L2–L1"}


def picture(found: Sequence[Simulated]) -> str:
    """A panel for each target with products; a mark is filled where the run is within the bar of its bound."""
    shown = [one for one in found if one.macs and one.external_bytes]
    suites = list(dict.fromkeys(one.suite for one in shown))
    colours = {suite: COLOURS[index % len(COLOURS)] for index, suite in enumerate(suites)}
    # Narrowed engines are machines of their own.
    panels: dict[str, list[Simulated]] = {}
    for one in shown:
        if not one.vary:
            panels.setdefault(one.target, []).append(one)
    parts = [f'<text class="title" x="{GAP}" y="22">tfmbs-bench simulator</text>']
    for index, (target, own) in enumerate(panels.items()):
        panel = _panel(target, own, colours)
        parts.append(f'<g transform="translate({GAP / 2:g},{HEADER + index * (HEIGHT + ROW)})">{panel}</g>')
    top = HEADER + len(panels) * (HEIGHT + ROW) + ROW
    for index, (suite, colour) in enumerate(colours.items()):
        x, y = GAP + index % 5 * COLUMN, top + index // 5 * ROW
        parts.append(f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{x + 16}" y="{y}">{escape(suite)}</text>')
    said = "filled: within 1.25 times the bound of the workload; titles of marks have names and figures"
    parts.append(f'<text class="soft" x="{GAP}" y="{top + 2 * ROW}">{said}</text>')
    width, height = WIDTH + GAP, top + 3 * ROW
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}><style>{STYLE}</style>'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _panel(target: str, own: Sequence[Simulated], colours: dict[str, str]) -> str:
    peaks = own[0].peaks
    rates = [_rate(one) for one in own]
    intensities = [_intensity(one) for one in own]
    ridge = peaks["array"] / peaks["external"]
    x = Axis(*ends([*intensities, ridge], 1.6), LEFT, WIDTH - RIGHT)
    y = Axis(*ends([*rates, peaks["array"]], 1.6), HEIGHT - FOOT, TOP)
    parts = [f'<text class="head" x="{LEFT}" y="{TOP - 12}">{escape(target)}</text>', grid(x, y, "external byte moved")]
    slopes = {label: peaks[name] for name, label in LEVELS.items()}
    parts.append(roofs(slopes, {"array": peaks["array"]}, x, y))
    for one, rate, intensity in zip(own, rates, intensities, strict=True):
        label = f"{one.suite}: {one.name}: {rate / 1e9:.1f} GOPS, {one.ratio:.2f} times its bound ({one.limit})"
        parts.append(mark(0, (x.at(intensity), y.at(rate)), colours[one.suite], label, full=one.ratio <= 1.25))
    return "".join(parts)


def _rate(one: Simulated) -> float:
    return 2e12 * one.macs / one.total_ps


def _intensity(one: Simulated) -> float:
    return 2 * one.macs / one.external_bytes
