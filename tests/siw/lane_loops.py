"""Random loops over elements whose iterations can run side by side, with values that all of them share."""

from __future__ import annotations

from collections.abc import Sequence

from tests.siw.builder import Builder
from tests.siw.control import index_below, scalar_code
from tests.siw.regions import Element, For, Replace, ScalarCode
from tests.siw.scalars import BodyBuilder
from tests.siw.values import Type, scalar

SIZES = (3, 40, 300, 530, 700, 1100)


def lane_loop(b: Builder) -> int:
    """Elements one by one, all or up to a number that depends on data; each computed from one and from a shared one."""
    size = b.rng.choice(SIZES)
    target, source = (b.of(Type((size,), b.element())) for _ in range(2))
    shared = b.of(Type((2,), b.element()))
    upper = None
    if b.rng.random() < 0.6:
        upper = index_below(b, scalar_code(b, b.element(("i32", "i64"))), size + 1)
    region = Builder(b.rng, b.limits, b, b.depth + 1)
    variable = region.input(scalar("index"))
    region.bounds[variable] = size
    written = region.input(b.types[target])
    (own,) = region.add(_element(region, source, [variable], (-1,)))
    (common,) = region.add(_element(region, shared, [], (b.rng.randrange(2),)))
    if b.rng.random() < 0.7:
        common = _computed(region, [common])
    result = _computed(region, [own, common], b.types[target].element)
    results = region.add(Replace((result, written, variable), (b.types[target],), (-1,)))
    body = region.finish(results)
    operands = (*([] if upper is None else [upper]), target, *region.captured)
    return b.add(For(operands, (b.types[target],), 0, size if upper is None else None, 1, body))[0]


def _element(region: Builder, tensor: int, places: Sequence[int], constant: tuple[int, ...]) -> Element:
    assert region.parent is not None
    return Element((region.capture(tensor), *places), (scalar(region.parent.types[tensor].element),), constant)


def _computed(region: Builder, leaves: Sequence[int], target: str | None = None) -> int:
    """A scalar computed from all of some others."""
    code = BodyBuilder(region.rng, region.limits, [region.types[leaf].element for leaf in leaves])
    result = code.recent()
    for _ in range(region.rng.choice((1, 2, 4))):
        result = code.grow()
    result = code.convert(result, target or code.elements[result])
    return region.add(ScalarCode(tuple(leaves), (scalar(code.elements[result]),), code.done(result)))[0]
