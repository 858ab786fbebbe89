"""A SIW program as scf loops over memory: vector registers are memrefs of lanes, hardware loops are `scf.for`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tfmbs.dialect.mlir import arith, ir, memref, scf
from tfmbs.passes.linalg import scalar, siw_lanes
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.siw import OP_BY_CODE, REDUCTION_LANES, Op
from tfmbs.runtime.abi.types import DType

Value = Any
Fields = Mapping[str, int]


def index(value: int) -> Value:
    """An index constant."""
    return scalar.constant(ir.IndexType.get(), value)


def i64(value: int) -> Value:
    """An i64 constant."""
    return scalar.constant(scalar.integer_type(64), value)


def to_index(value: Value) -> Value:
    """An i64 as index."""
    return arith.IndexCastOp(ir.IndexType.get(), value).result


@contextmanager
def counted(count: Value) -> Any:
    """A loop from 0 to `count`, an index; gives the loop variable."""
    loop = scf.ForOp(index(0), count, index(1))
    with ir.InsertionPoint(loop.body):
        yield loop.induction_variable
        scf.YieldOp([])


class Machine:
    """Registers for programs on `lanes` lanes, in memory that is allocated at the current insertion point."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        vector = ir.MemRefType.get([lanes], scalar.integer_type(32))
        self.vectors = [memref.AllocOp(vector, [], []).result for _ in range(siw.VECTOR_REGISTERS)]
        self.staging = memref.AllocOp(vector, [], []).result
        self.scalars = memref.AllocOp(ir.MemRefType.get([siw.SCALAR_REGISTERS], scalar.integer_type(64)), [], []).result
        self.active = memref.AllocOp(ir.MemRefType.get([1], ir.IndexType.get()), [], []).result

    def get(self, register: int) -> Value:
        """A scalar register, i64."""
        return i64(0) if register == 0 else memref.LoadOp(self.scalars, [index(register)]).result

    def put(self, register: int, value: Value) -> None:
        """Writes a scalar register; s0 stays 0."""
        if register:
            memref.StoreOp(value, self.scalars, [index(register)])

    def clear(self, words: Sequence[Fields]) -> None:
        """All registers that the words name are 0."""
        for number in sorted(_vectors(words)):
            with counted(index(self.lanes)) as lane:
                memref.StoreOp(scalar.constant(scalar.integer_type(32), 0), self.vectors[number], [lane])
        for number in range(1, siw.SCALAR_REGISTERS):
            self.put(number, i64(0))


def _vectors(words: Sequence[Fields]) -> set[int]:
    """Numbers of the vector registers that words read or write."""
    used = set()
    for fields in words:
        for slot in "DS":
            op = _op(slot, fields)
            used |= {fields[name] for name in op.vectors}
    return used


def _op(slot: str, fields: Fields) -> Op:
    return OP_BY_CODE[slot, fields[f"{slot.lower()}_op"]]


class ProgramLowering:
    """Emits one program. `windows` are (flat memref, element type) pairs; VL starts with all lanes of the machine."""

    def __init__(self, machine: Machine, words: Sequence[Fields], windows: Sequence[tuple[Value, DType]]) -> None:
        self._machine = machine
        self._words = words
        self._windows = windows
        self._vl: int | None = machine.lanes  # None where only memory knows it

    def run(self) -> None:
        """Emits all words at the insertion point. Registers are taken as they are."""
        self._range(0, len(self._words))

    def _range(self, start: int, end: int) -> None:
        at = start
        while at < end:
            fields = self._words[at]
            control = _op("C", fields)
            # C reads its register before S writes one.
            count = self._machine.get(fields["c_reg"]) if "c_reg" in control.uses else None
            self._data(fields)
            at += 1
            if control.name == "LOOP":
                self._loop(count, at, at + fields["c_imm"])
                at += fields["c_imm"]
            elif control.name == "SETVL":
                self._set_length(fields["c_imm"])
            elif control.name == "SETVLR":
                self._set_length_from(count)

    def _loop(self, count: Value, start: int, end: int) -> None:
        changes = any(_op("C", fields).name in ("SETVL", "SETVLR") for fields in self._words[start:end])
        if changes:
            self._remember_length()
            self._vl = None
        with counted(to_index(count)):
            self._range(start, end)
            self._remember_length()
        if changes:
            self._vl = None

    # --- VL ---

    def _set_length(self, lanes: int) -> None:
        self._vl = lanes

    def _set_length_from(self, count: Value) -> None:
        least = arith.MaxSIOp(count, i64(1)).result
        clamped = arith.MinSIOp(least, i64(siw.VLMAX)).result
        memref.StoreOp(to_index(clamped), self._machine.active, [index(0)])
        self._vl = None

    def _remember_length(self) -> None:
        if self._vl is not None:
            memref.StoreOp(index(self._vl), self._machine.active, [index(0)])

    def _length(self) -> Value:
        if self._vl is not None:
            return index(self._vl)
        return memref.LoadOp(self._machine.active, [index(0)]).result

    # --- data: slots D and S ---

    def _data(self, fields: Fields) -> None:
        """All slots read before any writes: stores go first, then a gather whose index D overwrites, D, other loads."""
        memory = _op("S", fields)
        staged = memory.name == "GATHER" and fields["s_index"] == fields["d_vd"]
        if memory.is_store:
            self._each(lambda lane: self._store(fields, memory, lane))
        elif staged:
            self._each(lambda lane: self._load(fields, memory, lane, self._machine.staging))
        self._compute(fields)
        if staged:
            target = self._machine.vectors[fields["s_reg"]]
            self._each(lambda lane: _put(target, lane, _get(self._machine.staging, lane)))
        elif memory.is_load:
            self._each(lambda lane: self._load(fields, memory, lane, self._machine.vectors[fields["s_reg"]]))
        elif memory.writes:
            self._address(fields, memory)

    def _each(self, body: Callable[[Value], None]) -> None:
        with counted(self._length()) as lane:
            body(lane)

    def _element(self, fields: Fields, memory: Op, lane: Value) -> Value:
        """The index of the window's element for a lane."""
        machine = self._machine
        first = arith.AddIOp(machine.get(fields["s_base"]), i64(fields["s_imm"])).result
        if "s_index" in memory.vectors:
            offset = arith.ExtSIOp(scalar.integer_type(64), _get(machine.vectors[fields["s_index"]], lane)).result
        else:
            number = arith.IndexCastOp(scalar.integer_type(64), lane).result
            offset = arith.MulIOp(number, machine.get(fields["s_index"])).result
        return to_index(arith.AddIOp(first, offset).result)

    def _load(self, fields: Fields, memory: Op, lane: Value, target: Value) -> None:
        window, dtype = self._windows[fields["s_win"]]
        _put(target, lane, siw_lanes.widen(_get(window, self._element(fields, memory, lane)), dtype))

    def _store(self, fields: Fields, memory: Op, lane: Value) -> None:
        window, dtype = self._windows[fields["s_win"]]
        value = siw_lanes.narrow_to(_get(self._machine.vectors[fields["s_reg"]], lane), dtype)
        _put(window, self._element(fields, memory, lane), value)

    def _address(self, fields: Fields, op: Op) -> None:
        machine, immediate = self._machine, fields["s_imm"]
        base, other = (machine.get(fields[name]) for name in ("s_base", "s_index"))
        if op.name == "LI":
            result = i64(immediate)
        elif op.name == "LIH":
            high = arith.ShLIOp(machine.get(fields["s_reg"]), i64(17)).result
            result = arith.OrIOp(high, i64(immediate & 0x1FFFF)).result
        elif op.name == "ADDI":
            result = arith.AddIOp(base, i64(immediate)).result
        else:
            result = (arith.AddIOp if op.name == "SADD" else arith.MulIOp)(base, other).result
        machine.put(fields["s_reg"], result)

    def _compute(self, fields: Fields) -> None:
        op = _op("D", fields)
        if op.name == "NOP":
            return
        if op.name == "FOLD":
            self._fold(fields)
        elif op.name in ("RED", "TPOP"):
            self._each(lambda lane: self._reduce(op, fields, lane))
        else:
            self._each(lambda lane: self._elementwise(op, fields, lane))

    def _dtype(self, op: Op, fields: Fields) -> DType:
        return DType(fields["d_type"]) if op.types else DType.I32

    def _elementwise(self, op: Op, fields: Fields, lane: Value) -> None:
        names = op.vectors if op.acc else op.vectors[1:]
        operands = [_get(self._machine.vectors[fields[name]], lane) for name in names]
        value = siw_lanes.compute(op.name, self._dtype(op, fields), fields["d_aux"], operands)
        _put(self._machine.vectors[fields["d_vd"]], lane, value)

    def _reduce(self, op: Op, fields: Fields, lane: Value) -> None:
        """Lane i goes into partial i mod 16. Only the first 16 lanes are written, each after it was read."""
        target, source = (self._machine.vectors[fields[name]] for name in ("d_vd", "d_va"))
        partial = arith.RemUIOp(lane, index(REDUCTION_LANES)).result
        old, value = _get(target, partial), _get(source, lane)
        if op.name == "TPOP":
            value = siw_lanes.convert(value, DType.I32, DType.BOOL)
            _put(target, partial, arith.AddIOp(old, value).result)
        else:
            _put(target, partial, siw_lanes.reduce(fields["d_aux"], self._dtype(op, fields), old, value))

    def _fold(self, fields: Fields) -> None:
        source, target = (self._machine.vectors[fields[name]] for name in ("d_va", "d_vd"))
        sums = [_get(source, index(lane)) for lane in range(REDUCTION_LANES)]
        dtype = DType(fields["d_type"])
        while len(sums) > 1:
            half = len(sums) // 2
            sums = [siw_lanes.reduce(fields["d_aux"], dtype, sums[j], sums[j + half]) for j in range(half)]
        with counted(index(self._machine.lanes)) as lane:
            _put(target, lane, sums[0])


def _get(memory: Value, position: Value) -> Value:
    return memref.LoadOp(memory, [position]).result


def _put(memory: Value, position: Value, value: Value) -> None:
    memref.StoreOp(value, memory, [position])
