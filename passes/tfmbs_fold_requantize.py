"""The pass ``tfmbs-fold-requantize``: between two integer products values stay integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmbs.dialect import graph
from tfmbs.dialect.mlir import arith, ir, linalg, tensor
from tfmbs.dialect.resources import resource_attr
from tfmbs.dialect.shapes import element_of, shape_of, tensor_type
from tfmbs.dialect.types import is_per_axis, scales_of, storage_bounds, storage_type, zero_points_of
from tfmbs.passes.graph.kernels import constant_elements, defining_op, erase, ops_of, rebuild, sole_user
from tfmbs.passes.linalg.generics import as_elementwise, is_relu
from tfmbs.passes.registry import Pass
from tfmbs.passes.tfmbs_decompose import storage_cast

MOVES = (tensor.CollapseShapeOp, tensor.ExpandShapeOp, linalg.TransposeOp)


@dataclass(frozen=True)
class TfmbsFoldRequantize(Pass):
    """Merge dequantize, what keeps order, and quantize into one requantize of the accumulators.

    A quantize moves up through max(x, 0), max pooling, reshapes and transpositions, which are the same on integers
    because it is monotone and keeps 0 exact; max(x, 0) becomes the lower clamp at the zero point. It must reach a
    dequantize of accumulators, and nothing else may use what is between. The multiplier is scale / output scale in f32.
    Where it reaches a dequantize of the very type that it quantizes to, both go: the integers are the same.

    Before:

        #id = affine_map<(d0, d1) -> (d0, d1)>
        func.func @f(%acc: tensor<2x4xi32>) -> tensor<2x4x!quant.uniform<i8:f32, 5.000000e-01:-3>> {
          %scale = arith.constant dense<0.125> : tensor<1xf32>
          %zero = arith.constant 0.0 : f32
          %0 = "tfmbs.dequantize"(%acc, %scale) {axis = 1 : i64} : (tensor<2x4xi32>, tensor<1xf32>) -> tensor<2x4xf32>
          %1 = tensor.empty() : tensor<2x4xf32>
          %2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
              ins(%0 : tensor<2x4xf32>) outs(%1 : tensor<2x4xf32>) {
          ^bb0(%in: f32, %out: f32):
            %4 = arith.maximumf %in, %zero : f32
            linalg.yield %4 : f32
          } -> tensor<2x4xf32>
          %3 = "tfmbs.quantize"(%2) : (tensor<2x4xf32>) -> tensor<2x4x!quant.uniform<i8:f32, 5.000000e-01:-3>>
          return %3 : tensor<2x4x!quant.uniform<i8:f32, 5.000000e-01:-3>>
        }

    After:

        func.func @f(%acc: tensor<2x4xi32>) -> tensor<2x4x!quant.uniform<i8:f32, 5.000000e-01:-3>> {
          %zero = arith.constant 0.0 : f32
          %scale = arith.constant dense<0.25> : tensor<1xf32>
          %0 = "tfmbs.requantize"(%acc, %scale) {axis = 1 : i64, low = -3 : i64}
              : (tensor<2x4xi32>, tensor<1xf32>) -> tensor<2x4x!quant.uniform<i8:f32, 5.000000e-01:-3>>
          return %0 : tensor<2x4x!quant.uniform<i8:f32, 5.000000e-01:-3>>
        }
    """

    def run(self, module: Any) -> None:
        for op in ops_of(module, graph.QuantizeOp):
            chain = _chain(op)
            if chain is not None:
                _fold(op, chain)


def _chain(quantize: Any) -> list[Any] | None:
    """The ops from a dequantize down to `quantize`, which is excluded."""
    chain: list[Any] = []
    value = quantize.input
    element = element_of(quantize.result)
    while True:
        op = defining_op(value)
        chain.insert(0, op)
        if isinstance(op, graph.DequantizeOp) and op.scale is None:
            return chain if _is_the_same(element, element_of(op.input), chain) else None
        if op is None or sole_user(value) is None:
            return None
        if isinstance(op, graph.DequantizeOp):
            return chain if constant_elements(op.scale) is not None and not is_per_axis(element) else None
        if not _keeps_order(op):
            return None
        value = op.operation.operands[0]


def _is_the_same(element: Any, source: Any, chain: list[Any]) -> bool:
    """Whether quantizing gives back the stored integers: of the same type, where max(x, 0) changes none of them."""
    if element != source or is_per_axis(element):
        return False
    return not any(map(_is_relu, chain)) or zero_points_of(element)[0] == storage_bounds(element)[0]


def _keeps_order(op: Any) -> bool:
    if isinstance(op, graph.PoolOp):
        return bool(op.kind == "max")
    return isinstance(op, MOVES) or _is_relu(op)


def _is_relu(op: Any) -> bool:
    view = as_elementwise(op)
    return view is not None and is_relu(view)


def _fold(quantize: Any, chain: list[Any]) -> None:
    dequantize, *between = chain
    value = dequantize.input
    if dequantize.scale is not None:
        value = _requantized(dequantize, between, element_of(quantize.result))
    for op in between:
        if not _is_relu(op):
            value = _on_integers(op, value)
    quantize.result.replace_all_uses_with(value)
    for op in (quantize, *reversed(between), dequantize):
        if not any(True for _ in op.operation.results[0].uses):
            erase(op)


def _requantized(dequantize: Any, between: list[Any], element: Any) -> Any:
    """The accumulators as quantized elements, with the lower clamp of what is between."""
    places = [dequantize.location, *(op.operation.location for op in between if _is_relu(op))]
    with ir.Location.fused(places), ir.InsertionPoint(dequantize):
        low = zero_points_of(element)[0] if any(map(_is_relu, between)) else None
        scale = _multiplier(dequantize.scale, scales_of(element)[0])
        return graph.requantize(dequantize.input, scale, element, dequantize.axis, low).result


def _multiplier(scale: Any, output_scale: float) -> Any:
    """The constant scale / output scale, each in f32, as ONNX's QLinear ops divide last."""
    factors = constant_elements(scale) / np.float32(output_scale)
    attribute = resource_attr(factors, "multiplier")
    return arith.ConstantOp(attribute.type, attribute).result


def _on_integers(op: Any, value: Any) -> Any:
    """A max pooling, reshape or transposition of a quantized tensor instead of an f32 one."""
    element, shape = element_of(value), shape_of(op.operation.results[0].type)
    with op.location, ir.InsertionPoint(op):
        if isinstance(op, graph.PoolOp):
            return rebuild(op, [value], element).result
        if isinstance(op, linalg.TransposeOp):
            # On the stored integers: the scalars in the op's body cannot be quantized.
            storage = storage_type(element)
            stored = storage_cast(value, tensor_type(shape_of(value.type), storage))
            init = tensor.EmptyOp(list(shape), storage).result
            moved = linalg.transpose(stored, outs=[init], permutation=op.permutation).result[0]
            return storage_cast(moved, tensor_type(shape, element))
        moved = op.operation.clone()
        moved.operands[0] = value
        moved.results[0].set_type(tensor_type(shape, element))
        return moved.results[0]
