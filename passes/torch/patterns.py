"""Structures of networks at the torch level: attention, caches, residual blocks, convolution backbones, tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tfmbs.dialect.mlir import ir
from tfmbs.passes.torch import values as tv


def _aten(*names: str) -> tuple[str, ...]:
    return tuple(f"torch.aten.{name}" for line in names for name in line.split())


PRODUCTS = _aten("matmul mm bmm linear addmm")
CONVOLUTION = "torch.aten.convolution"
_SOFTMAX = ("torch.aten.softmax.int", "torch.aten._softmax")
WHOLE_ATTENTION = "torch.aten.scaled_dot_product_attention"
_VIEWS = _aten(
    "view reshape _unsafe_view unsqueeze squeeze.dim expand permute transpose.int slice.Tensor clone contiguous",
    "flatten.using_ints broadcast_to repeat_interleave.self_int",
)
_SCALES = _aten(
    "mul.Tensor mul.Scalar div.Tensor div.Scalar add.Tensor sub.Tensor where.self masked_fill.Scalar",
    "masked_fill.Tensor to.dtype _to_copy tanh",
)
_FACTORS = _aten("mul.Tensor div.Tensor")
_SCALE, _CHOICE = "torch.aten.mul.Scalar", "torch.aten.where.self"
_CASTS = _aten("to.dtype _to_copy")
_SUMS = "torch.aten.add.Tensor"
_CONCATENATION = "torch.aten.cat"
_UPDATES = _aten("index_put index_put.hacked_twin _index_put_impl slice_scatter scatter.src index_copy")
_LOOKUPS = ("torch.aten.embedding", "torch.aten.index_select")
_BACKBONE = 3  # convolutions in a row; fewer are a stem or a patch embedding


def producer(value: Any) -> Any:
    """The operation that computes a value, None for an argument of the function."""
    owner = value.owner
    return None if isinstance(owner, ir.Block) else owner.operation


def tensors(op: Any) -> list[Any]:
    """The operands of an op that are tensors, those in lists too."""
    found = []
    for value in op.operands:
        maker = producer(value)
        if maker is not None and maker.name == "torch.prim.ListConstruct":
            found += [item for item in maker.operands if "vtensor" in str(item.type)]
        elif "vtensor" in str(value.type):
            found.append(value)
    return found


def through(value: Any, names: tuple[str, ...]) -> Any:
    """The first value before `value` that no op of these names computes, by their first operands."""
    while (op := producer(value)) is not None and op.name in names:
        value = _main(op)
    return value


def _main(op: Any) -> Any:
    """The operand that an op gives another form: the first, of a choice the one that is no constant."""
    if op.name != _CHOICE:
        return op.operands[0]
    return op.operands[2] if is_weight(op.operands[1]) else op.operands[1]


def seen_from(value: Any) -> Any:
    """What a value is only another view or a conversion of."""
    return through(value, (*_VIEWS, *_CASTS))


def looked_up(indices: Any) -> Any:
    """What indices are made of, before those below zero are counted from the end; they may be a part of it."""
    value = seen_from(indices)
    op = producer(value)
    if op is not None and op.name == _CHOICE:
        return looked_up(op.operands[2])
    is_part = op is not None and op.name == _LOOKUPS[1] and is_weight(op.operands[2])
    return looked_up(op.operands[0]) if is_part else value


def views(value: Any) -> Iterator[Any]:
    """A value and all that it is another view of, or a scaled one."""
    yield value
    while (op := producer(value)) is not None and (op.name in (*_VIEWS, *_CASTS, _SCALE) or _is_scaled(op)):
        value = op.operands[0]
        yield value


def _is_scaled(op: Any) -> bool:
    return op.name in _FACTORS and is_weight(op.operands[1])


def is_weight(value: Any) -> bool:
    """Whether a value is a constant, or only another view of one."""
    op = producer(through(value, _VIEWS))
    return op is not None and op.name == "torch.vtensor.literal"


def attention(op: Any) -> tuple[Any, Any, Any] | None:
    """Query, key and value of the product of probabilities and values `op`, None for any other op.

    The probabilities are a softmax over the last dimension, which the product contracts, of scores that are a scaled or
    masked product of two computed tensors. With constant keys or values it is a layer, not attention.
    """
    if op.name == WHOLE_ATTENTION:
        return op.operands[0], op.operands[1], op.operands[2]
    if op.name not in PRODUCTS or len(tensors(op)) != 2 or is_weight(op.operands[1]):
        return None
    softmax = softmax_of(op)
    if softmax is None or softmax.name not in _SOFTMAX or not _is_over_last(softmax):
        return None
    scores = producer(through(softmax.operands[0], (*_SCALES, *_VIEWS)))
    if scores is None or scores.name not in PRODUCTS or any(is_weight(v) for v in tensors(scores)):
        return None
    return scores.operands[0], scores.operands[1], op.operands[1]


def softmax_of(op: Any) -> Any:
    """What makes the probabilities that a product of attention contracts; another op for another product."""
    return producer(through(op.operands[0], (*_VIEWS, *_CASTS, _CHOICE)))


def before_scores(op: Any) -> Any:
    """The scores that a step between product and softmax scales, masks or shows otherwise; None for another op."""
    return _main(op) if op.name in (*_SCALES, *_VIEWS) else None


def _is_over_last(softmax: Any) -> bool:
    try:
        rank = len(tv.shape(softmax.operands[0]))
        return tv.integer(softmax.operands[1]) % rank == rank - 1
    except tv.NotConvertedError:
        return False


def cache(op: Any, attended: set[Any]) -> Any:
    """The argument that an op extends or updates, if it is a cache: its result is attended to, and a result again."""
    if op.name not in (_CONCATENATION, *_UPDATES) or op.results[0] not in attended:
        return None
    parts = tensors(op)
    if op.name in _UPDATES:
        updated = through(parts[0], _VIEWS)
        return updated if producer(updated) is None and _is_returned(op.results[0]) else None
    past = through(parts[0], _VIEWS) if len(parts) == 2 else None
    if past is None or producer(past) is not None or producer(through(parts[1], _VIEWS)) is None:
        return None
    return past if _is_returned(op.results[0]) else None


def added(op: Any) -> int:
    """How many positions a cache's update of `cache` adds: the size of what is new where the whole has another."""
    new, whole = tv.shape(tensors(op)[-1]), tv.shape(op.results[0])
    if len(new) == len(whole):
        positions = [size for size, of in zip(new, whole, strict=True) if size != of]
        if len(positions) == 1:
            return positions[0]
    return new[-2]


def _is_returned(value: Any) -> bool:
    for use in value.uses:
        user = use.owner.operation
        if user.name == "func.return" or (user.name in _VIEWS and _is_returned(user.results[0])):
            return True
    return False


def residual_block(op: Any, order: Mapping[Any, int]) -> bool:
    """Whether `op` adds a value and something that at least one product or convolution makes of it.

    `order` are the positions of the ops of the block that it is in.
    """
    if op.name != _SUMS or len(parts := tensors(op)) != 2 or any(is_weight(v) for v in parts):
        return False
    if str(parts[0].type) != str(parts[1].type):  # a mask on scores, say
        return False
    return any(_reaches(block, skip, order) for block, skip in (parts, parts[::-1]))


def _reaches(value: Any, target: Any, order: Mapping[Any, int], limit: int = 200) -> bool:
    """Whether `value` is computed from `target` by way of a product: `limit` ops are looked at.

    What comes before the target cannot be computed from it.
    """
    first = order.get(producer(target), -1)
    pending, seen = [(value, False)], set[Any]()
    while pending and limit:
        current, worked = pending.pop()
        if current == target:
            if worked:
                return True
            continue
        op = producer(current)
        if op is None or order.get(op, -1) <= first or (current, worked) in seen:
            continue
        seen.add((current, worked))
        limit -= 1
        pending += [(operand, worked or op.name in (*PRODUCTS, CONVOLUTION)) for operand in tensors(op)]
    return False


def backbone(ops: list[Any]) -> list[Any]:
    """The convolutions over two dimensions that stand in chains of three or more."""
    depth: dict[Any, int] = {}
    chains: dict[Any, list[Any]] = {}
    for op in (op for op in ops if len(op.results)):
        before = [v for v in tensors(op) if v in depth]
        longest = max(before, key=lambda v: depth[v], default=None)
        own = op.name == CONVOLUTION and rank(op.results[0]) == 4
        if own or (longest is not None and rank(op.results[0]) == 4 and op.name not in PRODUCTS):
            for result in op.results:
                depth[result] = (depth[longest] if longest is not None else 0) + own
                chains[result] = [*(chains[longest] if longest is not None else []), *([op] if own else [])]
    found = dict.fromkeys(op for result, chain in chains.items() if depth[result] >= _BACKBONE for op in chain)
    return list(found)


def rank(value: Any) -> int:
    """Number of dimensions of a tensor, -1 where it is not known."""
    try:
        return len(tv.shape(value))
    except tv.NotConvertedError:
        return -1


def table(op: Any) -> tuple[Any, Any] | None:
    """Table and indices of a lookup in a constant of rank 2 by computed or given integers."""
    if op.name not in _LOOKUPS:
        return None
    rows, indices = op.operands[0], op.operands[1 if op.name == _LOOKUPS[0] else 2]
    return (rows, indices) if is_weight(rows) and rank(rows) == 2 and not is_weight(indices) else None


def origins(value: Any, limit: int = 50) -> Iterator[Any]:
    """The arguments that a value is computed from, looking at `limit` ops at most."""
    pending, seen = [value], set[Any]()
    while pending and limit:
        current = pending.pop()
        if current in seen:
            continue
        seen.add(current)
        op = producer(current)
        limit -= 1
        if op is None:
            yield current
        else:
            pending += tensors(op)
