"""Times of networks as bars, in a self-contained SVG: a group for each network, precision and number of threads."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tfmbs.tools.bench.model_cell import ModelCell

COLOURS = ("#2563a8", "#c2382e", "#b7791f", "#2f855a", "#8b5cf6", "#be185d")
"""Of programs, in the order in which they come; ours first."""

LEFT, BARS, RIGHT = 250, 440, 310  # pixels of a row
ROW, GAP, TOP = 18, 12, 62

_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1c2430}.soft{fill:#5b6675;font-size:11px}"
    ".title{font-size:15px;font-weight:600}.bad{fill:#c2382e}"
)


def bars(cells: Sequence[ModelCell], machine: str) -> str:
    """Bars have the length of their time over the longest of their group; behind them the time, and times ours."""
    programs = list(dict.fromkeys(cell.program for cell in sorted(cells, key=lambda cell: not cell.ours)))
    colours = {program: COLOURS[index % len(COLOURS)] for index, program in enumerate(programs)}
    parts = [
        '<text class="title" x="16" y="24">tfmbs-bench models</text>'
        f'<text class="soft" x="16" y="42">{escape(machine)}</text>'
    ]
    y = TOP
    for row in dict.fromkeys(cell.row for cell in cells):
        group = [cell for cell in cells if cell.row == row]
        parts.append(_group(row, group, colours, y))
        y += len(group) * ROW + GAP
    width, height = LEFT + BARS + RIGHT, y + 8
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}><style>{_STYLE}</style>'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _group(row: tuple[str, str, int], group: Sequence[ModelCell], colours: dict[str, str], top: float) -> str:
    network, precision, threads = row
    longest = max(cell.timing.median for cell in group)
    ours = next((cell.timing.median for cell in group if cell.ours), longest)
    name = f"{network} {precision}"
    count = f"{threads} thread{'s' if threads > 1 else ''}"
    parts = [
        f'<text x="16" y="{top + 13}">{escape(name)}</text><text class="soft" x="16" y="{top + 29}">{count}</text>'
    ]
    if len(group) == 1:
        parts = [f'<text x="16" y="{top + 13}">{escape(name)}, {count}</text>']
    for index, cell in enumerate(group):
        y, length = top + index * ROW, BARS * cell.timing.median / longest
        said = f"{cell.program}: {1e3 * cell.timing.median:.2f} ms"
        said += "" if cell.ours else f", {cell.timing.median / ours:.2f} times ours"
        rate = cell.tokens_per_second
        said += "" if rate is None else f", {rate:.1f} tokens/s"
        kind = "soft" if cell.right else "bad"
        parts.append(
            f'<rect x="{LEFT}" y="{y + 3}" width="{length:.1f}" height="{ROW - 5}" rx="2" '
            f'fill="{colours[cell.program]}"/>'
            f'<text class="{kind}" x="{LEFT + length + 6:.1f}" y="{y + 13}">{escape(said)}'
            f"{'' if cell.right else ', WRONG'}</text>"
        )
    return "".join(parts)
