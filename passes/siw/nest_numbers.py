"""The numbers in a nest, in one order: extents, strides, offsets, constants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tfmbs.passes.siw.nest import Access, Constant, Gather, Index, Nest, Value


def numbers_of(nest: Nest) -> list[int]:
    """All numbers that can depend on the sizes of tensors."""
    found: list[int] = []

    def note(number: int) -> int:
        found.append(number)
        return number

    _mapped(nest, note)
    return found


def constants_of(nest: Nest) -> set[int]:
    """The places in `numbers_of` of the patterns of bits that constants are, floats among them."""
    found: set[int] = set()
    place = len(nest.extents)
    for value in nest.body:
        numbers: list[int] = []

        def note(number: int, numbers: list[int] = numbers) -> int:
            numbers.append(number)
            return number

        _value(value, note)
        if isinstance(value, Constant):
            found.add(place)
        place += len(numbers)
    return found


def with_numbers(nest: Nest, numbers: Sequence[int]) -> Nest:
    """The nest with other numbers, in the order of `numbers_of`."""
    left = iter(numbers)
    return _mapped(nest, lambda _: next(left))


def shape_of_nest(nest: Nest) -> Nest:
    """What of a nest does not depend on numbers: equal for nests that differ in these only."""
    return _mapped(nest, lambda _: 0)


def _mapped(nest: Nest, new: Callable[[int], int]) -> Nest:
    extents = tuple(new(extent) for extent in nest.extents)
    body = tuple(_value(value, new) for value in nest.body)
    outputs = tuple(_access(output, new) for output in nest.outputs)
    scatters = tuple(replace(scatter, access=_access(scatter.access, new)) for scatter in nest.scatters)
    return replace(nest, extents=extents, body=body, outputs=outputs, scatters=scatters)


def _value(value: Value, new: Callable[[int], int]) -> Value:
    if isinstance(value, Access):
        return _access(value, new)
    if isinstance(value, Gather):
        return replace(value, access=_access(value.access, new))
    if isinstance(value, Constant):
        return replace(value, bits=new(value.bits))
    if isinstance(value, Index):
        return replace(value, offset=new(value.offset), strides=tuple(new(stride) for stride in value.strides))
    return value


def _access(access: Access, new: Callable[[int], int]) -> Access:
    return replace(access, offset=new(access.offset), strides=tuple(new(stride) for stride in access.strides))
