"""Straight-line code of structured programs, collected as a body: of one iteration, or of many, one in each lane."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tfmbs.dialect.kernel_program import VIEWS
from tfmbs.dialect.mlir import ir
from tfmbs.passes.fabric.scalars import View
from tfmbs.passes.fabric.select import Selector
from tfmbs.passes.fabric.select_memory import Place
from tfmbs.passes.kernel.runs import nested
from tfmbs.passes.siw.control import Atom, Control, Linear
from tfmbs.passes.siw.machine import Reg
from tfmbs.passes.siw.nest import Access, Gather, Index, Scatter, Value
from tfmbs.runtime.abi import siw

if TYPE_CHECKING:
    from tfmbs.passes.fabric.program_scalars import Scalars

_CONSTANT = "arith.constant"
_SUMS = {"arith.addi": 1, "arith.subi": -1}
_EXTREMES = {"arith.maxsi": "SMAX", "arith.minsi": "SMIN"}
_STILL = frozenset({"affine", "arith", "math", "tfmbs"})


def only_computes(op: Any) -> bool:
    """Whether an op computes scalars and touches no memory: one that selection knows, or a choice between such."""
    if op.name == "scf.if":
        inside = [inner for inner in nested(op) if inner != op]
        return len(op.results) > 0 and all(inner.name == "scf.yield" or only_computes(inner) for inner in inside)
    return not len(op.regions) and op.name.split(".", maxsplit=1)[0] in _STILL


@dataclass(frozen=True)
class Lanes:
    """Iterations side by side: `atom` stands for the lane, of which there are `count`.

    `spread` keeps the registers that have a scalar of the program around in all lanes.
    """

    atom: Atom
    count: int
    spread: dict[Any, Reg]


@dataclass(frozen=True)
class Touched:
    """An access in written order; `rest` is the position of the part of its place that is not linear, if any."""

    access: Access
    rest: int | None
    is_store: bool


class Straight(Selector):
    """Code that is collected: values of the program around it are bound when they are used."""

    def __init__(self, scalars: Scalars, lanes: Lanes | None = None) -> None:
        super().__init__(scalars.sources, (lanes.count,) if lanes else (), scalars.memory.view)
        self.made: dict[Any, int] = {}
        self.touched: list[Touched] = []
        self._scalars = scalars
        self._control = scalars.control
        self._lanes = lanes
        self._spread = lanes.spread if lanes else None

    def collect(self, op: Any) -> None:
        """Adds an op. Raises TfmbsError for one that has no code."""
        with self.of(op):
            self._collect(op)

    def _collect(self, op: Any) -> None:
        if op.name == "memref.load":
            access, rest = self._address(op, op.operands[0], list(op.operands)[1:])
            self.touched.append(Touched(access, rest, False))
            self.bind(op.results[0], self.add(access if rest is None else Gather(access, rest)))
        elif op.name == "memref.store":
            value, memref, *indices = op.operands
            access, rest = self._address(op, memref, indices)
            self.touched.append(Touched(access, rest, True))
            position = self.value(value, op)
            is_integer = isinstance(value.type, ir.IntegerType | ir.IndexType)
            stored = self.wide(position) if access.dtype in siw.WIDE and is_integer else position
            self.scatters.append(Scatter(access, rest, stored, source=self.source))
        elif op.name not in VIEWS and not self._is_linear(op):
            self.select(op)

    def bind(self, value: Any, position: int) -> None:
        self.made[value] = position
        super().bind(value, position)

    def select(self, op: Any) -> None:
        super().select(op)
        if op.name != _CONSTANT:  # one of an outer block, for instance, which every user makes for itself
            self.made.update((result, self.value(result, op)) for result in op.results)

    def value(self, value: Any, user: Any) -> int:
        if value not in self._bound and (position := self._known(value)) is not None:
            self._bound[value] = position
        return super().value(value, user)

    def lifted(self, number: Linear) -> int:
        """The position of a linear form."""
        rest, stride = self._split(number)
        position = lift(self, self._control, rest)
        if not stride:
            return position
        return self.exact("ADD", position, self.exact("MUL", self.loop_index(0), self.number(stride)))

    def _known(self, value: Any) -> int | None:
        number = self._scalars.known_number(value)
        if number is not None:
            return self.lifted(number)
        found = self._scalars.known_lane(value, self._spread)
        return None if found is None else self.add(flat(found[0], self.rank), found[1])

    def _split(self, number: Linear) -> tuple[Linear, int]:
        """A linear form without the lane, and how much it grows from lane to lane."""
        if self._lanes is None:
            return number, 0
        terms = dict(number.terms)
        stride = terms.pop(self._lanes.atom, 0)
        return Linear(number.offset, tuple(terms.items())), stride

    def _address(self, op: Any, memref: Any, indices: list[Any]) -> tuple[Access, int | None]:
        """The access of an element, and the position of the part of its index that is in a vector, if any."""
        window, dtype, strides, offset = self._scalars.memory.place(memref, op)
        computed = []
        for index, stride in zip(indices, strides, strict=True):
            number = self._scalars.known_number(index)
            if number is None:
                computed.append((index, stride))
            else:
                offset = offset.plus(number.times(stride))
        offset, step = self._split(offset)
        base = self._control.base(offset) if offset.terms else None
        place = Place(self, View(window, dtype, strides, offset.offset, base))
        if step:
            place.linear = replace(place.linear, strides=(step,))
        for index, stride in computed:
            place.add(self.value(index, op), stride)
        return Access(window, dtype, place.linear.offset, place.linear.strides, place.linear.base), place.rest

    def _is_linear(self, op: Any) -> bool:
        """Binds the result of index arithmetic on linear forms; whether it is such."""
        if len(op.results) != 1 or not isinstance(op.results[0].type, ir.IndexType) or len(op.operands) != 2:
            return False
        a, b = (self._scalars.known_number(value) for value in op.operands)
        if a is None or b is None:
            return False
        result = self._combined(op.name, a, b)
        if result is not None:
            self._scalars.bind_number(op.results[0], result)
        return result is not None

    def _combined(self, name: str, a: Linear, b: Linear) -> Linear | None:
        if name in _SUMS:
            return a.plus(b.times(_SUMS[name]))
        if name == "arith.muli" and not (a.terms and b.terms):
            return a.times(b.offset) if not b.terms else b.times(a.offset)
        if name not in _EXTREMES and name != "arith.muli":
            return None
        if any(self._split(number)[1] for number in (a, b)):
            return None  # differs from lane to lane
        if name == "arith.muli":
            return self._control.operation("SMUL", a, b)
        pick = max if name == "arith.maxsi" else min
        low, high = (pick(x, y) for x, y in zip(a.range, b.range, strict=True))
        return self._control.operation(_EXTREMES[name], a, b, (low, high))


def lift(selector: Selector, control: Control, number: Linear) -> int:
    """The position of a linear form in all lanes of a body."""
    if not number.terms:
        return selector.number(number.offset)
    position = selector.scalar(control.base(number), Linear(0, number.terms).range)
    return selector.exact("ADD", position, selector.number(number.offset)) if number.offset else position


def flat(value: Value, rank: int) -> Value:
    """A value that is the same in every iteration, in a body of `rank` loops."""
    return replace(value, strides=(0,) * rank) if isinstance(value, Index) else value
