"""A roofline as a self-contained SVG: operations per second over operations per byte of weights, both logarithmic."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from html import escape

from tfmbs.tools.bench.cell import DRAM, Cell
from tfmbs.tools.bench.roofs import (
    COLOURS,
    GAP,
    HEADER,
    HEIGHT,
    LEGEND_COLUMN,
    ROW,
    WIDTH,
    Axis,
    axes,
    document,
    grid,
    head,
    mark,
    panel,
    roofs,
    title,
)


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
    parts = [title("tfmbs-bench kernels"), f'<text class="soft" x="{GAP}" y="39">{escape(machine)}</text>']
    parts += [panel(content, index * (WIDTH + GAP), 0) for index, content in enumerate(panels)]
    parts.append(_legend(colours, kinds, HEADER + HEIGHT + ROW, per_column))
    return document(parts, width, height)


def _panel(
    shown: Sequence[Cell], every: Sequence[Cell], threads: int, colours: dict[str, str], kinds: Sequence[str]
) -> str:
    rates = [rate for cell in every for rate in (cell.operations_per_second, cell.limit.operations_per_second)]
    x, y = axes([_intensity(cell) for cell in every], rates, (1.6, 1.4))
    parts = [head(f"{threads} thread{'s' if threads > 1 else ''}"), grid(x, y, "byte of weights")]
    for cell in sorted(shown, key=lambda cell: cell.ours):  # ours above the others
        at = x.at(_intensity(cell)), y.at(cell.operations_per_second)
        label = (
            f"{cell.kernel}, {cell.type} {cell.rows}×{cell.columns}, n={cell.tokens}, weights in "
            f"{'memory' if cell.residence == DRAM else 'caches'}: {cell.operations_per_second / 1e9:.1f} GOPS"
        )
        parts.append(mark(kinds.index(cell.type), at, colours[cell.kernel], label, full=cell.ours))
    parts.append(_roofs(shown, x, y))
    return "".join(parts)


def _intensity(cell: Cell) -> float:
    return cell.operations / cell.weight_bytes


def _roofs(shown: Sequence[Cell], x: Axis, y: Axis) -> str:
    """What memory and each multiplier allow: the medians of all rounds."""
    bandwidth = statistics.median(cell.limit.bytes_per_second for cell in shown)
    units = dict.fromkeys(cell.limit.unit for cell in shown)
    return roofs({"read stream": bandwidth}, {unit: statistics.median(_peaks(shown, unit)) for unit in units}, x, y)


def _peaks(shown: Sequence[Cell], unit: str) -> list[float]:
    return [cell.limit.operations_per_second for cell in shown if cell.limit.unit == unit]


def _legend(colours: dict[str, str], kinds: Sequence[str], top: float, per_column: int) -> str:
    parts = []
    for index, (kernel, colour) in enumerate(colours.items()):
        x, y = GAP + index // per_column * LEGEND_COLUMN, top + (index % per_column) * ROW
        parts.append(f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{x + 16}" y="{y}">{escape(kernel)}</text>')
    y, x = top + per_column * ROW + 8, GAP
    for index, kind in enumerate(kinds):
        parts.append(mark(index, (x + 5, y - 4), "#5b6675", kind, full=False))
        parts.append(f'<text x="{x + 16}" y="{y}">{escape(kind)}</text>')
        x += 16 + 8 * len(kind) + 24
    parts.append(f'<text class="soft" x="{x}" y="{y}">filled: ours; several marks of a kind: shapes and batches</text>')
    return "".join(parts)
