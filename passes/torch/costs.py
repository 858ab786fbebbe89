"""What ops of the torch level cost: operations and bytes, by one table of closed formulas.

An operation is one of arithmetic on one element; a multiplication and its addition are two, a function of one element
(`exp`, `sigmoid`, `gelu`) is one. Bytes are those of operands and results in the network's own types, each tensor once:
what has to be moved if nothing stays on chip. An op that only shows elements otherwise costs nothing and is in no row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

from tfmbs.dialect.mlir import ir, linalg
from tfmbs.dialect.shapes import element_of, shape_of
from tfmbs.passes.torch import values as tv
from tfmbs.passes.torch.patterns import tensors

Count = Callable[[Any], int]


@dataclass(frozen=True)
class Formula:
    """Operations and bytes of some ops; `flops` and `bytes` are the formulas in words."""

    flops: str
    count: Count
    bytes: str
    move: Count
    ops: tuple[str, ...]


@dataclass(frozen=True)
class Cost:
    """Operations, and bytes moved."""

    flops: int
    bytes: int


def cost_of(op: Any) -> Cost | None:
    """The cost of an op; None where no formula covers it, or sizes or element types are not known."""
    if op.name.startswith("linalg."):
        return _linalg_cost(op)
    formula = FORMULAS.get(op.name)
    if formula is None:
        return None
    try:
        return Cost(formula.count(op), formula.move(op))
    except (tv.NotConvertedError, KeyError):  # KeyError: elements without a size of their own
        return None


def _result(op: Any) -> int:
    return prod(tv.shape(op.results[0]))


def _operand(op: Any) -> int:
    return prod(tv.shape(op.operands[0]))


def _product(op: Any) -> int:
    return 2 * _result(op) * tv.shape(op.operands[0])[-1]


def _linear(op: Any) -> int:
    return _product(op) + (0 if tv.is_none(op.operands[2]) else _result(op))


def _sum_and_product(op: Any) -> int:
    return 2 * _result(op) * tv.shape(op.operands[1])[-1] + _result(op)


def _convolution(op: Any) -> int:
    """Filters are O×(I / groups)×window; those of a transposed convolution I×(O / groups)×window."""
    _, weight, bias, *_, transposed, _, _ = op.operands
    each = _operand(op) if tv.boolean(transposed) else _result(op)
    return 2 * each * prod(tv.shape(weight)[1:]) + (0 if tv.is_none(bias) else _result(op))


def _attention(op: Any) -> int:
    query, key, value = (tv.shape(operand) for operand in list(op.operands)[:3])
    scores = prod(query[:-1]) * key[-2]
    return 2 * scores * (query[-1] + value[-1]) + 5 * scores


def _pool(op: Any) -> int:
    return _result(op) * prod(tv.integers(op.operands[1]))


def _lstm(op: Any) -> int:
    """Of a step and direction: both products, their sum, biases, four functions, c = f·c + i·g and o·tanh(c)."""
    (steps, batch, width), (ways, _, hidden) = (shape_of(op.operands[number].type) for number in (0, 2))
    biases = sum("bias" in str(role) for role in op.attributes["roles"])
    return steps * batch * ways * hidden * (8 * (width + hidden) + 13 + 4 * biases)


def _all_stored(op: Any) -> int:
    return sum(_stored(value) for value in dict.fromkeys([*op.operands, *op.results]))


def _whole(op: Any) -> int:
    first, *further = op.results
    used = [value for value in further if any(True for _ in value.uses)]
    return sum(tv.bytes_of(value) for value in dict.fromkeys([*tensors(op), first, *used]))


def _rows(op: Any) -> int:
    """What is looked up is read and written; of the table nothing else is read."""
    _, *others = tensors(op)
    return 2 * tv.bytes_of(op.results[0]) + sum(map(tv.bytes_of, others))


def _update(op: Any) -> int:
    """What is new is read and written; the rest stays where it is."""
    _, *others = tensors(op)
    return tv.bytes_of(others[-1]) + sum(map(tv.bytes_of, others))


def _formula(flops: str, count: Count, names: str, *, bytes: str = "whole", move: Count = _whole) -> Formula:
    return Formula(flops, count, bytes, move, tuple(f"torch.aten.{name}" for name in names.split()))


TABLE = (
    _formula("2 · result · depth", _product, "matmul mm bmm"),
    _formula("2 · result · depth, and result with a bias", _linear, "linear"),
    _formula("2 · result · depth + result", _sum_and_product, "addmm baddbmm"),
    _formula(
        "2 · result (transposed: operand) · channels of a group · window, and result with a bias",
        _convolution,
        "convolution",
    ),
    _formula(
        "2 · scores · (width of keys + width of values) + 5 · scores", _attention, "scaled_dot_product_attention"
    ),
    Formula(
        "steps · batch · directions · hidden · (8 · (width + hidden) + 13, and 4 for each bias)",
        _lstm,
        "whole",
        _all_stored,
        ("tfmbs.lstm",),
    ),
    _formula("5 · operand (maximum, difference, exp, sum, quotient)", lambda op: 5 * _operand(op),
             "softmax.int _softmax log_softmax.int _log_softmax"),
    _formula("7 · operand (sum, difference, square, sum, and three factors)", lambda op: 7 * _operand(op),
             "layer_norm native_layer_norm group_norm native_group_norm instance_norm"),
    _formula("2 · operand (factor and offset by channel)", lambda op: 2 * _operand(op), "batch_norm"),
    _formula("result · window", _pool,
             "max_pool1d max_pool2d max_pool3d max_pool2d_with_indices avg_pool1d avg_pool2d avg_pool3d"),
    _formula("result", _result,
             "add.Tensor add.Scalar sub.Tensor sub.Scalar rsub.Scalar mul.Tensor mul.Scalar div.Tensor div.Scalar "
             "pow.Tensor_Scalar pow.Tensor_Tensor pow.Scalar remainder.Scalar remainder.Tensor fmod.Tensor neg abs "
             "reciprocal sqrt rsqrt square exp exp2 expm1 log log2 log10 log1p erf sin cos tan tanh sinh cosh asin "
             "acos atan asinh acosh atanh atan2 floor ceil round trunc sign sigmoid log_sigmoid relu relu6 leaky_relu "
             "prelu elu selu celu gelu silu mish softplus hardtanh hardsigmoid hardswish threshold maximum minimum "
             "clamp clamp.Tensor clamp_min clamp_max eq.Tensor eq.Scalar ne.Tensor ne.Scalar lt.Tensor lt.Scalar "
             "le.Tensor le.Scalar gt.Tensor gt.Scalar ge.Tensor ge.Scalar logical_and logical_or logical_xor "
             "logical_not bitwise_and.Tensor bitwise_or.Tensor bitwise_xor.Tensor bitwise_not isnan"),
    _formula("operand", _operand,
             "sum sum.dim_IntList mean mean.dim amax amin max max.dim min min.dim argmax argmin prod prod.dim_int "
             "any any.dim all all.dim cumsum cumprod linalg_vector_norm logsumexp"),
    _formula("0", lambda op: 0, "embedding index_select gather", bytes="rows", move=_rows),
    _formula("0", lambda op: 0,
             "index_put index_put.hacked_twin _index_put_impl slice_scatter scatter.src index_copy",
             bytes="update", move=_update),
    _formula("0", lambda op: 0,
             "cat where.self where.ScalarOther where.ScalarSelf masked_fill.Scalar masked_fill.Tensor to.dtype "
             "_to_copy constant_pad_nd clone roll flip tril triu"),
)  # fmt: skip
"""Each formula with the ops that it holds for. Sizes are numbers of elements."""

BYTES = {
    "whole": "operands and results",
    "rows": "2 · result + indices",
    "update": "2 · what is new + indices",
}
"""The formulas of bytes by the word that `TABLE` has for them. Sizes are bytes."""

FORMULAS: dict[str, Formula] = {name: formula for formula in TABLE for name in formula.ops}
if len(FORMULAS) != sum(len(formula.ops) for formula in TABLE):
    raise ValueError("costs: an op has two formulas")

_FREE = ("arith.constant", "arith.index_cast", "arith.select", "linalg.index", "linalg.yield", "tensor.extract")


def _linalg_cost(op: Any) -> Cost | None:
    """Of structured code beside the torch level: iterations times the operations in its body."""
    if not len(op.regions) or not op.operands or not len(op.results):
        return None
    sizes: dict[int, int] = {}
    for value, entry in zip(op.operands, linalg.get_indexing_maps(op), strict=True):
        if not isinstance(value.type, ir.RankedTensorType):
            continue
        for size, place in zip(shape_of(value.type), entry.value.results, strict=True):
            if isinstance(place, ir.AffineDimExpr):
                sizes[place.position] = size
    work = [
        inner.operation.name
        for inner in op.regions[0].blocks[0].operations
        if inner.operation.name.startswith(("arith.", "math.")) and inner.operation.name not in _FREE
    ]
    if min(sizes.values(), default=0) < 0:
        return None  # a size is only known at run time
    results = len(op.results)
    read = [value for value in list(op.operands)[:-results] if isinstance(value.type, ir.RankedTensorType)]
    moved = sum(_stored(value) for value in dict.fromkeys([*read, *op.results]))
    return Cost(prod(sizes.values()) * len(work), moved)


def _stored(value: Any) -> int:
    element = element_of(value)
    bits = 64 if isinstance(element, ir.IndexType) else element.width
    return -(-prod(shape_of(value.type)) * bits // 8)
