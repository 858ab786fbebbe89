"""Random control flow: loops that carry tensors and scalars, conditions on data, bounded while loops, scans."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.siw.builder import Builder
from tests.siw.elementwise import elementwise
from tests.siw.program import Program
from tests.siw.regions import Element, For, If, Replace, ScalarCode, ToIndex, While
from tests.siw.scalars import BodyBuilder
from tests.siw.structured import Generic, loop
from tests.siw.values import INTEGERS, Type, scalar
from tests.siw.views import Extract, Insert, Region

Grow = Callable[[Builder], object]


def element_of(b: Builder) -> int:
    """A scalar from a tensor, perhaps at a place that depends on data or on a loop."""
    source = b.tensor()
    places, operands = _places(b, b.types[source].sizes)
    return b.add(Element((source, *operands), (scalar(b.types[source].element),), places))[0]


def element_put(b: Builder) -> int:
    """A scalar put into a tensor."""
    value = _scalar(b)
    element = b.types[value].element
    target = b.tensor(lambda type_: type_.element == element)
    if b.types[target].element != element:
        target = b.fresh(Type(b.shape(), element))
    places, operands = _places(b, b.types[target].sizes)
    return b.add(Replace((value, target, *operands), (b.types[target],), places))[0]


def scalar_code(b: Builder, target: str | None = None) -> int:
    """A scalar computed from one or two others."""
    leaves = [_scalar(b) for _ in range(b.rng.choice((1, 2)))]
    code = BodyBuilder(b.rng, b.limits, [b.types[leaf].element for leaf in leaves])
    result = code.recent()
    for _ in range(b.rng.choice((1, 2, 3))):
        result = code.grow()
    result = code.convert(result, target or code.elements[result])
    return b.add(ScalarCode(tuple(leaves), (scalar(code.elements[result]),), code.done(result)))[0]


def _scalar(b: Builder) -> int:
    found = b.find(lambda type_: type_.is_scalar and type_.element in b.limits.elements)
    return element_of(b) if found is None or b.rng.random() < 0.3 else found


def _places(b: Builder, shape: Sequence[int]) -> tuple[tuple[int, ...], list[int]]:
    places, operands = [], []
    for size in shape:
        index = _index(b, size) if b.rng.random() < 0.5 else None
        places.append(b.rng.randrange(size) if index is None else -1)
        operands += [] if index is None else [index]
    return tuple(places), operands


def _index(b: Builder, bound: int) -> int | None:
    """An index below `bound`: a loop's variable, or an integer brought into range."""
    outer = b.find(lambda type_: type_ == scalar("index"))
    if outer is not None and b.bounds.get(outer, bound + 1) <= bound:
        return outer
    wide = [element for element in ("i32", "i64") if element in b.limits.elements]
    integer = b.find(lambda type_: type_.is_scalar and type_.element in wide)
    if integer is None or b.rng.random() < 0.5:
        return None
    return index_below(b, integer, bound)


def index_below(b: Builder, integer: int, bound: int) -> int:
    """An index below `bound`, from an integer that depends on data."""
    (index,) = b.add(ToIndex((integer,), (scalar("index"),), bound))
    b.bounds[index] = bound
    return index


def for_loop(b: Builder, grow: Grow) -> int:
    """A loop with constant bounds, or up to a number that depends on data."""
    carried = [b.tensor() for _ in range(b.rng.choice((1, 1, 2)))]
    if b.rng.random() < 0.3:
        carried.append(_scalar(b))
    lower, step = b.rng.choice((0, 0, 0, 1, 2)), b.rng.choice((1, 1, 1, 2, 3))
    upper = lower + b.rng.choice((0, 1, 2, 3, 3, 5, 9))
    bound: int | None = None
    if b.rng.random() < 0.25:
        integer = scalar_code(b, b.element(("i32", "i64")))
        bound, upper = index_below(b, integer, 6), 6
    region = Builder(b.rng, b.limits, b, b.depth + 1)
    variable = region.input(scalar("index"))
    region.bounds[variable] = upper
    arguments = [region.input(b.types[value]) for value in carried]
    types = [b.types[value] for value in carried]
    if b.rng.random() < 0.5:
        region.add(ToIndex((variable,), (scalar(b.element(("i32", "i64"))),), 0))
    outputs = _grown(region, arguments, grow)
    body = region.finish(outputs)
    first = [] if bound is None else [bound]
    operands = (*first, *carried, *region.captured)
    return b.add(For(operands, tuple(types), lower, None if first else upper, step, body))[0]


def scan(b: Builder) -> int:
    """Row after row (or element after element): each depends on what the one before left."""
    source = b.tensor(lambda type_: len(type_.sizes) > 0 and type_.sizes[0] <= 12)
    type_ = b.types[source]
    trips, rest = min(type_.sizes[0], 12), type_.sizes[1:]
    row = Type((1, *rest), type_.element)
    target, carry = b.of(type_), b.of(row)
    region = Builder(b.rng, b.limits, b, b.depth + 1)
    variable, written, before = (region.input(t) for t in (scalar("index"), type_, row))
    region.bounds[variable] = trips
    place = Region((-1, *(0 for _ in rest)), (1, *rest), tuple(1 for _ in type_.sizes))
    (taken,) = region.add(Extract((region.capture(source), variable), (row,), place))
    after = elementwise(region, row) if b.rng.random() < 0.3 else _combined(region, taken, before, row)
    (result,) = region.add(Insert((after, written, variable), (type_,), place))
    body = region.finish([result, after])
    operands = (target, carry, *region.captured)
    return b.rng.choice(b.add(For(operands, (type_, row), 0, trips, 1, body)))


def _combined(b: Builder, first: int, second: int, type_: Type) -> int:
    element = type_.element
    code = BodyBuilder(b.rng, b.limits, [element, element, element])
    code.hidden.add(2)
    result = code.add("arith.addf" if element not in (*INTEGERS, "i1") else "arith.xori", [1, 0], element)
    for _ in range(b.rng.choice((0, 1, 2))):
        result = code.grow()
    body = code.done(code.convert(result, element))
    init = b.empty(type_)
    identity = tuple(loop(d) for d in range(len(type_.sizes)))
    maps = (identity, identity)
    step = Generic((first, second, init), (type_,), type_.sizes, len(type_.sizes), maps, (identity,), 0, body)
    return b.add(step)[0]


def condition(b: Builder, grow: Grow) -> int:
    """Two branches on a condition that depends on data."""
    holds = scalar_code(b, "i1")
    types = [b.types[b.tensor()] for _ in range(b.rng.choice((1, 1, 2)))]
    branches, captured = [], []
    for _ in range(2):
        region = Builder(b.rng, b.limits, b, b.depth + 1)
        outputs = [_ending(region, type_, grow) for type_ in types]
        branches.append((region, outputs))
        captured += [value for value in region.captured if value not in captured]
    programs = []
    for region, outputs in branches:
        for value in captured:
            region.capture(value)
        programs.append(_with_inputs(region, outputs, captured))
    return b.add(If((holds, *captured), tuple(types), *programs))[0]


def _with_inputs(region: Builder, outputs: Sequence[int], captured: Sequence[int]) -> Program:
    region.input_ids = [region.capture(value) for value in captured]
    return region.finish(outputs)


def while_loop(b: Builder, grow: Grow) -> int:
    """A loop that ends by data, or after a bounded number of trips."""
    carried = [b.tensor() for _ in range(b.rng.choice((1, 1, 2)))]
    types = [b.types[value] for value in carried]
    regions = [Builder(b.rng, b.limits, b, b.depth + 1) for _ in range(2)]
    arguments = [[region.input(t) for t in (scalar("i32"), *types)] for region in regions]
    goes_on = scalar_code(regions[0], "i1")
    outputs = _grown(regions[1], arguments[1][1:], grow)
    captured = [*regions[0].captured, *(v for v in regions[1].captured if v not in regions[0].captured)]
    programs = []
    for region, own, results in zip(regions, arguments, ([goes_on], outputs), strict=True):
        region.input_ids = [*own, *(region.capture(value) for value in captured)]
        programs.append(region.finish(results))
    most = b.rng.choice((1, 2, 3, 5))
    step = While((*carried, *captured), (scalar("i32"), *types), most, *programs)
    return b.rng.choice(b.add(step)[1:])


def _grown(region: Builder, carried: Sequence[int], grow: Grow) -> list[int]:
    """Some steps in a region, then for each carried value one of its type that follows from them."""
    for _ in range(region.rng.choice((0, 1, 2))):
        grow(region)
    return [_next(region, region.types[value]) for value in carried]


def _ending(region: Builder, type_: Type, grow: Grow) -> int:
    if region.rng.random() < 0.5:
        grow(region)
    found = region.find(lambda other: other == type_) if region.rng.random() < 0.3 else None
    return _next(region, type_) if found is None else found


def _next(region: Builder, type_: Type) -> int:
    return scalar_code(region, type_.element) if type_.is_scalar else elementwise(region, type_)
