"""The operand windows of a vector program: a window for each part of memory, fewer where there are too many."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from tfmbs.dialect.kernel import strides_of
from tfmbs.dialect.shapes import shape_of
from tfmbs.passes.fabric.memory import Memory
from tfmbs.passes.fabric.scalars import View, refuse
from tfmbs.passes.fabric.tables import TensorKey
from tfmbs.passes.siw.nest import Access, Gather, Nest, Value
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.types import DTYPES, DType, Packing

_LOADABLE = siw.OP_BY_NAME["S", "LD"].types
Move = tuple[int, int]
"""Where a window went: the number of another one, and its first element in that."""


class Windows:
    """Windows in order of first use; `names` say whose memory they are."""

    def __init__(self, memory: Memory, op: Any) -> None:
        self.keys: list[TensorKey] = []
        self.names: list[str] = []
        self._memory = memory
        self._op = op

    def view(self, value: Any, user: Any) -> View:
        """A memref in its window, for the op `user`."""
        window, dtype = self._window(value, user)
        return View(window, dtype, tuple(strides_of(value.type)), _first(value))

    def _window(self, value: Any, user: Any) -> tuple[int, DType]:
        key = self._memory.key(value, user)
        if key.dtype not in _LOADABLE:
            raise refuse(self._op, f"{self._op.name}: element type in vector code", got=key.dtype.name)
        for window, other in enumerate(self.keys):
            if _span(other) == _span(key) and other.dtype is key.dtype:
                return window, key.dtype
        self.keys.append(key)
        self.names.append(self._memory.name(value, user))
        return len(self.keys) - 1, key.dtype

    def check_apart(self, stored: Collection[int]) -> None:
        """What is stored to must not be seen through another window. Raises TfmbsError where it is."""
        for window in stored:
            for other, key in enumerate(self.keys):
                if other != window and key.overlaps(self.keys[window]):
                    raise refuse(self._op, f"{self._op.name}: buffers that overlap, one of them stored to")

    def spanned(self, stored: set[int], most: int) -> list[Move]:
        """Joins windows until there are at most `most`; where each went.

        Those that lie in one buffer and have one element type may span what is between them, except another window.
        Raises TfmbsError where that does not do.
        """
        before = stored
        moves: list[Move] = [(window, 0) for window in range(len(self.keys))]
        while len(self.keys) > most:
            pair = self._nearest(stored)
            if pair is None:
                raise refuse(self._op, f"{self._op.name}: operand windows", f"at most {most}", len(self.keys))
            moves = self._join(*pair, moves)
            stored = {moves[window][0] for window in before}
        return moves

    def joined(self, nest: Nest, most: int) -> Nest:
        """The nest on windows of which none that is stored to overlaps another, and that are at most `most`.

        Windows of one element type become one that spans them, when they overlap or there are too many. Raises
        TfmbsError where that does not do.
        """
        before = {access.window for access in stores_of(nest)}
        stored = before
        moves: list[Move] = [(window, 0) for window in range(len(self.keys))]
        while (pair := self._overlapping(stored)) or len(self.keys) > most:
            pair = pair or self._cheapest(stored)
            if pair is None:
                raise refuse(self._op, f"{self._op.name}: operand windows", f"at most {most}", len(self.keys))
            moves = self._join(*pair, moves)
            stored = {moves[window][0] for window in before}
        return _moved(nest, moves, len(self.keys))

    def _overlapping(self, stored: set[int]) -> tuple[int, int] | None:
        for window in stored:
            for other, key in enumerate(self.keys):
                if other != window and key.overlaps(self.keys[window]):
                    if key.dtype is not self.keys[window].dtype:
                        raise refuse(self._op, f"{self._op.name}: an operand that overlaps a result of another type")
                    return min(window, other), max(window, other)
        return None

    def _cheapest(self, stored: set[int]) -> tuple[int, int] | None:
        """The two windows that are only read, lie in one buffer and span the least, without anything stored to."""
        found: list[tuple[int, int, int]] = []
        for a, b in combinations([w for w in range(len(self.keys)) if w not in stored], 2):
            if self.keys[a].dtype is self.keys[b].dtype and _span(self.keys[a])[:2] == _span(self.keys[b])[:2]:
                spanning = _spanning(self.keys[a], self.keys[b])
                if not any(spanning.overlaps(self.keys[w]) for w in stored):
                    found.append((spanning.bytes, a, b))
        return min(found)[1:] if found else None

    def _nearest(self, stored: set[int]) -> tuple[int, int] | None:
        """The two windows that span the least; one of them is stored to, so that what is between counts as written."""
        found: list[tuple[int, int, int]] = []
        for a, b in combinations(range(len(self.keys)), 2):
            if self.keys[a].dtype is not self.keys[b].dtype or _span(self.keys[a])[:2] != _span(self.keys[b])[:2]:
                continue
            spanning = _spanning(self.keys[a], self.keys[b])
            others = (key for window, key in enumerate(self.keys) if window not in (a, b))
            if (a in stored or b in stored) and not any(spanning.overlaps(key) for key in others):
                found.append((spanning.bytes, a, b))
        return min(found)[1:] if found else None

    def _join(self, a: int, b: int, moves: Sequence[Move]) -> list[Move]:
        """Makes window a span b, which goes; returns the moves with this one behind them."""
        spanning = _spanning(self.keys[a], self.keys[b])
        size = DTYPES[spanning.dtype].bits // 8
        shifts = {w: (self.keys[w].offset - spanning.offset) // size for w in (a, b)}
        self.keys[a] = spanning
        del self.keys[b], self.names[b]
        after = {b: a} | {w: w - 1 for w in range(b + 1, len(self.keys) + 1)}
        return [(after.get(window, window), first + shifts.get(window, 0)) for window, first in moves]


def _first(value: Any) -> int:
    """The element of a memref's window that its element (0, 0, …) is: strides may be negative."""
    return -sum(min(0, (n - 1) * s) for n, s in zip(shape_of(value.type), strides_of(value.type), strict=True))


def stores_of(nest: Nest) -> Iterator[Access]:
    """The accesses that a nest stores to."""
    yield from nest.outputs
    yield from (scatter.access for scatter in nest.scatters)


def _span(key: TensorKey) -> tuple[int, int, int, int]:
    return key.region, key.slot, key.offset, key.bytes


def _spanning(a: TensorKey, b: TensorKey) -> TensorKey:
    size = DTYPES[a.dtype].bits // 8
    first, end = min(a.offset, b.offset), max(a.offset + a.bytes, b.offset + b.bytes)
    return TensorKey(a.region, a.slot, first, a.dtype, Packing.DENSE, ((end - first) // size,))


def _moved(nest: Nest, moves: Sequence[Move], windows: int) -> Nest:
    def access(old: Access) -> Access:
        window, first = moves[old.window]
        return replace(old, window=window, offset=old.offset + first)

    def value(old: Value) -> Value:
        if isinstance(old, Gather):
            return replace(old, access=access(old.access))
        return access(old) if isinstance(old, Access) else old

    return replace(
        nest,
        body=tuple(value(old) for old in nest.body),
        outputs=tuple(access(output) for output in nest.outputs),
        scatters=tuple(replace(scatter, access=access(scatter.access)) for scatter in nest.scatters),
        windows=windows,
    )
