"""The pass ``tfmbs-fold-empty``: nothing is computed of or for tensors without elements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.mlir import arith, ir, linalg, tensor
from tfmbs.dialect.shapes import element_of, shape_of
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.passes.registry import Pass


@dataclass(frozen=True)
class TfmbsFoldEmpty(Pass):
    """Replace tensors without elements by `tensor.empty`, and ops that read only such by what they give.

    A reduction over nothing gives its init, and so does any other `linalg.generic` whose loops do not run. What is
    concatenated or inserted without elements is left out; padding alone is a fill.

    Before:

        #x = affine_map<(d0, d1) -> (d0, d1)>
        #sum = affine_map<(d0, d1) -> (d0)>
        func.func @f(%x: tensor<2x0xf32>) -> tensor<2xf32> {
          %zero = arith.constant 0.0 : f32
          %0 = tensor.empty() : tensor<2xf32>
          %1 = linalg.fill ins(%zero : f32) outs(%0 : tensor<2xf32>) -> tensor<2xf32>
          %2 = linalg.generic {indexing_maps = [#x, #sum], iterator_types = ["parallel", "reduction"]}
              ins(%x : tensor<2x0xf32>) outs(%1 : tensor<2xf32>) {
          ^bb0(%a: f32, %acc: f32):
            %3 = arith.addf %a, %acc : f32
            linalg.yield %3 : f32
          } -> tensor<2xf32>
          return %2 : tensor<2xf32>
        }

    After:

        func.func @f(%x: tensor<2x0xf32>) -> tensor<2xf32> {
          %zero = arith.constant 0.0 : f32
          %0 = tensor.empty() : tensor<2xf32>
          %1 = linalg.fill ins(%zero : f32) outs(%0 : tensor<2xf32>) -> tensor<2xf32>
          return %1 : tensor<2xf32>
        }
    """

    def run(self, module: Any) -> None:
        for op in ops_where(module, _is_concerned):
            with op.location, ir.InsertionPoint(op):
                _fold(op.operation)


def _is_concerned(op: Any) -> bool:
    """Whether an op reads or makes tensors without elements and has a form without them."""
    operation = op.operation
    values = [*operation.operands, *operation.results]
    return len(operation.results) > 0 and not isinstance(op, tensor.EmptyOp) and any(map(_is_empty, values))


def _is_empty(value: Any) -> bool:
    type_ = value.type
    return isinstance(type_, ir.RankedTensorType) and type_.has_static_shape and 0 in shape_of(type_)


def _fold(operation: Any) -> None:
    replacements = _without_empty(operation)
    if replacements is None:
        return
    for result, value in zip(operation.results, replacements, strict=True):
        result.replace_all_uses_with(value)
    operation.erase()


def _without_empty(operation: Any) -> list[Any] | None:
    """What stands for the results of an op that reads or makes tensors without elements; None for what needs them."""
    if all(map(_is_empty, operation.results)):
        return [tensor.EmptyOp(shape_of(r.type), element_of(r)).result for r in operation.results]
    op = operation.opview
    if isinstance(op, linalg.GenericOp):
        return list(op.outputs) if any(map(_is_empty, op.inputs)) else None
    if isinstance(op, tensor.InsertSliceOp) and _is_empty(op.source):
        return [op.dest]
    if isinstance(op, tensor.ConcatOp):
        kept = [value for value in op.inputs if not _is_empty(value)]
        return kept if len(kept) == 1 else [tensor.ConcatOp(op.result.type, op.dim, kept).result]
    if isinstance(op, tensor.PadOp) and (value := _padding(op)) is not None:
        start = tensor.EmptyOp(shape_of(op.result.type), element_of(op.result)).result
        return [linalg.fill(value, outs=[start])]
    return None


def _padding(op: Any) -> Any:
    """The padding of a `tensor.pad`, moved in front of it, if it is one constant."""
    value = op.regions[0].blocks[0].operations[-1].operation.operands[0]
    if isinstance(value.owner, ir.Block):
        return None
    constant = value.owner.opview
    return arith.ConstantOp(value.type, constant.value).result if isinstance(constant, arith.ConstantOp) else None
