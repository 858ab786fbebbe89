"""The pass ``tfmbs-decompose``: ops without a kernel of their own become `linalg.generic`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmbs.dialect import graph
from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import arith, ir, math, tensor
from tfmbs.dialect.resources import resource_attr
from tfmbs.dialect.shapes import Shape, element_of, elements, shape_of, tensor_type
from tfmbs.dialect.types import is_per_axis, scales_of, storage_bounds, storage_type, zero_points_of
from tfmbs.passes.graph.gathers import gathered, scattered
from tfmbs.passes.graph.kernels import ops_of, ops_where
from tfmbs.passes.linalg import scalar
from tfmbs.passes.linalg.structured import (
    PARALLEL,
    REDUCTION,
    broadcast_map,
    elementwise,
    filled,
    generic,
    identity,
    mapping,
)
from tfmbs.passes.registry import Pass
from tfmbs.runtime.abi.errors import TfmbsError


@dataclass(frozen=True)
class TfmbsDecompose(Pass):
    """Replace quantize, dequantize, requantize, softmax, layer_norm and transfer by `linalg.generic` ops.

    `tensor.gather` becomes one too, which reads at computed places; `tensor.scatter` becomes a loop over its slices.
    The bodies spell out the arithmetic of docs/architecture.md, each step rounded to f32. Quantized tensors are stored
    as i8: `quant.scast` marks where the integers become, or were, a tensor of quantized type.

    Before:

        func.func @f(%x: tensor<4xf32>) -> tensor<4x!quant.uniform<i8:f32, 5.000000e-01:3>> {
          %0 = "tfmbs.quantize"(%x) : (tensor<4xf32>) -> tensor<4x!quant.uniform<i8:f32, 5.000000e-01:3>>
          return %0 : tensor<4x!quant.uniform<i8:f32, 5.000000e-01:3>>
        }

    After:

        #map = affine_map<(d0) -> (d0)>
        func.func @f(%x: tensor<4xf32>) -> tensor<4x!quant.uniform<i8:f32, 5.000000e-01:3>> {
          %0 = tensor.empty() : tensor<4xi8>
          %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]}
              ins(%x : tensor<4xf32>) outs(%0 : tensor<4xi8>) {
          ^bb0(%in: f32, %out: i8):
            %scale = arith.constant 5.000000e-01 : f32
            %3 = arith.divf %in, %scale : f32
            %4 = math.roundeven %3 : f32
            %zero_point = arith.constant 3.000000e+00 : f32
            %5 = arith.addf %4, %zero_point : f32
            %low = arith.constant -1.280000e+02 : f32
            %6 = arith.maximumf %5, %low : f32
            %high = arith.constant 1.270000e+02 : f32
            %7 = arith.minimumf %6, %high : f32
            %8 = arith.cmpf uno, %7, %7 : f32
            %zero = arith.constant 0.000000e+00 : f32
            %9 = arith.select %8, %zero, %7 : f32
            %10 = arith.fptosi %9 : f32 to i8
            linalg.yield %10 : i8
          } -> tensor<4xi8>
          %2 = quant.scast %1 : tensor<4xi8> to tensor<4x!quant.uniform<i8:f32, 5.000000e-01:3>>
          return %2 : tensor<4x!quant.uniform<i8:f32, 5.000000e-01:3>>
        }
    """

    def run(self, module: Any) -> None:
        for op in ops_where(module, _is_named_softmax):
            _adopt_softmax(op.operation)
        for op in ops_of(module, *DECOMPOSITIONS):
            with op.location, ir.InsertionPoint(op):
                op.result.replace_all_uses_with(DECOMPOSITIONS[type(op)](op))
            op.operation.erase()


def storage_cast(value: Any, type_: Any) -> Any:
    """`quant.scast`: the same bytes as a tensor of quantized type, or of its storage integers."""
    return ir.Operation.create("quant.scast", results=[type_], operands=[value]).result


def _stored(value: Any) -> Any:
    """A quantized tensor as its storage integers."""
    return storage_cast(value, tensor_type(shape_of(value.type), storage_type(element_of(value))))


def _channel_constants(values: tuple[float, ...], rank: int, axis: int) -> list[Any]:
    """Per-channel f32 constants as an operand, nothing when there is only one value."""
    if len(values) == 1:
        return []
    attribute = resource_attr(np.array(values, np.float32), "scales")
    return [(arith.ConstantOp(attribute.type, attribute).result, mapping(rank, [axis]))]


def _rounded(real: Any, element: Any, zero_point: float, low: int | None = None) -> Any:
    """clamp(round_half_even(real) + zero_point) as the storage integer; NaN gives 0."""
    least, most = storage_bounds(element)
    shifted = arith.AddFOp(math.RoundEvenOp(real).result, scalar.f32(zero_point)).result
    clamped = scalar.clamp(shifted, least if low is None else low, most)
    number = scalar.select(scalar.compare("uno", clamped, clamped), scalar.f32(0.0), clamped)
    return arith.FPToSIOp(storage_type(element), number).result


def _quantize(op: Any) -> Any:
    shape, element = shape_of(op.input.type), element_of(op.result)
    if is_per_axis(element) and any(zero_points_of(element)):
        raise TfmbsError("unsupported", place(op.location), "tfmbs.quantize per axis", "zero points 0", element)
    axis = element.quantized_dimension if is_per_axis(element) else 0
    scales, zero_point = scales_of(element), zero_points_of(element)[0]
    channel = _channel_constants(scales, len(shape), axis)

    def body(x: Any, *scale: Any) -> Any:
        divisor = scale[0] if scale else scalar.f32(scales[0])
        return _rounded(arith.DivFOp(x, divisor).result, element, zero_point)

    inputs = [(op.input, identity(len(shape))), *channel]
    return storage_cast(elementwise(inputs, shape, storage_type(element), body, op.discardable()), op.result.type)


def _dequantize(op: Any) -> Any:
    shape, element = shape_of(op.input.type), element_of(op.input)
    f32 = ir.F32Type.get()
    if op.scale is not None:

        def of_accumulator(x: Any, scale: Any) -> Any:
            return arith.MulFOp(scalar.to_float(x), scale).result

        inputs = [
            (op.input, identity(len(shape))),
            (op.scale, broadcast_map(len(shape), shape_of(op.scale.type), op.axis)),
        ]
        return elementwise(inputs, shape, f32, of_accumulator, op.discardable())
    scales, zero_points = scales_of(element), zero_points_of(element)

    def of_stored(x: Any, *scale: Any) -> Any:
        wide = scalar.widen(x)
        if zero_points[0]:
            wide = arith.SubIOp(wide, scalar.constant(wide.type, zero_points[0])).result
        return arith.MulFOp(scalar.to_float(wide), scale[0] if scale else scalar.f32(scales[0])).result

    inputs = [(_stored(op.input), identity(len(shape))), *_channel_constants(scales, len(shape), op.axis)]
    return elementwise(inputs, shape, f32, of_stored, op.discardable())


def _requantize(op: Any) -> Any:
    shape, element = shape_of(op.input.type), element_of(op.result)

    def body(x: Any, scale: Any) -> Any:
        real = arith.MulFOp(scalar.to_float(x), scale).result
        return _rounded(real, element, zero_points_of(element)[0], op.low)

    inputs = [
        (op.input, identity(len(shape))),
        (op.scale, broadcast_map(len(shape), shape_of(op.scale.type), op.axis)),
    ]
    return storage_cast(elementwise(inputs, shape, storage_type(element), body, op.discardable()), op.result.type)


@dataclass(frozen=True)
class _Rows:
    """Reductions of an f32 tensor over the loops `axes`, and elementwise code that uses their results."""

    shape: Shape
    axes: tuple[int, ...]
    discardable: dict[str, Any]

    @property
    def kept(self) -> tuple[int, ...]:
        return tuple(d for d in range(len(self.shape)) if d not in self.axes)

    def reduce(self, inputs: list[Any], init: float, body: Callable[..., Any]) -> Any:
        """The tensor over the kept axes of `body` (elements…, so far) → next."""
        rank = len(self.shape)
        start = filled(tuple(self.shape[d] for d in self.kept), ir.F32Type.get(), init)
        iterators = [REDUCTION if d in self.axes else PARALLEL for d in range(rank)]
        mapped = [self.mapped(value) for value in inputs]
        return generic(mapped, [(start, mapping(rank, self.kept))], iterators, body, self.discardable).results[0]

    def each(self, inputs: list[Any], body: Callable[..., Any]) -> Any:
        """Elementwise; inputs of the kept rank are broadcast along the reduced axes."""
        mapped = [self.mapped(value) for value in inputs]
        return elementwise(mapped, self.shape, ir.F32Type.get(), body, self.discardable)

    def mapped(self, value: Any) -> Any:
        """`value` with its map: full rank, or over the kept axes."""
        rank = len(self.shape)
        full = shape_of(value.type) == self.shape
        return value, identity(rank) if full else mapping(rank, self.kept)


def _is_named_softmax(op: Any) -> bool:
    """Whether an op is upstream's softmax of a f32 tensor of static shape, which has the meaning of ours."""
    operation = op.operation
    if operation.name != "linalg.softmax" or not len(operation.results):
        return False
    return operation.results[0].type.has_static_shape and isinstance(element_of(operation.operands[0]), ir.F32Type)


def _adopt_softmax(op: Any) -> None:
    with op.location, ir.InsertionPoint(op):
        ours = graph.SoftmaxOp.build([op.operands[0]], [op.results[0].type], axis=op.attributes["dimension"].value)
    op.results[0].replace_all_uses_with(ours.result)
    op.erase()


def _softmax(op: Any) -> Any:
    rows = _Rows(shape_of(op.input.type), (op.axis,), op.discardable())
    most = rows.reduce([op.input], -np.inf, lambda x, m: arith.MaximumFOp(m, x).result)
    powers = rows.each([op.input, most], lambda x, m: math.ExpOp(arith.SubFOp(x, m).result).result)
    total = rows.reduce([powers], 0.0, lambda e, s: arith.AddFOp(s, e).result)
    return rows.each([powers, total], lambda e, s: arith.DivFOp(e, s).result)


def _layer_norm(op: Any) -> Any:
    shape = shape_of(op.input.type)
    axes = tuple(range(op.axis, len(shape)))
    rows = _Rows(shape, axes, op.discardable())
    count = float(elements(shape[op.axis :]))
    total = rows.reduce([op.input], 0.0, lambda x, s: arith.AddFOp(s, x).result)

    # Differences from the mean are made twice: that takes two operations, and storing them between steps two moves.
    def centered(x: Any, total: Any) -> Any:
        return arith.SubFOp(x, arith.DivFOp(total, scalar.f32(count)).result).result

    def add_square(x: Any, total: Any, s: Any) -> Any:
        difference = centered(x, total)
        return arith.AddFOp(s, arith.MulFOp(difference, difference).result).result

    squares = rows.reduce([op.input, total], 0.0, add_square)

    def scale(x: Any, total: Any, s: Any, gamma: Any, beta: Any) -> Any:
        difference = centered(x, total)
        variance = arith.DivFOp(s, scalar.f32(count)).result
        factor = math.RsqrtOp(arith.AddFOp(variance, scalar.f32(op.epsilon)).result).result
        return arith.AddFOp(arith.MulFOp(arith.MulFOp(difference, factor).result, gamma).result, beta).result

    affine = [(value, mapping(len(shape), axes)) for value in (op.gamma, op.beta)]
    inputs = [*(rows.mapped(value) for value in (op.input, total, squares)), *affine]
    return elementwise(inputs, shape, ir.F32Type.get(), scale, op.discardable())


def _transfer(op: Any) -> Any:
    shape = shape_of(op.input.type)
    return elementwise([(op.input, identity(len(shape)))], shape, element_of(op.input), lambda x: x, op.discardable())


DECOMPOSITIONS: dict[type, Callable[[Any], Any]] = {
    graph.QuantizeOp: _quantize,
    graph.DequantizeOp: _dequantize,
    graph.RequantizeOp: _requantize,
    graph.SoftmaxOp: _softmax,
    graph.LayerNormOp: _layer_norm,
    graph.TransferOp: _transfer,
    tensor.GatherOp: gathered,
    tensor.ScatterOp: scattered,
}
