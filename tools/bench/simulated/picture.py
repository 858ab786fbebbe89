"""Workloads under the roofs of their target as a self-contained SVG: operations over external bytes, logarithmic."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tfmbs.tools.bench.roofs import (
    COLOURS,
    GAP,
    HEADER,
    HEIGHT,
    ROW,
    axes,
    document,
    grid,
    head,
    mark,
    panel,
    roofs,
    title,
)
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
    parts = [title("tfmbs-bench simulator")]
    for index, (target, own) in enumerate(panels.items()):
        parts.append(panel(_panel(target, own, colours), 0, index * (HEIGHT + ROW)))
    top = HEADER + len(panels) * (HEIGHT + ROW) + ROW
    for index, (suite, colour) in enumerate(colours.items()):
        x, y = GAP + index % 5 * COLUMN, top + index // 5 * ROW
        parts.append(f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{x + 16}" y="{y}">{escape(suite)}</text>')
    said = "filled: within 1.25 times the bound of the workload; titles of marks have names and figures"
    parts.append(f'<text class="soft" x="{GAP}" y="{top + 2 * ROW}">{said}</text>')
    return document(parts, WIDTH + GAP, top + 3 * ROW)


def _panel(target: str, own: Sequence[Simulated], colours: dict[str, str]) -> str:
    peaks = own[0].peaks
    rates = [_rate(one) for one in own]
    intensities = [_intensity(one) for one in own]
    ridge = peaks["array"] / peaks["external"]
    x, y = axes([*intensities, ridge], [*rates, peaks["array"]], (1.6, 1.6), WIDTH)
    parts = [head(target), grid(x, y, "external byte moved")]
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
