"""The body of a nest under construction: equal values once, linear numbers kept linear, ranges of integers known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tfmbs.passes.siw.machine import Reg
from tfmbs.passes.siw.nest import Access, Carried, Compute, Constant, Gather, Index, Value, has_wide_lanes
from tfmbs.passes.siw.ranges import BIT, INT32, INT64, Range, hull, range_of_type, result_range, within
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.types import DTYPES, DType

_WIDTHS = {DType.I32: INT32, DType.I64: INT64}
_NEUTRAL = {**dict.fromkeys(("ADD", "SUB", "OR", "XOR", "SHL", "SHRA", "SHRL"), 0), "MUL": 1, "DIV": 1, "AND": -1}
"""Second operands that leave an integer as it is."""


class Values:
    """Body values by position. `extents` are the sizes of the loops that an `Index` may follow.

    Values that are new and have no source get `source`.
    """

    def __init__(self, extents: Sequence[int] = ()) -> None:
        self.body: list[Value] = []
        self.extents = extents
        self.source = -1
        self._position: dict[Value, int] = {}
        self._ranges: dict[int, Range] = {}
        self._bases: dict[Reg, Range] = {}
        self._wide: dict[int, bool] = {}

    def add(self, value: Value, known: Range | None = None) -> int:
        """The position of a value; `known` is what is known of an integer."""
        value = _normal(value) if isinstance(value, Index) else value
        if value not in self._position:
            position = self._position[value] = len(self.body)
            self.body.append(self._sourced(value))
            self._wide[position] = has_wide_lanes(value)
            width = INT64 if self._wide[position] else INT32
            found = known or self._range(value)
            self._ranges[position] = found if found and within(found, width) else width
        return self._position[value]

    def carried(self, output: int, dtype: DType, known: Range | None = None) -> int:
        """The position of the old value of an output with elements of `dtype`."""
        value = Carried(output)
        if value not in self._position:
            position = self._position[value] = len(self.body)
            self.body.append(value)
            self._wide[position] = dtype in siw.WIDE
            self._ranges[position] = known or (INT64 if self._wide[position] else INT32)
        return self._position[value]

    def _sourced(self, value: Value) -> Value:
        return replace(value, source=self.source) if value.source < 0 <= self.source else value

    def scalar(self, register: Reg, known: Range = INT64) -> int:
        """The position of what a scalar register holds, in every lane."""
        self._bases[register] = known
        dtype = DType.I32 if within(known, INT32) else DType.I64
        return self.add(Index(dtype, 0, (0,) * len(self.extents), register))

    @property
    def rank(self) -> int:
        """Number of loops."""
        return len(self.extents)

    def as_linear(self, position: int) -> Index | None:
        """A 64-bit integer as a number that is linear in the loop indices, where it is known to be one."""
        value = self.body[position]
        if isinstance(value, Constant):
            return Index(DType.I64, self._number(value), (0,) * self.rank)
        return value if isinstance(value, Index) and self.is_exact(value) else None

    def is_wide(self, position: int) -> bool:
        """Whether a value has 64-bit lanes."""
        return self._wide[position]

    def range(self, position: int) -> Range:
        """What the lanes of a value are as signed integers of their width."""
        return self._ranges[position]

    def constant(self, bits: int, *, wide: bool = False) -> int:
        """The position of a pattern of bits in every lane."""
        return self.add(Constant(bits & ((1 << (64 if wide else 32)) - 1), wide))

    def number(self, value: int) -> int:
        """The position of a 64-bit integer, in a 32-bit lane where it fits."""
        return self.constant(value, wide=not within((value, value), INT32))

    def compute(self, op: str, dtype: DType | None, *args: int, aux: int = 0) -> int:
        """The position of an operation on values at positions, or of what it is known to be."""
        if dtype in _WIDTHS:
            if op in _NEUTRAL and self._is_number(args[1], _NEUTRAL[op]):
                return args[0]
            linear = self._linear(op, dtype, args) if op in ("ADD", "SUB", "MUL") else None
            if linear is not None:
                return self.add(linear)
            if op == "CVT":
                return self._convert(dtype, args[0], DType(aux))
        return self.add(Compute(op, dtype, args, aux))

    def wide(self, position: int) -> int:
        """A 64-bit integer in a 64-bit lane."""
        return position if self.is_wide(position) else self.compute("CVT", DType.I64, position, aux=DType.I32)

    def low(self, position: int) -> int:
        """The low 32 bits of an integer, in a 32-bit lane."""
        return self.compute("CVT", DType.I32, position, aux=DType.I64) if self.is_wide(position) else position

    def exact(self, op: str, *args: int) -> int:
        """A 64-bit integer operation, in 32 bits where operands and result are known to fit."""
        if not any(self.is_wide(position) for position in args):
            found = result_range(op, *(self.range(position) for position in args))
            if found is not None and within(found, INT32):
                return self.compute(op, DType.I32, *args)
        return self.compute(op, DType.I64, *(self.wide(position) for position in args))

    def choose(self, condition: int, first: int, second: int) -> int:
        """`first` where `condition` holds, else `second`."""
        if first == second:
            return first
        if self.is_wide(first) or self.is_wide(second):
            return self.compute("SEL64", None, condition, self.wide(first), self.wide(second))
        return self.compute("SEL", None, condition, first, second)

    def _is_number(self, position: int, number: int) -> bool:
        value = self.body[position]
        return isinstance(value, Constant) and self._number(value) == number

    def _convert(self, dtype: DType, position: int, source: DType) -> int:
        """An integer of type `source` in lanes of `dtype`."""
        value, wide = self.body[position], dtype is DType.I64
        if source is dtype:
            return position
        if source in _WIDTHS and isinstance(value, Constant):
            return self.constant(self._number(value), wide=wide)
        if source in _WIDTHS and isinstance(value, Index) and (not wide or self.is_exact(value)):
            return self.add(replace(value, dtype=dtype))
        return self.add(Compute("CVT", dtype, (position,), source))

    def is_exact(self, index: Index) -> bool:
        """Whether an index does not wrap."""
        return within(self._reach(index), _WIDTHS[index.dtype])

    def _linear(self, op: str, dtype: DType, args: tuple[int, ...]) -> Value | None:
        """The sum, difference or product of two linear numbers where it is one."""
        a, b = (self._as_index(position, dtype) for position in args)
        if a is None or b is None:
            return None
        if op == "MUL":
            scaled, factor = (a, b) if _is_plain(b) else (b, a)
            if not _is_plain(factor) or (scaled.base is not None and factor.offset != 1):
                return None
            return replace(scaled, offset=scaled.offset * factor.offset, strides=_times(scaled, factor.offset))
        if (a.base is not None and b.base is not None) or (op == "SUB" and b.base is not None):
            return None
        sign = -1 if op == "SUB" else 1
        strides = tuple(x + sign * y for x, y in zip(a.strides, b.strides, strict=True))
        return replace(a, offset=a.offset + sign * b.offset, strides=strides, base=a.base or b.base)

    def _as_index(self, position: int, dtype: DType) -> Index | None:
        value = self.body[position]
        if isinstance(value, Constant):
            return Index(dtype, self._number(value), (0,) * len(self.extents))
        return value if isinstance(value, Index) and value.dtype is dtype else None

    def _number(self, constant: Constant) -> int:
        width = 64 if constant.wide else 32
        return constant.bits - (constant.bits >> (width - 1) << width)

    def _reach(self, index: Index) -> Range:
        """The numbers that an index takes, before it wraps."""
        low, high = (0, 0) if index.base is None else self._bases.get(index.base, INT64)
        ends = [(min(0, s * (n - 1)), max(0, s * (n - 1))) for s, n in zip(index.strides, self.extents, strict=True)]
        return index.offset + low + sum(a for a, _ in ends), index.offset + high + sum(b for _, b in ends)

    def _range(self, value: Value) -> Range | None:
        if isinstance(value, Constant):
            return self._number(value), self._number(value)
        if isinstance(value, Index):
            return self._reach(value)
        if isinstance(value, Access | Gather):
            dtype = (value.access if isinstance(value, Gather) else value).dtype
            return None if DTYPES[dtype].is_float else range_of_type(dtype)
        return self._range_of_operation(value) if isinstance(value, Compute) else None

    def _range_of_operation(self, value: Compute) -> Range | None:
        args = [self._ranges[position] for position in value.args]
        dtype = value.dtype
        if value.op in ("SEL", "SEL64"):
            return hull(*args[1:])
        if dtype is None or value.op == "CMP":
            return BIT if value.op == "CMP" else None
        if value.op == "CVT":
            return self._range_of_conversion(args[0], DType(value.aux), dtype)
        is_integer = not DTYPES[dtype].is_float
        is_signed = DTYPES[dtype].is_signed or all(low >= 0 for low, _ in args)
        return result_range(value.op, *args) if is_integer and is_signed else None

    def _range_of_conversion(self, given: Range, source: DType, target: DType) -> Range | None:
        if DTYPES[target].is_float:
            return None
        possible = range_of_type(target)
        if DTYPES[source].is_float:
            return possible
        given = given if source in _WIDTHS else range_of_type(source)
        return given if within(given, possible) else possible


def _is_plain(index: Index) -> bool:
    return index.base is None and index.invariant


def _times(index: Index, factor: int) -> tuple[int, ...]:
    return tuple(stride * factor for stride in index.strides)


def _normal(index: Index) -> Value:
    """An index that is the same everywhere and known is a constant."""
    if not _is_plain(index):
        return index
    bits = 64 if index.dtype is DType.I64 else 32
    return Constant(index.offset & ((1 << bits) - 1), index.dtype is DType.I64)
