"""Where tensors live at kernel level: buffers, strided views of them, and copies between these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.kernel import KernelConstantOp, KernelCopyOp, dense_strides, is_dense
from tfmbs.dialect.mlir import ir, memref
from tfmbs.dialect.shapes import Shape, element_of, shape_of
from tfmbs.dialect.types import storage_shape, storage_type
from tfmbs.passes.linalg.structured import PARALLEL, generic, identity


@dataclass(frozen=True)
class View:
    """Elements of the dense memref `root`: `shape` elements from `offset` on, `strides` apart."""

    root: Any
    shape: Shape
    strides: tuple[int, ...]
    offset: int = 0

    @property
    def element(self) -> Any:
        """Element type."""
        return element_of(self.root)

    @property
    def is_dense(self) -> bool:
        """Whether the elements are adjacent and row-major; sizes of 1 have no stride."""
        return is_dense(self.shape, self.strides)

    def reshaped(self, shape: Shape) -> View:
        """The same elements of a dense view in another shape."""
        return View(self.root, shape, dense_strides(shape), self.offset)

    def regrouped(self, shape: Shape) -> View | None:
        """The same elements in another shape, where strides can say which they are; None where that takes a copy."""
        left = [(n, s) for n, s in zip(self.shape, self.strides, strict=True) if n > 1]
        strides: list[int] = []
        size, stride, reach = 1, 1, 1  # what is left of a row of elements, how far apart; all elements so far
        for n in reversed(shape):
            if n == 1:
                strides.append(reach)
                continue
            if size == 1:
                size, stride = left.pop()
            while size % n:
                outer, apart = left.pop()
                if apart != size * stride:
                    return None
                size *= outer
            strides.append(stride)
            size, stride = size // n, stride * n
            reach = stride
        return View(self.root, shape, tuple(reversed(strides)), self.offset)

    def permuted(self, order: Sequence[int]) -> View:
        """Dimension d of the result is dimension `order[d]`."""
        return View(self.root, tuple(self.shape[d] for d in order), tuple(self.strides[d] for d in order), self.offset)

    def sliced(self, offsets: Sequence[int], sizes: Sequence[int], steps: Sequence[int]) -> View:
        """`sizes` elements from `offsets` on, `steps` apart."""
        start = self.offset + sum(o * s for o, s in zip(offsets, self.strides, strict=True))
        return View(self.root, tuple(sizes), tuple(k * s for k, s in zip(steps, self.strides, strict=True)), start)

    def without(self, dims: set[int]) -> View:
        """Without the dimensions `dims`, which have size 1."""
        kept = [d for d in range(len(self.shape)) if d not in dims]
        return self.permuted(kept)


def stored_memref(tensor_type: Any) -> Any:
    """The memref type that holds a tensor's stored elements."""
    element = tensor_type.element_type
    return ir.MemRefType.get(list(storage_shape(shape_of(tensor_type), element)), storage_type(element))


class Buffers:
    """Creates buffers and memref values of views at the current insertion point, in straight-line code."""

    def __init__(self) -> None:
        self._values: dict[View, Any] = {}

    def whole(self, root: Any) -> View:
        """All of a dense memref value."""
        shape = shape_of(root.type)
        return View(root, shape, dense_strides(shape))

    def alloc(self, type_: Any) -> View:
        """A new scratch buffer of a memref type."""
        return self.whole(memref.AllocOp(type_, [], []).result)

    def constant(self, value: Any, type_: Any, shape: Shape, packing: str) -> View:
        """Read-only elements; `shape` is the logical shape."""
        op = KernelConstantOp.build([], [type_], value=value, packing=packing, shape=shape)
        return self.whole(op.result)

    def value(self, view: View) -> Any:
        """The memref of a view."""
        if view == self.whole(view.root):
            return view.root
        if view not in self._values:
            layout = ir.StridedLayoutAttr.get(view.offset, list(view.strides))
            plain = view.offset == 0 and view.strides == dense_strides(view.shape)
            type_ = ir.MemRefType.get(list(view.shape), view.element, None if plain else layout)
            cast = memref.ReinterpretCastOp(type_, view.root, [], [], [], [view.offset], view.shape, view.strides)
            self._values[view] = cast.result
        return self._values[view]

    def dense(self, view: View) -> View:
        """The view itself when dense, else a dense copy."""
        if view.is_dense:
            return view
        copy = self.alloc(ir.MemRefType.get(list(view.shape), view.element))
        self.copy(view, copy)
        return copy

    def copy(self, source: View, target: View) -> None:
        """Copies elements between views of equal shape."""
        if source == target:
            return
        if source.is_dense and target.is_dense:
            KernelCopyOp.build([self.value(source), self.value(target)], [])
            return
        rank = len(source.shape)
        maps = [(self.value(source), identity(rank))], [(self.value(target), identity(rank))]
        generic(*maps, [PARALLEL] * rank, lambda new, _: new)

    def fill(self, scalar: Any, target: View) -> None:
        """Sets all elements to a scalar value."""
        rank = len(target.shape)
        generic([], [(self.value(target), identity(rank))], [PARALLEL] * rank, lambda _: scalar)
