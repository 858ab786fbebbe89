"""Which buffer a memref is a view of, where control flow passes memrefs on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tfmbs.dialect.kernel_program import VIEWS
from tfmbs.dialect.mlir import ir
from tfmbs.passes.graph.kernels import ops_where


def source_of(value: Any) -> Any:
    """The memref that `value` always is: through results and block arguments of control flow, but not through views.

    None where it may be one of several.
    """
    sources: set[Any] = set()
    seen: set[Any] = set()
    pending = [value]
    while pending:
        current = pending.pop()
        if current in seen:
            continue
        seen.add(current)
        ways = _ways(current)
        if ways is None:
            sources.add(current)
        else:
            pending += ways
    return sources.pop() if len(sources) == 1 else None


def _ways(value: Any) -> list[Any] | None:
    """The values that a result or block argument of control flow may be; None for what is made otherwise."""
    if isinstance(value.owner, ir.Block):
        return _argument_ways(value)
    op = value.owner
    index = ir.OpResult(value).result_number
    if op.name in ("scf.if", "scf.index_switch"):
        return [terminator_of(region.blocks[0]).operands[index] for region in op.regions]
    if op.name == "scf.for":
        return [op.operands[3 + index], terminator_of(op.regions[0].blocks[0]).operands[index]]
    if op.name == "scf.while":
        return [terminator_of(op.regions[0].blocks[0]).operands[1 + index]]
    return None


def _argument_ways(value: Any) -> list[Any] | None:
    block, index = value.owner, ir.BlockArgument(value).arg_number
    op = block.owner.operation
    if op.name == "scf.for" and index > 0:
        return [op.operands[2 + index], terminator_of(block).operands[index - 1]]
    if op.name == "scf.while":
        if block == op.regions[0].blocks[0]:
            return [op.operands[index], terminator_of(op.regions[1].blocks[0]).operands[index]]
        return [terminator_of(op.regions[0].blocks[0]).operands[1 + index]]
    return None


def terminator_of(block: Any) -> Any:
    """The last op of a block."""
    return block.operations[len(block.operations) - 1].operation


def root_of(value: Any) -> Any:
    """The buffer that a memref is a view of; None where it may be one of several."""
    source = source_of(value)
    while source is not None and not isinstance(source.owner, ir.Block) and source.owner.name in VIEWS:
        source = source_of(source.owner.operands[0])
    return source


def memrefs_of(function: Any) -> Iterator[Any]:
    """The memrefs that ops in `function` make or pass on, and its own arguments."""
    for op in ops_where(function, lambda op: True):
        arguments = [
            argument for region in op.operation.regions for block in region.blocks for argument in block.arguments
        ]
        for value in (*arguments, *op.operation.results):
            if isinstance(value.type, ir.MemRefType):
                yield value


def unresolved(function: Any) -> Any:
    """A memref in `function` that may be one of several, or None."""
    return next((value for value in memrefs_of(function) if source_of(value) is None), None)
