"""Element types as ONNX and torch's value tensors name them: MLIR's builtin integers have no sign, these do.

Narrow ones (fp8, fp4, integers of 4 or 2 bits) take a byte each: the bits of a float, the value of an integer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.mlir import ir
from tfmbs.dialect.shapes import Shape

_VTENSOR = re.compile(r"!torch\.vtensor<\[([0-9,]*)\],(\w+)>")
_INTEGER = re.compile(r"([su]?)i(\d+)")


@dataclass(frozen=True)
class Element:
    """An element type by its name in `!torch.vtensor`: ``f32``, ``bf16``, ``si64``, ``ui8``, ``i1``, ``f8E4M3FN``."""

    name: str

    @property
    def is_narrow(self) -> bool:
        """Whether it is a float or integer that the device knows only as bytes."""
        return not self.is_bool and self.bits < (16 if self.is_float else 8)

    @property
    def mlir(self) -> Any:
        """The builtin type of stored elements: integers signless."""
        if self.is_narrow:
            return ir.IntegerType.get_signless(8)
        return ir.Type.parse(re.sub(r"^[su]i", "i", self.name))

    @property
    def is_float(self) -> bool:
        """Whether it is a floating-point type, of any width."""
        return not self.is_integer and not self.is_bool

    @property
    def is_bool(self) -> bool:
        """Whether it is ONNX's bool."""
        return self.name == "i1"

    @property
    def is_integer(self) -> bool:
        """Whether it is an integer, signed or not; bool is none."""
        return not self.is_bool and _INTEGER.fullmatch(self.name) is not None

    @property
    def is_unsigned(self) -> bool:
        """Whether it is an unsigned integer; an op on the signless value must be the unsigned one."""
        return self.name.startswith("ui")

    @property
    def bits(self) -> int:
        """Width of an element."""
        return int(re.findall(r"\d+", self.name)[0])

    @property
    def lowest(self) -> float:
        """The least value: an exact int of integers and bool, −inf of floats."""
        if self.is_float:
            return -float("inf")
        return -(1 << (self.bits - 1)) if self.name.startswith("si") else 0

    @property
    def highest(self) -> float:
        """The greatest value: an exact int of integers and bool, inf of floats."""
        if self.is_float:
            return float("inf")
        return (1 << (self.bits - 1)) - 1 if self.name.startswith("si") else (1 << self.bits) - 1

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class TensorType:
    """Static shape and element of a torch value tensor."""

    shape: Shape
    element: Element


def tensor_type_of(value: Any) -> TensorType | None:
    """Type of a torch value, None unless it is a value tensor of static shape with real elements."""
    match = _VTENSOR.fullmatch(str(value.type))
    if match is None:
        return None
    return TensorType(tuple(int(size) for size in match[1].split(",") if size), Element(match[2]))
