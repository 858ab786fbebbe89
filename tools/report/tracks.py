"""The timeline of a run: a track per engine, coloured by launch, as one scalable picture."""

from __future__ import annotations

from html import escape

import numpy as np

from tfmbs.runtime.abi.movement.machine import EngineKind
from tfmbs.runtime.measured.path import critical_path, predecessors
from tfmbs.runtime.measured.spans import Times
from tfmbs.runtime.stats import Stats
from tfmbs.runtime.timing import Timing
from tfmbs.tools.report.look import LAUNCH_COLOURS
from tfmbs.tools.report.spelled import percent, seconds, words

UNITS = 10_000  # of the picture, for the whole run
ROW, BAR = 18, 13
MOST_TRACKS = 8  # of a kind
MOST_SPANS = 40_000


def tracks(timing: Timing, stats: Stats) -> str:
    """The picture with its tools. Gaps that are narrower than the picture can show are closed."""
    total = timing.total_ps
    if not total:
        return "<p>Nothing moved.</p>"
    names, parts = ["critical path"], []
    path = critical_path(timing, predecessors(timing))
    parts += _track(timing, stats, path, "critical path", 0)
    left_out = []
    for kind in EngineKind:
        engines = timing.engines(kind)
        for number in engines[:MOST_TRACKS]:
            own = np.flatnonzero(timing.column("engine") == number)
            name = words(kind.name.lower())
            name = f"{name} {timing.program.machine.engines[number].number}" if len(engines) > 1 else name
            parts += _track(timing, stats, own, name, len(names))
            names.append(name)
        if len(engines) > MOST_TRACKS:
            left_out.append(f"{MOST_TRACKS} of {len(engines)} of {words(kind.name.lower())}")
    height = ROW * len(names)
    buttons = {"in": "zoom in", "out": "zoom out", "left": "←", "right": "→", "whole": "whole run"}
    tools = "".join(f'<button type="button" name="{name}">{text}</button>' for name, text in buttons.items())
    labels = "".join(f"<div>{escape(name)}</div>" for name in names)
    note = f"<p>Shown: {'; '.join(left_out)}.</p>" if left_out else ""
    return (
        f'<div><div class="tools">{tools}</div><div class="time"><div class="names">{labels}</div><div>'
        f'<svg role="img" height="{height}" viewBox="0 0 {UNITS} {height}" preserveAspectRatio="none" '
        f'data-us="{total / 1e6:.6f}">{"".join(parts)}</svg>'
        f'<div class="axis"><span>0 µs</span><span>{total / 1e6:.6g} µs</span></div></div></div></div>{note}'
    )


def _track(timing: Timing, stats: Stats, movements: Times, name: str, row: int) -> list[str]:
    """A path of rectangles for each launch of a track."""
    movements = movements[np.argsort(timing.start[movements], kind="stable")]
    launch = timing.column("launch")[movements]
    start, end = timing.start[movements], timing.until[movements]
    total, y = timing.total_ps, row * ROW + (ROW - BAR) // 2
    gap = total // min(UNITS, MOST_SPANS) + 1
    parts = []
    for number in np.unique(launch).tolist():
        here = launch == number
        low, high = _closed(start[here], end[here], gap)
        busy = int((end[here] - start[here]).sum())
        shapes = "".join(
            f"M{UNITS * a / total:.1f} {y}h{max(UNITS * (b - a) / total, 0.5):.1f}v{BAR}H{UNITS * a / total:.1f}z"
            for a, b in zip(low.tolist(), high.tolist(), strict=True)
        )
        fill = LAUNCH_COLOURS[number % len(LAUNCH_COLOURS)]
        told = f"{name}, {number}: {stats.launches[number].name}, {seconds(busy)}, {percent(busy / total)} of the run"
        parts.append(f'<path d="{shapes}" style="fill:{fill}"><title>{escape(told)}</title></path>')
    return parts


def _closed(start: Times, end: Times, gap: int) -> tuple[Times, Times]:
    """Disjoint ascending intervals, those with less than a gap between them as one."""
    first = np.concatenate([[True], start[1:] >= end[:-1] + gap])
    return start[first], end[np.concatenate([first[1:], [True]])]
