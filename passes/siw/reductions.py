"""Which reductions the RED and FOLD instructions compute, and how a nest is brought into their order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from tfmbs.passes.siw.nest import (
    Carried,
    Compute,
    Constant,
    Gather,
    Index,
    Linear,
    Nest,
    Value,
    arguments_of,
    linear_of,
    needed_values,
    reads_of,
)
from tfmbs.passes.siw.ranges import INT32
from tfmbs.passes.siw.size import Size, UndecidedError, divides
from tfmbs.passes.siw.values import Values
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.siw import REDUCTION_LANES, Reduce
from tfmbs.runtime.abi.types import DTYPES, DType

_KINDS = {
    "ADD": Reduce.SUM,
    "MUL": Reduce.PROD,
    "MAX": Reduce.MAX,
    "MIN": Reduce.MIN,
    "AND": Reduce.AND,
    "OR": Reduce.OR,
    "XOR": Reduce.XOR,
}
_AUXES = siw.OP_BY_NAME["D", "RED"].auxes
_INFINITY = {DType.F32: 0x7F800000, DType.F64: 0x7FF0000000000000}


@dataclass(frozen=True)
class Fold:
    """Output `output` is reduced with `op` over the value at `source`."""

    output: int
    op: str
    dtype: DType
    source: int

    @property
    def kind(self) -> Reduce:
        """The `aux` of its RED and FOLD."""
        return _KINDS[self.op]

    @property
    def is_wide(self) -> bool:
        """Whether its lanes have 64 bits."""
        return self.dtype in siw.WIDE

    @property
    def identity(self) -> Constant:
        """What the partials start as."""
        return Constant(_identity(self.op, self.dtype), self.is_wide)


def _identity(op: str, dtype: DType) -> int:
    """The bits that `op` leaves every value unchanged with; of a sum of floats, +0.0: so the contract says."""
    bits = DTYPES[dtype].bits
    if op in ("ADD", "OR", "XOR"):
        return 0
    if op == "MUL":
        return 1
    if op == "AND":
        return (1 << bits) - 1
    if DTYPES[dtype].is_float:
        return _INFINITY[dtype] | ((1 << (bits - 1)) if op == "MAX" else 0)
    low, high = (1 << (bits - 1), (1 << (bits - 1)) - 1) if DTYPES[dtype].is_signed else (0, (1 << bits) - 1)
    return low if op == "MAX" else high


def folds_of(nest: Nest) -> list[Fold]:
    """The outputs whose new value is `op(old value, something)`, and whose old value is used for nothing else."""
    candidates = [_fold_of(nest, output) for output in range(len(nest.outputs))]
    return [fold for fold in candidates if fold is not None]


def _fold_of(nest: Nest, output: int) -> Fold | None:
    value = nest.body[nest.yields[output]]
    if not isinstance(value, Compute) or value.dtype is None or _KINDS.get(value.op) not in _AUXES.get(value.dtype, ()):
        return None
    sources = [a for a in value.args if nest.body[a] != Carried(output)]
    if len(sources) != 1 or any(isinstance(nest.body[p], Carried) for p in reads_of(nest.body, sources[0])):
        return None
    used = [*(a for _, user in needed_values(nest) for a in arguments_of(user)), *nest.yields]
    own = (nest.body.index(Carried(output)), nest.yields[output])
    return Fold(output, value.op, value.dtype, sources[0]) if all(used.count(p) == 1 for p in own) else None


def is_ordered(fold: Fold) -> bool:
    """Whether the order of the combination shows in the result: the contract asks for 16 partials."""
    return fold.op == "ADD" and DTYPES[fold.dtype].is_float


def with_aligned_reduction(nest: Nest) -> Nest:
    """A nest whose partials can be formed a vector at a time: element i of the reduction in lane i mod 16.

    That holds where the innermost reduction is the only one, or a multiple of 16. Else the reductions become one, and
    what does not lie at even distances along it is displaced by a number computed from its index.
    """
    dims = [d for d, is_reduction in enumerate(nest.reduction) if is_reduction]
    if len(dims) == 1 or divides(REDUCTION_LANES, nest.extents[dims[-1]]):
        return nest
    if any(isinstance(nest.extents[d], Size) for d in dims):
        raise UndecidedError("a sum along several dimensions, one of run-time size")
    return _Flat(nest, dims).run()


class _Flat:
    """The nest with its reductions `dims` made one."""

    def __init__(self, nest: Nest, dims: list[int]) -> None:
        self._nest = nest
        self._dims = dims
        self._sizes = [nest.extents[d] for d in dims]
        parallel = [nest.extents[d] for d in range(len(nest.extents)) if d not in dims]
        self._extents = (*parallel, prod(self._sizes))
        self._values = Values(self._extents)

    def run(self) -> Nest:
        """The flat nest."""
        moved: dict[int, int] = {}
        for position, value in enumerate(self._nest.body):
            moved[position] = self._value(value, moved)
        return replace(
            self._nest,
            extents=self._extents,
            reduction=(*(False for _ in self._extents[1:]), True),
            body=tuple(self._values.body),
            outputs=tuple(replace(o, strides=self._strides(o)) for o in self._nest.outputs),
            yields=tuple(moved[position] for position in self._nest.yields),
        )

    def _value(self, value: Value, moved: dict[int, int]) -> int:
        values = self._values
        if isinstance(value, Carried):
            return values.carried(value.output, self._nest.outputs[value.output].dtype)
        if isinstance(value, Compute):
            return values.add(replace(value, args=tuple(moved[a] for a in value.args)))
        part = linear_of(value)
        if part is None:
            return values.add(value)
        even, displacement = replace(part, strides=self._strides(part)), self._displacement(part)
        if isinstance(even, Index):
            start = values.add(even)
            if displacement is None:
                return start
            wide = even.dtype is DType.I64
            return values.compute("ADD", even.dtype, start, (values.wide if wide else values.low)(displacement))
        index = moved[value.index] if isinstance(value, Gather) else None
        if displacement is not None:
            index = displacement if index is None else values.exact("ADD", index, displacement)
        return values.add(even if index is None else Gather(even, index))

    def _displacement(self, part: Linear) -> int | None:
        """The position of how far the element of a flat index is from an even distance; None: it never is.

        With sizes n and strides s the element lies at i·s[-1] + sum of (i / (n[k+1]···n[-1]))·(s[k] - s[k+1]·n[k+1]).
        """
        values, strides = self._values, [part.strides[d] for d in self._dims]
        along = (*(0 for _ in self._extents[1:]), 1)
        flat = Index(DType.I32 if prod(self._sizes) <= INT32[1] else DType.I64, 0, along)
        total: int | None = None
        for k in range(len(strides) - 1):
            factor = strides[k] - strides[k + 1] * self._sizes[k + 1]
            if factor:
                quotient = values.exact("DIV", values.add(flat), values.number(prod(self._sizes[k + 1 :])))
                term = values.exact("MUL", quotient, values.number(factor))
                total = term if total is None else values.exact("ADD", total, term)
        return total

    def _strides(self, part: Linear) -> tuple[int, ...]:
        kept = (stride for d, stride in enumerate(part.strides) if d not in self._dims)
        return (*kept, part.strides[self._dims[-1]])
