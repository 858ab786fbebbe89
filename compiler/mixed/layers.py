"""The layers that precisions are chosen for, and what each becomes at each precision of the ladder."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmbs.compiler.mixed.costs import Stored, energy, is_supported
from tfmbs.compiler.mixed.probe import AS_BF16, AS_I8, AS_ROWS, KEPT, ROWS, Setting
from tfmbs.compiler.quantization import Quantization
from tfmbs.dialect.attributes import INPUT_RANGE, PRECISION
from tfmbs.dialect.telemetry import telemetry_of
from tfmbs.passes.graph.choices import GROUPED, LADDER, Choice, Settings
from tfmbs.passes.graph.gptq import round_product
from tfmbs.passes.graph.grids import F32, F64, I8, real_weights
from tfmbs.passes.graph.kernels import kernel_name, ops_where, refusal
from tfmbs.passes.graph.moments import moment_of
from tfmbs.passes.graph.quantization import I32_MAX, Activation, accumulator_bound, activation_for
from tfmbs.passes.graph.quantized_operands import round_bf16, stored_weights
from tfmbs.passes.tfmbs_quantize import constant_weights
from tfmbs.passes.tfmbs_telemetry import layer_name
from tfmbs.runtime.abi.target import Target


@dataclass(frozen=True)
class Candidate:
    """A layer at a precision: what stands for it in a probe is `setting`; `bytes` of weights, `cost` in picojoules."""

    precision: str
    weights: F32 | tuple[I8, F32]
    mode: float
    activation: Activation
    bytes: int
    cost: float

    @property
    def setting(self) -> Setting:
        """The layer in a probe."""
        weights = real_weights(*self.weights) if isinstance(self.weights, tuple) else self.weights
        return Setting(weights, self.mode, self.activation.scale, self.activation.zero_point)


@dataclass(frozen=True)
class Layer:
    """A product with constant weights. `fixed` is its own precision, where it has one already."""

    op: Any
    name: str
    weights: F32
    activation: Activation
    moment: F64 | None
    fixed: str | None

    def candidates(self, knobs: Quantization, target: Target) -> list[Candidate]:
        """The layer at each precision that the target has, cheapest first; at its own only, where that is fixed.

        Raises:
            TfmbsError: ``quantize``, what the weights or the moment of the layer are no candidate for.
        """
        precisions = LADDER if self.fixed is None else (self.fixed,)
        try:
            found = [self._candidate(precision, knobs, target) for precision in precisions]
        except ValueError as error:
            raise refusal(self.op, "quantize", str(error)) from error
        return sorted((c for c in found if c is not None), key=lambda candidate: candidate.cost)

    def _candidate(self, precision: str, knobs: Quantization, target: Target) -> Candidate | None:
        group = Settings(precision, knobs.group_size).grouped(precision, self.weights)
        grouped = group is not None
        is_integer = precision == "int8" or (precision in GROUPED and knobs.activations != "bf16")
        by_row = is_integer and knobs.activations == "dynamic" and self.weights.ndim == len(ROWS)
        if not is_supported(precision, grouped or by_row, is_integer, target):
            return None
        rows, width = len(self.weights), self.weights[0].size
        if precision in ("bf16", "fp32"):
            kept = round_bf16(self.weights) if precision == "bf16" else self.weights
            mode = AS_BF16 if precision == "bf16" else KEPT
            shape = Stored(precision, rows, width, 0)
            return Candidate(
                precision, kept, mode, self.activation, shape.bytes, energy(self.op, shape, is_integer, target)
            )
        stored, scales = self._stored(Choice(precision, group), knobs)
        if is_integer and not grouped and accumulator_bound(stored, self.activation.largest) > I32_MAX:
            return None
        shape = Stored(precision, rows, width, scales.size, float(np.count_nonzero(stored)) / stored.size)
        mode = AS_ROWS if by_row else AS_I8 if is_integer else AS_BF16
        cost = energy(self.op, shape, is_integer, target)
        return Candidate(precision, (stored, scales), mode, self.activation, shape.bytes, cost)

    def _stored(self, choice: Choice, knobs: Quantization) -> tuple[I8, F32]:
        if choice.precision in GROUPED and knobs.rounding == "gptq" and self.moment is not None:
            return round_product(self.weights, self.moment, choice.grid)
        return stored_weights(self.weights, choice)


def layers_of(module: Any) -> list[Layer]:
    """The layers of a calibrated graph in f32, in its order.

    Raises:
        TfmbsError: ``quantize``, a layer has no range of inputs.
    """
    numbers: Counter[str] = Counter()
    found = []
    for op in ops_where(module, lambda op: constant_weights(op) is not None):
        weights = constant_weights(op)
        assert weights is not None
        if INPUT_RANGE not in op.attributes:
            raise refusal(op, "quantize", "no input range: mixed precision needs calibration", INPUT_RANGE, "none")
        fixed = op.attributes[PRECISION].value if PRECISION in op.attributes else None
        kind, telemetry = kernel_name(op), telemetry_of(op)
        name = (telemetry.layer if telemetry else layer_name(op)) or f"{kind}_{numbers[kind]}"
        numbers[kind] += 1
        found.append(Layer(op, name, weights, activation_for(*op.attributes[INPUT_RANGE]), moment_of(op), fixed))
    return found
