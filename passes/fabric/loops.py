"""The loop nest of a `linalg.generic` on memrefs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from tfmbs.dialect.mlir import ir
from tfmbs.dialect.shapes import shape_of
from tfmbs.passes.fabric.scalars import refuse
from tfmbs.passes.fabric.select import Selector, ViewOf
from tfmbs.passes.fabric.select_memory import expression, place
from tfmbs.passes.fabric.sources import Sources, first_users
from tfmbs.passes.siw.nest import Access, Gather, Nest, Scatter
from tfmbs.passes.siw.ranges import range_of_type, within
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.types import DTYPES, DType

_NARROW = frozenset({DType.I8, DType.I16})
Bind = Callable[[Selector], None]


def nest_of(op: Any, sources: Sources, view_of: ViewOf, bind: Bind | None = None) -> Nest:
    """The nest of a `linalg.generic`; `sources` and `view_of` as for `Selector`.

    `bind` binds what the body takes from outside. Raises TfmbsError for what has no vector code.
    """
    clean = frozenset(range(len(op.opview.outputs)))
    while True:
        # The accumulator of a narrow integer is clean in each iteration if what is yielded is.
        generic = _Generic(op, sources, view_of, clean, bind)
        if generic.is_reduction and (dirty := clean & generic.dirty_yields()):
            clean -= dirty
            continue
        return generic.nest()


class _Generic:
    def __init__(self, op: Any, sources: Sources, view_of: ViewOf, clean: Collection[int], bind: Bind | None) -> None:
        self._op = op
        maps = [attribute.value for attribute in op.attributes["indexing_maps"]]
        self._reduction = tuple("reduction" in str(kind) for kind in op.attributes["iterator_types"])
        self._selector = Selector(sources, _extents(op, maps, len(self._reduction)), view_of)
        self._clean = clean
        if bind is not None:
            bind(self._selector)
        self._outputs: dict[int, Access] = {}
        self._scattered: dict[int, tuple[Access, int]] = {}
        block = op.regions[0].blocks[0]
        users = first_users(block)
        for argument, operand, affine_map in zip(block.arguments, op.operands, maps, strict=True):
            with self._selector.of(users.get(argument, op)):
                self._argument(argument, operand, affine_map)
        self._yields = self._stored(self._selector.block(block))

    @property
    def is_reduction(self) -> bool:
        return any(self._reduction) and not self._scattered

    def dirty_yields(self) -> set[int]:
        """Outputs of narrow integers whose new values may have anything in the upper bits of their lanes."""
        return {
            output
            for output, access in self._outputs.items()
            if access.dtype in _NARROW
            and not within(self._selector.range(self._yields[output]), range_of_type(access.dtype))
        }

    def nest(self) -> Nest:
        """The finished nest."""
        selector = self._selector
        late = [
            Scatter(*place_, self._yields[output], source=self._source(output))
            for output, place_ in self._scattered.items()
        ]
        outputs = [replace(access, source=self._source(output)) for output, access in self._outputs.items()]
        return Nest(
            tuple(selector.extents),
            self._reduction,
            tuple(selector.body),
            tuple(outputs),
            tuple(self._yields[output] for output in self._outputs),
            0,
            (*selector.scatters, *late),
        )

    def _source(self, output: int) -> int:
        """Where the value of an output comes from."""
        return self._selector.body[self._yields[output]].source

    def _argument(self, argument: Any, operand: Any, affine_map: Any) -> None:
        op, selector = self._op, self._selector
        output = argument.arg_number - (len(op.operands) - len(op.opview.outputs))
        if not isinstance(operand.type, ir.MemRefType):
            selector.bind(argument, selector.value(operand, op))
            return
        loops = [selector.loop_index(d) for d in range(selector.rank)]
        access, rest = place(selector, op, operand, [expression(selector, op, e, loops) for e in affine_map.results])
        if rest is not None:
            selector.bind(argument, selector.add(Gather(access, rest)))
            if output >= 0:
                self._scattered[output] = access, rest
        elif output < 0:
            selector.bind(argument, selector.add(access))
        else:
            number = len(self._outputs)
            self._outputs[output] = access
            known = range_of_type(access.dtype) if _is_integer(access.dtype) and output in self._clean else None
            selector.bind(argument, selector.carried(number, access.dtype, known))

    def _stored(self, yields: Sequence[int]) -> list[int]:
        """The yielded values in lanes as their outputs need them."""
        places = self._outputs | {output: access for output, (access, _) in self._scattered.items()}
        return [
            self._selector.wide(position) if places[output].dtype in siw.WIDE else position
            for output, position in enumerate(yields)
        ]


def _is_integer(dtype: DType) -> bool:
    return not DTYPES[dtype].is_float


def _extents(op: Any, maps: Sequence[Any], dims: int) -> tuple[int, ...]:
    """Sizes of the loops, from the operands that a loop indexes directly."""
    sizes: dict[int, int] = {}
    for value, affine_map in zip(op.operands, maps, strict=True):
        for position, expr in enumerate(affine_map.results):
            if isinstance(expr, ir.AffineDimExpr):
                sizes.setdefault(expr.position, shape_of(value.type)[position])
    missing = [d for d in range(dims) if d not in sizes]
    if missing:
        raise refuse(op, f"{op.name}: loop {missing[0]}", "an operand that it indexes directly", "none")
    return tuple(sizes[d] for d in range(dims))
