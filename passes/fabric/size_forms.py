"""How the numbers of vector launches depend on run-time sizes: found by comparison, kept as an attribute of the op."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from tfmbs.dialect.attributes import OFFSET, SIZES
from tfmbs.dialect.mlir import ir
from tfmbs.passes.fabric.loops import nest_of
from tfmbs.passes.fabric.memory import Argument, Memory, Place
from tfmbs.passes.fabric.sources import Sources
from tfmbs.passes.fabric.tables import Tables
from tfmbs.passes.fabric.windows import Windows
from tfmbs.passes.functions import functions
from tfmbs.passes.siw.machine import CodegenError
from tfmbs.passes.siw.nest import Nest
from tfmbs.passes.siw.nest_numbers import constants_of, numbers_of, shape_of_nest, with_numbers
from tfmbs.passes.siw.size import Box, polynomial, value_of
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.fitting import Fitter, Point
from tfmbs.runtime.abi.forms import Degrees
from tfmbs.runtime.abi.types import Region


def mark(modules: Sequence[Any], points: Sequence[Point], low: Point, high: Point) -> None:
    """Notes on vector launches which of their numbers are which polynomials in the sizes.

    `modules` are one model at kernel level, with sizes `points`, memory assigned alike; they are for all sizes from
    `low` to `high`. A launch whose numbers are no polynomials, or that is another one at other sizes, gets no note.
    """
    launches = [list(_launches(module)) for module in modules]
    if len({len(found) for found in launches}) != 1:
        return
    whole = len(points) == prod(b - a + 1 for a, b in zip(low, high, strict=True))
    fitter = Fitter(points, whole=whole)
    for ops in zip(*launches, strict=True):
        nests = [_nest(op, memory) for op, memory in ops]
        forms = _forms(nests, fitter)
        if forms is not None:
            for (op, _), point in zip(ops, points, strict=True):
                with op.context:
                    op.attributes[SIZES] = _attribute(forms, low, high, point)


def sized(op: Any, nest: Nest) -> Nest:
    """The nest of an op with its numbers as the note on it says, if there is one that fits."""
    if SIZES not in op.attributes:
        return nest
    note = {item.name: list(item.attr) for item in op.attributes[SIZES]}
    box = Box(tuple(note["low"]), tuple(note["high"]), tuple(note["point"]))
    rank = len(box.low)
    left, numbers = iter(note["numbers"]), list(numbers_of(nest))
    for place in left:
        terms = {}
        for _ in range(next(left)):
            exponents = tuple(next(left) for _ in range(rank))
            terms[exponents] = next(left)
        number = polynomial(terms, box)
        if place >= len(numbers) or value_of(number) != numbers[place]:
            return nest
        numbers[place] = number
    return with_numbers(nest, numbers)


class _Memory(Memory):
    """Buffers by what they are: enough to tell windows apart, without a table of tensors or weights."""

    def _find(self, root: Any, user: Any) -> Place:
        if isinstance(root.owner, ir.Block) or OFFSET in root.owner.operation.attributes:
            return super()._find(root, user)
        return Place(Region.WEIGHTS, len(self._places), 0, "constant")


def _launches(module: Any) -> list[tuple[Any, Memory]]:
    """The generic ops of a module, with the memory of their function."""
    found: list[tuple[Any, Memory]] = []
    for function in functions(module.operation):
        arguments = {value: Argument(Region.INPUT, i, "") for i, value in enumerate(function.arguments)}
        memory = _Memory(Tables(), arguments)
        ops = (op.operation for op in function.entry_block.operations)
        found += [(op, memory) for op in ops if op.name == "linalg.generic"]
    return found


def _nest(op: Any, memory: Memory) -> Nest | None:
    """The nest of an op; None where it has none, which the lowering will say."""
    try:
        return nest_of(op, Sources(), Windows(memory, op).view)
    except (TfmbsError, CodegenError):
        return None


Terms = dict[Degrees, int]


def _forms(nests: Sequence[Nest | None], fitter: Fitter) -> dict[int, Terms] | None:
    """The polynomials of the numbers that are not the same in all nests, by place; None where the nests differ."""
    if any(nest is None for nest in nests):
        return None
    found = [nest for nest in nests if nest is not None]
    if len({shape_of_nest(nest) for nest in found}) != 1:
        return None
    forms: dict[int, Terms] = {}
    constants = constants_of(found[0])
    for place, values in enumerate(zip(*map(numbers_of, found), strict=True)):
        if len(set(values)) > 1:
            fitted = fitter.fit(values)
            is_whole = fitted is not None and fitted.divisor == 1
            if not is_whole and place not in constants:
                return None
            if fitted is not None and is_whole:  # else a float: the word that sets it is another one at each size
                forms[place] = dict(fitted.terms)
    return forms or None


def _attribute(forms: dict[int, Terms], low: Point, high: Point, point: Point) -> Any:
    numbers: list[int] = []
    for place, terms in forms.items():
        numbers += [place, len(terms)]
        for exponents, factor in terms.items():
            numbers += [*exponents, factor]
    arrays = {"low": low, "high": high, "point": point, "numbers": numbers}
    return ir.DictAttr.get({name: ir.DenseI64ArrayAttr.get(list(values)) for name, values in arrays.items()})
