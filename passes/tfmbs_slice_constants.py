"""The pass ``tfmbs-slice-constants``: what is read at one place of a dimension is a slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.mlir import ir, linalg, tensor
from tfmbs.dialect.shapes import element_of, shape_of
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.passes.registry import Pass


@dataclass(frozen=True)
class TfmbsSliceConstants(Pass):
    """Make a constant place at which elementwise code reads another's result a slice of that, where the other slides.

    Upstream's fusion puts the constant into the indices of the producer. A sum of indices, as of a sliding window, may
    then be one index, and the fused op read only a part of an operand, which the verifier of `linalg.generic` refuses.

    Before:

        #slide = affine_map<(d0, d1) -> (d0 + d1)>
        #id = affine_map<(d0, d1) -> (d0, d1)>
        #first = affine_map<(d0) -> (d0, 0)>
        #one = affine_map<(d0) -> (d0)>
        func.func @f(%x: tensor<9xf32>, %y: tensor<8x2xf32>, %z: tensor<8xf32>) -> tensor<8xf32> {
          %0 = linalg.generic {indexing_maps = [#slide, #id], iterator_types = ["parallel", "parallel"]}
              ins(%x : tensor<9xf32>) outs(%y : tensor<8x2xf32>) {
          ^bb0(%a: f32, %b: f32):
            linalg.yield %a : f32
          } -> tensor<8x2xf32>
          %1 = linalg.generic {indexing_maps = [#first, #one], iterator_types = ["parallel"]}
              ins(%0 : tensor<8x2xf32>) outs(%z : tensor<8xf32>) {
          ^bb0(%a: f32, %b: f32):
            %2 = arith.negf %a : f32
            linalg.yield %2 : f32
          } -> tensor<8xf32>
          return %1 : tensor<8xf32>
        }

    After:

        #slide = affine_map<(d0, d1) -> (d0 + d1)>
        #id = affine_map<(d0, d1) -> (d0, d1)>
        #first = affine_map<(d0) -> (d0, 0)>
        #one = affine_map<(d0) -> (d0)>
        func.func @f(%x: tensor<9xf32>, %y: tensor<8x2xf32>, %z: tensor<8xf32>) -> tensor<8xf32> {
          %0 = linalg.generic {indexing_maps = [#slide, #id], iterator_types = ["parallel", "parallel"]}
              ins(%x : tensor<9xf32>) outs(%y : tensor<8x2xf32>) {
          ^bb0(%a: f32, %b: f32):
            linalg.yield %a : f32
          } -> tensor<8x2xf32>
          %slice = tensor.extract_slice %0[0, 0] [8, 1] [1, 1] : tensor<8x2xf32> to tensor<8x1xf32>
          %1 = linalg.generic {indexing_maps = [#first, #one], iterator_types = ["parallel"]}
              ins(%slice : tensor<8x1xf32>) outs(%z : tensor<8xf32>) {
          ^bb0(%a: f32, %b: f32):
            %2 = arith.negf %a : f32
            linalg.yield %2 : f32
          } -> tensor<8xf32>
          return %1 : tensor<8xf32>
        }
    """

    def run(self, module: Any) -> None:
        for op in ops_where(module, lambda op: isinstance(op, linalg.GenericOp)):
            inputs = len(op.operation.operands) - len(op.outputs)
            for position in range(inputs):
                if _slides(op.operation.operands[position].owner):
                    _slice(op, position)


def _slides(owner: Any) -> bool:
    """Whether a value is computed by elementwise code that reads an operand at something other than loop indices."""
    if isinstance(owner, ir.Block) or owner.operation.name != "linalg.generic":
        return False
    maps = (attribute.value for attribute in owner.operation.attributes["indexing_maps"])
    return any(not isinstance(expr, ir.AffineDimExpr | ir.AffineConstantExpr) for map_ in maps for expr in map_.results)


def _slice(op: Any, position: int) -> None:
    """Cuts an input of an op to the places at which the op's map is constant."""
    operand, maps = op.operation.operands[position], list(op.operation.attributes["indexing_maps"])
    shape, map_ = shape_of(operand.type), maps[position].value
    at = {d: expr.value for d, expr in enumerate(map_.results) if isinstance(expr, ir.AffineConstantExpr)}
    if all(shape[d] == 1 for d in at):
        return
    sizes = [1 if d in at else size for d, size in enumerate(shape)]
    with op.operation.location, ir.InsertionPoint(op):
        type_ = ir.RankedTensorType.get(sizes, element_of(operand))
        offsets, strides = [at.get(d, 0) for d in range(len(shape))], [1] * len(shape)
        sliced = tensor.ExtractSliceOp(type_, operand, [], [], [], offsets, sizes, strides)
    zero = ir.AffineConstantExpr.get(0)
    exprs = [zero if d in at else expr for d, expr in enumerate(map_.results)]
    maps[position] = ir.AffineMapAttr.get(ir.AffineMap.get(map_.n_dims, 0, exprs))
    op.operation.operands[position] = sliced.result
    op.operation.attributes["indexing_maps"] = ir.ArrayAttr.get(maps)
