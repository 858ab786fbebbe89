"""Stacked bars as markup: a whole one, and one per launch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

from tfmbs.tools.report.look import colour
from tfmbs.tools.report.spelled import percent, words

MOST_BARS = 40
LEAST_SHARE = 0.0005  # of what is in a legend


def whole(amounts: Mapping[str, float], spelled: Callable[[float], str]) -> str:
    """One bar of all amounts, and a legend with their shares."""
    total = sum(amounts.values())
    shown = {name: value for name, value in amounts.items() if total and value / total >= LEAST_SHARE}
    keys = "".join(
        f'<span><i style="background:{colour(name)}"></i>{escape(words(name))} <b>{percent(value / total)}</b> '
        f"{escape(spelled(value))}</span>"
        for name, value in shown.items()
    )
    return f'<div class="whole">{_stack(shown, 100.0, spelled)}</div><div class="legend">{keys}</div>'


def bars(rows: Sequence[tuple[str, Mapping[str, float], str]], spelled: Callable[[float], str]) -> str:
    """A bar per row: label, amounts and what stands behind it. Of more than `MOST_BARS`, those that are longest."""
    sizes = [sum(amounts.values()) for _, amounts, _ in rows]
    longest = max(sizes, default=0.0) or 1.0
    kept = sorted(sorted(range(len(rows)), key=lambda i: -sizes[i])[:MOST_BARS])
    parts = [
        f'<span title="{escape(rows[i][0])}">{escape(rows[i][0])}</span>'
        f"{_stack(rows[i][1], 100 * sizes[i] / longest, spelled)}"
        f'<span class="soft">{escape(rows[i][2])}</span>'
        for i in kept
    ]
    left = len(rows) - len(kept)
    said = "1 launch that took less is" if left == 1 else f"{left} launches that took less are"
    others = f"<p>{said} in the table below.</p>" if left else ""
    return f'<div class="bars">{"".join(parts)}</div>{others}'


def _stack(amounts: Mapping[str, float], width: float, spelled: Callable[[float], str]) -> str:
    total = sum(amounts.values()) or 1.0
    pieces = "".join(
        f'<i style="width:{100 * value / total:.3f}%;background:{colour(name)}" '
        f'title="{escape(words(name))}: {escape(spelled(value))}, {percent(value / total)}"></i>'
        for name, value in amounts.items()
        if value
    )
    return f'<div class="stack" style="width:{width:.2f}%">{pieces}</div>'
