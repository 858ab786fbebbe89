"""Scalars of structured code: indices as linear forms of scalar registers, all others in one lane of vector registers.

Straight-line code is collected and emitted where something forces its order: a store, or other control flow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tfmbs.dialect.kernel_program import VIEWS
from tfmbs.dialect.mlir import ir
from tfmbs.passes.fabric.program_memory import ProgramMemory, Room
from tfmbs.passes.fabric.program_straight import Straight, flat, lift
from tfmbs.passes.fabric.scalars import INDEX_BITS, refuse, width_of
from tfmbs.passes.fabric.select import Selector
from tfmbs.passes.fabric.sources import Sources
from tfmbs.passes.kernel.runs import is_constant, outside_values
from tfmbs.passes.siw.control import Control, Linear
from tfmbs.passes.siw.emitter import Emitter
from tfmbs.passes.siw.machine import Bank, Reg
from tfmbs.passes.siw.nest import Constant, Held, Index, Nest, Value
from tfmbs.passes.siw.ranges import INT32, INT64, Range
from tfmbs.runtime.abi.siw import Predicate
from tfmbs.runtime.abi.types import DType

_BUFFER = {"memref.load": 0, "memref.store": 1}
"""Which operand of an access is its buffer."""


class Scalars:
    """The scalars of one program. `sources` numbers the places of its ops."""

    def __init__(self, control: Control, rooms: Mapping[Any, Room], sources: Sources) -> None:
        self.control = control
        self.sources = sources
        self.memory = ProgramMemory(rooms, control, self)
        self._numbers: dict[Any, Linear] = {}
        self._lanes: dict[Any, tuple[Value, Range]] = {}
        self._fetched: dict[Any, Linear] = {}
        self._straight: Straight | None = None
        self._index: dict[Any, int] = {}
        self._reached = 0

    # --- the walk ---

    @contextmanager
    def within(self, ops: Sequence[Any]) -> Iterator[None]:
        """The ops of a block, while it is walked."""
        outer = self._index, self._reached
        self._index, self._reached = {op: i for i, op in enumerate(ops)}, 0
        yield
        self._index, self._reached = outer

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Code of a loop or a branch: numbers that it brings into registers are not there after it."""
        outer, self._fetched = self._fetched, dict(self._fetched)
        yield
        self._fetched = outer

    def reached(self, index: int) -> None:
        """The walk is at this op of the block."""
        self._reached = index

    def bind_number(self, value: Any, number: Linear) -> None:
        """An index is a linear form."""
        self._numbers[value] = number

    def bind_lane(self, value: Any, register: Reg) -> None:
        """A scalar is in the first lane of a vector register."""
        known = (0, 1) if _is_bit(value.type) else INT64 if register.bank is Bank.PAIR else INT32
        self._lanes[value] = Held(register), known

    # --- straight-line code ---

    def select(self, op: Any) -> None:
        """Collects an op without regions, or a choice of values."""
        if op.name in _BUFFER:  # an offset of the buffer's view may have to be fetched, which ends what is collected
            self.memory.place(op.operands[_BUFFER[op.name]], op)
        if self._straight is None:
            self._straight = Straight(self)
        with self.control.asm.at(self.sources.of(op)):
            self._straight.collect(op)
        if self._straight.scatters:
            self._reached += 1
            self.flush()

    def flush(self) -> None:
        """Emits what is collected; what is still needed is in registers then."""
        straight, self._straight = self._straight, None
        if straight is None:
            return
        live = [(value, position) for value, position in straight.made.items() if self._is_live(value)]
        emitted = [position for _, position in live if not isinstance(straight.body[position], Constant | Index | Held)]
        registers = self._run(straight, emitted)
        for value, position in live:
            known = straight.body[position]
            held = Held(registers[position]) if position in registers else known
            self._lanes[value] = held, straight.range(position)

    def _run(self, straight: Straight, positions: Sequence[int]) -> dict[int, Reg]:
        """Emits the stores of straight-line code, and the values at these positions into registers."""
        wanted = tuple(dict.fromkeys(positions))
        nest = Nest((), (), tuple(straight.body), (), wanted, 0, tuple(straight.scatters))
        if not nest.roots:
            return {}
        self.control.asm.set_vl(1)
        emitter = Emitter(self.control.asm, nest, whole=False)
        registers = dict(zip(nest.roots, emitter.body().run(nest.roots), strict=True))
        emitter.scatter(registers)
        return registers

    def _is_live(self, value: Any) -> bool:
        """Whether an op that is still to come needs a value, directly or through views."""
        users = [use.owner for use in value.uses]
        if any(self._position_of(user) >= self._reached for user in users):
            return True
        return any(self._is_live(user.results[0]) for user in users if user.name in VIEWS)

    def _position_of(self, op: Any) -> int:
        operation = op.operation
        while operation not in self._index:
            operation = operation.parent.operation
        return self._index[operation]

    # --- indices ---

    def number(self, value: Any) -> Linear:
        """The linear form of an integer; one in a lane is brought into a scalar register."""
        known = self.known_number(value)
        if known is not None:
            return known
        if value not in self._fetched:
            self._fetched[value] = self._fetch(value)
        return self._fetched[value]

    def copied(self, value: Any) -> Reg:
        """A new scalar register that holds an index."""
        register = self.control.asm.scalar()
        self.control.copy(register, self.number(value))
        return register

    def _fetch(self, value: Any) -> Linear:
        user = next(iter(value.uses)).owner
        straight = self._emptied()
        position = straight.value(value, user)
        width = width_of(user, value.type)
        return self._scalar(straight, position if width == INDEX_BITS else straight.signed(position, width))

    def _scalar(self, straight: Straight, position: int) -> Linear:
        register = self.control.asm.scalar()
        lane = self._run(straight, [position])[position]
        dtype = DType.I64 if straight.is_wide(position) else DType.I32
        self.control.asm.emit("S", "SGET", type=int(dtype), reg=register, index=lane)
        return self.control.atom(register, straight.range(position))

    def _emptied(self) -> Straight:
        """New straight-line code, behind what was collected before."""
        self.flush()
        return Straight(self)

    def quotient(self, a: Linear, b: Linear) -> Linear:
        """a / b, rounded to zero."""
        straight = self._emptied()
        return self._scalar(straight, straight.exact("DIV", straight.lifted(a), straight.lifted(b)))

    def comparison(self, predicate: Predicate, a: Linear, b: Linear) -> Reg:
        """A scalar register that is 1 where a comparison of 64-bit integers holds, else 0."""
        straight = self._emptied()
        lanes = [straight.wide(straight.lifted(number)) for number in (a, b)]
        result = self._scalar(straight, straight.compute("CMP", DType.I64, *lanes, aux=predicate))
        return self.control.register(result)

    # --- lanes ---

    def known_lane(self, value: Any, spread: dict[Any, Reg] | None) -> tuple[Value, Range] | None:
        """What holds a scalar of the program; in all lanes where there is a `spread`, which keeps what that takes."""
        if value not in self._lanes:
            return None
        held, known = self._lanes[value]
        if isinstance(held, Held) and spread is not None:
            if value not in spread:
                spread[value] = self._spread(held.register)
            held = Held(spread[value])
        return held, known

    def lane(self, value: Any, user: Any, *, wide: bool) -> Reg:
        """A vector register with a scalar in its first lane."""
        straight = self._emptied()
        position = straight.value(value, user)
        if wide and not straight.is_wide(position):
            position = straight.wide(position)
        return self._run(straight, [position])[position]

    def condition(self, value: Any) -> Reg:
        """A scalar register with an i1."""
        straight = self._emptied()
        return self.control.register(self._scalar(straight, straight.value(value, next(iter(value.uses)).owner)))

    def bind_outside(self, op: Any, selector: Selector, spread: dict[Any, Reg]) -> None:
        """Binds the scalars that the body of a structured op takes from around it; `spread` keeps what is made."""
        for value in outside_values(op):
            if isinstance(value.type, ir.ShapedType) or is_constant(value):
                continue
            number = self.known_number(value)
            if number is not None:
                selector.bind(value, lift(selector, self.control, number))
                continue
            found = self.known_lane(value, spread)
            if found is None:
                raise refuse(op, f"{op.name}: operand of type {value.type}", "a scalar of the program")
            selector.bind(value, selector.add(flat(found[0], selector.rank), found[1]))

    def _spread(self, register: Reg) -> Reg:
        """A vector register with the first lane of another one in all lanes."""
        wide = register.bank is Bank.PAIR
        result = self.control.asm.vector(wide=wide)
        self.control.asm.set_vl(1)
        self.control.asm.compute("LAST64" if wide else "LAST", None, result, (register,))
        return result

    def known_number(self, value: Any) -> Linear | None:
        """The linear form of an index that is known without code."""
        if value in self._numbers:
            return self._numbers[value]
        if isinstance(value.type, ir.IndexType) and is_constant(value):
            return Linear(value.owner.attributes["value"].value)
        return None


def _is_bit(type_: Any) -> bool:
    return isinstance(type_, ir.IntegerType) and type_.width == 1
