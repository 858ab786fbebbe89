"""The pass ``convert-lstm-to-tfmbs``: LSTM layers of exported PyTorch programs become launches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmbs.dialect import graph
from tfmbs.dialect.mlir import ir, tensor
from tfmbs.dialect.shapes import element_of, shape_of, tensor_type
from tfmbs.passes.graph.reshapes import reshaped
from tfmbs.passes.registry import Pass
from tfmbs.passes.torch import values as tv

OPERATOR, LAYER = "torch.operator", "torch.tfmbs.lstm"
PARAMS = ("weights", "recurrent", "bias", "recurrent_bias")
"""What a direction has, in the order of the operands behind input, first state and first cell."""


@dataclass(frozen=True)
class ConvertLstmToTfmbs(Pass):
    """Make the LSTM layers of an exported PyTorch program, which the import keeps whole, `tfmbs.lstm`.

    Constant weights of two directions become one constant. First states of zeros are left out, and last cells that
    nothing reads are not kept.

    Before:

        func.func @f(%x: !torch.vtensor<[4,2,5],f32>, %h: !torch.vtensor<[1,2,3],f32>,
            %c: !torch.vtensor<[1,2,3],f32>, %w: !torch.vtensor<[12,5],f32>, %r: !torch.vtensor<[12,3],f32>)
            -> !torch.vtensor<[4,1,2,3],f32> {
          %none = torch.constant.none
          %0:2 = torch.operator "torch.tfmbs.lstm"(%x, %h, %c, %w, %r, %none, %none, %none, %none, %none, %none)
              : (!torch.vtensor<[4,2,5],f32>, !torch.vtensor<[1,2,3],f32>, !torch.vtensor<[1,2,3],f32>,
              !torch.vtensor<[12,5],f32>, !torch.vtensor<[12,3],f32>, !torch.none, !torch.none, !torch.none,
              !torch.none, !torch.none, !torch.none)
              -> (!torch.vtensor<[4,1,2,3],f32>, !torch.vtensor<[1,2,3],f32>)
          return %0#0 : !torch.vtensor<[4,1,2,3],f32>
        }

    After:

        func.func @f(%arg0: !torch.vtensor<[4,2,5],f32>, %arg1: !torch.vtensor<[1,2,3],f32>, %arg2:
            !torch.vtensor<[1,2,3],f32>, %arg3: !torch.vtensor<[12,5],f32>, %arg4: !torch.vtensor<[12,3],f32>)
            -> !torch.vtensor<[4,1,2,3],f32> {
          %none = torch.constant.none
          %0 = torch_c.to_builtin_tensor %arg3 : !torch.vtensor<[12,5],f32> -> tensor<12x5xf32>
          %expanded = tensor.expand_shape %0 [[0, 1], [2]] output_shape [1, 12, 5] : tensor<12x5xf32> into
              tensor<1x12x5xf32>
          %1 = torch_c.to_builtin_tensor %arg4 : !torch.vtensor<[12,3],f32> -> tensor<12x3xf32>
          %expanded_0 = tensor.expand_shape %1 [[0, 1], [2]] output_shape [1, 12, 3] : tensor<12x3xf32> into
              tensor<1x12x3xf32>
          %2 = torch_c.to_builtin_tensor %arg1 : !torch.vtensor<[1,2,3],f32> -> tensor<1x2x3xf32>
          %3 = torch_c.to_builtin_tensor %arg2 : !torch.vtensor<[1,2,3],f32> -> tensor<1x2x3xf32>
          %4 = torch_c.to_builtin_tensor %arg0 : !torch.vtensor<[4,2,5],f32> -> tensor<4x2x5xf32>
          %5 = "tfmbs.lstm"(%4, %expanded, %expanded_0, %2, %3) {direction = "forward", gates = "ifco",
              keep_cell = false, operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0>, roles =
              ["hidden", "cell"]} : (tensor<4x2x5xf32>, tensor<1x12x5xf32>, tensor<1x12x3xf32>,
              tensor<1x2x3xf32>, tensor<1x2x3xf32>) -> tensor<4x1x2x3xf32>
          %6 = torch_c.from_builtin_tensor %5 : tensor<4x1x2x3xf32> -> !torch.vtensor<[4,1,2,3],f32>
          return %6 : !torch.vtensor<[4,1,2,3],f32>
        }
    """

    def run(self, module: Any) -> None:
        found: list[Any] = []

        def collect(op: Any) -> Any:
            if op.name == OPERATOR and op.attributes["name"].value == LAYER:
                found.append(op)
            return ir.WalkResult.ADVANCE

        module.operation.walk(collect)
        for op in found:
            with op.location, ir.InsertionPoint(op):
                _convert(op)
            op.erase()


def _convert(op: Any) -> None:
    source, hidden, cell, *params = op.operands
    steps = tv.shape(source)[0]
    ways, batch, size = tv.shape(hidden)
    of_ways = {name: params[number : len(PARAMS) * ways : len(PARAMS)] for number, name in enumerate(PARAMS)}
    further = {name: _stacked(values) for name, values in of_ways.items() if not tv.is_none(values[0])}
    weights, recurrent = (further.pop(name) for name in PARAMS[:2])
    if not (_is_zero(hidden) and _is_zero(cell)):
        further |= {"hidden": tv.to_builtin(hidden), "cell": tv.to_builtin(cell)}
    keep_cell = any(True for _ in op.results[1].uses)
    direction = "both" if ways > 1 else "forward"
    attributes = {"direction": direction, "gates": "ifco"}
    out = graph.lstm(tv.to_builtin(source), weights, recurrent, further, keep_cell, **attributes).result
    states = _planes(out, 0, steps)
    op.results[0].replace_all_uses_with(tv.from_builtin(states, op.results[0]))
    if keep_cell:
        cells = reshaped(_planes(out, steps, 1), (ways, batch, size))
        op.results[1].replace_all_uses_with(tv.from_builtin(cells, op.results[1]))


def _stacked(values: Sequence[Any]) -> Any:
    """Parameters of all directions, one behind the other along a new first axis."""
    arrays = [array for array in map(tv.literal, values) if array is not None]
    if len(arrays) == len(values):
        return tv.constant(arrays[0][None] if len(arrays) == 1 else np.stack(arrays), tv.label(values[0]))
    parts = [reshaped(tv.to_builtin(value), (1, *tv.shape(value))) for value in values]
    if len(parts) == 1:
        return parts[0]
    type_ = tensor_type((len(parts), *tv.shape(values[0])), element_of(parts[0]))
    return tensor.ConcatOp(type_, 0, parts).result


def _is_zero(value: Any) -> bool:
    """Whether a value is +0 everywhere: a constant, or parts of what a model fills with zeros."""
    while (part := tv.defining_op(value, "torch.aten.slice.Tensor")) is not None:
        value = part.operands[0]
    filled = tv.defining_op(value, "torch.aten.full")
    if filled is not None:
        fill = tv.number(filled.operands[1])
        return fill == 0 and math.copysign(1, fill) > 0
    array = tv.literal(value)
    return array is not None and not array.view(np.uint8).any()


def _planes(value: Any, first: int, count: int) -> Any:
    shape = shape_of(value.type)
    if count == shape[0]:
        return value
    none: list[Any] = []
    sizes = (count, *shape[1:])
    offsets = [first, *[0] * (len(shape) - 1)]
    type_ = tensor_type(sizes, element_of(value))
    return tensor.ExtractSliceOp(type_, value, none, none, none, offsets, list(sizes), [1] * len(sizes)).result
