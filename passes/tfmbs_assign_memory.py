"""Placement of scratch buffers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.attributes import OFFSET, SCRATCH_BYTES
from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import ir
from tfmbs.dialect.resources import numpy_dtype_of
from tfmbs.dialect.shapes import element_of, elements, shape_of
from tfmbs.passes.functions import functions
from tfmbs.passes.kernel.memory_plan import Interval, plan
from tfmbs.passes.registry import Pass
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.limits import MAX_REGION_BYTES
from tfmbs.runtime.abi.target_file import load_target


@dataclass(frozen=True)
class TfmbsAssignMemory(Pass):
    """Gives every scratch buffer of a kernel-level function its byte offset in the scratch arena.

    A buffer is in use from the op that makes it to the last one that touches it or a view of it; buffers in use at the
    same time do not overlap. Offsets are 64-byte aligned. The function gets the size of the arena.

    Before:

        func.func @main(%x: memref<8xf32>, %y: memref<8xf32>) {
          %a = memref.alloc() : memref<8xf32>
          "tfmbs.kernel_copy"(%x, %a) : (memref<8xf32>, memref<8xf32>) -> ()
          %b = memref.alloc() : memref<8xf32>
          "tfmbs.kernel_copy"(%a, %b) : (memref<8xf32>, memref<8xf32>) -> ()
          %c = memref.alloc() : memref<8xf32>
          "tfmbs.kernel_copy"(%b, %c) : (memref<8xf32>, memref<8xf32>) -> ()
          "tfmbs.kernel_copy"(%c, %y) : (memref<8xf32>, memref<8xf32>) -> ()
          return
        }

    After:

        func.func @main(%x: memref<8xf32>, %y: memref<8xf32>) attributes {tfmbs.scratch_bytes = 128 : i64} {
          %a = memref.alloc() {tfmbs.offset = 0 : i64} : memref<8xf32>
          "tfmbs.kernel_copy"(%x, %a) : (memref<8xf32>, memref<8xf32>) -> ()
          %b = memref.alloc() {tfmbs.offset = 64 : i64} : memref<8xf32>
          "tfmbs.kernel_copy"(%a, %b) : (memref<8xf32>, memref<8xf32>) -> ()
          %c = memref.alloc() {tfmbs.offset = 0 : i64} : memref<8xf32>
          "tfmbs.kernel_copy"(%b, %c) : (memref<8xf32>, memref<8xf32>) -> ()
          "tfmbs.kernel_copy"(%c, %y) : (memref<8xf32>, memref<8xf32>) -> ()
          return
        }
    """

    target: str = "kpu-16x16"

    def run(self, module: Any) -> None:
        """Places the buffers of every function."""
        load_target(self.target)
        for function in functions(module):
            _assign(function)


def _assign(function: Any) -> None:
    ops = [op.operation for op in function.entry_block.operations]
    index = {op: i for i, op in enumerate(ops)}
    allocs = [op for op in ops if op.name == "memref.alloc"]
    intervals = []
    for alloc in allocs:
        last = max((index[user] for user in _users(alloc.results[0], index)), default=index[alloc])
        intervals.append(Interval(index[alloc], last, memref_bytes(alloc.results[0])))
    placed = plan(intervals)
    if placed.peak > MAX_REGION_BYTES:
        where = place(function.location)
        raise TfmbsError("resource-limit", where, "bytes of scratch", f"at most {MAX_REGION_BYTES}", placed.peak)
    i64 = ir.IntegerType.get_signless(64)
    for alloc, offset in zip(allocs, placed.offsets, strict=True):
        alloc.attributes[OFFSET] = ir.IntegerAttr.get(i64, offset)
    function.attributes[SCRATCH_BYTES] = ir.IntegerAttr.get(i64, placed.peak)


def memref_bytes(value: Any) -> int:
    """Size in bytes of a dense memref's elements."""
    return elements(shape_of(value.type)) * numpy_dtype_of(element_of(value)).itemsize


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
