"""The memory of structured code: buffers in windows, and views of them at run-time offsets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tfmbs.dialect.kernel import dense_strides
from tfmbs.dialect.kernel_program import VIEWS
from tfmbs.dialect.mlir import ir
from tfmbs.dialect.shapes import shape_of
from tfmbs.passes.fabric.scalars import View, refuse
from tfmbs.passes.fabric.windows import Windows
from tfmbs.passes.kernel.aliases import root_of, source_of
from tfmbs.passes.siw.control import Control, Linear
from tfmbs.runtime.abi.types import DType


@dataclass(frozen=True)
class Room:
    """Where a buffer is: a window, the type of its elements, and the buffer's first element in the window."""

    window: int
    dtype: DType
    first: int


def rooms_of(op: Any, windows: Windows, most: int) -> dict[Any, Room]:
    """Rooms for the buffers of a `tfmbs.kernel_program`, in at most `most` windows. Raises TfmbsError."""
    views = {root: windows.view(root, op) for root in dict.fromkeys(root_of(value) for value in op.opview.captured)}
    stored = {views[root_of(value)].window for value in _stored(op)}
    windows.check_apart(stored)
    moves = windows.spanned(stored, most)
    return {root: Room(moves[view.window][0], view.dtype, moves[view.window][1]) for root, view in views.items()}


def _stored(op: Any) -> Iterator[Any]:
    """The memrefs that a program stores to."""
    for inner in op.opview.operations():
        if inner.name == "memref.store":
            yield inner.operands[1]
        elif inner.name == "linalg.generic":
            yield from inner.opview.outputs


class ProgramMemory:
    """Finds the window of a memref, and where in it the memref starts."""

    def __init__(self, rooms: Mapping[Any, Room], control: Control, scalars: Any) -> None:
        self._rooms = rooms
        self._control = control
        self._scalars = scalars

    def view(self, memref: Any, user: Any) -> View:
        """A memref in the window of its buffer; a scalar register holds the part of its offset that is not known."""
        window, dtype, strides, offset = self.place(memref, user)
        base = self._control.base(offset) if offset.terms else None
        return View(window, dtype, strides, offset.offset, base)

    def place(self, memref: Any, user: Any) -> tuple[int, DType, tuple[int, ...], Linear]:
        """Window, element type, strides and offset of a memref, in elements of the window."""
        source = source_of(memref)
        if source is None:
            raise refuse(user, f"{user.name}: a buffer that is chosen at run time")
        if isinstance(source.owner, ir.Block) or source.owner.name not in VIEWS:
            room = self._rooms[source]
            return room.window, room.dtype, dense_strides(shape_of(source.type)), Linear(room.first)
        op = source.owner
        window, dtype, strides, offset = self.place(op.operands[0], user)
        return window, dtype, *self._seen(op, strides, offset)

    def _seen(self, op: Any, strides: tuple[int, ...], offset: Linear) -> tuple[tuple[int, ...], Linear]:
        """Strides and offset of what a view op makes of a memref of these."""
        if op.name == "memref.cast":
            return strides, offset
        if op.name == "memref.subview":
            return self._subview(op, strides, offset)
        if op.name == "memref.reinterpret_cast":
            return self._reinterpreted(op, offset)
        shape = shape_of(op.results[0].type)
        groups = [[int(i) for i in group] for group in op.attributes["reassociation"]]
        if op.name == "memref.expand_shape":
            if min(shape, default=1) < 0:
                raise refuse(op, f"{op.name}: sizes", "static ones", list(shape))
            if not groups:  # one element, seen with dimensions of size 1
                return (1,) * len(shape), offset
            inner = [tuple(shape[i] for i in group) for group in groups]
            return tuple(s * d for s, part in zip(strides, inner, strict=True) for d in dense_strides(part)), offset
        return self._collapsed(op, groups, strides), offset

    def _subview(self, op: Any, strides: tuple[int, ...], offset: Linear) -> tuple[tuple[int, ...], Linear]:
        offsets, _, steps = self._mixed(op)
        for stride, at in zip(strides, offsets, strict=True):
            offset = offset.plus(at.times(stride))
        scaled = [self._constant(op, step) * stride for step, stride in zip(steps, strides, strict=True)]
        kept = _kept_dims(list(op.attributes["static_sizes"]), shape_of(op.results[0].type))
        return tuple(scaled[d] for d in kept), offset

    def _reinterpreted(self, op: Any, offset: Linear) -> tuple[tuple[int, ...], Linear]:
        offsets, _, steps = self._mixed(op)
        return tuple(self._constant(op, step) for step in steps), offset.plus(offsets[0])

    def _collapsed(self, op: Any, groups: list[list[int]], strides: tuple[int, ...]) -> tuple[int, ...]:
        shape = shape_of(op.operands[0].type)
        collapsed = []
        for group in groups:
            walked = [(shape[i], strides[i]) for i in group if shape[i] != 1] or [(1, strides[group[-1]])]
            if any(a != n * b for (_, a), (n, b) in pairwise(walked)):
                raise refuse(op, f"{op.name}: a memref", "adjacent elements", op.operands[0].type)
            collapsed.append(walked[-1][1])
        return tuple(collapsed) if groups else ()

    def _mixed(self, op: Any) -> list[list[Linear]]:
        """Offsets, sizes and strides of an op, static or from operands."""
        dynamic = iter(list(op.operands)[1:])
        unknown = ir.ShapedType.get_dynamic_size()
        return [
            [
                self._scalars.number(next(dynamic)) if n == unknown else Linear(n)
                for n in op.attributes[f"static_{part}"]
            ]
            for part in ("offsets", "sizes", "strides")
        ]

    def _constant(self, op: Any, value: Linear) -> int:
        if value.terms:
            raise refuse(op, f"{op.name}: strides", "static ones", "a value")
        return value.offset


def _kept_dims(sizes: list[int], shape: tuple[int, ...]) -> list[int]:
    """Which dimensions of a slice of `sizes` are left in a result of `shape`, which drops some of size 1.

    Sizes of 1 are as good as each other: their index is 0.
    """
    kept: list[int] = []
    for d, size in enumerate(sizes):
        if len(kept) < len(shape) and size == shape[len(kept)]:
            kept.append(d)
    return kept
