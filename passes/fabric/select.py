"""Instruction selection: scalar code of MLIR to vector operations, by tables from op name to rule.

A lane holds a float as f32 or f64 (f16 and bf16 as f32, rounded after each operation), i1 as 0 or 1, and other integers
modulo their width: what stands above bit 7 of an i8 is anything, and the rules clean it where it would show. An i64 or
index that is known to fit is kept in 32 bits, as its sign extension.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tfmbs.dialect.mlir import ir
from tfmbs.passes.fabric import select_bits, select_convert, select_float, select_integer, select_memory
from tfmbs.passes.fabric.scalars import View, constant_bits, refuse, signed_type, unsigned_type, width_of
from tfmbs.passes.fabric.sources import Sources, first_users
from tfmbs.passes.siw.nest import Index, Scatter
from tfmbs.passes.siw.ranges import INT32, Range, range_of_type, within
from tfmbs.passes.siw.values import Values
from tfmbs.runtime.abi.siw import Predicate
from tfmbs.runtime.abi.types import DTYPES, DType

ViewOf = Callable[[Any, Any], View]
"""Gives the window of a memref to the op that uses it."""


class Selector(Values):
    """Selects the ops of blocks into the body of a nest.

    `extents` are the sizes of the nest's loops; `view_of` gives the windows of memrefs that the body itself addresses;
    its stores end up in `scatters`. `sources` numbers the places of the ops that are selected.
    """

    def __init__(self, sources: Sources, extents: Sequence[int] = (), view_of: ViewOf | None = None) -> None:
        super().__init__(extents)
        self.sources = sources
        self.scatters: list[Scatter] = []
        self._view_of = view_of
        self._bound: dict[Any, int] = {}
        self._guard: int | None = None

    def view(self, memref: Any, user: Any) -> View:
        """A memref in its window. Raises TfmbsError where bodies cannot address memory."""
        if self._view_of is None:
            raise refuse(user, f"{user.name} in an epilogue")
        return self._view_of(memref, user)

    def bind(self, value: Any, position: int) -> None:
        """An MLIR value, a block argument for one, is the body value at `position`."""
        self._bound[value] = position

    def block(self, block: Any) -> list[int]:
        """Selects all ops of a block whose arguments are bound; the positions of what its terminator passes on."""
        *ops, terminator = [op.operation for op in block.operations]
        users = first_users(block)
        for op in ops:
            if op.name == "arith.constant":  # serves whoever uses it; its own place is of little interest
                with self.of(users.get(op.results[0], op)):
                    self.select(op)
            else:
                self.select(op)
        return [self.value(operand, terminator) for operand in terminator.operands]

    def select(self, op: Any) -> None:
        """Selects one op and binds its results. Raises TfmbsError for one that has no rule."""
        if op.name == "arith.constant":
            self._bound[op.results[0]] = self._constant(op)
            return
        rule = RULES.get(op.name)
        if rule is None:
            raise refuse(op, f"{op.name} has no vector instruction")
        with self.of(op):
            made = rule(self, op)
        for result, position in zip(op.results, [made] if isinstance(made, int) else made, strict=True):
            self._bound[result] = position

    @contextmanager
    def of(self, op: Any) -> Iterator[None]:
        """What is added inside comes from `op`."""
        outer, self.source = self.source, self.sources.of(op)
        yield
        self.source = outer

    def value(self, value: Any, user: Any) -> int:
        """The position of an MLIR value that is bound or constant. Raises TfmbsError for any other."""
        if value not in self._bound:
            owner = value.owner
            if isinstance(owner, ir.Block) or owner.operation.name != "arith.constant":
                raise refuse(user, f"{user.operation.name}: operand of type {value.type}", "a value of the loop body")
            self.select(owner.operation)
        return self._bound[value]

    def args(self, op: Any) -> list[int]:
        """The positions of all operands."""
        return [self.value(operand, op) for operand in op.operands]

    def _constant(self, op: Any) -> int:
        attribute = op.attributes["value"]
        if isinstance(attribute, ir.FloatAttr):
            bits, wide = constant_bits(op, attribute)
            return self.constant(bits, wide=wide)
        width = width_of(op, op.results[0].type)
        value = int(attribute.value)
        if width == 1:
            return self.constant(value & 1)
        return self.number(value)

    # --- loops and branches ---

    def loop_index(self, dim: int) -> int:
        """The index of a loop."""
        dtype = DType.I32 if within((0, self.extents[dim]), INT32) else DType.I64
        return self.add(Index(dtype, 0, tuple(int(d == dim) for d in range(self.rank))))

    @contextmanager
    def under(self, condition: int, *, holds: bool) -> Iterator[None]:
        """What is selected inside counts only where `condition` is as `holds` says."""
        outer = self._guard
        guard = condition if holds else self.compute("XOR", DType.I32, condition, self.constant(1))
        self._guard = guard if outer is None else self.compute("AND", DType.I32, outer, guard)
        yield
        self._guard = outer

    @property
    def is_conditional(self) -> bool:
        """Whether what is selected now counts only sometimes."""
        return self._guard is not None

    def guarded(self, index: int) -> int:
        """An index to load from: 0 where the load does not count, and its index may be out of bounds."""
        if self._guard is None or self.as_linear(index) is not None:
            return index
        return self.choose(self._guard, index, self.constant(0))

    def floor_divide(self, a: int, b: int) -> int:
        """a / b rounded to minus infinity, for positive b."""
        quotient = self.exact("DIV", a, b)
        if self.range(a)[0] >= 0:
            return quotient
        return self.exact("SUB", quotient, self._is_negative(self.exact("REM", a, b)))

    def floor_remainder(self, a: int, b: int) -> int:
        """a - b * (a / b), for positive b."""
        remainder = self.exact("REM", a, b)
        if self.range(a)[0] >= 0:
            return remainder
        return self.choose(self._is_negative(remainder), self.exact("ADD", remainder, b), remainder)

    def _is_negative(self, a: int) -> int:
        dtype = DType.I64 if self.is_wide(a) else DType.I32
        return self.compute("CMP", dtype, a, self.constant(0, wide=self.is_wide(a)), aux=Predicate.OLT)

    # --- forms of integers ---

    def signed(self, position: int, width: int) -> int:
        """An integer of at most 32 bits with its sign in all upper bits of the lane."""
        if width == 1:
            return self.compute("NEG", DType.I32, position)
        if within(self.range(position), range_of_type(signed_type(width))):
            return position
        return self.compute("CVT", signed_type(width), position, aux=DType.I32)

    def unsigned(self, position: int, width: int) -> int:
        """An integer of at most 32 bits with zeros in all upper bits of the lane."""
        if width == DTYPES[DType.I32].bits or within(self.range(position), range_of_type(unsigned_type(width))):
            return position
        return self.compute("CVT", unsigned_type(width), position, aux=DType.I32)

    def clean(self, position: int, width: int) -> int:
        """An integer in one of the two forms."""
        return position if within(self.range(position), self._types(width)) else self.unsigned(position, width)

    def _types(self, width: int) -> Range:
        return range_of_type(signed_type(width)) if width > 1 else range_of_type(DType.BOOL)

    def wide_unsigned(self, position: int, width: int) -> int:
        """The zero extension to 64 bits of an integer of at most 32 bits."""
        form = self.unsigned(position, width)
        if self.range(form)[0] >= 0:
            return form
        return self.compute("CVT", DType.I64, form, aux=DType.U32)


Rule = Callable[[Selector, Any], int | Sequence[int]]

RULES: dict[str, Rule] = {
    **select_float.RULES,
    **select_integer.RULES,
    **select_bits.RULES,
    **select_convert.RULES,
    **select_memory.RULES,
}
