"""What quantization does to each product of a model: its weights before and after, its inputs beside their range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmbs.compiler.calibration.collect import expose_inputs
from tfmbs.compiler.driver import Observer
from tfmbs.compiler.jit import copy_module, entry_of
from tfmbs.compiler.trial import Start, trial
from tfmbs.compiler.verify.subject import Array, Arrays
from tfmbs.dialect import graph
from tfmbs.dialect.attributes import INPUT_RANGE, NAME
from tfmbs.dialect.mlir import ir
from tfmbs.dialect.telemetry import telemetry_of
from tfmbs.passes.graph.choices import MOST, Choice, Settings, choice_of
from tfmbs.passes.graph.grids import F32, real_weights
from tfmbs.passes.graph.kernels import kernel_name, ops_where
from tfmbs.passes.graph.quantization import ACTIVATION_MAX, ACTIVATION_MIN, Activation, activation_for
from tfmbs.passes.graph.quantized_operands import round_bf16, stored_weights
from tfmbs.passes.tfmbs_detect_grids import TfmbsDetectGrids
from tfmbs.passes.tfmbs_quantize import TfmbsQuantize, constant_weights
from tfmbs.passes.tfmbs_telemetry import layer_name


@dataclass(frozen=True)
class Product:
    """A product with constant weights.

    Attributes:
        layer, kind: the name of its layer and kernel.
        precision: of its weights, of the ladder.
        weights, stored: its weights before quantization, and what the stored ones are worth.
        inputs: its left operand in f32, for the inputs of the verification.
        activation: how it is quantized; None where it stays a float, or each row has a scale of its own.
    """

    layer: str
    kind: str
    precision: str
    weights: F32
    stored: F32
    inputs: Array
    activation: Activation | None

    @property
    def sparsity(self) -> float:
        """The fraction of stored weights that are zero."""
        return float(np.mean(self.stored == 0)) if self.stored.size else 0.0

    @property
    def range(self) -> tuple[float, float] | None:
        """The smallest and largest value that the quantized input can have; None where it is no integer."""
        if self.activation is None:
            return None
        scale, zero = self.activation.scale, self.activation.zero_point
        return scale * (ACTIVATION_MIN - zero), scale * (ACTIVATION_MAX - zero)

    @property
    def saturated(self) -> int | None:
        """How many inputs round to an integer beyond i8 and are clamped; None where the input is no integer."""
        if self.activation is None:
            return None
        with np.errstate(over="ignore"):
            steps = np.rint(self.inputs / np.float32(self.activation.scale)) + np.float32(self.activation.zero_point)
        return int(((steps < ACTIVATION_MIN) | (steps > ACTIVATION_MAX)).sum())


class ProductWatcher(Observer):
    """Keeps what the passes of quantization are given, of the first module that they run on."""

    each_upstream = False

    def __init__(self) -> None:
        self._weights: list[F32] | None = None
        self._graph: Any = None
        self._pass: TfmbsQuantize | None = None

    def before(self, step: Any, op: Any) -> None:
        """See `Observer`."""
        if isinstance(step.ours, TfmbsDetectGrids) and self._weights is None:
            self._weights = [_weights(product) for product in _products(op)]
        if isinstance(step.ours, TfmbsQuantize) and self._graph is None:
            self._graph, self._pass = copy_module(op), step.ours

    def products(self, inputs: Arrays, start: Start | None, of_floats: bool) -> tuple[Product, ...]:
        """The products of the model, in its order, on `inputs`, which its entry takes by name; `start` as in `trial`.

        None where no product has integers as inputs, unless `of_floats`: the graph is compiled once more for them.

        Raises:
            TfmbsError: what `trial` refuses.
        """
        if self._graph is None or self._pass is None or self._weights is None:
            return ()
        settings = Settings(self._pass.precision, self._pass.group_size)
        found = [
            _Found(op, choice_of(op, _weights(op), settings), self._pass.activations) for op in _products(self._graph)
        ]
        if not found or not (of_floats or any(product.activation for product in found)):
            return ()
        values = _inputs_of(self._graph, inputs, start)
        seen = zip(found, self._weights, values, strict=True)
        return tuple(product.product(number, *own) for number, (product, *own) in enumerate(seen))


@dataclass(frozen=True)
class _Found:
    """A product of the graph, what it is to become, and what its pass makes of activations."""

    op: Any
    choice: Choice
    activations: str

    @property
    def activation(self) -> Activation | None:
        """As `tfmbs-quantize` chooses it, of a product that it takes."""
        floats = self.activations == "bf16" and self.choice.precision != "int8"
        by_row = self.activations == "dynamic" and isinstance(self.op, graph.MatmulOp | graph.GemvOp)
        if self.choice.precision not in MOST or floats or by_row or INPUT_RANGE not in self.op.attributes:
            return None
        return activation_for(*self.op.attributes[INPUT_RANGE])

    def product(self, number: int, before: F32, inputs: Array) -> Product:
        """With its weights before quantization, and its inputs; `number` names it where nothing else does."""
        weights, precision = _weights(self.op), self.choice.precision
        if precision in MOST:
            stored = real_weights(*stored_weights(weights, self.choice))
        else:
            stored = round_bf16(weights) if precision == "bf16" else weights
        telemetry, kind = telemetry_of(self.op), kernel_name(self.op)
        name = (telemetry.layer if telemetry else layer_name(self.op)) or f"{kind}_{number}"
        return Product(name, kind, precision, before, stored.reshape(before.shape), inputs, self.activation)


def _products(module: Any) -> list[Any]:
    return ops_where(module, lambda op: constant_weights(op) is not None)


def _weights(op: Any) -> F32:
    weights = constant_weights(op)
    assert weights is not None  # it is one of `_products`
    return weights


def _inputs_of(graph: Any, inputs: Arrays, start: Start | None) -> list[Array]:
    """The left operand of each product, from a run of the graph in f32."""
    copy = copy_module(graph)
    with copy.context, ir.Location.unknown():
        entry = entry_of(copy)
        taken = [attributes[NAME].value for attributes in entry.attributes["arg_attrs"] if NAME in attributes]
        names = expose_inputs(entry)
    outputs: Mapping[str, Array] = trial(copy, start)({name: inputs[name] for name in taken})
    return [outputs[name] for name in names]
