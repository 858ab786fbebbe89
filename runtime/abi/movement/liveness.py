"""Bytes of SCRATCH that are read after a launch, which is why it must leave them in external memory.

Descriptors are taken from the last to the first. A kernel's result is written whole; a vector program writes what its
walk says. What is not known counts as read, and as not written.
"""

from __future__ import annotations

from collections.abc import Iterable

from tfmbs.runtime.abi.image import Row
from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.fields import Memory
from tfmbs.runtime.abi.movement.intervals import Intervals
from tfmbs.runtime.abi.movement.walks import walk_of
from tfmbs.runtime.abi.records import NONE, Kind

Places = Iterable[tuple[int, int, int]]
"""Memory, first byte and end of each."""


def read_later(x: Expansion) -> Intervals:
    """Bytes of SCRATCH that are read after the launch that is being expanded, a VECTOR, and before they are written."""
    if not x.read_later:
        live = Intervals()
        for number in range(len(x.descriptors) - 1, -1, -1):
            descriptor = x.descriptors[number]
            if Kind(descriptor["kind"]) is Kind.VECTOR:
                x.read_later[number] = live.copy()
            reads, writes = _touched(x, descriptor)
            for _, low, high in _of_scratch(writes):
                live.remove(low, high)
            for _, low, high in _of_scratch(reads):
                live.add(low, high)
    return x.read_later[x.launch]


def _of_scratch(places: Places) -> Places:
    return (place for place in places if place[0] == Memory.SCRATCH)


def _touched(x: Expansion, descriptor: Row) -> tuple[Places, Places]:
    """What a launch reads, and what of it is written for sure."""
    kind = Kind(descriptor["kind"])
    if kind is Kind.VECTOR:
        return _touched_by_vector(x, descriptor)
    reads = [descriptor[name] for name in ("lhs", "rhs") if descriptor[name] != NONE]
    reads += x.image.args[descriptor["args_first"] : descriptor["args_first"] + descriptor["args_count"]]
    if kind is Kind.GROUP_GEMM:
        reads.append(x.image.group_geometries[descriptor["geometry"]]["scales"])
    writes = [descriptor["out"]] if kind is not Kind.LSTM and descriptor["out"] != NONE else []
    return [_place(x, one) for one in reads], [_place(x, one) for one in writes]


def _place(x: Expansion, tensor: int) -> tuple[int, int, int]:
    memory, offset = x.place(tensor)
    return memory, offset, offset + x.image.tensors[tensor]["bytes"]


def _touched_by_vector(x: Expansion, descriptor: Row) -> tuple[Places, Places]:
    walk, walked = walk_of(x, descriptor)
    loaded, stored = walk.used()
    if not walked.is_known:
        return [walk.place(window) for window in loaded | stored], []
    reads = [walk.place(window) for window in loaded - stored]
    reads += [(run.memory, low, high) for run in walked.exposed for low, high in run.each()]
    return reads, [(run.memory, low, high) for run in walked.written for low, high in run.each()]
