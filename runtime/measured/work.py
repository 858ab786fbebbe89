"""Operations of launches, by what they take in energy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from tfmbs.runtime.abi.energy import PER_OP, mac_figure
from tfmbs.runtime.abi.image import Image, Row
from tfmbs.runtime.abi.movement import attention_plan, group_operands, recurrence_plan
from tfmbs.runtime.abi.movement.fields import Op
from tfmbs.runtime.abi.records import NONE, Kind, ZeroSkip
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.products import product_of

Amounts = dict[str, int]
BUILT_IN = (Op.SOFTMAX, Op.MAGNITUDE, Op.QUANTIZE, Op.GATES)
"""Jobs of vector engines that no instructions describe."""
MACS = tuple(name for name in PER_OP if name.startswith("mac_"))


@dataclass(frozen=True)
class Work:
    """What a launch did, as counted: multiply-accumulates or taps, those with a weight that is not zero, lane
    operations, and those of them on reals; its zero-skip mode."""

    operations: int
    active: int
    lane_ops: int
    real_lane_ops: int
    mode: ZeroSkip


def dense(image: Image, descriptor: Row) -> int:
    """Multiply-accumulates of a launch without any skipping, those with padding among them."""
    sizes = product_of(image, descriptor)
    return 0 if sizes is None else prod(sizes)


def operations(image: Image, descriptor: Row, work: Work, ran: int, built_in: Mapping[Op, int]) -> Amounts:
    """How many operations of each kind of `energy.PER_OP` spend energy.

    `ran` are multiply-accumulates of the arrays, `built_in` elements of the jobs of `BUILT_IN`.
    """
    result = dict.fromkeys(PER_OP, 0)
    result["vector_i32"] = work.lane_ops - work.real_lane_ops
    result["vector_f32"] = work.real_lane_ops
    result["vector_f32"] += sum(count * _per_element(image, descriptor, op) for op, count in built_in.items())
    kind = Kind(descriptor["kind"])
    if kind is Kind.POOL:
        is_real = DType(image.tensors[descriptor["lhs"]]["dtype"]) is DType.F32
        result["vector_f32" if is_real else "vector_i32"] += work.operations
    elif work.operations:
        executed = min(ran, work.operations)
        spent = {ZeroSkip.NONE: work.operations, ZeroSkip.ENERGY: work.active, ZeroSkip.CYCLE: executed}
        result[_mac(image, descriptor)] += spent[work.mode]
    return result


def gated(image: Image, descriptor: Row, work: Work) -> Amounts:
    """Multiply-accumulates that spend no energy, by the figure that they would have taken."""
    result = dict.fromkeys(MACS, 0)
    if work.mode is ZeroSkip.ENERGY and work.operations > work.active:
        result[_mac(image, descriptor)] = work.operations - work.active
    return result


def _per_element(image: Image, descriptor: Row, op: Op) -> int:
    """Operations on an element, as the movement rule's cycles have them.

    Of a score, passes over its row, an exponential and a division; of what becomes an integer, passes; of a state, five
    special functions, a sum for each gate and each of its biases, and four more operations.
    """
    if op is Op.SOFTMAX:
        return attention_plan.PASSES + 2
    if op in (Op.MAGNITUDE, Op.QUANTIZE):
        return group_operands.MAGNITUDE_PASSES if op is Op.MAGNITUDE else group_operands.INTEGER_PASSES
    first = descriptor["args_first"]
    biases = sum(index != NONE for index in image.args[first + 1 : first + min(descriptor["args_count"], 3)])
    return recurrence_plan.GATES * (1 + biases) + 4 + 5


def _mac(image: Image, descriptor: Row) -> str:
    """The figure of a product's multiply-accumulates; GROUP_GEMM quantizes what it multiplies."""
    lhs, rhs = (DType(image.tensors[descriptor[name]]["dtype"]) for name in ("lhs", "rhs"))
    return mac_figure(lhs is DType.F32 and Kind(descriptor["kind"]) is not Kind.GROUP_GEMM, rhs)
