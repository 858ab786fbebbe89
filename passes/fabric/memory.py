"""Where memrefs lie on the device: the tensor record of a memref value, dense or with strides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.attributes import OFFSET
from tfmbs.dialect.kernel import STORED_PACKINGS, is_dense, strides_of
from tfmbs.dialect.kernel_program import VIEWS
from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import ir
from tfmbs.dialect.shapes import element_of, elements, shape_of
from tfmbs.dialect.telemetry import telemetry_of
from tfmbs.passes.fabric.scalars import dtype_of, refuse
from tfmbs.passes.fabric.tables import MAX_RANK, Tables, TensorKey
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.types import DTYPES, DType, Meaning, Packing, Region, packed_dtype

PRODUCTS = frozenset(f"tfmbs.kernel_{name}" for name in ("conv2d", "conv3d", "gemm", "group_gemm"))


@dataclass(frozen=True)
class Argument:
    """An argument of an entry: its region and slot, its name, and its elements where its type does not tell them.

    `offset` in bytes is that of a persistent buffer in the state region.
    """

    region: Region
    slot: int
    name: str
    element: tuple[DType, Meaning] | None = None
    offset: int = 0


@dataclass(frozen=True)
class Place:
    """Start of a buffer: region, slot and byte offset, with a name for people."""

    region: Region
    slot: int
    offset: int
    name: str


class Memory:
    """Tensor records of the memrefs of one function."""

    def __init__(self, tables: Tables, arguments: Mapping[Any, Argument]) -> None:
        self._tables = tables
        self._arguments = arguments
        self._places: dict[Any, Place] = {}

    def key(self, value: Any, user: Any) -> TensorKey:
        """The record of a memref: its shape when dense, else the span from its first to its last element.

        Raises TfmbsError, at the op `user`, for element types and sizes that no record has.
        """
        root = _root(value)
        where = self._place(root, user)
        if _packing(root) is not Packing.DENSE:
            shape = tuple(root.owner.operation.opview.shape)
            return TensorKey(
                where.region, where.slot, where.offset, packed_dtype(_packing(root)), _packing(root), shape
            )
        dtype = dtype_of(element_of(value))
        if dtype is None:
            raise refuse(user, f"{user.operation.name}: element type {element_of(value)}", "one the device has")
        shape = shape_of(value.type)
        if 0 in shape:  # an input or output that nobody reads or writes
            return TensorKey(where.region, where.slot, where.offset, dtype, Packing.DENSE, shape)
        strides = strides_of(value.type)
        start = _offset_of(value.type)
        low = sum(min(0, (n - 1) * s) for n, s in zip(shape, strides, strict=True))
        span = 1 + sum(abs((n - 1) * s) for n, s in zip(shape, strides, strict=True))
        dims = shape if is_dense(shape, strides) and len(shape) <= MAX_RANK else (span,)
        offset = where.offset + (start + low) * DTYPES[dtype].bits // 8
        if where.region is Region.WEIGHTS and span < elements(shape_of(root.type)):
            whole = shape_of(root.type)  # all weights are some tensor's, also those that nobody reads
            self._tables.tensor(
                TensorKey(where.region, where.slot, where.offset, dtype, Packing.DENSE, whole), where.name
            )
        return TensorKey(where.region, where.slot, offset, dtype, Packing.DENSE, dims)

    def tensor(self, value: Any, user: Any) -> int:
        """The number of the tensor record of a memref."""
        return self._tables.tensor(self.key(value, user), self.name(value, user))

    def name(self, value: Any, user: Any) -> str:
        """The name of the buffer that a memref is a part of."""
        return self._place(_root(value), user).name

    def _place(self, root: Any, user: Any) -> Place:
        if root not in self._places:
            self._places[root] = self._find(root, user)
        return self._places[root]

    def _find(self, root: Any, user: Any) -> Place:
        if root in self._arguments:
            argument = self._arguments[root]
            return Place(argument.region, argument.slot, argument.offset, argument.name)
        op = root.owner.operation
        if op.name == "tfmbs.kernel_constant":
            label = _label(root, user, len(self._places))
            return Place(Region.WEIGHTS, 0, self._tables.weights(op.attributes["value"], label), label)
        if op.name == "memref.alloc" and OFFSET in op.attributes:
            return Place(Region.SCRATCH, 0, op.attributes[OFFSET].value, f"buffer{len(self._places)}")
        if op.name == "memref.alloc":
            raise TfmbsError("pass", place(op.location), f"{op.name}", f"{OFFSET}, of tfmbs-assign-memory", "none")
        raise refuse(op, f"{op.name}: a memref made by it")


def _label(root: Any, user: Any, number: int) -> str:
    """What a constant is called: after the layer that uses it first, if it has a name."""
    telemetry = telemetry_of(user.operation)
    if telemetry is None:
        return f"constant{number}"
    is_rhs = user.operation.name in PRODUCTS and user.operation.operands[1] == root
    return f"{telemetry.layer}.{'weights' if is_rhs else f'constant{number}'}"


def _root(value: Any) -> Any:
    """The buffer that a memref is a view of."""
    while not isinstance(value.owner, ir.Block) and value.owner.operation.name in VIEWS:
        value = value.owner.operation.operands[0]
    return value


def _packing(root: Any) -> Packing:
    if isinstance(root.owner, ir.Block) or root.owner.operation.name != "tfmbs.kernel_constant":
        return Packing.DENSE
    return STORED_PACKINGS[root.owner.operation.opview.packing]


def _offset_of(type_: Any) -> int:
    _, offset = type_.get_strides_and_offset()
    return int(offset)
