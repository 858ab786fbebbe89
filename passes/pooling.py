"""Exact pooling as structured ops, on tensors and on memrefs alike: padded taps are skipped.

A maximum starts from the least element, which is its neutral one; an average adds from +0.0, to which adding a padded +0.0
changes nothing, in row-major order of the window, and divides once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tfmbs.dialect.mlir import arith, ir
from tfmbs.dialect.shapes import Shape, Window, element_of, shape_of
from tfmbs.passes import scalar
from tfmbs.passes.structured import PARALLEL, REDUCTION, dims, identity, mapping


def pool(place: Any, value: Any, window: Window, mode: str, shape: Shape, out: Any = None, discardable: Any = None) -> Any:
    """N×C×H'×W' of `shape` from `value` N×C×H×W; `mode` is "max", "avg" or "avg_padded"; `out` as in `Product`."""
    element = element_of(value)
    neutral = least(element) if mode == "max" else 0.0
    top, left, bottom, right = window.pads
    padded = value
    if any(window.pads):
        padded = place.padded(value, (0, 0, top, left), (0, 0, bottom, right), neutral)
    image, channel, kernel_row, kernel_column, row, column = dims(*range(6))
    taps = [
        row * window.strides[0] + kernel_row * window.dilations[0],
        column * window.strides[1] + kernel_column * window.dilations[1],
    ]
    # The window itself is an operand by its shape alone: it bounds the two reduction loops.
    shape_only = place.empty(tuple(window.kernel), element)

    def body(x: Any, _: Any, acc: Any) -> Any:
        if mode != "max":
            return arith.AddFOp(acc, x).result
        if isinstance(element, ir.F32Type):
            return arith.MaximumFOp(acc, x).result
        return arith.MaxSIOp(acc, x).result

    acc = place.run(
        [(padded, mapping(6, [image, channel, *taps])), (shape_only, mapping(6, [kernel_row, kernel_column]))],
        (place.filled(shape, element, neutral), mapping(6, [0, 1, 4, 5])),
        [PARALLEL] * 2 + [REDUCTION] * 2 + [PARALLEL] * 2,
        body,
        discardable,
    )
    if mode != "max":
        return average(place, acc, value, window, mode, shape, out, discardable)
    if out is None and not isinstance(element, ir.F32Type):
        return acc
    finish = scalar.canonical if isinstance(element, ir.F32Type) else lambda x: x
    target = place.empty(shape, element) if out is None else out
    inputs = [(acc, identity(4))]
    return place.run(inputs, (target, identity(4)), [PARALLEL] * 4, lambda x, _: finish(x), discardable)


def least(element: Any) -> float:
    return -np.inf if isinstance(element, ir.F32Type) else -(1 << (element.width - 1))


def average(
    place: Any,
    total: Any,
    value: Any,
    window: Window,
    mode: str,
    shape: Shape,
    out: Any = None,
    discardable: Any = None,
    exact: bool = True,
) -> Any:
    """`total` divided by the number of taps of each window of `value`; a NaN is canonical where `exact`."""
    sizes = shape_of(value.type)[2:]
    counts = []
    for axis in (0, 1):
        taps = tap_counts(window, axis, sizes[axis], shape[2 + axis], mode == "avg_padded")
        counts.append((place.constant(taps, "taps"), mapping(4, [2 + axis])))

    def body(x: Any, rows: Any, columns: Any, _: Any) -> Any:
        mean = arith.DivFOp(x, arith.MulFOp(rows, columns).result).result
        return scalar.canonical(mean) if exact else mean

    target = place.empty(shape, element_of(value)) if out is None else out
    inputs = [(total, identity(4)), *counts]
    return place.run(inputs, (target, identity(4)), [PARALLEL] * 4, body, discardable)


def tap_counts(window: Window, axis: int, size: int, positions: int, padded: bool) -> np.ndarray[Any, np.dtype[Any]]:
    """For each position on spatial `axis`, the taps that lie in the image (`padded`: in the image or its padding), f32."""
    low, high = (-window.pads[axis], size + window.pads[axis + 2]) if padded else (0, size)
    starts = np.arange(positions) * window.strides[axis] - window.pads[axis]
    taps = starts[:, None] + np.arange(window.kernel[axis]) * window.dilations[axis]
    return ((taps >= low) & (taps < high)).sum(axis=1).astype(np.float32)
