"""The pass ``tfmbs-drop-empty``: tensors without elements take no part in what is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.mlir import ir, linalg, tensor
from tfmbs.dialect.shapes import element_of, shape_of
from tfmbs.passes.registry import Pass

_STAY = frozenset({"tensor.empty", "func.return"})


@dataclass(frozen=True)
class TfmbsDropEmpty(Pass):
    """Replace what has no elements by undefined tensors, and what is computed from it alone by what it starts from.

    A reduction over no elements gives its init, and a slice without elements changes nothing where it is inserted.
    Arguments and results of functions stay as they are.

    Before:

        #row = affine_map<(d0, d1) -> (d0)>
        #all = affine_map<(d0, d1) -> (d0, d1)>
        func.func @f(%x: tensor<2x0xf32>, %init: tensor<2xf32>) -> tensor<2xf32> {
          %0 = linalg.generic {indexing_maps = [#all, #row], iterator_types = ["parallel", "reduction"]}
              ins(%x : tensor<2x0xf32>) outs(%init : tensor<2xf32>) {
          ^bb0(%a: f32, %sum: f32):
            %1 = arith.addf %sum, %a : f32
            linalg.yield %1 : f32
          } -> tensor<2xf32>
          return %0 : tensor<2xf32>
        }

    After:

        func.func @f(%x: tensor<2x0xf32>, %init: tensor<2xf32>) -> tensor<2xf32> {
          return %init : tensor<2xf32>
        }
    """

    def run(self, module: Any) -> None:
        """Visits each op after what it uses, then, from the end, what nobody reads any more."""
        for block in _blocks(module.operation):
            _drop_in(block)


def _drop_in(block: Any) -> None:
    for op in list(block.operations):
        if op.operation.name not in _STAY and not _drop(op):
            for inner in _blocks(op.operation):
                _drop_in(inner)
    for op in reversed(list(block.operations)):
        if _is_unused(op):
            op.operation.erase()


def _blocks(operation: Any) -> list[Any]:
    """Blocks that hold tensors."""
    if operation.name.startswith("linalg."):
        return []
    return [block for region in operation.regions for block in region]


def _drop(op: Any) -> bool:
    """Replaces the results that have no elements, or need none; returns whether the op is gone."""
    results = list(op.operation.results)
    with ir.InsertionPoint(op.operation), op.operation.location:
        values = _unchanged(op)
        if values is None:
            values = [_undefined(result) if _is_empty(result) else None for result in results]
    for result, value in zip(results, values, strict=True):
        if value is not None:
            result.replace_all_uses_with(value)
    gone = bool(results) and all(value is not None for value in values)
    if gone:
        op.operation.erase()
    return gone


def _unchanged(op: Any) -> Sequence[Any] | None:
    """What an op gives that reads no elements: the tensors that it starts from; None for other ops."""
    if isinstance(op, linalg.GenericOp) and len(op.results) and not any(_is_empty(r) for r in op.results):
        return list(op.outputs) if any(_is_empty(value) for value in op.inputs) else None
    if isinstance(op, tensor.InsertSliceOp):
        return [op.dest] if _is_empty(op.source) else None
    if isinstance(op, tensor.ConcatOp):
        return _concatenated(op)
    return None


def _concatenated(op: Any) -> Sequence[Any] | None:
    given = list(op.inputs)
    parts = [value for value in given if not _is_empty(value)]
    if len(parts) == len(given) or not parts:
        return None
    if len(parts) == 1:
        return parts
    return [tensor.ConcatOp(op.result.type, op.dim, parts).result]


def _undefined(result: Any) -> Any:
    return tensor.EmptyOp(list(shape_of(result.type)), element_of(result)).result


def _is_empty(value: Any) -> bool:
    type_ = value.type
    return isinstance(type_, ir.RankedTensorType) and type_.has_static_shape and 0 in shape_of(type_)


def _is_unused(op: Any) -> bool:
    """Whether an op has no elements and nobody reads it."""
    results = list(op.operation.results)
    unused = bool(results) and not any(any(True for _ in result.uses) for result in results)
    return unused and all(_is_empty(result) for result in results)
