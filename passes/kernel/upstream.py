"""Bufferization of structured code by upstream's passes, and what is cleared up behind them.

Only passes that fold nothing run here: `x * 1.0` is not `x` where x is a NaN.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tfmbs.dialect.location import UNKNOWN, place
from tfmbs.dialect.mlir import arith, func, ir, passmanager
from tfmbs.dialect.shapes import shape_of
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.passes.kernel.aliases import memrefs_of, source_of, terminator_of, unresolved
from tfmbs.passes.kernel.branches import branch_on_selects, copy_back, copy_back_by_way_of_others, join_choices
from tfmbs.passes.kernel.copies import drop_copies
from tfmbs.passes.kernel.generalize import generalize
from tfmbs.passes.kernel.outline import Outlined
from tfmbs.runtime.abi.errors import TfmbsError

TO_MEMREFS = (
    "scf-forall-to-for",
    "one-shot-bufferize{bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map}",
)
TO_OUT_PARAMS = (
    "buffer-results-to-out-params{hoist-static-allocs modify-public-functions}",
    "cse",
    "loop-invariant-code-motion",
    "cse",
)

_SEEN = "see current operation: "
"""How a note of upstream begins that shows the op."""

_ATTEMPTS: tuple[tuple[Callable[[Any], None], ...], ...] = (
    (),
    (join_choices,),
    (join_choices, copy_back),
    (join_choices, copy_back_by_way_of_others),
)


def to_memrefs(make: Callable[[], Outlined]) -> Outlined:
    """The code that `make` outlines, on memrefs: inputs, then outputs, which it writes; buffers are its own.

    Results that are inputs, as they were or updated, are no outputs: `kept` of what is returned names these inputs.

    First as it is; where control flow would then choose between buffers, with copies into one.

    Raises:
        TfmbsError: ``unsupported``, upstream does not bufferize it, or a buffer is chosen at run time even so.
    """
    failure: TfmbsError | None = None
    for preparations in _ATTEMPTS:
        outlined = make()
        branch_on_selects(outlined.module.operation)
        for prepare in preparations:
            prepare(outlined.module.operation)
        failure = _bufferize(outlined, TO_MEMREFS) or _unresolved(outlined)
        if failure is None:
            outlined = replace(outlined, kept=_drop_inputs(outlined.function))
            failure = _bufferize(outlined, TO_OUT_PARAMS)
        if failure is None:
            generalize(outlined.module.operation)
            _fold_sizes(outlined.module.operation)
            _hoist_buffers(outlined.function)
            _name_buffers(outlined.function)
            drop_copies(outlined.function)
            return outlined
    assert failure is not None
    raise failure


def _bufferize(outlined: Outlined, passes: Sequence[str]) -> TfmbsError | None:
    try:
        passmanager.PassManager.parse(f"builtin.module({','.join(passes)})").run(outlined.module.operation)
    except ir.MLIRError as error:
        where, what = place(outlined.function.location), "structured code that upstream does not bufferize"
        if not error.error_diagnostics:
            return TfmbsError("unsupported", where, f"{what}: {error}")
        first = error.error_diagnostics[0]
        found = place(first.location)
        return TfmbsError("unsupported", where if found == UNKNOWN else found, f"{what}: {_described(first)}")
    return None


def _described(diagnostic: Any) -> str:
    """An upstream error with the name and type of its op, which upstream tells in a note, if at all."""
    notes = (note.message for note in diagnostic.notes)
    shown = next((text.removeprefix(_SEEN) for text in notes if text.startswith(_SEEN)), "")
    name = re.search(r'"([\w$.]+)"\(', shown)
    if name is None:
        return str(diagnostic.message)
    operands_and_results = shown[shown.rindex(" : (") + 3 :]
    return f"{name.group(1)} {operands_and_results}: {diagnostic.message}"


def _unresolved(outlined: Outlined) -> TfmbsError | None:
    chosen = unresolved(outlined.function)
    if chosen is not None:
        op = chosen.owner.owner.operation if isinstance(chosen.owner, ir.Block) else chosen.owner
        what = f"{op.name}: a buffer of type {chosen.type} that is chosen at run time"
        return TfmbsError("unsupported", place(op.location), what)
    return None


def _drop_inputs(function: Any) -> dict[int, int]:
    """Returns no more what is an argument; the numbers of these results, and of their arguments."""
    terminator = terminator_of(function.entry_block)
    arguments = list(function.entry_block.arguments)
    sources = [source_of(value) for value in terminator.operands]
    kept = {result: arguments.index(source) for result, source in enumerate(sources) if source in arguments}
    values = [value for result, value in enumerate(terminator.operands) if result not in kept]
    with terminator.location, ir.InsertionPoint(terminator):
        func.ReturnOp(values)
    terminator.erase()
    type_ = ir.FunctionType.get([argument.type for argument in arguments], [value.type for value in values])
    function.attributes["function_type"] = ir.TypeAttr.get(type_)
    return kept


def _fold_sizes(root: Any) -> None:
    """Replaces `memref.dim` of static sizes by constants."""
    for found in ops_where(root, lambda op: op.operation.name == "memref.dim"):
        op = found.operation
        source, index = op.operands
        if isinstance(index.owner, ir.Block) or index.owner.name != "arith.constant":
            continue
        size = shape_of(source.type)[index.owner.attributes["value"].value]
        if size >= 0:
            with op.location, ir.InsertionPoint(op):
                op.results[0].replace_all_uses_with(arith.ConstantOp(ir.IndexType.get(), size).result)
            op.erase()


def _hoist_buffers(function: Any) -> None:
    """Moves buffers to the start: none of them outlives the iteration or branch that it is made in.

    Raises:
        TfmbsError: ``unsupported``, the size of one is known at run time only.
    """
    first = function.entry_block.operations[0].operation
    for found in ops_where(function, lambda op: op.operation.name == "memref.alloc"):
        op = found.operation
        type_ = op.results[0].type
        if not type_.has_static_shape or 0 in shape_of(type_):
            expected = "static sizes of at least 1"
            raise TfmbsError("unsupported", place(op.location), "a buffer that structured code needs", expected, type_)
        if op != first:
            op.move_before(first)


def _name_buffers(function: Any) -> None:
    """Uses buffers by their own name where control flow passes them on."""
    for value in memrefs_of(function):
        source = source_of(value)
        if source != value and (isinstance(source.owner, ir.Block) or source.owner.name == "memref.alloc"):
            value.replace_all_uses_with(source)
