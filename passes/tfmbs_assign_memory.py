"""Placement of scratch buffers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.attributes import OFFSET, SCRATCH_BYTES, SCRATCH_LIVE_BYTES
from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import ir
from tfmbs.passes.functions import functions
from tfmbs.passes.kernel.liveness import buffers_of
from tfmbs.passes.kernel.memory_plan import live_bytes, plan
from tfmbs.passes.registry import Pass
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.limits import MAX_REGION_BYTES
from tfmbs.runtime.abi.target_file import load_target


@dataclass(frozen=True)
class TfmbsAssignMemory(Pass):
    """Gives every scratch buffer of a kernel-level function its byte offset in the scratch arena.

    A buffer is in use from the first op that touches it, or a view of it, to the last one; buffers in use at the same
    time do not overlap. An elementwise result takes the place of an operand of its type that is not needed any more.
    Offsets are 64-byte aligned. The function gets the size of the arena, and beside it the most bytes in use at one
    time, below which no arena can be for this order of ops.

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

        func.func @main(%x: memref<8xf32>, %y: memref<8xf32>) attributes {
            tfmbs.scratch_bytes = 128 : i64, tfmbs.scratch_live_bytes = 128 : i64} {
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
    buffers = buffers_of(function)
    intervals = [buffer.interval for buffer in buffers]
    placed = plan(intervals)
    if placed.peak > MAX_REGION_BYTES:
        where = place(function.location)
        raise TfmbsError("resource-limit", where, "bytes of scratch", f"at most {MAX_REGION_BYTES}", placed.peak)
    i64 = ir.IntegerType.get_signless(64)
    for buffer, offset in zip(buffers, placed.offsets, strict=True):
        for alloc in buffer.allocs:
            alloc.attributes[OFFSET] = ir.IntegerAttr.get(i64, offset)
    function.attributes[SCRATCH_BYTES] = ir.IntegerAttr.get(i64, placed.peak)
    function.attributes[SCRATCH_LIVE_BYTES] = ir.IntegerAttr.get(i64, live_bytes(intervals))
