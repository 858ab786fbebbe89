"""A run of structured ops as a function of its own, which upstream's passes turn into code on memrefs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import arith, func, ir, tensor
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.passes.kernel.runs import TRANSPARENT, Run, nested, outside_values
from tfmbs.passes.linalg.from_graph import GraphLowering
from tfmbs.runtime.abi.errors import TfmbsError

NAME = "run"


@dataclass(frozen=True)
class Outlined:
    """A module with one function @run, whose arguments are a run's inputs and whose results are its outputs.

    Scalars enter and leave as tensors of one element, `index` as i64. `kept` are results that are arguments, by number.
    """

    module: Any
    function: Any
    kept: Mapping[int, int] = field(default_factory=dict)


def outline(run: Run, writable: Iterable[Any]) -> Outlined:
    """The function of a run; it may write the inputs in `writable`, which nothing else needs."""
    writable = set(writable)
    types = [boundary_type(value.type) for value in run.inputs]
    results = [boundary_type(value.type) for value in run.outputs]
    location = run.ops[0].location
    with location:
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):
            function = func.FuncOp(NAME, (types, results))
        may_write = [ir.BoolAttr.get(value in writable) for value in run.inputs]
        function.attributes["arg_attrs"] = ir.ArrayAttr.get(
            [ir.DictAttr.get({"bufferization.writable": attribute}) for attribute in may_write]
        )
        block = function.add_entry_block(arg_locs=[location] * len(types))
        with ir.InsertionPoint(block):
            values = {
                value: _entered(argument, value.type)
                for value, argument in zip(run.inputs, block.arguments, strict=True)
            }
            for op in run.ops:
                clone(op, values)
            func.ReturnOp([_leaving(values[value]) for value in run.outputs])
    _lower_graph_ops(module)
    return Outlined(module, function)


def boundary_type(type_: Any) -> Any:
    """The tensor type that carries a value between runs."""
    if isinstance(type_, ir.ShapedType):
        return type_
    return ir.RankedTensorType.get([], ir.IntegerType.get_signless(64) if isinstance(type_, ir.IndexType) else type_)


def clone(op: Any, values: dict[Any, Any]) -> None:
    """Clones an op with its regions at the insertion point; `values` maps what it uses, and then its results too.

    Constants and undefined tensors that it uses are cloned in front of it.
    """
    for value in outside_values(op):
        if value not in values and not isinstance(value.owner, ir.Block) and value.owner.name in TRANSPARENT:
            clone(value.owner.operation, values)
    copy = op.clone()
    for inner in nested(copy):
        for index, operand in enumerate(inner.operands):
            if operand in values:
                inner.operands[index] = values[operand]
    values.update(zip(op.results, copy.results, strict=True))


def hoist_constants(function: Any) -> None:
    """Moves constant tensors out of the regions of a function to its start."""
    first = function.entry_block.operations[0].operation
    for found in ops_where(function, lambda op: op.operation.name in ("arith.constant", "tfmbs.constant")):
        op = found.operation
        if op.parent != function.operation and isinstance(op.results[0].type, ir.ShapedType):
            op.move_before(first)


def _lower_graph_ops(module: Any) -> None:
    """Spells kernels and quantized elements out: there is no launch inside of structured code.

    Raises:
        TfmbsError: ``unsupported``, an average pool, whose order of sums no structured op has.
    """
    for op in ops_where(module, lambda op: op.operation.name == "tfmbs.pool"):
        if op.kind == "avg":
            raise TfmbsError("unsupported", place(op.operation.location), "tfmbs.pool of averages in structured code")
    GraphLowering("exact").run(module)


def _entered(argument: Any, type_: Any) -> Any:
    if isinstance(type_, ir.ShapedType):
        return argument
    scalar = tensor.ExtractOp(argument, []).result
    return arith.IndexCastOp(type_, scalar).result if isinstance(type_, ir.IndexType) else scalar


def _leaving(value: Any) -> Any:
    if isinstance(value.type, ir.ShapedType):
        return value
    type_ = boundary_type(value.type)
    if isinstance(value.type, ir.IndexType):
        value = arith.IndexCastOp(type_.element_type, value).result
    return tensor.FromElementsOp(type_, [value]).result
