"""Exact pooling as structured ops, on tensors and on memrefs alike: padded taps are skipped.

A maximum starts from the least element, which is its neutral one; an average adds in row-major order of the window from
+0.0, where adding a padded +0.0 changes nothing, and divides once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfmbs.dialect.mlir import arith, ir
from tfmbs.dialect.shapes import Shape, Window, element_of, shape_of
from tfmbs.passes.linalg import scalar
from tfmbs.passes.linalg.structured import PARALLEL, REDUCTION, dims, identity, mapping


@dataclass(frozen=True)
class Pooling:
    """A pooling of `value` N×C×H×W to `shape`; `mode` is "max", "avg" or "avg_padded", `out` as in `Product`."""

    value: Any
    window: Window
    mode: str
    shape: Shape
    out: Any = None
    discardable: Any = None

    @property
    def element(self) -> Any:
        """Element type of input and result."""
        return element_of(self.value)

    @property
    def is_float(self) -> bool:
        """Whether the elements are f32."""
        return isinstance(self.element, ir.F32Type)

    @property
    def neutral(self) -> float:
        """What a window starts from, which is what padding may hold."""
        if self.mode != "max":
            return 0.0
        return -np.inf if self.is_float else -(1 << (self.element.width - 1))

    def padded(self, place: Any) -> Any:
        """`value` with its padding, of neutral elements."""
        if not any(self.window.pads):
            return self.value
        top, left, bottom, right = self.window.pads
        return place.padded(self.value, (0, 0, top, left), (0, 0, bottom, right), self.neutral)


def pool(place: Any, pooling: Pooling) -> Any:
    """The result of a pooling, N×C×H'×W'."""
    window = pooling.window
    image, channel, kernel_row, kernel_column, row, column = dims(*range(6))
    taps = [
        row * window.strides[0] + kernel_row * window.dilations[0],
        column * window.strides[1] + kernel_column * window.dilations[1],
    ]
    # The window itself is an operand by its shape alone: it bounds the two reduction loops.
    shape_only = place.empty(tuple(window.kernel), pooling.element)

    def body(x: Any, _: Any, acc: Any) -> Any:
        if pooling.mode != "max":
            return arith.AddFOp(acc, x).result
        return (arith.MaximumFOp if pooling.is_float else arith.MaxSIOp)(acc, x).result

    acc = place.run(
        [
            (pooling.padded(place), mapping(6, [image, channel, *taps])),
            (shape_only, mapping(6, [kernel_row, kernel_column])),
        ],
        (place.filled(pooling.shape, pooling.element, pooling.neutral), mapping(6, [0, 1, 4, 5])),
        [PARALLEL] * 2 + [REDUCTION] * 2 + [PARALLEL] * 2,
        body,
        pooling.discardable,
    )
    return finish_pool(place, pooling, acc)


def finish_pool(place: Any, pooling: Pooling, acc: Any, exact: bool = True) -> Any:
    """The division of an average by the number of taps of each window; NaN is canonical where `exact`."""
    canonical: Callable[[Any], Any] = scalar.canonical if exact and pooling.is_float else lambda x: x
    counts: list[Any] = []
    if pooling.mode != "max":
        counts = [(place.constant(tap_counts(pooling, axis), "taps"), mapping(4, [2 + axis])) for axis in (0, 1)]
    elif pooling.out is None and not (exact and pooling.is_float):
        return acc

    def body(x: Any, *rest: Any) -> Any:
        if counts:
            x = arith.DivFOp(x, arith.MulFOp(rest[0], rest[1]).result).result
        return canonical(x)

    out = place.empty(pooling.shape, pooling.element) if pooling.out is None else pooling.out
    inputs = [(acc, identity(4)), *counts]
    return place.run(inputs, (out, identity(4)), [PARALLEL] * 4, body, pooling.discardable)


def tap_counts(pooling: Pooling, axis: int) -> npt.NDArray[Any]:
    """For each position on spatial `axis`, how many taps lie in the image ("avg_padded": or its padding), as f32."""
    window, size = pooling.window, shape_of(pooling.value.type)[2 + axis]
    low, high = (-window.pads[axis], size + window.pads[axis + 2]) if pooling.mode == "avg_padded" else (0, size)
    starts = np.arange(pooling.shape[2 + axis]) * window.strides[axis] - window.pads[axis]
    taps = starts[:, None] + np.arange(window.kernel[axis]) * window.dilations[axis]
    counts: npt.NDArray[Any] = ((taps >= low) & (taps < high)).sum(axis=1).astype(np.float32)
    return counts
