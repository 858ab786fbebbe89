"""The element types: ``!tfmbs.ternary`` with its packing, and plain questions about element types of any level."""

from math import prod
from typing import Any

from tfmbs.dialect.base import Type
from tfmbs.dialect.mlir import ir, quant
from tfmbs.runtime.abi.types import ROW_PACKINGS as _ROW_PACKINGS
from tfmbs.runtime.abi.types import TRIT_PACKINGS, Packing, packed_dtype, packed_rows, row_bytes

PACKINGS: dict[str, Packing] = {packing.name.lower(): packing for packing in TRIT_PACKINGS}
"""Packings of trits, by name."""
ROW_PACKINGS: dict[str, Packing] = {packing.name.lower(): packing for packing in _ROW_PACKINGS}
"""All packings whose rows end on a whole byte, by name."""

INT4_BITS = 4


class TernaryType(Type, name="ternary"):
    """`!tfmbs.ternary<"pt5">`: a trit −1, 0 or +1. The parameter names how trits lie in memory, by `PACKINGS`."""

    packing: ir.StringAttr


def ternary(packing: Packing | str) -> Any:
    """The ternary type of a packing of trits, given as `Packing` or by its name."""
    name = packing.name.lower() if isinstance(packing, Packing) else packing
    if name not in PACKINGS:
        raise ValueError(f"packing of trits: expected one of {', '.join(PACKINGS)}, got {name}")
    return TernaryType.get(ir.StringAttr.get(name))


def is_ternary(element: Any) -> bool:
    """Whether an element type is ``!tfmbs.ternary`` (of a known packing or not)."""
    return isinstance(element, TernaryType)


def packing_name(element: Any) -> str:
    """Packing name of a ternary element type as written, known or not."""
    return str(element.packing)


def packing_of(element: Any) -> Packing:
    """Packing of any element type: the trits' for a ternary one, pairs for 4-bit integers, else `Packing.DENSE`."""
    if is_ternary(element):
        return PACKINGS[packing_name(element)]
    return Packing.NIBBLES if is_int4(element) else Packing.DENSE


def is_quantized(element: Any) -> bool:
    """Whether an element type is an upstream uniform quantized one, per tensor or per axis."""
    return isinstance(element, quant.UniformQuantizedType | quant.UniformQuantizedPerAxisType)


def is_int4(element: Any) -> bool:
    """Whether an element type is quantized to 4 bits: weights, which memory holds in pairs."""
    return is_quantized(element) and bool(element.storage_type.width == INT4_BITS)


def is_per_axis(element: Any) -> bool:
    """Whether an element type is quantized with one scale per index of an axis."""
    return isinstance(element, quant.UniformQuantizedPerAxisType)


def scales_of(element: Any) -> tuple[float, ...]:
    """Scales of a quantized type: one, or one per index of its axis."""
    return tuple(element.scales) if is_per_axis(element) else (float(element.scale),)


def zero_points_of(element: Any) -> tuple[int, ...]:
    """Zero points of a quantized type, as many as `scales_of`."""
    return tuple(element.zero_points) if is_per_axis(element) else (int(element.zero_point),)


def storage_bounds(element: Any) -> tuple[int, int]:
    """Smallest and largest stored integer of a quantized type."""
    return int(element.storage_type_min), int(element.storage_type_max)


def storage_type(element: Any) -> Any:
    """What memory holds: i8 for what is packed, the storage integer of other quantized types, else the type itself."""
    if is_ternary(element) or is_int4(element):
        return ir.IntegerType.get_signless(8)
    return element.storage_type if is_quantized(element) else element


def packed_shape(shape: tuple[int, ...], packing: Packing) -> tuple[int, ...]:
    """Shape of the stored elements of a tensor of `shape`.

    Packed elements are stored as `rows × bytes`: axis 0 are the rows, which a packing may fill up, all other axes
    flattened are packed, and each row ends on a whole byte. Every other packing stores element by element in the
    tensor's own shape.
    """
    if packing in (Packing.DENSE, Packing.I8):
        return shape
    return packed_rows(packing, shape[0]), row_bytes(packed_dtype(packing), packing, prod(shape[1:]))


def storage_shape(shape: tuple[int, ...], element: Any) -> tuple[int, ...]:
    """`packed_shape` in the packing of an element type."""
    return packed_shape(shape, packing_of(element))


def quantized(scale: float, zero_point: int = 0, low: int = -128, high: int = 127) -> Any:
    """Per-tensor i8 type: real value = scale · (stored − zero_point), stored in low…high."""
    i8, f32 = ir.IntegerType.get_signless(8), ir.F32Type.get()
    flags = quant.UniformQuantizedType.FLAG_SIGNED
    return quant.UniformQuantizedType.get(flags, i8, f32, scale, zero_point, low, high)


def int4(scale: float = 1.0) -> Any:
    """Per-tensor i4 type with zero point 0, stored in −8…7. With scale 1, elements are the integers themselves."""
    i4, f32 = ir.IntegerType.get_signless(INT4_BITS), ir.F32Type.get()
    return quant.UniformQuantizedType.get(quant.UniformQuantizedType.FLAG_SIGNED, i4, f32, scale, 0, -8, 7)


def int4_per_axis(scales: list[float], axis: int = 0) -> Any:
    """Per-axis i4 type with zero point 0: one scale per index of `axis`."""
    i4, f32 = ir.IntegerType.get_signless(INT4_BITS), ir.F32Type.get()
    flags = quant.UniformQuantizedPerAxisType.FLAG_SIGNED
    return quant.UniformQuantizedPerAxisType.get(flags, i4, f32, scales, [0] * len(scales), axis, -8, 7)


def quantized_per_axis(scales: list[float], axis: int = 0, low: int = -128, high: int = 127) -> Any:
    """Per-axis i8 type with zero point 0: one scale per index of `axis`."""
    i8, f32 = ir.IntegerType.get_signless(8), ir.F32Type.get()
    flags = quant.UniformQuantizedPerAxisType.FLAG_SIGNED
    return quant.UniformQuantizedPerAxisType.get(flags, i8, f32, scales, [0] * len(scales), axis, low, high)
