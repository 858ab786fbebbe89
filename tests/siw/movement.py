"""Random steps that move data, and scalars taken from tensors."""

from __future__ import annotations

from itertools import pairwise
from math import prod

from tests.siw.builder import MOST_ELEMENTS, Builder
from tests.siw.scalars import BodyBuilder
from tests.siw.values import Type
from tests.siw.views import Concat, Extract, Fill, Insert, Pad, Region, Reshape, Transpose


def slice_of(b: Builder) -> int:
    """A slice: offsets and steps, at times without its dimensions of size one."""
    source = b.tensor(lambda type_: len(type_.sizes) > 0)
    region = _region(b, b.types[source].sizes)
    sizes = region.sizes
    if b.rng.random() < 0.3:
        sizes = tuple(size for size in sizes if size != 1 or b.rng.random() < 0.5)
    return b.add(Extract((source,), (Type(sizes, b.types[source].element),), region))[0]


def insertion(b: Builder) -> int:
    """A smaller tensor put into a larger one."""
    target = b.tensor(lambda type_: len(type_.sizes) > 0)
    region = _region(b, b.types[target].sizes)
    source = b.of(Type(region.sizes, b.types[target].element))
    return b.add(Insert((source, target), (b.types[target],), region))[0]


def _region(b: Builder, shape: tuple[int, ...]) -> Region:
    offsets, sizes, steps = [], [], []
    for size in shape:
        step = b.rng.choice((1, 1, 1, 2, 3))
        offset = b.rng.choice((0, 0, b.rng.randrange(size)))
        most = (size - 1 - offset) // step + 1
        offsets.append(offset)
        sizes.append(b.rng.choice((most, b.rng.randint(1, most))))
        steps.append(step if sizes[-1] > 1 else 1)  # upstream loses a step that is never taken
    return Region(tuple(offsets), tuple(sizes), tuple(steps))


def padding(b: Builder) -> int:
    """Padding with a constant on both sides of some dimensions."""
    source = b.tensor(lambda type_: len(type_.sizes) > 0 and prod(type_.sizes) < MOST_ELEMENTS // 8)
    type_ = b.types[source]
    low, high = (tuple(b.rng.choice((0, 0, 1, 2)) for _ in type_.sizes) for _ in range(2))
    sizes = tuple(size + before + after for size, before, after in zip(type_.sizes, low, high, strict=True))
    return b.add(Pad((source,), (Type(sizes, type_.element),), low, high, _bits(b, type_.element)))[0]


def joined(b: Builder) -> int:
    """Two or three tensors one behind the other."""
    first = b.tensor(lambda type_: len(type_.sizes) > 0 and prod(type_.sizes) < MOST_ELEMENTS // 3)
    type_ = b.types[first]
    axis = b.rng.randrange(len(type_.sizes))
    parts = [first]
    for _ in range(b.rng.choice((1, 1, 2))):
        size = b.rng.choice((type_.sizes[axis], 1, 3))
        parts.append(b.of(Type((*type_.sizes[:axis], size, *type_.sizes[axis + 1 :]), type_.element)))
    b.rng.shuffle(parts)
    total = sum(b.types[part].sizes[axis] for part in parts)
    result = Type((*type_.sizes[:axis], total, *type_.sizes[axis + 1 :]), type_.element)
    return b.add(Concat(tuple(parts), (result,), axis))[0]


def reshaped(b: Builder) -> int:
    """Neighbouring dimensions made one, or a dimension split."""
    source = b.tensor(lambda type_: len(type_.sizes) > 0)
    type_ = b.types[source]
    rank = len(type_.sizes)
    if rank > 1 and b.rng.random() < 0.5:
        cuts = sorted(b.rng.sample(range(1, rank), b.rng.randint(0, rank - 2)))
        edges = [0, *cuts, rank]
        groups = tuple(tuple(range(a, e)) for a, e in pairwise(edges))
        sizes = tuple(prod(type_.sizes[d] for d in group) for group in groups)
    else:
        axis = b.rng.randrange(rank)
        factor = b.rng.choice([f for f in range(1, 9) if type_.sizes[axis] % f == 0])
        split = (factor, type_.sizes[axis] // factor)
        sizes = (*type_.sizes[:axis], *split, *type_.sizes[axis + 1 :])
        groups = (*((d,) for d in range(axis)), (axis, axis + 1), *((d + 1,) for d in range(axis + 1, rank)))
    return b.add(Reshape((source,), (Type(sizes, type_.element),), groups))[0]


def transposed(b: Builder) -> int:
    """Dimensions in another order."""
    source = b.tensor(lambda type_: len(type_.sizes) > 1)
    type_ = b.types[source]
    order = list(range(len(type_.sizes)))
    b.rng.shuffle(order)
    result = Type(tuple(type_.sizes[d] for d in order), type_.element)
    return b.add(Transpose((source,), (result,), tuple(order)))[0]


def filled(b: Builder) -> int:
    """A tensor of one constant, or of one scalar."""
    known = (
        b.find(lambda type_: type_.is_scalar and type_.element in b.limits.elements) if b.rng.random() < 0.5 else None
    )
    type_ = Type(b.shape(), b.element() if known is None else b.types[known].element)
    if known is not None:
        return b.add(Fill((known,), (type_,), None))[0]
    return b.add(Fill((), (type_,), _bits(b, type_.element)))[0]


def _bits(b: Builder, element: str) -> int:
    code = BodyBuilder(b.rng, b.limits, [element])
    code.constant(element)
    return int(code.nodes[0].detail[0])
