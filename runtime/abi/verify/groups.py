"""Checks of products whose weights have a scale for each group, against their tensors."""

from __future__ import annotations

from tfmbs.runtime.abi.image import Row
from tfmbs.runtime.abi.limits import MAX_LAUNCH_OPERATIONS
from tfmbs.runtime.abi.records import DESCRIPTOR, GROUP_GEOMETRY, NONE, Activations, Kind
from tfmbs.runtime.abi.types import DType, Region
from tfmbs.runtime.abi.verify.subject import Subject


def check_group_gemm(subject: Subject, index: int, descriptor: Row) -> None:
    """Checks sizes, strides, scales and activations of a GROUP_GEMM."""
    number = descriptor["geometry"]
    g = subject.image.group_geometries[number]
    m, n, k, group = g["m"], g["n"], g["k"], g["group"]

    def check(good: bool, field: str, what: str, expected: object, got: object) -> None:
        if not good:
            raise subject.refuse(GROUP_GEOMETRY, number, field, f"{Kind.GROUP_GEMM.name}: {what}", expected, got)

    check(k % group == 0, "group", "group", f"a divisor of {k}", group)
    elements = {name: subject.elements[descriptor[name]] for name in ("lhs", "rhs", "out")}
    check(elements["out"] == m * n, "n", "elements of out", elements["out"], m * n)
    last = (m - 1) * g["lhs_m_stride"] + (k - 1) * g["lhs_k_stride"]
    check(last < elements["lhs"], "lhs_k_stride", "last element of lhs", f"below {elements['lhs']}", last)
    rhs = subject.tensor(descriptor["rhs"])
    shape, wanted = tuple(rhs["dims"][: rhs["rank"]]), (n * (k // group), group)
    check(shape == wanted, "group", "shape of rhs", wanted, shape)
    scales = subject.tensor(g["scales"])
    shape, wanted = tuple(scales["dims"][: scales["rank"]]), (n, k // group)
    check(shape == wanted, "scales", "shape of scales", wanted, shape)
    dtype = DType(scales["dtype"])
    check(dtype is DType.F32, "scales", "type of scales", DType.F32.name, dtype.name)
    for field, tensor in (("rhs", rhs), ("scales", scales)):
        region = Region(tensor["region"])
        check(region is Region.WEIGHTS, "scales", f"region of {field}", Region.WEIGHTS.name, region.name)
    lhs = DType(subject.tensor(descriptor["lhs"])["dtype"])
    low, high = (-128, 127) if lhs is DType.I8 else (0, 0)
    check(low <= g["lhs_zero"] <= high, "lhs_zero", "lhs_zero", f"{low}…{high}", g["lhs_zero"])
    if g["activations"] == Activations.ABSMAX:
        check(lhs is DType.F32, "activations", "lhs of ABSMAX", DType.F32.name, lhs.name)
        order = subject.image.schedules[descriptor["schedule"]]["order"] if descriptor["schedule"] != NONE else 0
        if order:  # blocks of rows follow each other as they become integers
            raise subject.refuse(DESCRIPTOR, index, "schedule", "GROUP_GEMM of ABSMAX: order", 0, order)
    if m * n * k > MAX_LAUNCH_OPERATIONS:
        raise subject.limit(DESCRIPTOR, index, "geometry", "operations", MAX_LAUNCH_OPERATIONS, m * n * k)
