"""What each kind of descriptor needs: operands, and the element types it computes with."""

from __future__ import annotations

from dataclasses import dataclass

from tfmbs.runtime.abi.records import Kind
from tfmbs.runtime.abi.types import DType

BLOCKED = frozenset({Kind.GEMM, Kind.GEMV})
"""Kinds whose schedules may have blocks of the output."""
ORDERED = BLOCKED | {Kind.CONV2D, Kind.CONV3D, Kind.GROUP_GEMM}
"""Kinds whose schedules may say which output tiles follow each other."""

OPERANDS = ("lhs", "rhs", "out", "geometry", "schedule", "program")


@dataclass(frozen=True)
class KindRule:
    """`required` and `optional` operands, the others being NONE; `types` are (lhs, rhs or None, accumulator).

    `further` are the names of operands that the args table lists, where it does not list the windows of a program; all
    but the first may be left out.

    Without an epilogue the result has the accumulator's type; with one, any type that a program can store.
    """

    required: frozenset[str]
    optional: frozenset[str] = frozenset()
    types: frozenset[tuple[DType, DType | None, DType]] = frozenset()
    further: tuple[str, ...] = ()


_PRODUCT = frozenset({"lhs", "rhs", "out", "geometry", "schedule"})
_EPILOGUE = frozenset({"program"})
_PRODUCT_TYPES = frozenset(
    {
        (DType.F32, DType.F32, DType.F32),
        (DType.F32, DType.TRIT, DType.F32),
        (DType.I8, DType.I8, DType.I32),
        (DType.I8, DType.TRIT, DType.I32),
        (DType.F32, DType.I4, DType.F32),
        (DType.I8, DType.I4, DType.I32),
    }
)
_GROUP_TYPES = frozenset(
    (lhs, rhs, DType.F32) for lhs in (DType.F32, DType.I8) for rhs in (DType.I8, DType.TRIT, DType.I4)
)

KIND_RULES: dict[Kind, KindRule] = {
    Kind.GEMM: KindRule(_PRODUCT, _EPILOGUE, _PRODUCT_TYPES),
    Kind.GEMV: KindRule(_PRODUCT, _EPILOGUE, _PRODUCT_TYPES),
    Kind.CONV2D: KindRule(_PRODUCT, _EPILOGUE, _PRODUCT_TYPES),
    Kind.POOL: KindRule(
        frozenset({"lhs", "out", "geometry"}),
        _EPILOGUE | {"schedule"},
        frozenset({(DType.F32, None, DType.F32), (DType.I8, None, DType.I8)}),
    ),
    Kind.VECTOR: KindRule(frozenset({"program"}), frozenset({"schedule"})),
    Kind.COPY: KindRule(frozenset({"lhs", "out"}), frozenset({"schedule"})),
    Kind.CONV3D: KindRule(_PRODUCT, _EPILOGUE, _PRODUCT_TYPES),
    Kind.ATTENTION: KindRule(
        _PRODUCT, types=frozenset({(DType.F32, DType.F32, DType.F32)}), further=("values", "mask")
    ),
    Kind.GROUP_GEMM: KindRule(_PRODUCT, _EPILOGUE, _GROUP_TYPES),
    Kind.LSTM: KindRule(
        _PRODUCT,
        types=frozenset({(DType.F32, DType.F32, DType.F32)}),
        further=("recurrent", "bias", "recurrent_bias", "hidden", "cell"),
    ),
}
