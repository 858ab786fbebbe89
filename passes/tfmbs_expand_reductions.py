"""The pass ``tfmbs-expand-reductions``: sums of f32 and f64 in the fabric's order, 16 partial sums that are folded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.location import place as place_of
from tfmbs.dialect.mlir import arith, ir
from tfmbs.dialect.shapes import element_of, shape_of
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.passes.linalg.places import Memrefs, Tensors
from tfmbs.passes.linalg.structured import PARALLEL, REDUCTION, identity, inline, mapping
from tfmbs.passes.linalg.sums import INHERENT, has_body, iterators_of, maps_of, sums_of
from tfmbs.passes.registry import Pass
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.siw import REDUCTION_LANES


@dataclass(frozen=True)
class TfmbsExpandReductions(Pass):
    """Give sums of f32 and f64 the fabric's order: element i goes to partial sum i mod 16, then partials are folded.

    It concerns each reduction that yields `arith.addf` of its accumulator, which it uses nowhere else, and something
    made from no accumulator, in a named op such as `linalg.vecmat` too, and beside other results; i counts the reduced
    elements in row-major order. The init value is added last. Other reductions keep upstream's order, which is
    ascending; so do sums of f16 and bf16, which round at each step.

    Before:

        #in = affine_map<(d0, d1) -> (d0, d1)>
        #out = affine_map<(d0, d1) -> (d0)>
        func.func @f(%x: tensor<2x40xf32>, %init: tensor<2xf32>) -> tensor<2xf32> {
          %0 = linalg.generic {indexing_maps = [#in, #out], iterator_types = ["parallel", "reduction"]}
              ins(%x : tensor<2x40xf32>) outs(%init : tensor<2xf32>) {
          ^bb0(%e: f32, %sum: f32):
            %1 = arith.addf %sum, %e : f32
            linalg.yield %1 : f32
          } -> tensor<2xf32>
          return %0 : tensor<2xf32>
        }

    After:

        #map = affine_map<(d0, d1) -> (d0, d1)>
        #map1 = affine_map<(d0, d1) -> (d0, d1 mod 16)>
        #map2 = affine_map<(d0) -> (d0, 0)>
        #map3 = affine_map<(d0) -> (d0, 1)>
        #map4 = affine_map<(d0) -> (d0, 2)>
        #map5 = affine_map<(d0) -> (d0, 3)>
        #map6 = affine_map<(d0) -> (d0, 4)>
        #map7 = affine_map<(d0) -> (d0, 5)>
        #map8 = affine_map<(d0) -> (d0, 6)>
        #map9 = affine_map<(d0) -> (d0, 7)>
        #map10 = affine_map<(d0) -> (d0, 8)>
        #map11 = affine_map<(d0) -> (d0, 9)>
        #map12 = affine_map<(d0) -> (d0, 10)>
        #map13 = affine_map<(d0) -> (d0, 11)>
        #map14 = affine_map<(d0) -> (d0, 12)>
        #map15 = affine_map<(d0) -> (d0, 13)>
        #map16 = affine_map<(d0) -> (d0, 14)>
        #map17 = affine_map<(d0) -> (d0, 15)>
        #map18 = affine_map<(d0) -> (d0)>
        func.func @f(%arg0: tensor<2x40xf32>, %arg1: tensor<2xf32>) -> tensor<2xf32> {
          %cst = arith.constant 0.000000e+00 : f32
          %0 = tensor.empty() : tensor<2x16xf32>
          %1 = linalg.fill ins(%cst : f32) outs(%0 : tensor<2x16xf32>) -> tensor<2x16xf32>
          %2 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "reduction"]} ins(%arg0 :
              tensor<2x40xf32>) outs(%1 : tensor<2x16xf32>) {
          ^bb0(%in: f32, %out: f32):
            %4 = arith.addf %out, %in : f32
            linalg.yield %4 : f32
          } -> tensor<2x16xf32>
          %3 = linalg.generic {indexing_maps = [#map2, #map3, #map4, #map5, #map6, #map7, #map8, #map9, #map10, #map11,
              #map12, #map13, #map14, #map15, #map16, #map17, #map18], iterator_types = ["parallel"]} ins(%2, %2, %2,
              %2, %2, %2, %2, %2, %2, %2, %2, %2, %2, %2, %2, %2 : tensor<2x16xf32>, tensor<2x16xf32>, tensor<2x16xf32>,
              tensor<2x16xf32>, tensor<2x16xf32>, tensor<2x16xf32>, tensor<2x16xf32>, tensor<2x16xf32>,
              tensor<2x16xf32>, tensor<2x16xf32>, tensor<2x16xf32>, tensor<2x16xf32>, tensor<2x16xf32>,
              tensor<2x16xf32>, tensor<2x16xf32>, tensor<2x16xf32>) outs(%arg1 : tensor<2xf32>) {
          ^bb0(%in: f32, %in_0: f32, %in_1: f32, %in_2: f32, %in_3: f32, %in_4: f32, %in_5: f32, %in_6: f32, %in_7: f32,
              %in_8: f32, %in_9: f32, %in_10: f32, %in_11: f32, %in_12: f32, %in_13: f32, %in_14: f32, %out: f32):
            %4 = arith.addf %in, %in_7 : f32
            %5 = arith.addf %in_0, %in_8 : f32
            %6 = arith.addf %in_1, %in_9 : f32
            %7 = arith.addf %in_2, %in_10 : f32
            %8 = arith.addf %in_3, %in_11 : f32
            %9 = arith.addf %in_4, %in_12 : f32
            %10 = arith.addf %in_5, %in_13 : f32
            %11 = arith.addf %in_6, %in_14 : f32
            %12 = arith.addf %4, %8 : f32
            %13 = arith.addf %5, %9 : f32
            %14 = arith.addf %6, %10 : f32
            %15 = arith.addf %7, %11 : f32
            %16 = arith.addf %12, %14 : f32
            %17 = arith.addf %13, %15 : f32
            %18 = arith.addf %16, %17 : f32
            %19 = arith.addf %out, %18 : f32
            linalg.yield %19 : f32
          } -> tensor<2xf32>
          return %3 : tensor<2xf32>
        }
    """

    def run(self, module: Any) -> None:
        for found in ops_where(module, has_body):
            for op in sums_of(found.operation):
                _expand(op)


def _expand(op: Any) -> None:
    init = op.operands[len(op.operands) - 1]
    is_tensor = isinstance(init.type, ir.RankedTensorType)
    place = Tensors() if is_tensor else Memrefs()
    discardable = {name: op.attributes[name] for name in op.attributes if name not in INHERENT}
    with op.location, ir.InsertionPoint(op):
        partial = _partialsums(op, place, discardable)
        result = _fold(op, place, partial, init, discardable)
    if is_tensor:
        op.results[0].replace_all_uses_with(result)
    op.erase()


def _partialsums(op: Any, place: Any, discardable: Any) -> Any:
    iterators = iterators_of(op)
    maps = maps_of(op)
    sizes = _loop_sizes(op, maps, len(iterators))
    reduced = [loop for loop, kind in enumerate(iterators) if kind == REDUCTION]
    position: Any = ir.AffineConstantExpr.get(0)
    for loop in reduced:
        position = position * sizes[loop] + ir.AffineDimExpr.get(loop)
    lane = ir.AffineExpr.get_mod(position, REDUCTION_LANES)
    init = op.operands[len(op.operands) - 1]
    if any(
        size != 1 and not isinstance(expr, ir.AffineDimExpr)
        for size, expr in zip(shape_of(init.type), maps[-1].results, strict=True)
    ):
        raise TfmbsError(
            "unsupported", place_of(op.location), "sum into part of its result", "a map of loops", maps[-1]
        )
    out_map = ir.AffineMap.get(len(iterators), 0, [*maps[-1].results, lane])
    target = place.filled((*shape_of(init.type), REDUCTION_LANES), element_of(init), 0.0)
    inputs = list(zip(list(op.operands)[:-1], maps[:-1], strict=True))
    block = op.regions[0].blocks[0]
    return place.run(inputs, (target, out_map), iterators, lambda *s: inline(block, s)[0], discardable)


def _loop_sizes(op: Any, maps: list[Any], loops: int) -> dict[int, int]:
    """Sizes of the loops, from the operands that a loop indexes by itself."""
    sizes = {}
    for operand, affine_map in zip(op.operands, maps, strict=True):
        for size, expr in zip(shape_of(operand.type), affine_map.results, strict=True):
            if isinstance(expr, ir.AffineDimExpr):
                sizes[expr.position] = size
    if len(sizes) != loops or any(size < 0 for size in sizes.values()):
        raise TfmbsError("unsupported", place_of(op.location), "sum whose loops have no static size")
    return sizes


def _fold(op: Any, place: Any, partial: Any, init: Any, discardable: Any) -> Any:
    """init + the partials, folded 16 → 8 → 4 → 2 → 1."""
    shape = shape_of(init.type)
    rank = len(shape)
    lanes = [mapping(rank, [*range(rank), ir.AffineConstantExpr.get(lane)]) for lane in range(REDUCTION_LANES)]

    def body(*scalars: Any) -> Any:
        sums, start = list(scalars[:REDUCTION_LANES]), scalars[-1]
        while len(sums) > 1:
            half = len(sums) // 2
            sums = [arith.AddFOp(sums[j], sums[j + half]).result for j in range(half)]
        return arith.AddFOp(start, sums[0]).result

    inputs = [(partial, lane) for lane in lanes]
    return place.run(inputs, (init, identity(rank)), [PARALLEL] * rank, body, discardable)
