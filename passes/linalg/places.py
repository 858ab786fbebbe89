"""Where structured ops put their results: in new tensor values, or in memory. Lowerings are written once for both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfmbs.dialect.mlir import arith, ir, linalg, memref, tensor
from tfmbs.dialect.resources import resource_attr
from tfmbs.dialect.shapes import Shape, element_of, shape_of, tensor_type
from tfmbs.passes.linalg.scalar import constant
from tfmbs.passes.linalg.structured import PARALLEL, Mapped, empty, filled, generic, identity


class Tensors:
    """Results are tensor values."""

    def empty(self, shape: Shape, element: Any) -> Any:
        """A place whose elements are not defined."""
        return empty(shape, element)

    def filled(self, shape: Shape, element: Any, value: float) -> Any:
        """A place with every element `value`."""
        return filled(shape, element, value)

    def constant(self, array: Any, name: str) -> Any:
        """The elements of a numpy array."""
        attribute = resource_attr(array, name)
        return arith.ConstantOp(attribute.type, attribute).result

    def run(
        self,
        inputs: Sequence[Mapped],
        out: Mapped,
        iterators: Sequence[str],
        body: Callable[..., Any],
        discardable: Mapping[str, Any] | None = None,
    ) -> Any:
        """A `linalg.generic` from `inputs` into `out`; the value that holds its result."""
        op = generic(inputs, [out], iterators, body, discardable)
        return op.results[0] if len(op.results) else out[0]

    def padded(self, value: Any, low: Sequence[int], high: Sequence[int], fill: float) -> Any:
        """`value` with `low` and `high` more elements of `fill` before and behind it on each axis."""
        shape = shape_of(value.type)
        grown = tuple(size + a + b for size, a, b in zip(shape, low, high, strict=True))
        target = self.filled(grown, element_of(value), fill)
        ones = [1] * len(shape)
        none: list[Any] = []
        return tensor.InsertSliceOp(value, target, none, none, none, list(low), list(shape), ones).result

    def reshaped(self, value: Any, shape: Shape) -> Any:
        """The same elements in row-major order as `shape`, which only splits axes of `value`."""
        groups = split_axes(shape_of(value.type), shape)
        type_ = tensor_type(shape, element_of(value))
        return tensor.ExpandShapeOp(type_, value, groups, [], list(shape)).result


class Memrefs(Tensors):
    """Results are in memory that is allocated for them, or was given."""

    def empty(self, shape: Shape, element: Any) -> Any:
        return memref.AllocOp(ir.MemRefType.get(list(shape), element), [], []).result

    def filled(self, shape: Shape, element: Any, value: float) -> Any:
        place = self.empty(shape, element)
        linalg.fill(constant(element, value), outs=[place])
        return place

    def constant(self, array: Any, name: str) -> Any:
        value = resource_attr(array, name)
        return constant_memory(value, ir.MemRefType.get(list(shape_of(value.type)), value.type.element_type))

    def padded(self, value: Any, low: Sequence[int], high: Sequence[int], fill: float) -> Any:
        shape = shape_of(value.type)
        grown = tuple(size + a + b for size, a, b in zip(shape, low, high, strict=True))
        target = self.filled(grown, element_of(value), fill)
        inner = memref.subview(target, list(low), list(shape), [1] * len(shape))
        rank = len(shape)
        self.run([(value, identity(rank))], (inner, identity(rank)), [PARALLEL] * rank, lambda x, _: x)
        return target

    def reshaped(self, value: Any, shape: Shape) -> Any:
        groups = split_axes(shape_of(value.type), shape)
        type_ = ir.MemRefType.get(list(shape), element_of(value))
        return memref.ExpandShapeOp(type_, value, groups, [], list(shape)).result


def constant_memory(value: Any, type_: Any) -> Any:
    """A read-only memref of dense elements."""
    constant = arith.ConstantOp(value.type, value).result
    read_only = {"read_only": ir.UnitAttr.get()}
    return ir.Operation.create("bufferization.to_buffer", [type_], [constant], read_only).result


def split_axes(source: Shape, target: Shape) -> list[list[int]]:
    """Reassociation of an expand_shape from `source` to `target`: for each source axis, the target axes it becomes."""
    groups: list[list[int]] = []
    position = 0
    for axis, size in enumerate(source):
        group, product = [position], target[position]
        position += 1
        last = axis + 1 == len(source)
        while position < len(target) and (product < size or last):
            product *= target[position]
            group.append(position)
            position += 1
        if product != size:
            raise ValueError(f"{source} cannot be split into {target}")
        groups.append(group)
    return groups
