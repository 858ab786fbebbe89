"""Structured code in the kernel-level function: a run's code on memrefs becomes programs, launches and buffers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfmbs.dialect.kernel_program import VIEWS, KernelProgramOp
from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import func, ir
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.passes.kernel.aliases import root_of
from tfmbs.passes.kernel.buffers import Buffers
from tfmbs.passes.kernel.outline import Outlined
from tfmbs.passes.kernel.runs import nested
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.errors import TfmbsError

_CONSTANT = "arith.constant"
MOST_BUFFERS = siw.WINDOWS - 3
"""Buffers of one program, where it can be cut: values that find no register take windows as well."""


def place_code(outlined: Outlined, arguments: Sequence[Any], buffers: Buffers) -> None:
    """Moves the code of a bufferized run to the insertion point, with `arguments` (memrefs) for its own.

    Its buffers become scratch of the function. A structured op by itself is a launch; adjacent code between those is
    one `tfmbs.kernel_program`.
    """
    function = outlined.function
    for argument, memref in zip(function.entry_block.arguments, arguments, strict=True):
        argument.replace_all_uses_with(memref)
    _adopt_buffers(function, buffers)
    ops = [op.operation for op in function.entry_block.operations]
    _refuse_calls(ops)
    group: list[Any] = []
    for index, op in enumerate(ops[:-1]):
        if op.name == _CONSTANT:
            continue
        if _is_function_level(op, group):
            _append(op)
            continue
        is_launch = _is_launch(op)
        if (is_launch or len(_buffers([*group, op])) > MOST_BUFFERS) and not _leaves_scalars(group, ops[index:]):
            _program(group)
            group = []
        if is_launch and not group:
            _copy_constants([op])
            _append(op)
        else:
            group.append(op)
    _program(group)


def _buffers(group: Sequence[Any]) -> set[Any]:
    """The buffers that ops touch."""
    memrefs = (value for top in group for op in nested(top) for value in op.operands if _is_memref(value))
    return {root_of(value) for value in memrefs}


def _is_memref(value: Any) -> bool:
    return isinstance(value.type, ir.MemRefType)


def _adopt_buffers(function: Any, buffers: Buffers) -> None:
    """Makes the buffers of the code scratch of the function around it."""
    for found in ops_where(function, lambda op: op.operation.name == "memref.alloc"):
        op = found.operation
        if list(op.results[0].uses):
            with op.location:
                op.results[0].replace_all_uses_with(buffers.alloc(op.results[0].type).root)
        op.erase()


def _refuse_calls(ops: Sequence[Any]) -> None:
    for op in ops:
        for found in ops_where(op, lambda op: isinstance(op, func.CallOp)):
            raise TfmbsError("unsupported", place(found.location), "a function call in structured code")


def _is_function_level(op: Any, group: Sequence[Any]) -> bool:
    """Whether `op` is a static view of a buffer that is not made by `group`."""
    if op.name not in VIEWS or len(op.operands) > 1 or not _is_static(op.results[0].type):
        return False
    return isinstance(op.operands[0].owner, ir.Block) or op.operands[0].owner not in group


def _is_static(type_: Any) -> bool:
    strides, offset = type_.get_strides_and_offset()
    dynamic = ir.ShapedType.get_dynamic_stride_or_offset()
    return bool(type_.has_static_shape) and dynamic not in (*strides, offset)


def _is_launch(op: Any) -> bool:
    """Whether `op` is a structured op that needs nothing but buffers and constants."""
    if op.name != "linalg.generic":
        return False
    block = op.regions[0].blocks[0]
    if any(len(inner.operation.regions) for inner in block.operations):
        return False
    captured = [value for inner in block.operations for value in inner.operands if _is_outside(value, block)]
    return all(_is_plain(value) for value in (*op.operands, *captured))


def _is_outside(value: Any, block: Any) -> bool:
    return bool(value.owner != block and (isinstance(value.owner, ir.Block) or value.owner.operation.block != block))


def _is_plain(value: Any) -> bool:
    """Whether a value is a constant, or a memref of a static layout that control flow does not pass on."""
    if isinstance(value.type, ir.MemRefType):
        made_by = None if isinstance(value.owner, ir.Block) else value.owner.name
        return _is_static(value.type) and (made_by is None or not made_by.startswith("scf."))
    return not isinstance(value.owner, ir.Block) and value.owner.name == _CONSTANT


def _leaves_scalars(group: Sequence[Any], later: Sequence[Any]) -> bool:
    """Whether ops of `later` use anything that `group` makes."""
    following = set(later)
    return any(_top(use.owner, group[0]) in following for op in group for result in op.results for use in result.uses)


def _top(op: Any, sibling: Any) -> Any:
    operation = op.operation
    while operation.block != sibling.block:
        operation = operation.parent.operation
    return operation


def _program(group: Sequence[Any]) -> None:
    if not group:
        return
    with group[0].location:
        program = KernelProgramOp.build([], [])
        block = program.operation.regions[0].blocks.append()
    with ir.InsertionPoint(block):
        _copy_constants(group)
    for op in group:
        block.append(op)


def _copy_constants(group: Sequence[Any]) -> None:
    """Gives ops copies of the constants that they use from around them, at the insertion point."""
    ops = [op for top in group for op in nested(top)]
    inside = set(ops)
    copies: dict[Any, Any] = {}
    for op in ops:
        for index, operand in enumerate(op.operands):
            owner = operand.owner
            if isinstance(owner, ir.Block) or owner.name != _CONSTANT or owner.operation in inside:
                continue
            if operand not in copies:
                copies[operand] = owner.operation.clone().results[0]
            op.operands[index] = copies[operand]


def _append(op: Any) -> None:
    ir.InsertionPoint.current.block.append(op)
