"""What records of tensors and of windows say of shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfmbs.dialect.shapes import Shape, Window

Row = Mapping[str, Any]
IMAGE_AXES, VOLUME_AXES = ("height", "width"), ("depth", "height", "width")
SIDES = {"depth": ("front", "back"), "height": ("top", "bottom"), "width": ("left", "right")}


def dims_of(tensor: Row) -> Shape:
    """The sizes of a tensor record."""
    return tuple(tensor["dims"][: tensor["rank"]])


def out_shape(g: Row, axes: Sequence[str]) -> Shape:
    """N×C×axes of the result of a window geometry."""
    return g["batch"], g["out_channels"], *(g[f"out_{axis}"] for axis in axes)


def window_of(g: Row, axes: Sequence[str]) -> Window:
    """The window of a geometry, with as much padding behind as its output needs."""
    kernel, strides, dilations = (
        tuple(g[f"{name}_{axis}"] for axis in axes) for name in ("kernel", "stride", "dilation")
    )
    before = tuple(g[f"pad_{SIDES[axis][0]}"] for axis in axes)
    behind = []
    for number, axis in enumerate(axes):
        reach = (g[f"out_{axis}"] - 1) * strides[number] + (kernel[number] - 1) * dilations[number] + 1
        recorded = g.get(f"pad_{SIDES[axis][1]}", 0)
        behind.append(max(recorded, reach - before[number] - g[f"in_{axis}"]))
    return Window(kernel, strides, dilations, (*before, *behind))
