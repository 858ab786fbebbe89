"""Cast, CastLike and BitCast between all element types but strings and complex numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.mlir import arith, ir
from tfmbs.passes.linalg.scalar import bits_constant
from tfmbs.passes.onnx import build, narrow_floats, scales
from tfmbs.passes.onnx.arithmetic import BOOL, F32, F64, SI32
from tfmbs.passes.onnx.arithmetic import cast as wide_cast
from tfmbs.passes.onnx.elements import Element
from tfmbs.passes.onnx.node import Node, Results

Value = Any


@dataclass(frozen=True)
class Rounding:
    """How floats become narrow ones: ONNX's attributes `saturate` and, for f8E8M0FNU, `round_mode`."""

    saturate: bool = True
    mode: str = "up"


def cast(x: Value, source: Element, target: Element, rounding: Rounding = Rounding()) -> Value:
    """A stored element as one of another type, rounded at most once.

    Floats to integers truncate and saturate (NaN gives 0), those of less than 8 bits as 32-bit ones whose high bits
    are dropped, as they are between integers; bool is x ≠ 0.
    """
    if source.is_narrow and source.is_float:
        return cast(_decoded(x, source), F32, target, rounding)
    if target.is_narrow and target.is_float:
        return _encoded(x, source, target, rounding)
    if target.is_narrow:
        return _low_bits(_to_byte(x, source), target)
    stored = Element("ui8" if source.is_unsigned else "si8") if source.is_narrow else source
    return wide_cast(x, stored, target)


def _decoded(x: Value, source: Element) -> Value:
    return (
        scales.decode(x) if source.name == scales.NAME else narrow_floats.decode(x, narrow_floats.FORMATS[source.name])
    )


def _encoded(x: Value, source: Element, target: Element, rounding: Rounding) -> Value:
    """A narrow float from the widest type that holds every `source` exactly, or far more of it than the target."""
    through = F32 if source.is_float and source.bits < F64.bits else F64
    stored = Element("ui8" if source.is_unsigned else "si8") if source.is_narrow else source
    wide = wide_cast(x, stored, through)
    if target.name == scales.NAME:
        return scales.encode(wide_cast(wide, through, F32), rounding.mode, rounding.saturate)
    return narrow_floats.encode(wide, narrow_floats.FORMATS[target.name], rounding.saturate)


def _to_byte(x: Value, source: Element) -> Value:
    """The low eight bits of an integer, or of a float truncated to one."""
    byte = ir.IntegerType.get_signless(8)
    if source.is_float:
        x = wide_cast(x, source, SI32)
    elif source.is_bool:
        return arith.ExtUIOp(byte, x).result
    return x if x.type == byte else arith.TruncIOp(byte, x).result


def _low_bits(byte: Value, target: Element) -> Value:
    """A byte that holds only the low bits of another, with the sign of a signed type."""
    if target.is_unsigned:
        return arith.AndIOp(byte, bits_constant(byte.type, (1 << target.bits) - 1)).result
    spare = bits_constant(byte.type, 8 - target.bits)
    return arith.ShRSIOp(arith.ShLIOp(byte, spare).result, spare).result


def cast_node(node: Node) -> Results:
    """Cast, CastLike: each element converted to the type of the result."""
    source, target = node.element(0), node.result_element()
    if source == target:
        return node.tensor(0)
    mode = node.string("round_mode", "up")
    if mode not in scales.ROUNDINGS:
        raise node.refuse("round_mode", "/".join(scales.ROUNDINGS), mode)
    if target.name == scales.NAME and (source.is_integer or source == F64):
        # These hold numbers that an f32 rounds, and a power of two must be chosen from the number itself.
        raise node.refuse("element type", f"a float of at most 32 bits for {target}", source)
    rounding = Rounding(bool(node.integer("saturate", 1)), mode)
    return build.broadcasting([node.tensor(0)], node.shape(0), target.mlir, lambda x: cast(x, source, target, rounding))


def bit_cast(node: Node) -> Results:
    """BitCast: the bits of each element as those of another type of the same width; bool is a byte that is 0 or 1."""
    source, target = node.element(0), node.result_element()

    def body(x: Value) -> Value:
        if source.is_bool:
            x = arith.ExtUIOp(ir.IntegerType.get_signless(8), x).result
        if target.is_bool:
            return wide_cast(x, Element("ui8"), BOOL)
        return x if x.type == target.mlir else arith.BitcastOp(target.mlir, x).result

    return (
        node.tensor(0) if source == target else build.broadcasting([node.tensor(0)], node.shape(0), target.mlir, body)
    )


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {
    "Cast": cast_node,
    "CastLike": cast_node,
    "BitCast": bit_cast,
}
