"""What moves at once: operands and results go in parts, so that all engines of a level move them side by side.

Results leave L1 when L2 has room, and L2 when L3 has; in parts, the first bytes of a tile make room for those of the
next one before its last ones have left. The first operands of a launch and the results of its last tiles go in smaller
parts: then the array starts as early as it can, and nothing is under way for longer than it must be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tfmbs.runtime.abi.movement.operands import Span
from tfmbs.runtime.abi.movement.program import Copy

PART = 8192
"""Bytes: what is not larger moves at once, but for the first and the last of a launch; each part costs movements."""
DEPTH = 2
LEAST = 256
"""Bytes of the least part of these."""
FIRST = 131072
"""The first operands: so many bytes."""


def part_count(size: int, engines: int, part: int = PART) -> int:
    """Parts of `size` bytes, of about `part` bytes and at most one for each engine."""
    return max(1, min(engines, -(-size // part)))


def operand_parts(size: int, engines: int, *, is_early: bool) -> int:
    """Parts of a chunk of an operand: the first ones are small, of others that are large each engine has one."""
    if is_early:
        return part_count(size, DEPTH * engines, LEAST)
    return engines if size > PART else 1


def part_bytes(rows: int, columns: int, element_bytes: int, engines: int, part: int = PART) -> int:
    """Bytes of the largest part of a tile's results, whole rows as far as there are several."""
    size = rows * columns * element_bytes
    count = part_count(size, engines, part)
    return -(-rows // count) * columns * element_bytes if rows >= count else -(-size // count)


def result_parts(rows: int, columns: int, element_bytes: int, limit: int) -> Iterator[tuple[Span, Span]]:
    """Rows and columns of the parts, of at most `limit` bytes, of results that lie row by row."""
    at_once = limit // (columns * element_bytes)
    if at_once:
        for first in range(0, rows, at_once):
            yield Span(first, min(at_once, rows - first)), Span(0, columns)
        return
    width = max(1, limit // element_bytes)
    for row in range(rows):
        for first in range(0, columns, width):
            yield Span(row, 1), Span(first, min(width, columns - first))


def copy_parts(copies: Sequence[Copy], count: int) -> list[Sequence[Copy]]:
    """Copies in up to so many parts, of which each has a part of every copy."""
    if count == 1:
        return [copies]
    cut = [copy.cut(count) for copy in copies]
    return [[parts[i] for parts in cut if i < len(parts)] for i in range(max(len(parts) for parts in cut))]
