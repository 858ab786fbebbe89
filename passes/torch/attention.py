"""Attention at the torch level: two products with a softmax between them, and what is done to the scores."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tfmbs.passes.torch import values as tv
from tfmbs.passes.torch.patterns import is_weight, producer

F32 = np.float32
PRODUCTS = ("torch.aten.matmul", "torch.aten.bmm")
_SOFTMAX = ("torch.aten.softmax.int", "torch.aten._softmax")
_VIEWS = tuple(f"torch.aten.{name}" for name in ("view", "reshape", "_unsafe_view", "expand", "clone", "contiguous"))
"""Ops that give elements another shape, where their number stays the same."""

_EXPONENTS = 100  # powers of two below 2 to this, and their reciprocals, are ordinary f32
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "torch.aten.le.Tensor": np.less_equal,
    "torch.aten.lt.Tensor": np.less,
    "torch.aten.ge.Tensor": np.greater_equal,
    "torch.aten.gt.Tensor": np.greater,
}


@dataclass(frozen=True)
class Match:
    """An attention: its operands at torch level, the shape B×H×M×N of its scores, and what happens to them.

    `condition` is what a select shows by, `mask` the operand that remains of it, or the addend. `inner` are all ops
    between the operands and the result.
    """

    query: Any
    key: Any
    value: Any
    scores: tuple[int, int, int, int]
    is_transposed: bool
    mask: Any = None
    condition: Any = None
    scale: float = 1.0
    mode: str = "none"
    fill: float = -math.inf
    causal: bool = False
    offset: int = 0
    clear: bool = False
    inner: tuple[Any, ...] = field(default=())


class NoAttentionError(tv.NotConvertedError):
    """An op that nobody would call attention: no product of a softmax over its last dimension."""


def why_not(op: Any) -> str | None:
    """Why a product of a softmax over keys and of values is no attention; None for what is, and for other ops."""
    try:
        match(op)
    except NoAttentionError:
        return None
    except tv.NotConvertedError as error:
        return str(error)
    return None


def match(op: Any) -> Match:
    """The attention that the product `op` ends. Raises NotConvertedError, with the reason, where there is none."""
    if op.name not in PRODUCTS:
        raise NoAttentionError("it is no product")
    if is_weight(op.operands[1]):
        raise NoAttentionError("with constant values it is a layer")
    walk = _Walk([op])
    weights = walk.back(op.operands[0], _VIEWS)
    cleared, condition = weights, None
    choice = producer(weights)
    if choice is not None and choice.name == "torch.aten.where.self" and _number(choice.operands[2]) == 0:
        walk.inner.append(choice)
        condition, cleared = choice.operands[0], walk.back(choice.operands[1], _VIEWS)
    softmax = producer(cleared)
    if softmax is None or softmax.name not in _SOFTMAX:
        raise NoAttentionError("its left operand is no softmax")
    walk.inner.append(softmax)
    shape = tv.shape(softmax.results[0])
    if tv.integer(softmax.operands[1]) % len(shape) != len(shape) - 1:
        raise NoAttentionError("the softmax is not over keys")
    if not tv.is_f32(op.results[0]):
        raise tv.NotConvertedError(f"its elements are {tv.element(op.results[0])}, the kernel takes f32")
    found = _scores(walk, softmax.operands[0], _four(shape))
    if condition is not None:
        if found.condition != condition:
            raise tv.NotConvertedError("weights are cleared by another condition than scores")
        found = replace(found, clear=True)
    found = _causal(replace(found, value=op.operands[1], inner=tuple(walk.inner)))
    _check_shapes(found, op)
    _check_uses(found, op)
    return found


@dataclass
class _Walk:
    """The ops that were passed on the way from the result to the operands."""

    inner: list[Any]

    def back(self, value: Any, names: tuple[str, ...]) -> Any:
        """The first value before `value` that no op of these names makes."""
        while (op := producer(value)) is not None and op.name in names and _keeps(op):
            self.inner.append(op)
            value = op.operands[0]
        return value


def _keeps(op: Any) -> bool:
    return math.prod(tv.shape(op.operands[0])) == math.prod(tv.shape(op.results[0]))


def _scores(walk: _Walk, value: Any, shape: tuple[int, int, int, int]) -> Match:
    """From the softmax's operand to the product of queries and keys."""
    found = Match(None, None, None, shape, False)
    while True:
        value = walk.back(value, _VIEWS)
        op = producer(value)
        if op is None:
            raise tv.NotConvertedError("scores are no product")
        walk.inner.append(op)
        if op.name in PRODUCTS:
            key = producer(op.operands[1])
            transposed = key is not None and key.name == "torch.aten.transpose.int" and _is_last_two(key)
            source = key.operands[0] if transposed else op.operands[1]
            if is_weight(source):
                raise NoAttentionError("with constant keys it is a layer")
            return replace(found, query=op.operands[0], key=source, is_transposed=transposed)
        # Steps come before each other in this order: scale, mask; the walk meets them the other way round.
        if op.name == "torch.aten.where.self" and found.mode == "none" and found.scale == 1.0:
            found, value = _selected(walk, op, found)
        elif op.name == "torch.aten.add.Tensor" and found.mode == "none" and found.scale == 1.0:
            found, value = _added(op, found)
        elif found.scale == 1.0 and (scaled := _scaled(op)) is not None:
            value, factor = scaled
            found = replace(found, scale=factor)
        else:
            raise tv.NotConvertedError(f"{op.name.removeprefix('torch.aten.')} stands between scores and softmax")


def _selected(walk: _Walk, op: Any, found: Match) -> tuple[Match, Any]:
    """`where(condition, scores, fill)`; with a condition on the scores themselves, of a sum with a mask."""
    condition, scores, other = op.operands
    fill = _number(other)
    if fill is None or not fill <= 0:
        raise tv.NotConvertedError("what is hidden has no constant score")
    test = producer(condition)
    if test is not None and test.name == "torch.aten.ne.Scalar" and test.operands[0] == scores:
        addition = producer(scores)
        if tv.number(test.operands[1]) != -math.inf or addition is None or addition.name != "torch.aten.add.Tensor":
            raise tv.NotConvertedError("hides by another condition than a mask")
        walk.inner += [test, addition]
        summed, value = _added(addition, found)
        return replace(summed, mode="add_shown", condition=condition, fill=fill), value
    return replace(found, mode="select", condition=condition, mask=condition, fill=fill), scores


def _added(op: Any, found: Match) -> tuple[Match, Any]:
    """`scores + mask`, whichever comes first: scores have more to them than views of arguments and constants."""
    left, right, alpha = op.operands
    if tv.number(alpha) != 1:
        raise tv.NotConvertedError("the mask is scaled")
    scores, mask = (left, right) if _is_product(left) else (right, left)
    if not tv.is_f32(mask):
        raise tv.NotConvertedError("the mask is no f32")
    return replace(found, mode="add", mask=mask), scores


def _is_product(value: Any) -> bool:
    """Whether a value is scores: a product, scaled or seen otherwise."""
    while (op := producer(value)) is not None:
        scaled = _scaled(op)
        if op.name not in _VIEWS and scaled is None:
            return bool(op.name in PRODUCTS)
        value = op.operands[0] if scaled is None else scaled[0]
    return False


def _scaled(op: Any) -> tuple[Any, float] | None:
    """What an op multiplies by a number, and the number, where that is exact: divisors are powers of two."""
    kind = op.name.removeprefix("torch.aten.")
    if kind not in ("mul.Scalar", "div.Scalar", "mul.Tensor", "div.Tensor"):
        return None
    value, other = op.operands[0], op.operands[1]
    if kind == "mul.Tensor" and _number(other) is None:
        value, other = other, value
    number = _number(other)
    if number is None or not math.isfinite(number) or tv.shape(value) != tv.shape(op.results[0]):
        return None
    if kind.startswith("mul"):
        return value, number
    part, exponent = math.frexp(number)
    return (value, 1 / number) if abs(part) == 0.5 and abs(exponent) < _EXPONENTS else None


def _number(value: Any) -> float | None:
    """The f32 that a constant scalar, or a constant tensor of one element, is."""
    op = producer(value)
    if op is None:
        return None
    if op.name in ("torch.constant.float", "torch.constant.int"):
        return float(F32(tv.number(value)))
    array = tv.literal(value)
    if array is None or array.size != 1 or array.dtype != F32:
        return None
    return float(array.reshape(()))


def _is_last_two(op: Any) -> bool:
    rank = len(tv.shape(op.results[0]))
    return {tv.integer(op.operands[1]) % rank, tv.integer(op.operands[2]) % rank} == {rank - 2, rank - 1}


def _four(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Batch, heads, queries, keys of scores; those of rank 3 have a head per batch."""
    if len(shape) == 4:
        return shape[0], shape[1], shape[2], shape[3]
    if len(shape) == 3:
        return shape[0], 1, shape[1], shape[2]
    raise tv.NotConvertedError(f"scores have {len(shape)} dimensions, not 3 or 4")


def _causal(found: Match) -> Match:
    """A constant condition of the causal form needs no mask."""
    if found.mode != "select":
        return found
    shown = constant(found.condition)
    if shown is None:
        return found
    rows, columns = found.scores[2:]
    shown = np.broadcast_to(shown, np.broadcast_shapes(shown.shape, (rows, columns)))
    first = shown.reshape(-1, rows, columns)[0]
    offset = int(first[0].sum()) - 1
    if (shown == np.tri(rows, columns, offset, dtype=bool)).all():
        return replace(found, mode="none", mask=None, causal=True, offset=offset)
    return found


def constant(value: Any) -> Any:
    """The elements of a tensor that depends on nothing: a literal, or a comparison of positions; None for another."""
    op = producer(value)
    if op is None:
        return None
    if op.name == "torch.vtensor.literal":
        return tv.literal(value)
    if op.name == "torch.aten.arange.start_step":
        return np.arange(*(tv.integer(operand) for operand in list(op.operands)[:3]))
    if op.name == "torch.aten.unsqueeze":
        inner = constant(op.operands[0])
        return None if inner is None else np.expand_dims(inner, tv.integer(op.operands[1]))
    if op.name in _COMPARISONS:
        left, right = (constant(operand) for operand in op.operands)
        return None if left is None or right is None else _COMPARISONS[op.name](left, right)
    return None


def _check_shapes(found: Match, op: Any) -> None:
    """Products have the same batches on both sides, and scores are those of the query's rows, in their order."""
    batch, heads, rows, columns = found.scores
    query, key, value = (tv.shape(operand) for operand in (found.query, found.key, found.value))
    if not found.is_transposed:
        key = (*key[:-2], key[-1], key[-2])
    if len(query) < 3 or query[:-2] != key[:-2] or key[:-2] != value[:-2]:
        raise tv.NotConvertedError("batches of queries, keys and values differ")
    products, stacked = math.prod(query[:-2]), query[-2]
    if value[-2] != columns or key[-2] != columns or products * stacked != batch * heads * rows:
        raise tv.NotConvertedError("scores are seen in another shape")
    if products % batch or heads % (products // batch) or stacked % rows:
        raise tv.NotConvertedError("heads are grouped otherwise")
    if found.mask is not None:
        mask = tv.shape(found.mask)
        whole = aligned(mask, found.scores)
        if len(whole) > 4 or any(m not in (1, s) for m, s in zip(whole, found.scores, strict=True)):
            raise tv.NotConvertedError("the mask has another shape")


def aligned(mask: tuple[int, ...], scores: tuple[int, int, int, int]) -> tuple[int, ...]:
    """The shape of a mask by the dimensions of scores. Scores of rank 3 are B×1×M×N: so are masks of rank 3 then."""
    if len(mask) == 3 and scores[1] == 1:
        return (mask[0], 1, *mask[1:])
    return (1,) * (4 - len(mask)) + mask


def _check_uses(found: Match, op: Any) -> None:
    """Nobody else uses what is between operands and result."""
    inner = set(found.inner)
    for step in found.inner:
        if step == op:
            continue
        for use in step.results[0].uses:
            if use.owner.operation not in inner:
                raise tv.NotConvertedError(f"the result of {step.name.removeprefix('torch.aten.')} is used elsewhere")
