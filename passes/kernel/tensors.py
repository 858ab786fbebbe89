"""Kernel-level forms of `tensor`, `arith.constant` and `linalg` ops: views, copies, and vector code over memrefs."""

from __future__ import annotations

from typing import Any

from tfmbs.dialect.mlir import ir
from tfmbs.dialect.shapes import Shape, element_of, shape_of
from tfmbs.dialect.types import packing_of, storage_type
from tfmbs.passes.kernel.bufferize import (
    RESHAPES,
    Bufferizer,
    Rule,
    concatenated,
    refused,
    static_type,
    stored_memref_shape,
)
from tfmbs.passes.kernel.buffers import View, stored_memref
from tfmbs.passes.kernel.permutations import takes_strides
from tfmbs.runtime.abi.types import ROW_PACKINGS, Packing


def _constant(work: Bufferizer, op: Any) -> None:
    result, value = op.results[0], op.attributes["value"]
    if not isinstance(result.type, ir.RankedTensorType):
        work.scalars[result] = op.clone().results[0]
        return
    element, shape = element_of(result), shape_of(static_type(op, result.type))
    packing = packing_of(element)

    def make() -> View:
        with op.location:
            return work.buffers.constant(value, stored_memref(result.type), shape, packing.name.lower())

    work.place_constant(result, make)


def _reshape(work: Bufferizer, op: Any) -> None:
    source, result = op.operands[0], op.results[0]
    static_type(op, result.type)
    if op.name != "tensor.cast":
        _refuse_packed(op, source)
    view = work.view(source)
    target = stored_memref_shape(result)
    if view.shape == target:
        work.place(result, view)
        return
    same = view.regrouped(target) if takes_strides(result) else None
    work.place(result, work.buffers.dense(view).reshaped(target) if same is None else same)


def _slice_of(op: Any, view: View) -> View:
    """The part of `view` that a slicing op names; all its sizes are static."""
    parts = [tuple(op.attributes[f"static_{name}"]) for name in ("offsets", "sizes", "strides")]
    if any(size < 0 for part in parts for size in part):
        raise refused(op, f"{op.name}: offsets, sizes and strides", "static ones", "a value")
    return view.sliced(*parts)


def _reduced(op: Any, view: View, shape: Shape) -> View:
    """`view` without as many dimensions of size 1 as `shape` lacks."""
    dropped: set[int] = set()
    position = 0
    for d, size in enumerate(view.shape):
        if position < len(shape) and size == shape[position]:
            position += 1
        elif size == 1:
            dropped.add(d)
        else:
            raise refused(op, f"{op.name}: shape", "the slice's, without sizes of 1", list(shape))
    return view.without(dropped)


def _extract_slice(work: Bufferizer, op: Any) -> None:
    result = op.results[0]
    shape = stored_memref_shape(result)
    _refuse_packed(op, result)
    work.place(result, _reduced(op, _slice_of(op, work.view(op.operands[0])), shape))


def _insert_slice(work: Bufferizer, op: Any) -> None:
    source, init, result = op.operands[0], op.operands[1], op.results[0]
    _refuse_packed(op, result)
    target = work.destination(result) if work.is_undefined(init) else work.updated(result, init, op, (source,))
    part = _reduced(op, _slice_of(op, target), stored_memref_shape(source))
    if not work.is_undefined(source):
        work.buffers.copy(work.view(source), part)
    work.place(result, target)


def _concat(work: Bufferizer, op: Any) -> None:
    result = op.results[0]
    _refuse_packed(op, result)
    target = work.destination(result)
    for operand, part in zip(op.operands, concatenated(op, target), strict=True):
        if not work.is_undefined(operand):
            work.buffers.copy(work.view(operand), part)  # none where it was made there
    work.place(result, target)


def _pad(work: Bufferizer, op: Any) -> None:
    source, result = op.operands[0], op.results[0]
    low = tuple(op.attributes["static_low"])
    block = op.regions[0].blocks[0]
    (padding,) = block.operations[len(block.operations) - 1].operands
    if len(op.operands) > 1 or any(size < 0 for size in low):
        raise refused(op, f"{op.name}: amounts of padding", "static ones", "a value")
    scalar = _scalar(work, op, padding)
    target = work.destination(result)
    work.buffers.fill(scalar, target)
    if not work.is_undefined(source):
        view = work.view(source)
        work.buffers.copy(view, target.sliced(low, view.shape, [1] * len(low)))
    work.place(result, target)


def _fill(work: Bufferizer, op: Any) -> None:
    target = work.destination(op.results[0])
    work.buffers.fill(_scalar(work, op, op.operands[0]), target)
    work.place(op.results[0], target)


def _from_elements(work: Bufferizer, op: Any) -> None:
    target = work.destination(op.results[0])
    for index, operand in enumerate(op.operands):
        flat = target.reshaped((len(op.operands),)).sliced((index,), (1,), (1,))
        work.buffers.fill(_scalar(work, op, operand), flat)
    work.place(op.results[0], target)


def _scalar(work: Bufferizer, op: Any, value: Any) -> Any:
    """The scalar constant `value` in the new function, whether made outside `op` or in its region."""
    if value not in work.scalars and not isinstance(value.owner, ir.Block) and value.owner.name == "arith.constant":
        work.scalars[value] = value.owner.operation.clone().results[0]
    if value not in work.scalars:
        raise refused(op, f"{op.name}: scalar of type {value.type}", "a constant")
    return work.scalars[value]


def _generic(work: Bufferizer, op: Any) -> None:
    if (view := work.permuted(op)) is not None:
        work.place(op.results[0], view)
        return
    block = op.regions[0].blocks[0]
    count = len(op.results)
    inputs, inits = list(op.operands)[:-count], list(op.operands)[-count:]
    targets = []
    for index, (result, init, scalar) in enumerate(zip(op.results, inits, list(block.arguments)[-count:], strict=True)):
        if work.is_undefined(init) or not list(scalar.uses):
            targets.append(work.destination_beside(result))
        else:
            others = (*inputs, *inits[:index], *inits[index + 1 :])
            targets.append(work.updated(result, init, op, others))
    operands = [_operand(work, op, value) for value in inputs] + [work.buffers.value(target) for target in targets]
    attributes = {name: op.attributes[name] for name in op.attributes}
    built = ir.Operation.create("linalg.generic", operands=operands, attributes=attributes, regions=1)
    block.append_to(built.regions[0])
    for argument in block.arguments:
        argument.set_type(storage_type(argument.type))
    _recapture(work, op, block)
    for result, target in zip(op.results, targets, strict=True):
        work.place(result, target)


def _operand(work: Bufferizer, op: Any, value: Any) -> Any:
    """The memref of a tensor operand, or a scalar constant."""
    if isinstance(value.type, ir.RankedTensorType):
        return work.buffers.value(work.view(value))
    return _scalar(work, op, value)


def _recapture(work: Bufferizer, op: Any, block: Any) -> None:
    """Lets the ops of a moved block use the new function's scalars instead of the old one's."""
    for inner in block.operations:
        if len(inner.operation.regions):
            raise refused(op, f"{inner.operation.name} in the body of {op.name}", "straight-line code")
        for index, operand in enumerate(inner.operands):
            owner = operand.owner
            if isinstance(operand.type, ir.ShapedType):
                raise refused(op, f"{inner.operation.name} in the body of {op.name}: operand {operand.type}", "scalars")
            if isinstance(owner, ir.Block):
                continue
            if owner.operation.block != block:
                inner.operation.operands[index] = _scalar(work, op, operand)


def _refuse_packed(op: Any, tensor: Any) -> None:
    """Rows of several elements per byte have no parts and no other shape."""
    element = element_of(tensor)
    packing = packing_of(element)
    if packing in ROW_PACKINGS and packing is not Packing.I8:
        raise refused(op, f"{op.name} of packed elements", "one element per byte", element)


TENSOR_RULES: dict[str, Rule] = {
    "arith.constant": _constant,
    "linalg.fill": _fill,
    "linalg.generic": _generic,
    "tensor.concat": _concat,
    "tensor.extract_slice": _extract_slice,
    "tensor.from_elements": _from_elements,
    "tensor.insert_slice": _insert_slice,
    "tensor.pad": _pad,
    "tensor.splat": _fill,
    "tfmbs.constant": _constant,
    **dict.fromkeys(sorted(RESHAPES), _reshape),
}
