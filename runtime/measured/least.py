"""External bytes that a launch must move at least: each byte of its operands and results once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from math import prod

import numpy as np

from tfmbs.runtime.abi.image import Image, Row
from tfmbs.runtime.abi.records import NONE, Kind
from tfmbs.runtime.abi.types import DTYPES, DType

BITS = 8

Parts = list[tuple[int, int]]
"""First bytes of parts of a tensor, and those behind."""


def least_external(image: Image, descriptor: Row, moved: int) -> int:
    """External bytes of a launch if each of its bytes were moved once, whatever its schedule.

    Operands and results have the bytes of their tensors, of which a strided product or window counts what it touches;
    what several operands share counts once. Weights count as they are packed. Vector code may need only a part of its
    windows: then what it moved is the least.
    """
    ranges: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for index, touched in _operands(image, descriptor):
        row = image.tensors[index]
        at, end = row["offset"], row["offset"] + row["bytes"]
        parts = [(0, row["bytes"])] if touched is None else touched
        ranges[row["region"], row["slot"]] += [(at + low, min(at + high, end)) for low, high in parts]
    least = sum(_union(sorted(each)) for each in ranges.values())
    return min(least, moved) if Kind(descriptor["kind"]) is Kind.VECTOR else least


def _operands(image: Image, descriptor: Row) -> Iterator[tuple[int, Parts | None]]:
    """Tensors, and the parts of them that are touched where the geometry says that not all is."""
    kind = Kind(descriptor["kind"])
    if kind is Kind.ATTENTION:
        yield from _of_attention(image, descriptor)
        return
    for name in ("lhs", "rhs", "out"):
        if descriptor[name] != NONE:
            elements = _touched(image, descriptor, kind).get(name)
            bits = DTYPES[DType(image.tensors[descriptor[name]]["dtype"])].bits
            yield descriptor[name], [(0, elements * bits // BITS)] if elements is not None and bits >= BITS else None
    if kind is Kind.GROUP_GEMM:
        yield image.group_geometries[descriptor["geometry"]]["scales"], None
    first = descriptor["args_first"]
    yield from ((index, None) for index in image.args[first : first + descriptor["args_count"]])


def _of_attention(image: Image, descriptor: Row) -> Iterator[tuple[int, Parts | None]]:
    """Of queries, keys and values, which may be parts of one tensor side by side: the vectors."""
    g = image.attention_geometries[descriptor["geometry"]]
    values, *mask = image.args[descriptor["args_first"] : descriptor["args_first"] + descriptor["args_count"]]
    keys = (g["batch"], g["groups"], g["columns"])
    operands = {
        "lhs": (descriptor["lhs"], (g["batch"], g["groups"] * g["shared"], g["rows"], g["width"]), "head"),
        "rhs": (descriptor["rhs"], (*keys, g["width"]), "group"),
        "value": (values, (*keys, g["value_width"]), "group"),
    }
    for name, (tensor, sizes, head) in operands.items():
        strides = [g[f"{name}{axis}_stride"] for axis in ("_batch", f"_{head}", "_row", "")]
        yield tensor, strided_parts(sizes, strides, DTYPES[DType(image.tensors[tensor]["dtype"])].bits // BITS)
    yield from ((index, None) for index in (descriptor["out"], *mask))


def strided_parts(sizes: Sequence[int], strides: Sequence[int], element: int) -> Parts:
    """The parts with elements of these sizes, `strides` apart and of `element` bytes; neighbours are one part.

    Axes whose elements leave no gap, in whatever order they lie, are one run of elements.
    """
    run, starts = 1, np.zeros(1, np.int64)
    for stride, size in sorted(zip(strides, sizes, strict=True)):
        if stride <= run:
            run += stride * (size - 1)
        else:
            starts = np.add.outer(np.arange(size) * stride, starts).reshape(-1)
    starts = np.unique(starts)
    apart = np.diff(starts) > run
    lows = starts[np.concatenate([[True], apart])]
    highs = starts[np.concatenate([apart, [True]])] + run
    return [(int(low) * element, int(high) * element) for low, high in zip(lows, highs, strict=True)]


def _touched(image: Image, descriptor: Row, kind: Kind) -> dict[str, int]:
    """Elements of operands that a product or a window reads."""
    if kind in (Kind.GEMM, Kind.GEMV):
        g = image.gemm_geometries[descriptor["geometry"]]
        left, right = (g["batch"] if g[f"{side}_batch_stride"] else 1 for side in ("lhs", "rhs"))
        return {"lhs": left * g["m"] * g["k"], "rhs": right * g["n"] * g["k"]}
    if kind in (Kind.CONV2D, Kind.CONV3D, Kind.POOL):
        is_volume = kind is Kind.CONV3D
        g = (image.volume_geometries if is_volume else image.window_geometries)[descriptor["geometry"]]
        axes = ("depth", "height", "width") if is_volume else ("height", "width")
        return {"lhs": g["batch"] * g["in_channels"] * prod(_places(g, axis) for axis in axes)}
    return {}


def _places(g: Row, axis: str) -> int:
    """Places of the input under the taps of windows, along an axis."""
    pad = g[{"depth": "pad_front", "height": "pad_top", "width": "pad_left"}[axis]]
    starts = np.arange(g[f"out_{axis}"]) * g[f"stride_{axis}"] - pad
    places = np.unique(np.add.outer(starts, np.arange(g[f"kernel_{axis}"]) * g[f"dilation_{axis}"]))
    return int(((places >= 0) & (places < g[f"in_{axis}"])).sum())


def _union(ranges: list[tuple[int, int]]) -> int:
    total, end = 0, 0
    for low, high in ranges:
        total += max(0, high - max(low, end))
        end = max(end, high)
    return total
