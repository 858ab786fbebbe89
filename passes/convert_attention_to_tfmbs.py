"""The pass ``convert-attention-to-tfmbs``: products with a softmax between them become one op."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

from tfmbs.dialect import graph
from tfmbs.dialect.attributes import SEMANTICS
from tfmbs.dialect.mlir import ir, linalg
from tfmbs.dialect.semantics import Semantics, located, semantics_of
from tfmbs.dialect.shapes import element_of, shape_of
from tfmbs.passes.graph.reshapes import reshaped
from tfmbs.passes.linalg.structured import empty
from tfmbs.passes.registry import Pass
from tfmbs.passes.torch import attention
from tfmbs.passes.torch import values as tv
from tfmbs.passes.torch.attention import Match


@dataclass(frozen=True)
class ConvertAttentionToTfmbs(Pass):
    """Find attention at the torch level, and make each one `tfmbs.attention`.

    That is a product of f32 whose left operand is a softmax over the last dimension of another product, which may be
    scaled by an exact factor, then masked by an addition or a choice; heads may share keys and values. What is done to
    scores otherwise (a soft cap, a bias that is added twice, weights or scores that are used elsewhere) stays as it is.

    Before:

        func.func @f(%q: !torch.vtensor<[1,2,3,4],f32>, %k: !torch.vtensor<[1,2,4,5],f32>,
            %v: !torch.vtensor<[1,2,5,6],f32>) -> !torch.vtensor<[1,2,3,6],f32> {
          %axis = torch.constant.int -1
          %none = torch.constant.none
          %half = torch.constant.float 0.5
          %0 = torch.aten.matmul %q, %k : !torch.vtensor<[1,2,3,4],f32>, !torch.vtensor<[1,2,4,5],f32>
              -> !torch.vtensor<[1,2,3,5],f32>
          %1 = torch.aten.mul.Scalar %0, %half : !torch.vtensor<[1,2,3,5],f32>, !torch.float
              -> !torch.vtensor<[1,2,3,5],f32>
          %2 = torch.aten.softmax.int %1, %axis, %none : !torch.vtensor<[1,2,3,5],f32>, !torch.int, !torch.none
              -> !torch.vtensor<[1,2,3,5],f32>
          %3 = torch.aten.matmul %2, %v : !torch.vtensor<[1,2,3,5],f32>, !torch.vtensor<[1,2,5,6],f32>
              -> !torch.vtensor<[1,2,3,6],f32>
          return %3 : !torch.vtensor<[1,2,3,6],f32>
        }

    After:

        func.func @f(%arg0: !torch.vtensor<[1,2,3,4],f32>, %arg1: !torch.vtensor<[1,2,4,5],f32>, %arg2:
            !torch.vtensor<[1,2,5,6],f32>) -> !torch.vtensor<[1,2,3,6],f32> {
          %int-1 = torch.constant.int -1
          %none = torch.constant.none
          %float5.000000e-01 = torch.constant.float 5.000000e-01
          %0 = torch_c.to_builtin_tensor %arg0 : !torch.vtensor<[1,2,3,4],f32> -> tensor<1x2x3x4xf32>
          %1 = torch_c.to_builtin_tensor %arg1 : !torch.vtensor<[1,2,4,5],f32> -> tensor<1x2x4x5xf32>
          %2 = torch_c.to_builtin_tensor %arg2 : !torch.vtensor<[1,2,5,6],f32> -> tensor<1x2x5x6xf32>
          %3 = tensor.empty() : tensor<1x2x5x4xf32>
          %transposed = linalg.transpose ins(%1 : tensor<1x2x4x5xf32>) outs(%3 : tensor<1x2x5x4xf32>)
              permutation = [0, 1, 3, 2]
          %4 = "tfmbs.attention"(%0, %transposed, %2) {causal = false, clear = false, fill = 0xFF800000 : f32,
              mask_mode = "none", offset = 0 : i64, scale = 5.000000e-01 : f32} : (tensor<1x2x3x4xf32>,
              tensor<1x2x5x4xf32>, tensor<1x2x5x6xf32>) -> tensor<1x2x3x6xf32>
          %5 = torch_c.from_builtin_tensor %4 : tensor<1x2x3x6xf32> -> !torch.vtensor<[1,2,3,6],f32>
          return %5 : !torch.vtensor<[1,2,3,6],f32>
        }
    """

    def run(self, module: Any) -> None:
        products: list[Any] = []

        def collect(op: Any) -> Any:
            if op.name in attention.PRODUCTS:
                products.append(op)
            return ir.WalkResult.ADVANCE

        module.operation.walk(collect)
        matches = {op: found for op in products if (found := _match(op)) is not None}
        inner = {step for op, found in matches.items() for step in found.inner if step != op}
        for op in [op for op in matches if op not in inner]:
            # Once more: an operand may be the result of what was converted before.
            _convert(op, attention.match(op))


def _match(op: Any) -> Match | None:
    try:
        return attention.match(op)
    except tv.NotConvertedError:
        return None


def _convert(op: Any, found: Match) -> None:
    result = op.results[0]
    semantics = _semantics(op, found)
    location = op.location if semantics is None else located(op.location, semantics)
    with location, ir.InsertionPoint(op):
        converted = build(found)
        if semantics is not None:
            converted.owner.attributes[SEMANTICS] = semantics.to_attribute()
        shaped = reshaped(converted, tv.shape(result))
        result.replace_all_uses_with(tv.from_builtin(shaped, result))
    # From the result on, what is between has no user any more.
    pending = list(found.inner)
    while dead := [step for step in pending if not any(True for value in step.results for _ in value.uses)]:
        for step in dead:
            pending.remove(step)
            step.erase()


def _semantics(op: Any, found: Match) -> Semantics | None:
    """What is known of the last product, with the operations of all steps, and the bytes of what is read and written.

    What makes a mask of positions is no step.
    """
    own = semantics_of(op)
    if own is None:
        return None
    flops = sum(known.flops for step in found.inner if (known := semantics_of(step)) is not None)
    operands = [found.query, found.key, found.value, *([] if found.mask is None else [found.mask])]
    moved = sum(tv.bytes_of(value) for value in dict.fromkeys([*operands, op.results[0]]))
    return replace(own, flops=flops, bytes=moved)


def build(found: Match) -> Any:
    """The tfmbs op at the insertion point; its result B×H×M×E."""
    batch, heads, rows, columns = found.scores
    query, key, value = (tv.to_builtin(operand) for operand in (found.query, found.key, found.value))
    if not found.is_transposed:
        key = _transposed(key)
    groups = prod(shape_of(value.type)[:-2]) // batch
    operands = [
        reshaped(query, (batch, heads, rows, shape_of(query.type)[-1])),
        reshaped(key, (batch, groups, columns, shape_of(key.type)[-1])),
        reshaped(value, (batch, groups, columns, shape_of(value.type)[-1])),
    ]
    mask = None
    if found.mask is not None:
        mask = tv.to_builtin(found.mask)
        mask = reshaped(mask, attention.aligned(shape_of(mask.type), found.scores))
    return graph.attention(
        operands[0],
        operands[1],
        operands[2],
        mask,
        scale=found.scale,
        mask_mode=found.mode,
        fill=found.fill,
        causal=found.causal,
        offset=found.offset,
        clear=found.clear,
    ).result


def _transposed(value: Any) -> Any:
    """The two last dimensions of a builtin tensor exchanged."""
    *batch, rows, columns = shape_of(value.type)
    order = [*range(len(batch)), len(batch) + 1, len(batch)]
    return linalg.transpose(value, outs=[empty((*batch, columns, rows), element_of(value))], permutation=order).results[
        0
    ]
