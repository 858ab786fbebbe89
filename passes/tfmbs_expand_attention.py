"""The pass ``tfmbs-expand-attention``: attention as products, a softmax and elementwise work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfmbs.dialect import graph
from tfmbs.dialect.graph_attention import AttentionOp
from tfmbs.dialect.mlir import ir
from tfmbs.dialect.shapes import Shape, shape_of
from tfmbs.passes.graph.kernels import ops_of
from tfmbs.passes.graph.reshapes import reshaped
from tfmbs.passes.linalg.attention import Masking, mask_map
from tfmbs.passes.linalg.structured import elementwise, identity
from tfmbs.passes.registry import Pass
from tfmbs.runtime.abi.target import Feature
from tfmbs.runtime.abi.target_file import load_target


@dataclass(frozen=True)
class TfmbsExpandAttention(Pass):
    """Write `tfmbs.attention` as two batches of products with a softmax between them, with the same numbers.

    With a `target`, only where it has no kernel for attention. Heads that share a key become rows of one product.

    Before:

        func.func @f(%q: tensor<1x2x3x4xf32>, %k: tensor<1x2x5x4xf32>, %v: tensor<1x2x5x6xf32>)
            -> tensor<1x2x3x6xf32> {
          %0 = "tfmbs.attention"(%q, %k, %v) {
            scale = 1.0 : f32, mask_mode = "none", fill = 0xFF800000 : f32, causal = false, offset = 0 : i64,
            clear = false
          } : (tensor<1x2x3x4xf32>, tensor<1x2x5x4xf32>, tensor<1x2x5x6xf32>) -> tensor<1x2x3x6xf32>
          return %0 : tensor<1x2x3x6xf32>
        }

    After:

        func.func @f(%arg0: tensor<1x2x3x4xf32>, %arg1: tensor<1x2x5x4xf32>, %arg2: tensor<1x2x5x6xf32>) ->
            tensor<1x2x3x6xf32> {
          %collapsed = tensor.collapse_shape %arg0 [[0, 1], [2], [3]] : tensor<1x2x3x4xf32> into
              tensor<2x3x4xf32>
          %collapsed_0 = tensor.collapse_shape %arg1 [[0, 1], [2], [3]] : tensor<1x2x5x4xf32> into
              tensor<2x5x4xf32>
          %0 = "tfmbs.batch_matmul"(%collapsed, %collapsed_0) ({
          }) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, rhs_layout = "nk", roles = []} :
              (tensor<2x3x4xf32>, tensor<2x5x4xf32>) -> tensor<2x3x5xf32>
          %expanded = tensor.expand_shape %0 [[0, 1], [2], [3]] output_shape [1, 2, 3, 5] : tensor<2x3x5xf32>
              into tensor<1x2x3x5xf32>
          %1 = "tfmbs.softmax"(%expanded) {axis = 3 : i64} : (tensor<1x2x3x5xf32>) -> tensor<1x2x3x5xf32>
          %collapsed_1 = tensor.collapse_shape %arg2 [[0, 1], [2], [3]] : tensor<1x2x5x6xf32> into
              tensor<2x5x6xf32>
          %collapsed_2 = tensor.collapse_shape %1 [[0, 1], [2], [3]] : tensor<1x2x3x5xf32> into
              tensor<2x3x5xf32>
          %2 = "tfmbs.batch_matmul"(%collapsed_2, %collapsed_1) ({
          }) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, rhs_layout = "kn", roles = []} :
              (tensor<2x3x5xf32>, tensor<2x5x6xf32>) -> tensor<2x3x6xf32>
          %expanded_3 = tensor.expand_shape %2 [[0, 1], [2], [3]] output_shape [1, 2, 3, 6] :
              tensor<2x3x6xf32> into tensor<1x2x3x6xf32>
          return %expanded_3 : tensor<1x2x3x6xf32>
        }
    """

    target: str = ""

    def run(self, module: Any) -> None:
        if self.target and load_target(self.target).has(Feature.ATTENTION):
            return
        for op in ops_of(module, AttentionOp):
            with op.location, ir.InsertionPoint(op):
                op.result.replace_all_uses_with(expanded(op))
            op.operation.erase()


def expanded(op: Any) -> Any:
    """The result of a `tfmbs.attention` by other graph-level ops."""
    batch, heads, rows, width = shape_of(op.query.type)
    groups, columns = shape_of(op.key.type)[1:3]
    value_width = shape_of(op.value.type)[3]
    products, stacked = batch * groups, heads // groups * rows
    scores_shape, masking, discardable = (batch, heads, rows, columns), Masking.of(op, exact=False), op.discardable()
    masks = [] if op.mask is None else [(op.mask, mask_map(4, shape_of(op.mask.type)))]

    def each(inputs: list[Any], body: Any) -> Any:
        return elementwise(inputs, scores_shape, ir.F32Type.get(), body, discardable)

    query = reshaped(op.query, (products, stacked, width))
    key = reshaped(op.key, (products, columns, width))
    raw = reshaped(graph.batch_matmul(query, key, discardable=discardable).result, scores_shape)
    scores = raw
    if masks or masking.causal or masking.scale != 1.0:
        inputs = [(raw, identity(4)), *masks]
        scores = each(inputs, lambda x, *own: masking.masked(x, own[0] if own else None))
    weights = graph.softmax(scores, 3, discardable=discardable).result
    if masking.clear and masking.hides:
        inputs = [(weights, identity(4)), (raw, identity(4)), *masks]
        weights = each(inputs, lambda w, x, *own: masking.cleared(w, x, own[0] if own else None))
    value = reshaped(op.value, (products, columns, value_width))
    weights = reshaped(weights, (products, stacked, columns))
    out: Shape = (batch, heads, rows, value_width)
    return reshaped(graph.batch_matmul(weights, value, "kn", discardable=discardable).result, out)
