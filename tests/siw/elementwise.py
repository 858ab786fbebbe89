"""Random elementwise structured ops: permutations, broadcasts, strides, offsets, windows, gathers, updates."""

from __future__ import annotations

from math import prod

from tests.siw.builder import Builder
from tests.siw.scalars import BodyBuilder
from tests.siw.structured import Generic, Map, Place, loop
from tests.siw.values import Type

MANY = 800  # elements from which on loops are not multiplied


def elementwise(b: Builder, target: Type | None = None) -> int:
    """Adds an elementwise op over a few values; its result has the type `target` where one is asked for."""
    if target is None:
        driver = b.tensor()
        sizes, first = _loops(b, b.types[driver].sizes)
        inputs, maps = [driver], [first]
    else:
        sizes, inputs, maps = target.sizes, [], []
    for _ in range(b.rng.choice((0, 1, 1, 2)) if inputs else b.rng.choice((1, 2))):
        value = _operand(b, sizes)
        if value not in inputs:  # upstream's fusion makes one operand of two, and then max(x, x) is x, NaN and all
            inputs.append(value)
            maps.append(covering(b, b.types[value].sizes, sizes))
    order = list(range(len(sizes)))
    if target is None and b.rng.random() < 0.3:
        b.rng.shuffle(order)
    shape = tuple(sizes[i] for i in order)
    captured = (
        [b.tensor(lambda type_: len(type_.sizes) > 0)] if "gather" in b.limits.kinds and b.rng.random() < 0.2 else []
    )
    scalars = _scalars(b)
    reads_init = b.rng.random() < 0.15
    init_element = target.element if target else b.element()
    leaves = [
        *(b.types[value].element for value in inputs),
        init_element,
        *(b.types[value].element for value in scalars),
    ]
    code = BodyBuilder(b.rng, b.limits, leaves, sizes, [b.types[value] for value in captured])
    if not reads_init:
        code.hidden.add(len(inputs))
    result = code.recent()
    for _ in range(b.rng.choice((1, 2, 3, 4, 6))):
        result = code.grow()
    element = init_element if target or reads_init else code.elements[result]
    result = code.convert(result, element)
    code.retype(len(inputs), element)
    type_ = Type(shape, element)
    init = b.of(type_) if reads_init else b.empty(type_)
    init = b.fresh(type_) if init in inputs else init
    output: Map = tuple(loop(i) for i in order)
    operands = (*inputs, init, *captured, *scalars)
    body = code.done(result)
    return b.add(Generic(operands, (type_,), sizes, len(sizes), tuple(maps), (output,), len(captured), body))[0]


def _loops(b: Builder, shape: tuple[int, ...]) -> tuple[tuple[int, ...], Map]:
    """Loops over a tensor of this shape, and the map from them to its elements."""
    sizes: list[int] = []
    places: list[Place] = []
    small = prod(shape) < MANY
    for size in shape:
        style = b.rng.choice(("plain",) * 6 + ("strided", "offset", "constant", "window" if small else "plain"))
        if style == "plain" or size == 1:
            places.append(loop(len(sizes)))
            sizes.append(size)
        elif style == "window":
            taps = b.rng.randint(1, min(3, size))
            step = b.rng.choice((1, 1, 2))
            places.append(Place(((len(sizes), step), (len(sizes) + 1, 1))))
            sizes += [(size - taps) // step + 1, taps]
        elif style == "constant":
            places.append(Place((), b.rng.randrange(size)))
        else:
            step = b.rng.choice((2, 3)) if style == "strided" else 1
            offset = b.rng.randrange(min(size, 3))
            places.append(Place(((len(sizes), step),), offset))
            sizes.append((size - 1 - offset) // step + 1)
    if small and b.rng.random() < 0.2 and len(sizes) < 4:
        sizes.append(b.rng.choice((1, 2, 3)))  # a loop that the tensor is broadcast along
    order = list(range(len(sizes)))
    if b.rng.random() < 0.4:
        b.rng.shuffle(order)
    number = {old: new for new, old in enumerate(order)}
    renamed = [Place(tuple((number[i], factor) for i, factor in p.factors), p.offset) for p in places]
    return tuple(sizes[i] for i in order), tuple(renamed)


def _operand(b: Builder, sizes: tuple[int, ...]) -> int:
    """Another input: any tensor, or a new one whose dimensions are some of the loops."""
    if b.rng.random() < 0.5:
        return b.tensor()
    loops = [i for i in range(len(sizes)) if b.rng.random() < 0.7]
    b.rng.shuffle(loops)
    return b.of(Type(tuple(sizes[i] for i in loops), b.element()))


def covering(b: Builder, shape: tuple[int, ...], sizes: tuple[int, ...]) -> Map:
    """A map from the loops to a tensor of any shape: matching loops, loops that stay inside, or constants."""
    places = []
    for size in shape:
        same = [i for i, trips in enumerate(sizes) if trips == size]
        inside = [i for i, trips in enumerate(sizes) if 1 < trips < size]
        if same and b.rng.random() < 0.9:
            places.append(loop(b.rng.choice(same)))
        elif inside and b.rng.random() < 0.8:
            number = b.rng.choice(inside)
            step = b.rng.randint(1, min(3, (size - 1) // (sizes[number] - 1)))
            room = size - 1 - step * (sizes[number] - 1)
            offset = b.rng.randint(0, min(room, 5))
            places.append(Place(((number, step),), offset if step > 1 or offset else min(room, 1)))
        else:
            places.append(Place((), b.rng.randrange(size)))
    return tuple(places)


def _scalars(b: Builder) -> list[int]:
    """Scalars from outside that the body uses: few."""
    if b.rng.random() > 0.3:
        return []
    found = b.find(lambda type_: type_.is_scalar and type_.element in b.limits.elements)
    return [] if found is None else [found]
