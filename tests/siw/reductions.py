"""Random reductions: sums, products, extrema, logic, fused products, windows, pairs of value and place, any body."""

from __future__ import annotations

import numpy as np

from tests.siw.body import SELECT, Body
from tests.siw.builder import Builder, shrunk
from tests.siw.elementwise import covering
from tests.siw.scalars import BodyBuilder
from tests.siw.structured import Generic, Map, Place, loop
from tests.siw.values import DTYPE_OF, FLOATS, Type
from tests.siw.views import Fill

FLOAT_KINDS = ("addf", "addf", "addf", "mulf", "maximumf", "minimumf", "maxnumf", "minnumf")
INTEGER_KINDS = ("addi", "addi", "muli", "maxsi", "minsi", "maxui", "minui", "andi", "ori", "xori")
LOGICAL_KINDS = ("andi", "ori", "xori")


def reduction(b: Builder) -> int:
    """Adds a reduction of a tensor, and of others beside it; returns the number of a result."""
    driver = b.tensor(lambda type_: len(type_.sizes) > 0)
    shape = b.types[driver].sizes
    window = "window" if max(shape) > 2 and b.rng.random() < 0.2 else ""
    sizes, parallel, map_, taps = _window(b, shape) if window else _loops(b, shape)
    inputs, maps = [driver], [map_]
    if taps or b.rng.random() < 0.4:
        other = b.of(Type(tuple(sizes[i] for i in taps), b.element())) if taps else b.tensor()
        if taps or other != driver:
            inputs.append(other)
            maps.append(tuple(loop(i) for i in taps) if taps else covering(b, b.types[other].sizes, sizes))
    leaves = [b.types[value].element for value in inputs]
    if b.rng.random() < 0.12 and not taps and parallel < len(sizes):
        return _with_place(b, inputs, maps, sizes, parallel)
    code = BodyBuilder(b.rng, b.limits, [*leaves, "i1"], sizes)
    code.hidden.add(len(inputs))
    result = 0 if len(inputs) == 1 else code.grow()
    for _ in range(b.rng.choice((0, 0, 1, 2))):
        result = code.grow()
    element = code.elements[result]
    accumulate, start = _accumulation(b, code, element)
    body = _accumulating(code, result, element, len(inputs), accumulate)
    type_ = Type(sizes[:parallel], element)
    init = b.of(type_) if b.rng.random() < 0.25 else b.add(Fill((), (type_,), start))[0]
    output: Map = tuple(loop(i) for i in range(parallel))
    return b.add(Generic((*inputs, init), (type_,), sizes, parallel, tuple(maps), (output,), 0, body))[0]


def _loops(b: Builder, shape: tuple[int, ...]) -> tuple[tuple[int, ...], int, Map, list[int]]:
    """Loops of which some reduce, those behind: sizes, number of parallel ones, map of the driver."""
    dims = list(range(len(shape)))
    reduced = [d for d in dims if b.rng.random() < 0.5] or [b.rng.choice(dims)]
    kept = [d for d in dims if d not in reduced]
    if b.rng.random() < 0.3:
        b.rng.shuffle(kept)
        b.rng.shuffle(reduced)
    order = [*kept, *reduced]
    sizes = [shape[d] for d in order]
    parallel = len(kept)
    if b.rng.random() < 0.2 and parallel < 3 and np.prod(sizes) < 1000:
        sizes.insert(parallel, b.rng.choice((1, 2, 3)))  # a result per index of a loop that the driver does not have
        order.insert(parallel, -1)
        parallel += 1
    return tuple(sizes), parallel, tuple(loop(order.index(d)) for d in dims), []


def _window(b: Builder, shape: tuple[int, ...]) -> tuple[tuple[int, ...], int, Map, list[int]]:
    """A window that slides along one dimension, or reduces what it covers along two."""
    wide = [d for d, size in enumerate(shape) if size > 2]
    chosen = sorted(b.rng.sample(wide, min(len(wide), b.rng.choice((1, 2)))))
    sizes: list[int] = []
    taps: list[int] = []
    places: dict[int, tuple[tuple[int, int], ...]] = {}
    for d, size in enumerate(shape):
        if d in chosen:
            count, step = b.rng.randint(1, min(3, size)), b.rng.choice((1, 1, 2))
            places[d] = ((d, step), (len(shape) + len(taps), 1))
            sizes.append((size - count) // step + 1)
            taps.append(count)
        else:
            places[d] = ((d, 1),)
            sizes.append(size)
    map_ = tuple(Place(places[d]) for d in range(len(shape)))
    return (*sizes, *taps), len(shape), map_, [len(shape) + i for i in range(len(taps))]


def _accumulation(b: Builder, code: BodyBuilder, element: str) -> tuple[str, int]:
    """The kind of accumulation, and the bits of the number to start from."""
    kinds = FLOAT_KINDS if element in FLOATS else LOGICAL_KINDS if element == "i1" else INTEGER_KINDS
    kind = b.rng.choice([k for k in kinds if f"arith.{k}" not in b.limits.refused])
    if element in FLOATS and b.rng.random() < 0.25:
        kind = b.rng.choice(("fma", "any"))
    starts = {"mulf": 0.5, "muli": 3, "andi": -1, "maxsi": -5, "minsi": 5, "minui": -1}
    number = np.array(starts.get(kind, b.rng.choice((0.0, 0.25)) if element in FLOATS else 0)).astype(DTYPE_OF[element])
    return kind, int(number.view(np.dtype(f"u{number.dtype.itemsize}")))


def _accumulating(code: BodyBuilder, value: int, element: str, accumulator: int, kind: str) -> Body:
    """The body with an accumulator, a leaf that the code before has not seen."""
    code.retype(accumulator, element)
    operands = [accumulator, value] if code.rng.random() < 0.7 else [value, accumulator]
    if kind == "fma":
        return code.done(code.add("math.fma", [value, code.operand(element), accumulator], element))
    if kind == "any":
        difference = code.add("arith.subf", operands, element)
        return code.done(code.add("arith.mulf", [difference, code.constant(element)], element))
    return code.done(code.add(f"arith.{kind}", operands, element))


def _with_place(b: Builder, inputs: list[int], maps: list[Map], sizes: tuple[int, ...], parallel: int) -> int:
    """The largest or least element and where it is: two results."""
    inputs, maps = inputs[:1], maps[:1]
    element = b.types[inputs[0]].element
    place = b.element(("i32", "i64"))
    code = BodyBuilder(b.rng, b.limits, [element, element, place], sizes)
    better = code.add("arith.cmpf" if element in FLOATS else "arith.cmpi", [0, 1], "i1", _better(b, element))
    code.loops = sizes
    here = code.add("linalg.index", [], place, b.rng.randrange(parallel, len(sizes)))
    value = code.add(SELECT, [better, 0, 1], element)
    where = code.add(SELECT, [better, here, 2], place)
    shape = shrunk(sizes[:parallel])
    types = (Type(shape, element), Type(shape, place))
    inits = [b.add(Fill((), (type_,), 0))[0] for type_ in types]
    output: Map = tuple(loop(i) for i in range(parallel))
    body = code.done(value, where)
    results = b.add(Generic((*inputs, *inits), types, sizes, parallel, tuple(maps), (output, output), 0, body))
    return b.rng.choice(results)


def _better(b: Builder, element: str) -> str:
    return b.rng.choice(("ogt", "olt", "uge") if element in FLOATS else ("sgt", "slt", "ult", "uge"))
