"""Checks of geometry against the tensors it is applied to, in exact integers: strides, sizes, windows, operations."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Row
from tfmbs.runtime.abi.limits import MAX_LAUNCH_OPERATIONS
from tfmbs.runtime.abi.records import (
    DESCRIPTOR,
    GEMM_GEOMETRY,
    GEOMETRY_OF_KIND,
    VOLUME_GEOMETRY,
    WINDOW_GEOMETRY,
    Kind,
    PoolMode,
)
from tfmbs.runtime.abi.sections import KIND_OF_RECORD
from tfmbs.runtime.abi.types import DType, is_packed
from tfmbs.runtime.abi.verify.subject import Subject


def _check_zero_point(subject: Subject, index: int, descriptor: Row, zero: int) -> None:
    is_i8 = subject.tensor(descriptor["lhs"])["dtype"] == DType.I8 and descriptor["kind"] != Kind.POOL
    low, high = (-128, 127) if is_i8 else (0, 0)
    if not low <= zero <= high:
        raise subject.refuse(DESCRIPTOR, index, "geometry", "lhs_zero", f"{low}…{high}", zero)


def _check_operations(subject: Subject, index: int, operations: int) -> None:
    if operations > MAX_LAUNCH_OPERATIONS:
        raise subject.limit(DESCRIPTOR, index, "geometry", "operations", MAX_LAUNCH_OPERATIONS, operations)


def check_gemm(subject: Subject, index: int, descriptor: Row) -> None:
    """Checks sizes and strides of a GEMM or GEMV against its tensors."""
    g = subject.image.gemm_geometries[descriptor["geometry"]]
    batch, m, n, k = g["batch"], g["m"], g["n"], g["k"]

    def size(what: str, name: str, expected: str, got: int, *, good: bool) -> None:
        if not good:
            where = subject.where(GEMM_GEOMETRY, descriptor["geometry"])
            raise subject.refuse(DESCRIPTOR, index, name, f"{what} of {where}", expected, got)

    elements = {name: subject.elements[descriptor[name]] for name in ("lhs", "rhs", "out")}
    if descriptor["kind"] == Kind.GEMV:
        size("rows", "geometry", "1", batch * m, good=batch * m == 1)
    size("elements", "out", str(elements["out"]), batch * m * n, good=batch * m * n == elements["out"])
    last = (batch - 1) * g["lhs_batch_stride"] + (m - 1) * g["lhs_m_stride"] + (k - 1) * g["lhs_k_stride"]
    size("last element", "lhs", f"below {elements['lhs']}", last, good=last < elements["lhs"])
    last = (batch - 1) * g["rhs_batch_stride"] + (n - 1) * g["rhs_n_stride"] + (k - 1) * g["rhs_k_stride"]
    size("last element", "rhs", f"below {elements['rhs']}", last, good=last < elements["rhs"])
    rhs = subject.tensor(descriptor["rhs"])
    if is_packed(DType(rhs["dtype"])):
        row = elements["rhs"] // rhs["dims"][0]
        size("elements of a packed row", "rhs", str(row), k, good=row == k)
        size("rhs_n_stride", "rhs", str(k), g["rhs_n_stride"], good=g["rhs_n_stride"] == k)
        size("rhs_k_stride", "rhs", "1", g["rhs_k_stride"], good=g["rhs_k_stride"] == 1)
        step = g["rhs_batch_stride"]
        size("rhs_batch_stride", "rhs", f"0 or {n * k}", step, good=step in (0, n * k))
    _check_zero_point(subject, index, descriptor, g["lhs_zero"])
    _check_operations(subject, index, batch * m * n * k)


AXES = {WINDOW_GEOMETRY.name: ("height", "width"), VOLUME_GEOMETRY.name: ("depth", "height", "width")}
"""Spatial axes of the records of sliding windows, outermost first."""


def check_window(subject: Subject, index: int, descriptor: Row) -> None:
    """Checks sizes of a CONV2D, CONV3D or POOL against its tensors."""
    kind = Kind(descriptor["kind"])
    record = GEOMETRY_OF_KIND[kind]
    assert record is not None
    g = getattr(subject.image, KIND_OF_RECORD[record.name].attribute)[descriptor["geometry"]]
    is_pool, axes = kind is Kind.POOL, AXES[record.name]
    if record is WINDOW_GEOMETRY and (g["mode"] == PoolMode.NONE) == is_pool:
        raise _refuse_window(subject, descriptor, "mode", "pooling mode", "one for POOL only", PoolMode(g["mode"]).name)
    taps = prod(g[f"kernel_{axis}"] for axis in axes)
    if is_pool:
        _check_pool(subject, descriptor, g)
    else:
        taps *= _check_filter(subject, index, descriptor, g, taps)
    lhs = g["batch"] * g["in_channels"] * prod(g[f"in_{axis}"] for axis in axes)
    out = g["batch"] * g["out_channels"] * prod(g[f"out_{axis}"] for axis in axes)
    _check_elements(subject, index, descriptor, "lhs", lhs)
    _check_elements(subject, index, descriptor, "out", out)
    _check_zero_point(subject, index, descriptor, g["lhs_zero"])
    _check_operations(subject, index, out * taps)


def _refuse_window(
    subject: Subject, descriptor: Row, name: str, what: str, expected: object, got: object
) -> TfmbsError:
    record = GEOMETRY_OF_KIND[Kind(descriptor["kind"])]
    assert record is not None
    return subject.refuse(record, descriptor["geometry"], name, what, expected, got)


def _check_elements(subject: Subject, index: int, descriptor: Row, name: str, expected: int) -> None:
    got = subject.elements[descriptor[name]]
    if got != expected:
        raise subject.refuse(DESCRIPTOR, index, name, "elements by its geometry", expected, got)


def _check_filter(subject: Subject, index: int, descriptor: Row, g: Row, window: int) -> int:
    """Checks groups and the filter of a convolution whose window has so many taps; returns the channels of a group."""
    groups, channels = g["groups"], (g["in_channels"], g["out_channels"])
    if any(count % groups for count in channels):
        raise _refuse_window(subject, descriptor, "groups", "channels", f"multiples of {groups}", channels)
    own: int = g["in_channels"] // groups
    _check_elements(subject, index, descriptor, "rhs", g["out_channels"] * own * window)
    rhs = subject.tensor(descriptor["rhs"])
    if is_packed(DType(rhs["dtype"])) and rhs["dims"][0] != g["out_channels"]:
        raise subject.refuse(DESCRIPTOR, index, "rhs", "packed rows", g["out_channels"], rhs["dims"][0])
    return own


def _check_pool(subject: Subject, descriptor: Row, g: Row) -> None:
    if (g["groups"], g["out_channels"]) != (1, g["in_channels"]):
        got = f"{g['groups']} and {g['out_channels']}"
        expected = f"1 and {g['in_channels']}"
        raise _refuse_window(subject, descriptor, "groups", "POOL: groups and output channels", expected, got)
    mode = PoolMode(g["mode"])
    if subject.tensor(descriptor["lhs"])["dtype"] == DType.I8 and mode is not PoolMode.MAX:
        raise _refuse_window(subject, descriptor, "mode", "POOL of I8", "MAX", mode.name)
    if mode is PoolMode.AVG_PADDED:
        return
    for axis, pad in (("height", "top"), ("width", "left")):
        size, kernel, dilation = g[f"in_{axis}"], g[f"kernel_{axis}"], g[f"dilation_{axis}"]
        if kernel > 1 and dilation > size:
            what = f"dilation of {mode.name}"
            raise _refuse_window(subject, descriptor, f"dilation_{axis}", what, f"at most {size}", dilation)
        bad = _window_without_tap(g, axis, g[f"pad_{pad}"])
        if bad is not None:
            what = f"window {bad} of {mode.name}"
            raise _refuse_window(subject, descriptor, f"out_{axis}", what, "a tap inside the input", "none")


def _window_without_tap(g: Mapping[str, int], axis: str, pad: int) -> int | None:
    """A window along one axis that has no tap inside the input, if there is one.

    It is the first or the last: no window between them starts further out, and no tap steps over the whole input.
    """
    last = g[f"out_{axis}"] - 1
    if (g[f"kernel_{axis}"] - 1) * g[f"dilation_{axis}"] < pad:
        return 0
    return last if last * g[f"stride_{axis}"] - pad >= g[f"in_{axis}"] else None
