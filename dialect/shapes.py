"""Shape formulas of the ops, shared by builders, verifiers and lowerings. A shape is a tuple, outermost first."""

from dataclasses import dataclass
from math import prod
from typing import Any

from tfmbs.dialect.mlir import ir

Shape = tuple[int, ...]


def shape_of(type_: Any) -> Shape:
    """Shape of a ranked tensor or memref type. Dynamic sizes appear as the bindings' negative marker."""
    return tuple(type_.shape)


def element_of(value: Any) -> Any:
    """Element type of a tensor or memref value."""
    return value.type.element_type


def tensor_type(shape: Shape, element: Any) -> Any:
    """The ranked tensor type of a shape and element type."""
    return ir.RankedTensorType.get(list(shape), element)


def elements(shape: Shape) -> int:
    """Number of elements, 1 for a scalar."""
    return prod(shape)


@dataclass(frozen=True)
class Window:
    """Geometry of a sliding window over the spatial axes, outermost first: (height, width) or (depth, height, width).

    `pads` are the elements of padding before all axes, then behind them: (top, left, bottom, right) of two.
    """

    kernel: Shape
    strides: Shape
    dilations: Shape
    pads: Shape

    def output(self, size: Shape) -> Shape:
        """Number of window positions: floor((size + pads − dilation·(kernel − 1) − 1) / stride) + 1 on each axis."""
        return tuple(self._positions(axis, length) for axis, length in enumerate(size))

    def _positions(self, axis: int, size: int) -> int:
        covered = self.dilations[axis] * (self.kernel[axis] - 1) + 1
        return (size + self.pads[axis] + self.pads[axis + len(self.kernel)] - covered) // self.strides[axis] + 1
