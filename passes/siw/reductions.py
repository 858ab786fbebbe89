"""Which reductions the RED and FOLD instructions compute, and how a nest is brought into their order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from tfmbs.passes.siw.nest import (
    Access,
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
    uses = [a for _, user in needed_values(nest) for a in arguments_of(user) if nest.body[a] == Carried(output)]
    return Fold(output, value.op, value.dtype, sources[0]) if len(uses) == 1 else None


def is_ordered(fold: Fold) -> bool:
    """Whether the order of the combination shows in the result: the contract asks for 16 partials."""
    return fold.op == "ADD" and DTYPES[fold.dtype].is_float


def with_aligned_reduction(nest: Nest) -> Nest:
    """A nest whose partials can be formed a vector at a time: element i of the reduction in lane i mod 16.

    That holds where the innermost reduction is the only one, or a multiple of 16. Else the reductions become one, and
    what does not lie at even distances along it is displaced by a number computed from its index.
    """
    dims = [d for d, is_reduction in enumerate(nest.reduction) if is_reduction]
    if len(dims) == 1 or nest.extents[dims[-1]] % REDUCTION_LANES == 0:
        return nest
    return _Flat(nest, dims).run()


class _Flat:
    """The nest with its reductions `dims` made one."""

    def __init__(self, nest: Nest, dims: list[int]) -> None:
        self._nest = nest
        self._dims = dims
        self._sizes = [nest.extents[d] for d in dims]
        self._body: list[Value] = []
        self._position: dict[Value, int] = {}
        self._zeros = (0,) * (len(nest.extents) - len(dims))

    def run(self) -> Nest:
        """The flat nest."""
        moved: dict[int, int] = {}
        for position, value in enumerate(self._nest.body):
            moved[position] = self._value(value, moved)
        outputs = tuple(replace(o, strides=self._strides(o)) for o in self._nest.outputs)
        parallel = [self._nest.extents[d] for d in range(len(self._nest.extents)) if d not in self._dims]
        return replace(
            self._nest,
            extents=(*parallel, prod(self._sizes)),
            reduction=(*(False for _ in parallel), True),
            body=tuple(self._body),
            outputs=outputs,
            yields=tuple(moved[position] for position in self._nest.yields),
        )

    def _value(self, value: Value, moved: dict[int, int]) -> int:
        if isinstance(value, Compute):
            return self._add(replace(value, args=tuple(moved[a] for a in value.args)))
        part = linear_of(value)
        if part is None:
            return self._add(value)
        even = replace(part, strides=self._strides(part))
        wide = part.dtype in siw.WIDE if isinstance(part, Index) else self._is_far(part)
        if isinstance(value, Gather):
            index = moved[value.index]
            wide |= self._wide(index)
        displacement = self._displacement(part, wide=wide)
        dtype = DType.I64 if wide else DType.I32
        if isinstance(value, Gather):
            assert isinstance(even, Access)
            if displacement is None:
                return self._add(Gather(even, index))
            if wide and not self._wide(index):
                index = self._add(Compute("CVT", DType.I64, (index,), DType.I32))
            return self._add(Gather(even, self._add(Compute("ADD", dtype, (index, displacement)))))
        if displacement is None:
            return self._add(even)
        if isinstance(even, Access):
            return self._add(Gather(even, displacement))
        return self._add(Compute("ADD", dtype, (self._add(even), displacement)))

    def _displacement(self, part: Linear, *, wide: bool) -> int | None:
        """The position of how far the element of a flat index is from an even distance; None: it never is.

        With sizes n and strides s the element lies at i·s[-1] + sum of (i / (n[k+1]···n[-1]))·(s[k] - s[k+1]·n[k+1]).
        """
        dtype = DType.I64 if wide else DType.I32
        strides = [part.strides[d] for d in self._dims]
        total: int | None = None
        for k in range(len(strides) - 1):
            factor = strides[k] - strides[k + 1] * self._sizes[k + 1]
            if factor:
                flat = self._add(Index(dtype, 0, (*self._zeros, 1)))
                divisor = self._constant(prod(self._sizes[k + 1 :]), wide=wide)
                quotient = self._add(Compute("DIV", dtype, (flat, divisor)))
                terms = (quotient, self._constant(factor, wide=wide))
                if total is None:
                    total = self._add(Compute("MUL", dtype, terms))
                else:
                    total = self._add(Compute("FMA", dtype, (*terms, total)))
        return total

    def _is_far(self, part: Access) -> bool:
        """Whether displacements need 64 bits."""
        strides = [part.strides[d] for d in self._dims]
        return prod(self._sizes) * (1 + 2 * max(map(abs, strides))) >= 1 << 31

    def _strides(self, part: Linear) -> tuple[int, ...]:
        kept = (stride for d, stride in enumerate(part.strides) if d not in self._dims)
        return (*kept, part.strides[self._dims[-1]])

    def _constant(self, value: int, *, wide: bool) -> int:
        return self._add(Constant(value & ((1 << (64 if wide else 32)) - 1), wide))

    def _wide(self, position: int) -> bool:
        return replace(self._nest, body=tuple(self._body)).is_wide(position)

    def _add(self, value: Value) -> int:
        if value not in self._position:
            self._position[value] = len(self._body)
            self._body.append(value)
        return self._position[value]
