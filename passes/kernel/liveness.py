"""When the scratch buffers of a kernel-level function are in use, and which of them may be one buffer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.kernel import dense_strides, strides_of
from tfmbs.dialect.kernel_program import VIEWS
from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import ir
from tfmbs.dialect.resources import numpy_dtype_of
from tfmbs.dialect.shapes import element_of, elements, shape_of
from tfmbs.passes.kernel.memory_plan import Interval
from tfmbs.runtime.abi.errors import TfmbsError


@dataclass
class Buffer:
    """Allocations that share their bytes, in use one after the other from op `first` to op `last` of the function."""

    allocs: list[Any]
    first: int
    last: int
    bytes: int

    @property
    def interval(self) -> Interval:
        """What the memory plan needs."""
        return Interval(self.first, self.last, self.bytes)


def buffers_of(function: Any) -> list[Buffer]:
    """The scratch buffers of a function, in order of their allocation; results in place of dying operands are joined.

    A buffer is in use from the first op that touches it, or a view of it, to the last one.
    """
    ops = [op.operation for op in function.entry_block.operations]
    index = {op: i for i, op in enumerate(ops)}
    buffers: dict[Any, Buffer] = {}
    for op in ops:
        if op.name == "memref.alloc":
            value = op.results[0]
            at = sorted({index[user] for user in _users(value, index)}) or [index[op]]
            buffers[value] = Buffer([op], at[0], at[-1], _bytes(op))
    order = list(buffers.values())
    for i, op in enumerate(ops):
        for source, target in in_place(op):
            old, new = buffers.get(source), buffers.get(target)
            if old is not None and new is not None and old is not new and old.last == i == new.first:
                joined = Buffer([*old.allocs, *new.allocs], old.first, new.last, old.bytes)
                for alloc in joined.allocs:
                    buffers[alloc.results[0]] = joined
                order = [joined if buffer is old else buffer for buffer in order if buffer is not new]
    return order


def _bytes(alloc: Any) -> int:
    """Size of a dense buffer. Raises TfmbsError for elements that have no size in memory."""
    (value,) = alloc.results
    try:
        return elements(shape_of(value.type)) * numpy_dtype_of(element_of(value)).itemsize
    except TfmbsError as error:
        what = f"{alloc.name}: element type {element_of(value)}"
        raise TfmbsError("unsupported", place(alloc.location), what, "one the device has") from error


def in_place(op: Any) -> Iterator[tuple[Any, Any]]:
    """Pairs of whole buffers that an op reads and writes element by element, each element read before it is written.

    That holds for a `linalg.generic` without reductions, between an input and an output of one type and map.
    """
    if op.name != "linalg.generic" or any("reduction" in str(kind) for kind in op.attributes["iterator_types"]):
        return
    block = op.regions[0].blocks[0]
    if any(inner.operation.name == "memref.load" or len(inner.operation.regions) for inner in block.operations):
        return
    maps = [attribute.value for attribute in op.attributes["indexing_maps"]]
    outputs = len(op.opview.outputs)
    operands = [(_whole(value), affine_map) for value, affine_map in zip(op.operands, maps, strict=True)]
    known = [(value, affine_map) for value, affine_map in operands if value is not None]
    targets = [(value, affine_map) for value, affine_map in operands[-outputs:] if value is not None]
    written = [value for value, _ in targets]
    for target, out_map in targets:
        if not out_map.is_permutation or sum(value == target for value, _ in known) > 1:
            continue
        for source, _ in known:
            uses = [affine_map for value, affine_map in known if value == source]
            if source not in written and _is_like(source, target) and all(affine_map == out_map for affine_map in uses):
                yield source, target
                break


def _is_like(source: Any, target: Any) -> bool:
    """Whether two buffers have elements of one type, and as many."""
    same = element_of(source) == element_of(target)
    return bool(same) and elements(shape_of(source.type)) == elements(shape_of(target.type))


def _whole(value: Any) -> Any:
    """The buffer that a memref is all of, in row-major order; None for parts and others."""
    if not isinstance(value.type, ir.MemRefType):
        return None
    while not isinstance(value.owner, ir.Block) and value.owner.name in VIEWS:
        source = value.owner.operands[0]
        if elements(shape_of(value.type)) != elements(shape_of(source.type)):
            return None
        if strides_of(value.type) != dense_strides(shape_of(value.type)):
            return None
        value = source
    return value


def _users(value: Any, index: dict[Any, int]) -> Iterator[Any]:
    """Ops of the function's block that touch a buffer, through views as well."""
    for use in value.uses:
        user = use.owner.operation
        while user not in index:
            user = user.parent.operation
        yield user
        for result in user.results:
            if isinstance(result.type, ir.MemRefType):
                yield from _users(result, index)
