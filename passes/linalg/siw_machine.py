"""The state of a SIW program in memory: vector registers as memrefs of lanes, scalars, cursors, VL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tfmbs.dialect.mlir import arith, ir, memref, scf
from tfmbs.passes.linalg import scalar
from tfmbs.passes.linalg.scalar import Value
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.siw import OP_BY_CODE, Op

Fields = dict[str, int]
LANE_BYTES = 4


def index(value: int) -> Value:
    """An index constant."""
    return scalar.constant(ir.IndexType.get(), value)


def i64(value: int) -> Value:
    """An i64 constant."""
    return scalar.constant(scalar.integer_type(64), value)


def to_index(value: Value) -> Value:
    """An i64 as index."""
    return arith.IndexCastOp(ir.IndexType.get(), value).result


def from_index(value: Value) -> Value:
    """An index as i64."""
    return arith.IndexCastOp(scalar.integer_type(64), value).result


@contextmanager
def counted(count: Value) -> Iterator[Value]:
    """A loop from 0 to `count`, an index; gives the loop variable."""
    loop = scf.ForOp(index(0), count, index(1))
    with ir.InsertionPoint(loop.body):
        yield loop.induction_variable
        scf.YieldOp([])


@contextmanager
def when(condition: Value) -> Iterator[None]:
    """Code that runs where an i1 holds."""
    branch = scf.IfOp(condition)
    with ir.InsertionPoint(branch.then_block):
        yield
        scf.YieldOp([])


def load(memory: Value, position: Value) -> Value:
    """An element of a memref of rank 1."""
    return memref.LoadOp(memory, [position]).result


def store(memory: Value, position: Value, value: Value) -> None:
    """Writes an element of a memref of rank 1."""
    memref.StoreOp(value, memory, [position])


def _allocated(count: int, element: Any) -> Value:
    return memref.AllocOp(ir.MemRefType.get([count], element), [], []).result


class Lanes:
    """A register or a staging buffer, seen as 32-bit or as 64-bit lanes on the same bytes."""

    def __init__(self, memory: Value, byte: int, lanes: int) -> None:
        self._memory, self._byte, self._lanes = memory, byte, lanes

    def of(self, bits: int) -> Value:
        """The memref of lanes of `bits` bits, made at the insertion point."""
        type_ = ir.MemRefType.get([self._lanes], scalar.integer_type(bits))
        return memref.ViewOp(type_, self._memory, index(self._byte), []).result


class Machine:
    """Registers for programs on `lanes` lanes, in memory that is allocated at the current insertion point."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        bytes_ = lanes * LANE_BYTES
        byte = scalar.integer_type(8)
        file = _allocated(siw.VECTOR_REGISTERS * bytes_, byte)
        self.vectors = [Lanes(file, number * bytes_, lanes) for number in range(siw.VECTOR_REGISTERS)]
        staging = _allocated(len("DSC") * 2 * bytes_, byte)
        self.staging = {slot: Lanes(staging, number * 2 * bytes_, lanes) for number, slot in enumerate("DSC")}
        self.carry = Lanes(_allocated(2 * LANE_BYTES, byte), 0, 1)
        self._scalars = _allocated(siw.SCALAR_REGISTERS, scalar.integer_type(64))
        self._cursors = {store: _allocated(siw.WINDOWS, scalar.integer_type(64)) for store in (False, True)}
        self._active = _allocated(1, ir.IndexType.get())
        self._running = _allocated(siw.LOOP_DEPTH, scalar.integer_type(1))

    # --- scalars, cursors, VL, loops ---

    def get(self, register: int) -> Value:
        """A scalar register, i64."""
        return i64(0) if register == 0 else load(self._scalars, index(register))

    def put(self, register: int, value: Value) -> None:
        """Writes a scalar register; s0 stays 0."""
        if register:
            store(self._scalars, index(register), value)

    def cursor(self, window: int, is_write: bool) -> Value:
        """The read or write cursor of a window, i64."""
        return load(self._cursors[is_write], index(window))

    def move_cursor(self, window: int, is_write: bool, value: Value) -> None:
        """Sets the read or write cursor of a window."""
        store(self._cursors[is_write], index(window), value)

    def length(self) -> Value:
        """VL where only memory knows it, an index."""
        return load(self._active, index(0))

    def set_length(self, value: Value) -> None:
        """Remembers VL, an index."""
        store(self._active, index(0), value)

    def running(self, depth: int) -> Value:
        """Whether the loop at this depth has not been left by BREAK, an i1."""
        return load(self._running, index(depth))

    def set_running(self, depth: int, value: Value) -> None:
        """Remembers whether the loop at this depth goes on."""
        store(self._running, index(depth), value)

    # --- vectors ---

    def each(self, count: Value, body: Callable[[Value], None]) -> None:
        """Runs `body` for the lanes below `count`, an index, in ascending order."""
        with counted(count) as lane:
            body(lane)

    def clear(self, words: Sequence[Fields]) -> None:
        """All registers and cursors that the words name are 0."""
        used = {number for fields in words for op in ops_of_word(fields) for number in registers_of(op, fields)}
        for number in sorted(used):
            self._clear_vector(number)
        for number in range(1, siw.SCALAR_REGISTERS):
            self.put(number, i64(0))
        for fields in words:
            op = op_of("C", fields)
            if op.unit == "memory":
                self.move_cursor(fields["c_src"], op.is_store, i64(0))

    def _clear_vector(self, number: int) -> None:
        lanes = self.vectors[number].of(32)
        self.each(index(self.lanes), lambda lane: store(lanes, lane, scalar.constant(scalar.integer_type(32), 0)))


def op_of(slot: str, fields: Fields) -> Op:
    """The opcode in a slot of a word."""
    return OP_BY_CODE[slot, fields[f"{slot.lower()}_op"]]


def ops_of_word(fields: Fields) -> tuple[Op, Op, Op]:
    """The opcodes of slots D, S and C."""
    return op_of("D", fields), op_of("S", fields), op_of("C", fields)


def registers_of(op: Op, fields: Fields) -> set[int]:
    """Numbers of the vector registers that an operation names."""
    return {number for name in op.vectors for number in op.registers(name, fields)}
