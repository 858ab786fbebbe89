"""Facts that verifiers state: each function raises `VerifyError` with the thing, what was expected and what was got."""

from collections.abc import Collection, Sequence
from typing import Any

from tfmbs.dialect.base import VerifyError
from tfmbs.dialect.mlir import ir
from tfmbs.dialect.shapes import Shape, Window, shape_of
from tfmbs.dialect.types import (
    PACKINGS,
    is_int4,
    is_per_axis,
    is_quantized,
    is_ternary,
    packing_name,
    scales_of,
    zero_points_of,
)


def spell(shape: Shape) -> str:
    """A shape as MLIR spells it: `2x3`, `scalar` for rank 0."""
    return "x".join(str(size) if size >= 0 else "?" for size in shape) or "scalar"


def expect(what: str, expected: Any, got: Any, why: str = "") -> None:
    """`got` equals `expected`; `why` says where the expectation comes from."""
    if expected != got:
        reason = f" ({why})" if why else ""
        raise VerifyError(f"{what}: expected {expected}{reason}, got {got}")


def expect_one_of(what: str, choices: Collection[Any], got: Any) -> None:
    """`got` is one of `choices`."""
    if got not in choices:
        raise VerifyError(f"{what}: expected {' or '.join(str(choice) for choice in choices)}, got {got}")


def expect_range(what: str, low: int, high: int, got: int) -> None:
    """low ≤ got ≤ high."""
    if not low <= got <= high:
        raise VerifyError(f"{what}: expected {low} to {high}, got {got}")


def expect_at_least(what: str, low: int, values: tuple[int, ...]) -> None:
    """Each of `values` is at least `low`."""
    if values and min(values) < low:
        raise VerifyError(f"{what}: expected at least {low}, got {min(values)}")


def expect_shape(what: str, expected: Shape, got: Shape, why: str = "") -> None:
    """Two shapes agree."""
    expect(what, spell(expected), spell(got), why)


def expect_type(what: str, expected: Any, got: Any, why: str = "") -> None:
    """Two types agree."""
    expect(what, str(expected), str(got), why)


def expect_length(what: str, expected: int, items: Sequence[Any]) -> None:
    """A sequence has `expected` items."""
    expect(f"number of {what}", expected, len(items))


def static_shape(what: str, value: Any, kind: Any, rank: int | None = None) -> Shape:
    """Shape of a value that is a tensor or memref (`kind`) of static sizes ≥ 1, of `rank` dimensions if given."""
    wanted = "a ranked tensor" if kind is ir.RankedTensorType else "a memref"
    if not isinstance(value.type, kind):
        raise VerifyError(f"{what}: expected {wanted}, got {value.type}")
    shape = shape_of(value.type)
    if rank is not None:
        expect(f"{what} rank", rank, len(shape))
    if any(size < 1 for size in shape):
        raise VerifyError(f"{what} shape: expected static sizes of at least 1, got {spell(shape)}")
    element_is_well_formed(what, shape, value.type.element_type)
    return shape


def tensor_shape(what: str, value: Any, rank: int | None = None) -> Shape:
    """`static_shape` of a tensor."""
    return static_shape(what, value, ir.RankedTensorType, rank)


def memref_shape(what: str, value: Any, rank: int | None = None) -> Shape:
    """`static_shape` of a memref."""
    return static_shape(what, value, ir.MemRefType, rank)


def element_is_well_formed(what: str, shape: Shape, element: Any) -> None:
    """Ternary types name a packing; quantized ones store i8 or i4, express f32 and have one scale per axis index."""
    if is_ternary(element):
        expect_one_of(f"{what} packing", PACKINGS, packing_name(element))
        if not shape:
            raise VerifyError(f"{what} rank: expected at least 1 for a ternary tensor, got 0")
    if is_quantized(element):
        if is_int4(element):
            if not shape:
                raise VerifyError(f"{what} rank: expected at least 1 for a tensor of i4, got 0")
        else:
            expect_type(f"{what} storage type", ir.IntegerType.get_signless(8), element.storage_type)
        expect_type(f"{what} expressed type", ir.F32Type.get(), element.expressed_type)
        if not element.is_signed:
            raise VerifyError(
                f"{what} storage type: expected i{element.storage_type.width}, got u{element.storage_type.width}"
            )
    if is_per_axis(element):
        axis = element.quantized_dimension
        expect_range(f"{what} quantized axis", 0, len(shape) - 1, axis)
        expect(f"number of {what} scales", shape[axis], len(scales_of(element)), f"size of axis {axis}")


def element_is(what: str, expected: Any, value: Any) -> None:
    """The element type of a value is `expected`."""
    expect_type(f"{what} element type", expected, value.type.element_type)


def element_is_quantized(what: str, value: Any) -> None:
    """The element type of a value is a quantized one."""
    if not is_quantized(value.type.element_type):
        raise VerifyError(f"{what} element type: expected a quantized type, got {value.type.element_type}")


def accumulator_type(lhs: Any, rhs: Any) -> Any:
    """Accumulator type of a product: f32 for (f32, f32 or ternary or i4) elements, i32 for two quantized, or ternary.

    Raises VerifyError for any other pair: lhs is quantized per tensor, rhs per tensor or on axis 0, with zero point 0.
    """
    if isinstance(lhs, ir.F32Type):
        if not (isinstance(rhs, ir.F32Type) or is_ternary(rhs) or is_int4(rhs)):
            raise VerifyError(f"rhs element type: expected f32 or !tfmbs.ternary (lhs is f32), got {rhs}")
        _check_weights(rhs)
        return ir.F32Type.get()
    if not is_quantized(lhs):
        raise VerifyError(f"lhs element type: expected f32 or a quantized type, got {lhs}")
    if is_per_axis(lhs):
        raise VerifyError(f"lhs quantization: expected per tensor, got {lhs}")
    if is_int4(lhs):
        raise VerifyError(f"lhs element type: expected f32 or i8, got {lhs}")
    _check_weights(rhs)
    if not is_quantized(rhs) and not is_ternary(rhs):
        raise VerifyError(
            f"rhs element type: expected a quantized type or !tfmbs.ternary (lhs is quantized), got {rhs}"
        )
    return ir.IntegerType.get_signless(32)


def _check_weights(rhs: Any) -> None:
    """Quantized weights have zero point 0, and their axis is that of rows."""
    if not is_quantized(rhs):
        return
    if is_per_axis(rhs):
        expect("rhs quantized axis", 0, rhs.quantized_dimension)
    if any(zero_points_of(rhs)):
        raise VerifyError(f"rhs zero point: expected 0, got {next(z for z in zero_points_of(rhs) if z)}")


def window_is_valid(window: Window, size: Shape) -> None:
    """Kernel, strides and dilations are at least 1, pads at least 0, and the window fits the padded image."""
    rank = len(size)
    for what, pair in (("kernel sizes", window.kernel), ("strides", window.strides), ("dilations", window.dilations)):
        expect_length(what, rank, pair)
        expect_at_least(what, 1, pair)
    expect_length("pads", 2 * rank, window.pads)
    expect_at_least("pads", 0, window.pads)
    for axis, name in enumerate(("depth", "height", "width")[-rank:]):
        padded = size[axis] + window.pads[axis] + window.pads[axis + rank]
        covered = window.dilations[axis] * (window.kernel[axis] - 1) + 1
        if covered > padded:
            raise VerifyError(f"window {name}: expected at most {padded} (input {size[axis]} and pads), got {covered}")


def scale_fits(what: str, scale: Any, shape: Shape, axis: int) -> None:
    """A scale is a f32 tensor of one element, or of rank 1 with one per index of `axis` of `shape`."""
    got = tensor_shape(what, scale)
    element_is(what, ir.F32Type.get(), scale)
    expect_range("axis", 0, max(len(shape) - 1, 0), axis)
    if any(size != 1 for size in got):
        expect_shape(f"{what} shape", (shape[axis],) if shape else (), got, f"or one element; axis {axis} of the input")
