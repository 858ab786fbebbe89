"""Checks of an attention against its tensors, in exact integers: sizes, strides, what its mask is."""

from __future__ import annotations

from math import prod

from tfmbs.runtime.abi.image import Row
from tfmbs.runtime.abi.limits import MAX_LAUNCH_OPERATIONS
from tfmbs.runtime.abi.records import ATTENTION_GEOMETRY, DESCRIPTOR, MaskMode
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.abi.verify.subject import Subject

MASK_TYPES = {MaskMode.ADD: DType.F32, MaskMode.ADD_SHOWN: DType.F32, MaskMode.SELECT: DType.BOOL}


def check_attention(subject: Subject, index: int, descriptor: Row) -> None:
    """Checks sizes, strides and further operands of an ATTENTION."""
    g = subject.image.attention_geometries[descriptor["geometry"]]
    mode, (values, *mask) = MaskMode(g["mask"]), subject.args(descriptor)
    if len(mask) != (mode is not MaskMode.NONE):
        expected = "none" if mode is MaskMode.NONE else "one"
        raise subject.refuse(DESCRIPTOR, index, "args_count", f"masks of mode {mode.name}", expected, len(mask))
    types = {"values": (values, DType.F32), **({"mask": (mask[0], MASK_TYPES[mode])} if mask else {})}
    for name, (tensor, dtype) in types.items():
        got = DType(subject.tensor(tensor)["dtype"])
        if got != dtype:
            raise subject.refuse(DESCRIPTOR, index, "args_first", f"{name}: element type", dtype.name, got.name)
    heads = g["groups"] * g["shared"]
    reads = {
        "lhs": (descriptor["lhs"], "lhs", (g["batch"], heads, g["rows"], g["width"]), ("batch", "head", "row", "")),
        "rhs": (descriptor["rhs"], "rhs", (g["batch"], g["groups"], g["columns"], g["width"]), _OF_GROUP),
        "args_first": (values, "value", (g["batch"], g["groups"], g["columns"], g["value_width"]), _OF_GROUP),
    }
    for field, (tensor, name, sizes, axes) in reads.items():
        _check_reach(subject, index, field, tensor, name, sizes, [g[_stride(name, axis)] for axis in axes])
    if mask:
        sizes = (g["batch"], heads, g["rows"], g["columns"])
        strides = [g[_stride("mask", axis)] for axis in ("batch", "head", "row", "column")]
        _check_reach(subject, index, "args_first", mask[0], "mask", sizes, strides)
    elif any(g[_stride("mask", axis)] for axis in ("batch", "head", "row", "column")):
        raise subject.refuse(ATTENTION_GEOMETRY, descriptor["geometry"], "mask_batch_stride", "strides without a mask")
    out, elements = g["batch"] * heads * g["rows"] * g["value_width"], subject.elements[descriptor["out"]]
    if out != elements:
        raise subject.refuse(DESCRIPTOR, index, "out", "elements by its geometry", out, elements)
    operations = g["batch"] * heads * g["rows"] * g["columns"] * (g["width"] + g["value_width"])
    if operations > MAX_LAUNCH_OPERATIONS:
        raise subject.limit(DESCRIPTOR, index, "geometry", "operations", MAX_LAUNCH_OPERATIONS, operations)


_OF_GROUP = ("batch", "group", "row", "")


def _stride(name: str, axis: str) -> str:
    return f"{name}_{axis}_stride" if axis else f"{name}_stride"


def _check_reach(
    subject: Subject, index: int, field: str, tensor: int, name: str, sizes: tuple[int, ...], strides: list[int]
) -> None:
    """The last element that is read lies in the tensor."""
    last = sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
    if last >= subject.elements[tensor]:
        expected = f"below {subject.elements[tensor]} ({prod(sizes)} are read)"
        raise subject.refuse(DESCRIPTOR, index, field, f"last element of {name}", expected, last)
