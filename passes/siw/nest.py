"""The loop nest that vector code is generated from: extents, strided accesses and a scalar body in SSA form."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace

from tfmbs.passes.siw.machine import Bank, Reg
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.types import DType


@dataclass(frozen=True, kw_only=True)
class Sourced:
    """What instructions are made of; `source` is theirs, as in `Instr`. Values that differ in it only are equal."""

    source: int = field(default=-1, compare=False)


@dataclass(frozen=True)
class Access(Sourced):
    """Element s[`base`] + `offset` + sum of index[d] * `strides[d]` of operand window `window`, all in elements."""

    window: int
    dtype: DType
    offset: int
    strides: tuple[int, ...]
    base: Reg | None = None

    @property
    def invariant(self) -> bool:
        """Whether every iteration addresses the same element."""
        return not any(self.strides)


@dataclass(frozen=True)
class Gather(Sourced):
    """An access displaced by the integer at position `index` of the body, in elements."""

    access: Access
    index: int


@dataclass(frozen=True)
class Constant(Sourced):
    """A pattern of 32 bits, or of 64 where `wide`, in every lane."""

    bits: int
    wide: bool = False


@dataclass(frozen=True)
class Index(Sourced):
    """The integer s[`base`] + `offset` + sum of index[d] * `strides[d]`, in lanes of `dtype`, I32 or I64; wraps."""

    dtype: DType
    offset: int
    strides: tuple[int, ...]
    base: Reg | None = None

    @property
    def invariant(self) -> bool:
        """Whether it is the same in every iteration."""
        return not any(self.strides)


@dataclass(frozen=True)
class Held(Sourced):
    """What all lanes of a vector register hold since before the nest."""

    register: Reg


@dataclass(frozen=True)
class Carried(Sourced):
    """The value of output `output` before this iteration."""

    output: int


@dataclass(frozen=True)
class Compute(Sourced):
    """One D-slot operation; `args` are positions in the body."""

    op: str
    dtype: DType | None
    args: tuple[int, ...]
    aux: int = 0


@dataclass(frozen=True)
class Scatter(Sourced):
    """A store beside the outputs, of the value at `value`, to an access displaced by the integer at `index`, if any."""

    access: Access
    index: int | None
    value: int


Value = Access | Gather | Constant | Index | Held | Carried | Compute
Linear = Access | Index
"""What has strides: an address, or a number that is linear in the loop indices."""


@dataclass(frozen=True)
class Nest:
    """A perfect loop nest that runs `body` once per index, row-major.

    `reduction[d]` tells whether dimension d is a reduction; outputs do not vary along those. `yields[o]` is the
    position in `body` of the value that output `o` takes. `windows` is the number of operand windows. Each iteration
    makes the stores of `scatters`, in that order, before it gives the outputs their values.
    """

    extents: tuple[int, ...]
    reduction: tuple[bool, ...]
    body: tuple[Value, ...]
    outputs: tuple[Access, ...]
    yields: tuple[int, ...]
    windows: int
    scatters: tuple[Scatter, ...] = ()

    @property
    def linear(self) -> tuple[Linear, ...]:
        """Everything with strides: loads and indices in the order of the body, then scatters, then outputs."""
        loads = (part for value in self.body if (part := linear_of(value)))
        return (*loads, *(scatter.access for scatter in self.scatters), *self.outputs)

    @property
    def accesses(self) -> tuple[Access, ...]:
        """All loads, then all stores."""
        return tuple(part for part in self.linear if isinstance(part, Access))

    def with_dims(
        self, strides_of: Sequence[Sequence[int]], extents: tuple[int, ...], reduction: tuple[bool, ...]
    ) -> Nest:
        """The nest with new dimensions, where `linear[i]` has strides `strides_of[i]`."""
        strides = iter([tuple(s) for s in strides_of])
        body = tuple(_with_strides(value, next(strides)) if linear_of(value) else value for value in self.body)
        scatters = tuple(replace(s, access=replace(s.access, strides=next(strides))) for s in self.scatters)
        outputs = tuple(replace(v, strides=next(strides)) for v in self.outputs)
        return replace(self, extents=extents, reduction=reduction, body=body, outputs=outputs, scatters=scatters)

    @property
    def roots(self) -> tuple[int, ...]:
        """Positions of all that a store needs: indices and values of the scatters, then what is yielded."""
        stored = (p for scatter in self.scatters for p in (scatter.index, scatter.value) if p is not None)
        return (*stored, *self.yields)

    def is_wide(self, position: int) -> bool:
        """Whether the value at a position of the body has 64-bit lanes."""
        value = self.body[position]
        if isinstance(value, Carried):
            return self.outputs[value.output].dtype in siw.WIDE
        return has_wide_lanes(value)


def has_wide_lanes(value: Value) -> bool:
    """Whether a value that no loop carries has 64-bit lanes."""
    if isinstance(value, Constant):
        return value.wide
    if isinstance(value, Held):
        return value.register.bank is Bank.PAIR
    if isinstance(value, Compute):
        fields = {"d_type": int(value.dtype or 0), "d_aux": value.aux}
        return siw.OP_BY_NAME["D", value.op].lane_bits("d_vd", fields) == 64
    assert not isinstance(value, Carried)
    return (value.access if isinstance(value, Gather) else value).dtype in siw.WIDE


def linear_of(value: Value) -> Linear | None:
    """The part of a value that has strides."""
    if isinstance(value, Gather):
        return value.access
    return value if isinstance(value, Access | Index) else None


def _with_strides(value: Value, strides: tuple[int, ...]) -> Value:
    if isinstance(value, Gather):
        return replace(value, access=replace(value.access, strides=strides))
    assert isinstance(value, Access | Index)
    return replace(value, strides=strides)


def arguments_of(value: Value) -> tuple[int, ...]:
    """Positions of the values that a value is made from."""
    if isinstance(value, Gather):
        return (value.index,)
    return value.args if isinstance(value, Compute) else ()


def reads_of(body: Sequence[Value], position: int, known: Container[int] = ()) -> set[int]:
    """Positions of all values that the value at `position` depends on, itself included; not what `known` ones need."""
    seen: set[int] = set()
    pending = [position]
    while pending:
        current = pending.pop()
        if current not in seen:
            seen.add(current)
            if current not in known:
                pending.extend(arguments_of(body[current]))
    return seen


def needed_values(nest: Nest) -> list[tuple[int, Value]]:
    """Position and value of what the stores depend on, in order."""
    needed: set[int] = set().union(*(reads_of(nest.body, position) for position in nest.roots))
    return [(position, nest.body[position]) for position in sorted(needed)]
