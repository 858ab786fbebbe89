"""A model at given sizes, down to the kernel level once, and from there to a tree for a range of sizes."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tfmbs.compiler.compilation import Compilation, Options
from tfmbs.compiler.sizes.points import Box
from tfmbs.compiler.sizes.tree import Tree, tree_of
from tfmbs.compiler.sizes.unify import DifferenceError
from tfmbs.dialect.attributes import OFFSET, SCRATCH_BYTES, SCRATCH_LIVE_BYTES
from tfmbs.dialect.resources import stored_bytes
from tfmbs.passes.fabric.size_forms import mark
from tfmbs.passes.functions import functions
from tfmbs.runtime.abi.fitting import Point

Import = Callable[[Mapping[str, int]], Any]
"""Brings the model to the torch level, with these sizes of its dimensions."""

_NUMBERS = re.compile(
    r'dense(_resource)?<[^>]*>|"\w+_stationary"|"0x[0-9a-f]+"|"(any|rows|columns)"|-?\d+(\.\d*)?([eE][+-]?\d+)?'
)
"""Numbers, constants, and what schedules say: that changes time alone."""

_ELEMENTS = 4

KEPT_BYTES = 1 << 28
"""Weights of the samples that are kept for other ranges; each sample has its own."""


class Sampler:
    """One entry point of a model; `names` are its run-time sizes, `fixed` the sizes of other dimensions."""

    def __init__(
        self, importer: Import, options: Options, names: Sequence[str], fixed: Mapping[str, int], name: str
    ) -> None:
        self._import = importer
        self._options = replace(options, verify_numerically=False, observers=(), save_temps=None)
        self._names = names
        self._fixed = fixed
        self._name = name
        self._kernels: OrderedDict[Point, Any] = OrderedDict()
        self._forms: dict[Point, str] = {}

    def form(self, point: Point) -> str:
        """What of the model at kernel level does not depend on numbers: a hint where its form changes."""
        if point not in self._forms:
            module = self._kernel(point)
            text = module.operation.get_asm(large_elements_limit=_ELEMENTS, large_resource_limit=_ELEMENTS)
            self._forms[point] = _NUMBERS.sub("", text)
        return self._forms[point]

    def trees(self, points: Sequence[Point], box: Box) -> list[Tree]:
        """The entry point at `points` of a box, the first of which is its upper bound. Raises DifferenceError."""
        modules = [self._kernel(point).operation.clone() for point in points]
        for module in modules[1:]:
            _take_plan(module, modules[0])
        if len(points) > 1:
            # A size that is the same all over the box is no size to the code.
            axes = [i for i, (low, high) in enumerate(zip(box.low, box.high, strict=True)) if low < high]
            low, high, *marked = (tuple(point[axis] for axis in axes) for point in (box.low, box.high, *points))
            mark(modules, marked, low, high)
        trees = []
        for module in modules:
            lowered = Compilation(module, "kernel", self._options, self._name).lower("fabric")
            trees.append(tree_of(lowered))
        return trees

    def _kernel(self, point: Point) -> Any:
        if point not in self._kernels:
            module = self._import({**self._fixed, **dict(zip(self._names, point, strict=True))})
            self._kernels[point] = Compilation(module, "torch", self._options, self._name).lower("kernel")
            most = max(1, KEPT_BYTES // max(1, _weights(self._kernels[point])))
            while len(self._kernels) > most:
                self._kernels.popitem(last=False)
        self._kernels.move_to_end(point)
        return self._kernels[point]


def _weights(module: Any) -> int:
    """Bytes of the constants of a kernel-level module."""
    ops = (op.operation for function in functions(module.operation) for op in function.entry_block.operations)
    return sum(len(stored_bytes(op.attributes["value"])) for op in ops if op.name == "tfmbs.kernel_constant")


def _allocs(function: Any) -> list[Any]:
    return [op.operation for op in function.entry_block.operations if op.operation.name == "memref.alloc"]


def _take_plan(module: Any, highest: Any) -> None:
    """Places scratch buffers where they are at the upper bounds: their offsets then do not depend on sizes."""
    for mine, other in zip(functions(module.operation), functions(highest.operation), strict=True):
        ours, theirs = _allocs(mine), _allocs(other)
        if len(ours) != len(theirs):
            raise DifferenceError("entry point", f"number of scratch buffers: {len(theirs)} or {len(ours)}")
        for own, placed in zip(ours, theirs, strict=True):
            own.attributes[OFFSET] = _copied(placed.attributes[OFFSET], own)
        for name in (SCRATCH_BYTES, SCRATCH_LIVE_BYTES):
            if name in other.attributes:
                mine.attributes[name] = _copied(other.attributes[name], mine)


def _copied(attribute: Any, op: Any) -> Any:
    """The same integer in the context of another op."""
    return type(attribute).get(type(attribute.type).get_signless(64, op.context), attribute.value)
