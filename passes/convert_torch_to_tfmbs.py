"""The pass ``convert-torch-to-tfmbs``: what the fabric has a kernel for leaves the torch level here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmbs.dialect import graph
from tfmbs.dialect.attributes import SEMANTICS
from tfmbs.dialect.mlir import arith, ir
from tfmbs.dialect.scalars import function
from tfmbs.dialect.semantics import semantics_of
from tfmbs.passes.linalg.scalar import f32
from tfmbs.passes.linalg.structured import elementwise, identity, mapping
from tfmbs.passes.registry import Pass
from tfmbs.passes.torch import products, scalars
from tfmbs.passes.torch import values as tv


@dataclass(frozen=True)
class ConvertTorchToTfmbs(Pass):
    """Convert products, convolutions, pooling, softmax and normalizations of the torch level to tfmbs ops.

    Maxima, minima, clamps and reciprocals become `linalg.generic` here, by IEEE 754's rules for zeros and NaN, and so
    do sigmoid and gelu, which are instructions of the fabric.

    Everything else is left to torch-mlir's own lowering to linalg, and so is what these ops cannot say (an average
    pool with ceil mode, a product with broadcast batches). Works on f32.

    Before:

        func.func @f(%x: !torch.vtensor<[2,3],f32>) -> !torch.vtensor<[2,3],f32> {
          %axis = torch.constant.int -1
          %none = torch.constant.none
          %0 = torch.aten.softmax.int %x, %axis, %none
              : !torch.vtensor<[2,3],f32>, !torch.int, !torch.none -> !torch.vtensor<[2,3],f32>
          return %0 : !torch.vtensor<[2,3],f32>
        }

    After:

        func.func @f(%x: !torch.vtensor<[2,3],f32>) -> !torch.vtensor<[2,3],f32> {
          %axis = torch.constant.int -1
          %none = torch.constant.none
          %0 = torch_c.to_builtin_tensor %x : !torch.vtensor<[2,3],f32> -> tensor<2x3xf32>
          %1 = "tfmbs.softmax"(%0) {axis = 1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
          %2 = torch_c.from_builtin_tensor %1 : tensor<2x3xf32> -> !torch.vtensor<[2,3],f32>
          return %2 : !torch.vtensor<[2,3],f32>
        }
    """

    def run(self, module: Any) -> None:
        found: list[Any] = []

        def collect(op: Any) -> Any:
            if op.name in CONVERSIONS:
                found.append(op)
            return ir.WalkResult.ADVANCE

        module.operation.walk(collect)
        for op in found:
            _convert(op)


def why_not(op: Any) -> str:
    """Why an op of `CONVERSIONS` is left to torch-mlir. What is built to find that out has no user."""
    with op.location, ir.InsertionPoint(op):
        try:
            _build(op)
        except tv.NotConvertedError as error:
            return str(error)
    return "it has another form"


def _build(op: Any) -> Any:
    """The converted form of an op. Raises NotConvertedError, with the reason."""
    if not tv.is_f32(op.results[0]):
        raise tv.NotConvertedError(f"its elements are {tv.element(op.results[0])}, the kernel takes f32")
    if any(any(True for _ in extra.uses) for extra in list(op.results)[1:]):
        raise tv.NotConvertedError("its further results are used")
    return CONVERSIONS[op.name](op)


def _hand_on(op: Any, converted: Any) -> None:
    """What the op is for is said of the tfmbs op that takes its place, in front of reshapes and a bias.

    What was made for another op has another location.
    """
    semantics = semantics_of(op)
    if semantics is None:
        return
    made = _producer(converted)
    while made is not None and made.location == op.location:
        if made.name.startswith("tfmbs."):
            made.attributes[SEMANTICS] = semantics.to_attribute()
            return
        made = _producer(made.operands[0]) if len(made.operands) else None


def _producer(value: Any) -> Any:
    """The operation that defines a value, None for a block argument."""
    return None if isinstance(value.owner, ir.Block) else value.owner.operation


def _convert(op: Any) -> None:
    result = op.results[0]
    with op.location, ir.InsertionPoint(op):
        try:
            converted = _build(op)
        except tv.NotConvertedError:
            return
        if converted is not None:
            _hand_on(op, converted)
            result.replace_all_uses_with(tv.from_builtin(converted, result))
            absorbed = [value.owner for value in dict.fromkeys(op.operands) if _is_absorbed(value)]
            op.erase()
            for producer in absorbed:
                if not any(True for _ in producer.results[0].uses):
                    producer.erase()


def _is_absorbed(value: Any) -> bool:
    """Whether the producer may have become part of the converted op: torch ops are not removed when they are dead."""
    return any(tv.defining_op(value, f"torch.aten.{name}") for name in ("constant_pad_nd", "transpose.int"))


_LOWEST = -float(np.finfo(np.float32).max)


def _max_pool(op: Any) -> Any:
    value, kernel, strides, padding, dilations, _ = op.operands
    top, left = tv.each(padding, 2)
    value, pads = products.take_padding(value, (top, left, top, left), lambda fill: fill <= _LOWEST)
    return _pool(value, op.results[0], "max", tv.integers(kernel), tv.integers(strides), tv.integers(dilations), pads)


def _avg_pool(op: Any) -> Any:
    value, kernel, strides, padding, ceil_mode, count_include_pad, divisor = op.operands
    if tv.boolean(ceil_mode):
        raise tv.NotConvertedError("it has ceil mode")
    if not tv.is_none(divisor):
        raise tv.NotConvertedError("it has a divisor of its own")
    pads = tv.integers(padding)
    pads = (*pads, *pads)[:4]
    # ONNX average pools have dilations; torch-mlir carries them behind the strides.
    steps = (*tv.integers(strides), 1, 1)[:4]
    include = tv.boolean(count_include_pad)
    return _pool(value, op.results[0], "avg", tv.integers(kernel), steps[:2], steps[2:], pads, include)


def _pool(
    value: Any, result: Any, kind: str, kernel: Any, strides: Any, dilations: Any, pads: Any, include: bool = False
) -> Any:
    if len(tv.shape(value)) != 4:
        return None  # without batches, which torch-mlir's own lowering adds
    strides = strides or kernel
    sizes = zip(tv.shape(value)[2:], tv.shape(result)[2:], kernel, strides, dilations, pads[:2], strict=True)
    # A window that ceil mode adds reaches past the end: that much padding more, at the bottom and right.
    reach = [(out - 1) * stride + (k - 1) * step + 1 - size - before for size, out, k, stride, step, before in sizes]
    bottom, right = (max(0, pad, need) for pad, need in zip(pads[2:], reach, strict=True))
    if kind == "avg" and (bottom, right) != tuple(pads[2:]):
        raise tv.NotConvertedError("its last windows reach past the padding")
    return graph.pool(
        tv.to_builtin(value), kind, kernel, strides, dilations, (*pads[:2], bottom, right), include
    ).result


def _softmax(op: Any) -> Any:
    value, axis = op.operands[0], tv.integer(op.operands[1])
    return graph.softmax(tv.to_builtin(value), axis % len(tv.shape(value))).result


def _layer_norm(op: Any) -> Any:
    value, sizes, gamma, beta, epsilon = list(op.operands)[:5]
    axis = len(tv.shape(value)) - len(tv.integers(sizes))
    scale, offset = (
        tv.constant(np.full(tv.integers(sizes), neutral, np.float32), "layer_norm")
        if tv.is_none(factor)
        else tv.to_builtin(factor)
        for factor, neutral in ((gamma, 1), (beta, 0))
    )
    return graph.layer_norm(tv.to_builtin(value), scale, offset, axis, tv.number(epsilon)).result


def _batch_norm(op: Any) -> Any:
    """By fixed statistics, per channel: with constants a multiplication and an addition, their factors rounded once."""
    value, gamma, beta, mean, variance, training, _, epsilon, _ = op.operands
    if tv.boolean(training):
        raise tv.NotConstantError("its statistics are those of the batch")
    numbers = (gamma, 1), (beta, 0), (mean, 0), (variance, 1)
    arrays = [np.float64(neutral) if tv.is_none(v) else tv.literal(v) for v, neutral in numbers]
    if any(a is None for a in arrays):
        return _batch_norm_of_run_time(value, (gamma, beta, mean, variance), tv.number(epsilon))
    weight, shift, center, spread = (np.asarray(a, np.float64) for a in arrays)
    factor = weight / np.sqrt(spread + tv.number(epsilon))
    offset = shift - center * factor
    sizes = tv.shape(value)
    constants = [tv.constant(a.astype(np.float32), "batch_norm") for a in (factor, offset)]
    per_channel = mapping(len(sizes), [1])
    inputs = [(tv.to_builtin(value), identity(len(sizes))), *((c, per_channel) for c in constants)]

    def body(x: Any, scale: Any, bias: Any) -> Any:
        return arith.AddFOp(arith.MulFOp(x, scale).result, bias).result

    return elementwise(inputs, sizes, ir.F32Type.get(), body)


def _batch_norm_of_run_time(value: Any, parameters: Sequence[Any], epsilon: float) -> Any:
    """(x − mean) · rsqrt(variance + ε) · γ + β, where γ or β may be absent."""
    sizes = tv.shape(value)
    present = [not tv.is_none(parameter) for parameter in parameters]
    per_channel = mapping(len(sizes), [1])
    given = [(tv.to_builtin(p), per_channel) for p, there in zip(parameters, present, strict=True) if there]

    def body(x: Any, *channel: Any) -> Any:
        rest = iter(channel)
        gamma, beta, mean, variance = (next(rest) if there else None for there in present)
        inverse = function("rsqrt", arith.AddFOp(variance, f32(epsilon)).result)
        x = arith.MulFOp(arith.SubFOp(x, mean).result, inverse).result
        x = x if gamma is None else arith.MulFOp(x, gamma).result
        return x if beta is None else arith.AddFOp(x, beta).result

    return elementwise([(tv.to_builtin(value), identity(len(sizes))), *given], sizes, ir.F32Type.get(), body)


CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "torch.aten.mm": products.matmul,
    "torch.aten.bmm": products.matmul,
    "torch.aten.matmul": products.matmul,
    "torch.aten.linear": products.linear,
    "torch.aten.convolution": products.convolution,
    "torch.aten.max_pool2d": _max_pool,
    "torch.aten.avg_pool2d": _avg_pool,
    "torch.aten.softmax.int": _softmax,
    "torch.aten._softmax": _softmax,
    "torch.aten.layer_norm": _layer_norm,
    "torch.aten.native_layer_norm": _layer_norm,
    "torch.aten.batch_norm": _batch_norm,
    "torch.aten.maximum": scalars.maximum,
    "torch.aten.minimum": scalars.minimum,
    "torch.aten.clamp.Tensor": scalars.clamp,
    "torch.aten.reciprocal": scalars.reciprocal,
    "torch.aten.sigmoid": scalars.sigmoid,
    "torch.aten.gelu": scalars.gelu,
}
"""Torch op → what builds its tfmbs form: a builtin tensor, or None where torch-mlir's lowering is to take it."""


def kernel_of(op: Any) -> str:
    """The kernel that an op of `KERNEL_OF` would be a launch of."""
    is_volume = op.name == "torch.aten.convolution" and len(tv.shape(op.operands[0])) == 5
    return "conv3d" if is_volume else KERNEL_OF[op.name]


KERNEL_OF: dict[str, str] = {
    "torch.aten.mm": "gemm",
    "torch.aten.bmm": "batch_matmul",
    "torch.aten.matmul": "gemm",
    "torch.aten.linear": "gemm",
    "torch.aten.convolution": "conv2d",
    "torch.aten.max_pool2d": "pool",
    "torch.aten.avg_pool2d": "pool",
}
"""The ops among them that become launches of their own, not vector code, and the kernel."""
