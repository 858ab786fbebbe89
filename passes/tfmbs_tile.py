"""The pass ``tfmbs-tile``: every kernel gets a schedule for the target."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

from tfmbs.dialect.attributes import SCHEDULE
from tfmbs.dialect.graph_attention import AttentionOp
from tfmbs.dialect.graph_groups import GroupMatmulOp
from tfmbs.dialect.graph_lstm import LstmOp
from tfmbs.dialect.graph_ops import BatchMatmulOp, FusedGemvOp, GemvOp, MatmulOp
from tfmbs.dialect.graph_windows import Conv2dOp, Conv3dOp, PoolOp
from tfmbs.dialect.shapes import element_of, shape_of
from tfmbs.dialect.telemetry import set_telemetry, telemetry_of
from tfmbs.dialect.types import is_int4, is_quantized, is_ternary, packing_of, storage_type
from tfmbs.passes.graph.kernels import left, ops_of, refusal, right
from tfmbs.passes.graph.problem import Epilogue, Problem
from tfmbs.passes.graph.tiling import (
    array_dataflows,
    attention_choice,
    choose,
    pool_schedule,
    recurrence_choice,
)
from tfmbs.passes.linalg.generics import CHANNEL, ELEMENT, SCALAR
from tfmbs.passes.registry import Pass
from tfmbs.runtime.abi.movement.attention_plan import AttentionWork
from tfmbs.runtime.abi.movement.recurrence_plan import RecurrenceWork
from tfmbs.runtime.abi.target import FEATURE_OF_PACKING, OPERANDS, Feature, Target
from tfmbs.runtime.abi.target_file import load_target
from tfmbs.runtime.abi.types import DType, Packing

DTYPE = {name: DType[name.upper()] for name in OPERANDS}
"""Element types of products under their names in target files."""

AXES, PADS = ("depth", "height", "width"), ("pad_front", "pad_top", "pad_left")
BITS_OF_BYTE, BITS_OF_INDEX = 8, 64

FEATURE_OF_OP = {
    Conv2dOp: Feature.CONV2D,
    Conv3dOp: Feature.CONV3D,
    PoolOp: Feature.POOL,
    AttentionOp: Feature.ATTENTION,
    LstmOp: Feature.LSTM,
    GroupMatmulOp: Feature.GROUPS,
}


@dataclass(frozen=True)
class TfmbsTile(Pass):
    """Set `tfmbs.schedule` on every kernel: dataflow, tile sizes, buffers and the fabric tiles that share its output.

    Plans of the movement rule are searched for the fastest by a closed model of array, memories, movers and epilogue of
    the target; docs/targets.md says how. An operand
    type, packing or kernel that the target does not have is refused. Telemetry gets the tile mask.

    Options: target=kpu-edge

    Before:

        func.func @f(%x: tensor<64x100xf32>, %w: tensor<40x100xf32>) -> tensor<64x40xf32> {
          %0 = "tfmbs.matmul"(%x, %w) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []
          } : (tensor<64x100xf32>, tensor<40x100xf32>) -> tensor<64x40xf32>
          return %0 : tensor<64x40xf32>
        }

    After:

        func.func @f(%x: tensor<64x100xf32>, %w: tensor<40x100xf32>) -> tensor<64x40xf32> {
          %0 = "tfmbs.matmul"(%x, %w) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [],
            tfmbs.schedule = #tfmbs.schedule<"output_stationary", array<i64: 16, 16, 100>, 2 : i64, "0x3", "rows",
              array<i64: 0, 0, 0>>
          } : (tensor<64x100xf32>, tensor<40x100xf32>) -> tensor<64x40xf32>
          return %0 : tensor<64x40xf32>
        }
    """

    target: str = "kpu-16x16"

    def run(self, module: Any) -> None:
        target = load_target(self.target)
        for op in ops_of(module, PoolOp, AttentionOp, LstmOp, *PROBLEMS):
            _check_support(op, target)
            if isinstance(op, PoolOp):  # which does not run in the array
                schedule = pool_schedule(_pool(op), target)
            elif isinstance(op, AttentionOp):
                schedule = attention_choice(_attention(op), target, array_dataflows(target)).schedule
            elif isinstance(op, LstmOp):
                schedule = recurrence_choice(_lstm(op), target, array_dataflows(target)).schedule
            else:
                schedule = choose(PROBLEMS[type(op)](op), target, array_dataflows(target)).schedule
            with op.location:
                op.attributes[SCHEDULE] = schedule.to_attribute()
                telemetry = telemetry_of(op)
                if telemetry is not None:
                    set_telemetry(op, dataclasses.replace(telemetry, tile_mask=schedule.tile_mask))


def _operand_name(element: Any) -> str:
    """The name of an element type in target files."""
    if is_ternary(element):
        return "trit"
    if is_int4(element):
        return "i4"
    return "i8" if is_quantized(element) else str(element)


def _check_support(op: Any, target: Target) -> None:
    needed = [FEATURE_OF_OP[type(op)]] if type(op) in FEATURE_OF_OP else []
    if not isinstance(op, PoolOp):
        for value in (left(op), right(op)):
            name = _operand_name(element_of(value))
            if name not in target.array.operands:
                had = ", ".join(target.array.operands)
                raise refusal(op, "unsupported", f"operand type on target {target.name}", had, name)
        needed += [feature for packing, feature in FEATURE_OF_PACKING.items() if _packing(op) is packing]
        needed += [Feature.EPILOGUE] if not isinstance(op, AttentionOp | LstmOp) and op.has_epilogue else []
    for feature in needed:
        if not target.has(feature):
            raise refusal(op, "unsupported", f"target {target.name} has no feature {feature.name.lower()}")


def _packing(op: Any) -> Packing:
    return packing_of(element_of(right(op)))


def _product(op: Any, batch: int, m: int, n: int, k: int, **further: Any) -> Problem:
    lhs, rhs = DTYPE[_operand_name(element_of(left(op)))], DTYPE[_operand_name(element_of(right(op)))]
    return Problem(batch, m, n, k, lhs, rhs, _packing(op), **further)


def _epilogue(op: Any) -> Epilogue | None:
    """Windows by the roles of the operands: per element, per channel, or one in any case."""
    if not op.has_epilogue:
        return None
    windows = []
    for value, role in zip(op.epilogue_operands, op.roles, strict=True):
        size = _element_bytes(value)
        windows.append(((size, 0, 0), (0, size, 0), (0, 0, size))[(ELEMENT, CHANNEL, SCALAR).index(role)])
    operations = len(list(op.epilogue_block.operations))
    return Epilogue(operations, _element_bytes(op.result), tuple(windows))


def _element_bytes(value: Any) -> int:
    element = storage_type(element_of(value))
    return max(1, (element.width if hasattr(element, "width") else BITS_OF_INDEX) // BITS_OF_BYTE)


def _matmul(op: Any) -> Problem:
    *batch, m, k = shape_of(left(op).type)
    return _product(op, prod(batch), m, shape_of(op.result.type)[-1], k, epilogue=_epilogue(op))


def _group_matmul(op: Any) -> Problem:
    """Rows of the weights are groups."""
    group, is_absmax = shape_of(op.rhs.type)[1], op.activations == "absmax"
    return dataclasses.replace(_matmul(op), group=group, is_absmax=is_absmax, has_loops=not is_absmax)


def _fused_gemv(op: Any) -> Problem:
    k = shape_of(left(op).type)[1]
    return _product(op, 1, 1, sum(shape_of(rhs.type)[0] for rhs in op.rhs), k)


def _convolution(op: Any) -> Problem:
    images, channels, *size = shape_of(op.result.type)
    taps = prod(shape_of(right(op).type)[1:])
    geometry, epilogue = _volume(op), _epilogue(op)
    return _product(
        op, images * op.groups, prod(size), channels // op.groups, taps, geometry=geometry, epilogue=epilogue
    )


def _volume(op: Any) -> tuple[tuple[str, int], ...]:
    """The fields of the geometry of a convolution that movements depend on; an image is a volume of one plane."""
    batch, channels, *size = shape_of(left(op).type)
    window, out = op.window, shape_of(op.result.type)[2:]
    flat = len(AXES) - len(size)
    fields = {"batch": batch, "groups": op.groups, "in_channels": channels, "out_channels": shape_of(op.result.type)[1]}
    for name, sizes, absent in (
        ("in", size, 1), ("out", out, 1), ("kernel", window.kernel, 1), ("stride", window.strides, 1),
        ("dilation", window.dilations, 1),
    ):  # fmt: skip
        fields |= {f"{name}_{axis}": value for axis, value in zip(AXES, [absent] * flat + list(sizes), strict=True)}
    fields |= dict(zip(PADS, [0] * flat + list(window.pads[: len(size)]), strict=True))
    return tuple(sorted(fields.items()))


def _pool(op: Any) -> Problem:
    """As a product with one weight per tap."""
    images, channels, height, width = shape_of(op.result.type)
    return Problem(images, height * width, channels, prod(op.kernel), DType.I8, DType.I8)


def _attention(op: Any) -> AttentionWork:
    batch, heads, rows, width = shape_of(op.query.type)
    _, groups, columns, _ = shape_of(op.key.type)
    mask_bytes = _element_bytes(op.mask) if op.mask is not None else 0
    by_row = bool(mask_bytes) and shape_of(op.mask.type)[-2] > 1
    return AttentionWork(
        batch, heads, heads // groups, rows, columns, width, shape_of(op.value.type)[3], mask_bytes, by_row
    )


def _lstm(op: Any) -> RecurrenceWork:
    steps, batch, width = shape_of(op.input.type)
    ways, _, hidden = shape_of(op.recurrent.type)
    biases = sum(role in op.roles for role in ("bias", "recurrent_bias"))
    return RecurrenceWork(ways, steps, batch, width, hidden, biases)


PROBLEMS: dict[type, Callable[[Any], Problem]] = {
    MatmulOp: _matmul,
    GemvOp: _matmul,
    BatchMatmulOp: _matmul,
    FusedGemvOp: _fused_gemv,
    GroupMatmulOp: _group_matmul,
    Conv2dOp: _convolution,
    Conv3dOp: _convolution,
}
