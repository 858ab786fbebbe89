"""What a product costs on a target at each precision: energy, from the target's own figures.

    E = macs · e(mac) + weight bytes · (external + 2·l3 + 2·l2 + l1 write) + input bytes · (2·l2 + l1 write)

Weights come from external memory by way of L3 and L2 into L1 once; inputs come from L2. A multiply-accumulate is one of
f32 beside float inputs, else one of i8, or of a trit that is not zero. What a product reads again and writes is the
same at each precision and does not count. bf16 weights are widened by vector code once: read, converted, and
written as f32, which the product reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from tfmbs.dialect.shapes import shape_of
from tfmbs.passes.graph.kernels import left
from tfmbs.passes.tfmbs_tile import PROBLEMS
from tfmbs.runtime.abi.energy import mac_figure
from tfmbs.runtime.abi.target import Feature, Target
from tfmbs.runtime.abi.types import DType, Packing, row_bytes

SCALE_BYTES = 4
WEIGHT_BITS = {"int8": 8, "bf16": 16, "fp32": 32}
BITS = 8


@dataclass(frozen=True)
class Stored:
    """The weights of a product as stored: `rows` of `width` at a precision, in `scales` groups, `dense` the fraction of
    them that is not zero.
    """

    precision: str
    rows: int
    width: int
    scales: int
    dense: float = 1.0

    @property
    def bytes(self) -> int:
        """Their bytes in a binary, scales included."""
        groups = max(1, self.scales // self.rows)
        if self.precision in WEIGHT_BITS:
            own = self.rows * self.width * WEIGHT_BITS[self.precision] // BITS
        elif self.precision == "int4":
            own = self.rows * groups * row_bytes(DType.I4, Packing.NIBBLES, self.width // groups)
        else:
            own = self.rows * groups * row_bytes(DType.TRIT, Packing.PT5, self.width // groups)
        return own + SCALE_BYTES * self.scales


def energy(op: Any, stored: Stored, integer_inputs: bool, target: Target) -> float:
    """Picojoules of one run of a graph-level product with these weights. `integer_inputs`: they are i8."""
    ops, moved = target.energy.per_op, target.energy.per_byte
    problem = PROBLEMS[type(op)](op)
    macs = problem.batch * problem.m * problem.n * problem.k
    weights_type = DType.TRIT if stored.precision == "ternary" else DType.I8
    mac: float = getattr(ops, mac_figure(not integer_inputs, weights_type))
    if weights_type is DType.TRIT and integer_inputs:
        mac *= stored.dense
    arriving = 2 * moved.l2 + moved.l1_write
    weights = stored.bytes * (moved.external + 2 * moved.l3 + arriving)
    if stored.precision == "bf16":
        count = stored.rows * stored.width
        weights += count * (ops.vector_f32 + 2 * moved.l1_read + 4 * (moved.l1_write + arriving))
    inputs = prod(shape_of(left(op).type)) * (1 if integer_inputs else 4) * arriving
    return macs * mac + weights + inputs


def is_supported(precision: str, grouped: bool, integer_inputs: bool, target: Target) -> bool:
    """Whether the target multiplies weights of a precision, with a scale for each group or not, by such inputs."""
    weights = {"ternary": "trit", "int4": "i4", "int8": "i8"}.get(precision, "f32")
    operands = {weights, "i8" if integer_inputs else "f32"}
    features = {"ternary": Feature.PT5, "int4": Feature.INT4}
    needed = [features[precision]] if precision in features else []
    needed += [Feature.GROUPS] if grouped else []
    return operands <= set(target.array.operands) and all(target.has(feature) for feature in needed)
