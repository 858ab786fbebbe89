"""One instruction word on a machine in memory: all slots read before any slot writes.

Loads and computations come first, then stores, then the results that had to wait: where an operation that comes later
reads a register that an earlier one writes, the earlier result waits in a staging buffer. So does one whose lanes lie
otherwise than those that the same operation still reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tfmbs.dialect.mlir import arith
from tfmbs.passes.linalg import scalar, siw_elements, siw_lanes
from tfmbs.passes.linalg.scalar import Value
from tfmbs.passes.linalg.siw_machine import (
    Fields,
    Machine,
    from_index,
    i64,
    index,
    load,
    op_of,
    store,
    to_index,
)
from tfmbs.runtime.abi.siw import REDUCTION_LANES, Op
from tfmbs.runtime.abi.types import DType

Window = tuple[Value, DType]
"""A flat memref and the type of its elements."""
_PARTIAL = frozenset({"RED", "REDUCE", "TPOP"})
_ALL_LANES = frozenset({"FOLD", "LAST", "LAST64"})
_CONTROL = frozenset({"NOP", "END", "SETVL", "SETVLR", "LOOP", "SKIP", "BREAK"})
_LIH_BITS = 17


def _reads(op: Op, fields: Fields) -> set[int]:
    names = [name for name in op.vectors if name != op.writes or op.acc]
    return {number for name in names for number in op.registers(name, fields)}


@dataclass
class _Action:
    """An operation that writes a vector register. `lanes` is how many it writes."""

    op: Op
    run: Callable[[Value], None]  # into the memref of lanes that it is given
    written: range
    bits: int
    staged: bool
    lanes: Value


class WordLowering:
    """Emits the data part of one word. `length` is VL, an index; `windows` are those of the launch."""

    def __init__(self, machine: Machine, windows: Sequence[Window], fields: Fields, length: Value) -> None:
        self._machine = machine
        self._windows = windows
        self._fields = fields
        self._length = length

    def run(self) -> None:
        """Emits the word at the insertion point."""
        slots = [(slot, op_of(slot, self._fields)) for slot in "DSC"]
        active = [(slot, op) for slot, op in slots if op.name != "NOP" and (slot != "C" or op.name not in _CONTROL)]
        scalars = [op for _, op in active if op.writes and op.writes not in op.vectors]
        values = [(op, self._scalar(op)) for op in scalars]
        stores = [op for _, op in active if op.is_store]
        results = [(slot, op) for slot, op in active if op.writes in op.vectors]
        actions = []
        for position, (slot, op) in enumerate(results):
            later = [other for _, other in results[position + 1 :]] + stores
            actions.append((slot, self._begin(op, later)))
        for slot, action in actions:
            self._execute(slot, action)
        for op in stores:
            self._store(op)
        for slot, action in actions:
            if action.staged:
                self._commit(slot, action)
        for op, value in values:
            self._machine.put(self._fields[op.writes], value)

    # --- results in vector registers ---

    def _begin(self, op: Op, later: Sequence[Op]) -> _Action:
        written, bits = op.registers(op.writes, self._fields), op.lane_bits(op.writes, self._fields)
        overtaken = any(_reads(other, self._fields) & set(written) for other in later)
        moved = any(
            set(op.registers(name, self._fields)) & set(written) and op.lane_bits(name, self._fields) != bits
            for name in op.vectors
            if name != op.writes
        )
        everywhere = op.name in _ALL_LANES or op.name in _PARTIAL
        lanes = index(self._machine.lanes) if everywhere else self._length
        return _Action(op, self._builder(op), written, bits, overtaken or moved, lanes)

    def _execute(self, slot: str, action: _Action) -> None:
        target = self._machine.vectors[action.written.start].of(action.bits)
        if not action.staged:
            action.run(target)
            return
        staging = self._machine.staging[slot].of(action.bits)
        if action.op.acc:
            self._machine.each(index(self._machine.lanes), lambda lane: store(staging, lane, load(target, lane)))
        action.run(staging)

    def _commit(self, slot: str, action: _Action) -> None:
        staging = self._machine.staging[slot].of(action.bits)
        target = self._machine.vectors[action.written.start].of(action.bits)
        self._machine.each(action.lanes, lambda lane: store(target, lane, load(staging, lane)))

    def _builder(self, op: Op) -> Callable[[Value], None]:
        if op.is_load:
            return lambda target: self._load(op, target)
        if op.name == "INDEX":
            return lambda target: self._index(op, target)
        if op.name in _PARTIAL:
            return lambda target: self._partials(op, target)
        builders = {"FOLD": self._fold, "SCAN": self._scan, "LAST": self._last, "LAST64": self._last}
        build = builders.get(op.name, self._elementwise)
        return lambda target: build(op, target)

    def _vector(self, op: Op, name: str) -> Value:
        return self._machine.vectors[self._fields[name]].of(op.lane_bits(name, self._fields))

    def _type(self, op: Op) -> DType:
        return DType(self._fields[f"{op.slot.lower()}_type"]) if op.types else DType.I32

    def _aux(self, op: Op) -> int:
        return self._fields[f"{op.slot.lower()}_aux"] if op.aux else 0

    def _sources(self, op: Op) -> list[Value]:
        return [self._vector(op, name) for name in op.vectors if name != op.writes]

    def _elementwise(self, op: Op, target: Value) -> None:
        sources = [target, *self._sources(op)] if op.acc else self._sources(op)

        def body(lane: Value) -> None:
            operands = [load(source, lane) for source in sources]
            store(target, lane, siw_lanes.compute(op.name, self._type(op), self._aux(op), operands))

        self._machine.each(self._length, body)

    def _partials(self, op: Op, target: Value) -> None:
        """Lane i goes into partial i mod 16. Only the first 16 lanes are written, each after it was read."""
        (source,) = self._sources(op)

        def body(lane: Value) -> None:
            partial = arith.RemUIOp(lane, index(REDUCTION_LANES)).result
            old, value = load(target, partial), load(source, lane)
            if op.name == "TPOP":
                flag = siw_elements.convert(value, DType.I32, DType.BOOL)
                store(target, partial, arith.AddIOp(old, flag).result)
            else:
                store(target, partial, siw_lanes.reduce(self._aux(op), self._type(op), old, value))

        self._machine.each(self._length, body)

    def _fold(self, op: Op, target: Value) -> None:
        (source,) = self._sources(op)
        sums = [load(source, index(lane)) for lane in range(REDUCTION_LANES)]
        while len(sums) > 1:
            half = len(sums) // 2
            sums = [siw_lanes.reduce(self._aux(op), self._type(op), sums[j], sums[j + half]) for j in range(half)]
        self._everywhere(target, sums[0])

    def _scan(self, op: Op, target: Value) -> None:
        source, start = self._sources(op)
        carry = self._machine.carry.of(op.lane_bits(op.writes, self._fields))
        store(carry, index(0), load(start, index(0)))

        def body(lane: Value) -> None:
            value = siw_lanes.reduce(self._aux(op), self._type(op), load(carry, index(0)), load(source, lane))
            store(carry, index(0), value)
            store(target, lane, value)

        self._machine.each(self._length, body)

    def _last(self, op: Op, target: Value) -> None:
        (source,) = self._sources(op)
        self._everywhere(target, load(source, arith.SubIOp(self._length, index(1)).result))

    def _everywhere(self, target: Value, value: Value) -> None:
        self._machine.each(index(self._machine.lanes), lambda lane: store(target, lane, value))

    # --- memory ---

    def _place(self, op: Op) -> Callable[[Value], Value]:
        """The index of the window's element, by lane."""
        fields, machine = self._fields, self._machine
        if op.slot == "C":
            first = machine.cursor(fields["c_src"], op.is_store)
            after = arith.AddIOp(first, from_index(self._length)).result
            machine.move_cursor(fields["c_src"], op.is_store, after)
            return lambda lane: to_index(arith.AddIOp(first, from_index(lane)).result)
        first = arith.AddIOp(machine.get(fields["s_base"]), i64(fields["s_imm"])).result
        if "s_index" not in op.vectors:
            step = machine.get(fields["s_index"])
            return lambda lane: to_index(arith.AddIOp(first, arith.MulIOp(from_index(lane), step).result).result)
        offsets = self._vector(op, "s_index")

        def gathered(lane: Value) -> Value:
            offset = load(offsets, lane)
            return to_index(arith.AddIOp(first, scalar.widen(offset, 64) if offset.type.width == 32 else offset).result)

        return gathered

    def _window(self, op: Op) -> Window:
        return self._windows[self._fields["c_src" if op.slot == "C" else "s_win"]]

    def _load(self, op: Op, target: Value) -> None:
        (window, dtype), place = self._window(op), self._place(op)
        self._machine.each(
            self._length, lambda lane: store(target, lane, siw_elements.widen(load(window, place(lane)), dtype))
        )

    def _store(self, op: Op) -> None:
        (window, dtype), place = self._window(op), self._place(op)
        source = self._vector(op, "c_reg" if op.slot == "C" else "s_reg")
        self._machine.each(
            self._length, lambda lane: store(window, place(lane), siw_elements.narrow(load(source, lane), dtype))
        )

    # --- scalars ---

    def _index(self, op: Op, target: Value) -> None:
        fields, machine = self._fields, self._machine
        first = arith.AddIOp(machine.get(fields["s_base"]), i64(fields["s_imm"])).result
        step = machine.get(fields["s_index"])

        def body(lane: Value) -> None:
            value = arith.AddIOp(first, arith.MulIOp(from_index(lane), step).result).result
            type_ = siw_elements.lane_type(self._type(op))
            store(target, lane, value if value.type == type_ else arith.TruncIOp(type_, value).result)

        machine.each(self._length, body)

    def _scalar(self, op: Op) -> Value:
        fields, machine = self._fields, self._machine
        if op.name == "SGET":
            value = load(self._vector(op, "s_index"), index(0))
            return scalar.widen(value, 64) if value.type.width == 32 else value
        base, other, immediate = machine.get(fields["s_base"]), machine.get(fields["s_index"]), fields["s_imm"]
        if op.name == "LI":
            return i64(immediate)
        if op.name == "LIH":
            high = arith.ShLIOp(machine.get(fields["s_reg"]), i64(_LIH_BITS)).result
            return arith.OrIOp(high, i64(immediate & ((1 << _LIH_BITS) - 1))).result
        if op.name == "ADDI":
            return arith.AddIOp(base, i64(immediate)).result
        builders = {
            "SADD": arith.AddIOp,
            "SSUB": arith.SubIOp,
            "SMUL": arith.MulIOp,
            "SMIN": arith.MinSIOp,
            "SMAX": arith.MaxSIOp,
        }
        return builders[op.name](base, other).result
