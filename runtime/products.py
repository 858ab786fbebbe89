"""The multiplication that a descriptor is."""

from __future__ import annotations

from math import prod

from tfmbs.runtime.abi.image import Image, Row
from tfmbs.runtime.abi.records import Direction, Kind


def product_of(image: Image, descriptor: Row) -> tuple[int, int, int, int] | None:
    """Products, rows, columns and depth of the multiplication that a descriptor is; None where it is none."""
    kind = Kind(descriptor["kind"])
    if kind in (Kind.GEMM, Kind.GEMV):
        g = image.gemm_geometries[descriptor["geometry"]]
        return g["batch"], g["m"], g["n"], g["k"]
    if kind is Kind.GROUP_GEMM:
        g = image.group_geometries[descriptor["geometry"]]
        return 1, g["m"], g["n"], g["k"]
    if kind in (Kind.CONV2D, Kind.CONV3D):
        is_image = kind is Kind.CONV2D
        g = (image.window_geometries if is_image else image.volume_geometries)[descriptor["geometry"]]
        axes = ("height", "width") if is_image else ("depth", "height", "width")
        depth = g["in_channels"] // g["groups"] * prod(g[f"kernel_{axis}"] for axis in axes)
        rows = prod(g[f"out_{axis}"] for axis in axes)
        return g["batch"] * g["groups"], rows, g["out_channels"] // g["groups"], depth
    if kind is Kind.ATTENTION:
        # Both products have the same operands' sizes but for the widths, which are added up.
        g = image.attention_geometries[descriptor["geometry"]]
        return g["batch"] * g["groups"] * g["shared"], g["rows"], g["columns"], g["width"] + g["value_width"]
    if kind is Kind.LSTM:
        # As for attention: rows are steps, whose gates have one reduction over an input and one over a state.
        g = image.lstm_geometries[descriptor["geometry"]]
        ways = 2 if g["direction"] == Direction.BOTH else 1
        return ways, g["steps"] * g["batch"], 4 * g["hidden"], g["width"] + g["hidden"]
    return None
