"""A network whose weights are inputs and whose products round their inputs as they are told: what each precision loses.

It is compiled once, in f32; a run with other weights and other roundings shows the network at another precision.
Products of integers are exact, and so are those of the f32 values that the integers stand for but for the rounding of
their sums: what the probe shows is what the quantized network gives, to a few units in the last place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfmbs.compiler.jit import copy_module, entry_of
from tfmbs.compiler.trial import Start, trial
from tfmbs.dialect.attributes import NAME
from tfmbs.dialect.mlir import arith, ir, math
from tfmbs.dialect.shapes import shape_of, tensor_type
from tfmbs.passes.graph.choices import forget
from tfmbs.passes.graph.kernels import left, ops_where, replace_right, right
from tfmbs.passes.graph.quantization import ACTIVATION_MAX, ACTIVATION_MIN
from tfmbs.passes.linalg.groups import LEAST_MAGNITUDE
from tfmbs.passes.linalg.scalar import clamp, compare, f32, select
from tfmbs.passes.linalg.structured import PARALLEL, REDUCTION, elementwise, filled, generic, identity, mapping
from tfmbs.passes.tfmbs_quantize import constant_weights

Array = npt.NDArray[Any]
F32 = npt.NDArray[np.float32]

KEPT, AS_I8, AS_BF16, AS_ROWS = 0.0, 1.0, 2.0, 3.0
"""What a product does with its input; `AS_ROWS`: i8 by the largest magnitude of each row, of linear layers."""


@dataclass(frozen=True)
class Setting:
    """A layer at a precision: its weights in f32, and how its input is rounded; of i8, with scale and zero point."""

    weights: F32
    mode: float = KEPT
    scale: float = 1.0
    zero_point: int = 0


class Probe:
    """The network of an f32 graph, run as `start` runs binaries. Its products are settable, in their order."""

    def __init__(self, module: Any, start: Start | None) -> None:
        copy = copy_module(module)
        with copy.context, ir.Location.unknown():
            _expose(entry_of(copy))
        self._run = trial(copy, start)

    def run(self, inputs: Mapping[str, npt.ArrayLike], settings: Sequence[Setting]) -> Mapping[str, Array]:
        """The outputs of the network with each layer as its setting says."""
        given: dict[str, npt.ArrayLike] = dict(inputs)
        for number, setting in enumerate(settings):
            given[_weights_name(number)] = setting.weights
            values = (setting.scale, setting.zero_point, setting.mode)
            given |= {name: np.array([v], np.float32) for name, v in zip(_names(number), values, strict=True)}
        return self._run(given)


def _weights_name(number: int) -> str:
    return f"weights {number}"


def _names(number: int) -> tuple[str, str, str]:
    return f"scale {number}", f"zero {number}", f"mode {number}"


def _expose(entry: Any) -> None:
    """Makes the weights of every product, and how it rounds its input, arguments of the entry."""
    products = ops_where(entry, lambda op: constant_weights(op) is not None)
    block, element = entry.entry_block, ir.F32Type.get()
    named = list(entry.attributes["arg_attrs"]) if "arg_attrs" in entry.attributes else []
    for number, op in enumerate(products):
        weights = block.add_argument(tensor_type(shape_of(right(op).type), element), op.location)
        parameters = [block.add_argument(tensor_type((1,), element), op.location) for _ in range(3)]
        names = (_weights_name(number), *_names(number))
        named += [ir.DictAttr.get({NAME: ir.StringAttr.get(name)}) for name in names]
        with op.location, ir.InsertionPoint(op):
            op.operation.operands[0] = _rounded(left(op), parameters)
        replace_right(op, weights)
        forget(op)
    types = ir.FunctionType.get([argument.type for argument in block.arguments], list(entry.type.results))
    entry.attributes["function_type"] = ir.TypeAttr.get(types)
    entry.attributes["arg_attrs"] = ir.ArrayAttr.get(named)


def _rounded(value: Any, parameters: Sequence[Any]) -> Any:
    """The value, or what i8 or bf16 keep of it."""
    shape = shape_of(value.type)
    bf16 = ir.BF16Type.get()

    def body(x: Any, scale: Any, zero: Any, mode: Any, *factor: Any) -> Any:
        steps = arith.AddFOp(math.RoundEvenOp(arith.DivFOp(x, scale).result).result, zero).result
        stored = clamp(steps, ACTIVATION_MIN, ACTIVATION_MAX)
        integer = arith.MulFOp(arith.SubFOp(stored, zero).result, scale).result
        narrow = arith.ExtFOp(ir.F32Type.get(), arith.TruncFOp(bf16, x).result).result
        kept = select(compare("oeq", mode, f32(AS_BF16)), narrow, x)
        if factor:
            row = clamp(math.RoundEvenOp(arith.MulFOp(x, factor[0]).result).result, ACTIVATION_MIN, ACTIVATION_MAX)
            kept = select(compare("oeq", mode, f32(AS_ROWS)), arith.DivFOp(row, factor[0]).result, kept)
        return select(compare("oeq", mode, f32(AS_I8)), integer, kept)

    scalar = mapping(len(shape), [ir.AffineConstantExpr.get(0)])
    inputs = [(value, identity(len(shape))), *((parameter, scalar) for parameter in parameters)]
    if len(shape) == len(ROWS):
        inputs.append((_factors(value), mapping(len(shape), [0])))
    return elementwise(inputs, shape, ir.F32Type.get(), body)


ROWS = (PARALLEL, REDUCTION)
"""The loops over the largest magnitudes of a matrix's rows."""


def _factors(value: Any) -> Any:
    """What rows of a matrix are multiplied by to become i8."""
    element = ir.F32Type.get()
    rows = (shape_of(value.type)[0],)
    zeros = filled(rows, element, 0)

    def larger(x: Any, most: Any) -> Any:
        return arith.MaximumFOp(math.AbsFOp(x).result, most).result

    most = generic([(value, identity(2))], [(zeros, mapping(2, [0]))], ROWS, larger).results[0]

    def factor(x: Any) -> Any:
        return arith.DivFOp(f32(ACTIVATION_MAX), arith.MaximumFOp(x, f32(LEAST_MAGNITUDE)).result).result

    return elementwise([(most, identity(1))], rows, element, factor)
