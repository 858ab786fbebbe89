"""External bytes that a launch must move at least: each byte of its operands and results once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from math import prod

import numpy as np

from tfmbs.runtime.abi.image import Image, Row
from tfmbs.runtime.abi.records import NONE, Kind
from tfmbs.runtime.abi.types import DTYPES, DType

BITS = 8


def least_external(image: Image, descriptor: Row, moved: int) -> int:
    """External bytes of a launch if each of its bytes were moved once, whatever its schedule.

    Operands and results have the bytes of their tensors, of which a strided product or window counts what it touches;
    what several operands share counts once. Weights count as they are packed. Vector code may need only a part of its
    windows: then what it moved is the least.
    """
    ranges: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for index, touched in _operands(image, descriptor):
        row = image.tensors[index]
        size = row["bytes"] if touched is None else min(row["bytes"], touched)
        ranges[row["region"], row["slot"]].append((row["offset"], row["offset"] + size))
    least = sum(_union(sorted(each)) for each in ranges.values())
    return min(least, moved) if Kind(descriptor["kind"]) is Kind.VECTOR else least


def _operands(image: Image, descriptor: Row) -> Iterator[tuple[int, int | None]]:
    """Tensors, and the bytes of them that are touched where the geometry says fewer than all."""
    kind = Kind(descriptor["kind"])
    for name in ("lhs", "rhs", "out"):
        if descriptor[name] != NONE:
            elements = _touched(image, descriptor, kind).get(name)
            bits = DTYPES[DType(image.tensors[descriptor[name]]["dtype"])].bits
            yield descriptor[name], elements * bits // BITS if elements is not None and bits >= BITS else None
    if kind is Kind.GROUP_GEMM:
        yield image.group_geometries[descriptor["geometry"]]["scales"], None
    first = descriptor["args_first"]
    further = image.args[first : first + descriptor["args_count"]]
    if kind is Kind.ATTENTION:
        g = image.attention_geometries[descriptor["geometry"]]
        values = g["batch"] * g["groups"] * g["columns"] * g["value_width"]
        yield further[0], values * DTYPES[DType(image.tensors[further[0]]["dtype"])].bits // BITS
        further = further[1:]
    yield from ((index, None) for index in further)


def _touched(image: Image, descriptor: Row, kind: Kind) -> dict[str, int]:
    """Elements of operands that a product or a window reads."""
    if kind in (Kind.GEMM, Kind.GEMV):
        g = image.gemm_geometries[descriptor["geometry"]]
        left, right = (g["batch"] if g[f"{side}_batch_stride"] else 1 for side in ("lhs", "rhs"))
        return {"lhs": left * g["m"] * g["k"], "rhs": right * g["n"] * g["k"]}
    if kind is Kind.ATTENTION:
        g = image.attention_geometries[descriptor["geometry"]]
        keys = g["batch"] * g["groups"] * g["columns"] * g["width"]
        return {"lhs": g["batch"] * g["groups"] * g["shared"] * g["rows"] * g["width"], "rhs": keys}
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
