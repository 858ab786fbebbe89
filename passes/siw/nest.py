"""The loop nest that vector code is generated from: extents, strided accesses and a scalar body in SSA form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tfmbs.runtime.abi.types import DType


@dataclass(frozen=True)
class Access:
    """Element `offset` + sum of index[d] * `strides[d]` of operand window `window`; offsets and strides in elements."""

    window: int
    dtype: DType
    offset: int
    strides: tuple[int, ...]

    @property
    def invariant(self) -> bool:
        """Whether every iteration addresses the same element."""
        return not any(self.strides)


@dataclass(frozen=True)
class Gather:
    """An access displaced by the i32 at position `index` of the body, in elements."""

    access: Access
    index: int


@dataclass(frozen=True)
class Constant:
    """A 32-bit pattern in every lane."""

    bits: int


@dataclass(frozen=True)
class Index:
    """The loop index of dimension `dim`, as i32."""

    dim: int


@dataclass(frozen=True)
class Carried:
    """The value of output `output` before this iteration."""

    output: int


@dataclass(frozen=True)
class Compute:
    """One D-slot operation; `args` are positions in the body."""

    op: str
    dtype: DType | None
    args: tuple[int, ...]
    aux: int = 0


Value = Access | Gather | Constant | Index | Carried | Compute


@dataclass(frozen=True)
class Nest:
    """A perfect loop nest that runs `body` once per index, row-major.

    `reduction[d]` tells whether dimension d is a reduction; outputs do not vary along those. `yields[o]` is the
    position in `body` of the value that output `o` takes. `windows` is the number of operand windows.
    """

    extents: tuple[int, ...]
    reduction: tuple[bool, ...]
    body: tuple[Value, ...]
    outputs: tuple[Access, ...]
    yields: tuple[int, ...]
    windows: int

    @property
    def accesses(self) -> tuple[Access, ...]:
        """All loads, then all outputs."""
        return (*(access for value in self.body if (access := access_of(value))), *self.outputs)

    def with_dims(
        self, strides_of: Sequence[Sequence[int]], extents: tuple[int, ...], reduction: tuple[bool, ...]
    ) -> Nest:
        """The nest with new dimensions, where `accesses[i]` has strides `strides_of[i]`."""
        strides = iter([tuple(s) for s in strides_of])
        body = tuple(_with_strides(value, next(strides)) if access_of(value) else value for value in self.body)
        outputs = tuple(replace(v, strides=next(strides)) for v in self.outputs)
        return replace(self, extents=extents, reduction=reduction, body=body, outputs=outputs)


def access_of(value: Value) -> Access | None:
    """The access to memory that a value is."""
    if isinstance(value, Gather):
        return value.access
    return value if isinstance(value, Access) else None


def _with_strides(value: Value, strides: tuple[int, ...]) -> Value:
    if isinstance(value, Gather):
        return replace(value, access=replace(value.access, strides=strides))
    assert isinstance(value, Access)
    return replace(value, strides=strides)


def arguments_of(value: Value) -> tuple[int, ...]:
    """Positions of the values that a value is made from."""
    if isinstance(value, Gather):
        return (value.index,)
    return value.args if isinstance(value, Compute) else ()


def reads_of(body: Sequence[Value], position: int) -> set[int]:
    """Positions of all values that the value at `position` depends on, itself included."""
    seen: set[int] = set()
    pending = [position]
    while pending:
        current = pending.pop()
        if current not in seen:
            seen.add(current)
            pending.extend(arguments_of(body[current]))
    return seen


def needed_values(nest: Nest) -> list[tuple[int, Value]]:
    """Position and value of what the outputs depend on, in order."""
    needed = set().union(*(reads_of(nest.body, position) for position in nest.yields))
    return [(position, nest.body[position]) for position in sorted(needed)]


def with_pool(nest: Nest) -> tuple[Nest, tuple[int, ...]]:
    """The nest with constants and indices loaded from one more window of 32-bit words, and those words.

    A constant becomes a splat access; an index a walk through a table 0, 1, 2, …, which all dimensions share.
    """
    words: list[int] = []
    table = max((nest.extents[v.dim] for v in nest.body if isinstance(v, Index)), default=0)
    words.extend(range(table))
    zero = (0,) * len(nest.extents)
    body: list[Value] = []
    for value in nest.body:
        if isinstance(value, Constant):
            if value.bits not in words:
                words.append(value.bits)
            body.append(Access(nest.windows, DType.I32, words.index(value.bits), zero))
        elif isinstance(value, Index):
            along = tuple(int(d == value.dim) for d in range(len(nest.extents)))
            body.append(Access(nest.windows, DType.I32, 0, along))
        else:
            body.append(value)
    if not words:
        return nest, ()
    return replace(nest, body=tuple(body), windows=nest.windows + 1), tuple(words)


def simplify(nest: Nest) -> Nest:
    """An equal nest with fewer dimensions: outer parallel, inner reduction, no extent of 1, contiguous ones collapsed.

    Parallel dimensions are reordered by falling stride of the first output; reductions keep their order, and one stays
    even if all have an extent of 1: a sum of one element is not the element (it is never -0).
    """
    reductions = [d for d, is_reduction in enumerate(nest.reduction) if is_reduction]
    kept = reductions[-1:] if all(nest.extents[d] == 1 for d in reductions) else []
    columns = [
        (nest.extents[d], nest.reduction[d], tuple(a.strides[d] for a in nest.accesses))
        for d in range(len(nest.extents))
        if nest.extents[d] != 1 or d in kept
    ]
    first_output = len(nest.accesses) - len(nest.outputs)
    parallel = sorted((c for c in columns if not c[1]), key=lambda c: (-c[2][first_output], -max(c[2])))
    merged: list[tuple[int, bool, tuple[int, ...]]] = []
    for extent, is_reduction, strides in [*parallel, *(c for c in columns if c[1])]:
        if merged:
            outer_extent, outer_reduction, outer = merged[-1]
            if outer_reduction == is_reduction and all(o == s * extent for o, s in zip(outer, strides, strict=True)):
                merged[-1] = (outer_extent * extent, is_reduction, strides)
                continue
        merged.append((extent, is_reduction, strides))
    return nest.with_dims(
        [[column[2][i] for column in merged] for i in range(len(nest.accesses))],
        tuple(column[0] for column in merged),
        tuple(column[1] for column in merged),
    )
