"""A SIW program as scf code over a machine in memory: hardware loops are `scf.for`, those with a BREAK `scf.while`."""

from __future__ import annotations

from collections.abc import Sequence

from tfmbs.dialect.mlir import arith, ir, scf
from tfmbs.passes.linalg import scalar
from tfmbs.passes.linalg.scalar import Value
from tfmbs.passes.linalg.siw_machine import Fields, Machine, counted, i64, index, op_of, to_index, when
from tfmbs.passes.linalg.siw_word import Window, WordLowering
from tfmbs.runtime.abi import siw


class ProgramLowering:
    """Emits one program. `windows` are those of the launch; VL starts with all lanes of the machine."""

    def __init__(self, machine: Machine, words: Sequence[Fields], windows: Sequence[Window]) -> None:
        self._machine = machine
        self._words = words
        self._windows = windows
        self._vl: int | None = machine.lanes  # None where only memory knows it
        self._depth = -1

    def run(self) -> None:
        """Emits all words at the insertion point. Registers are taken as they are."""
        self._range(0, len(self._words))

    def _range(self, start: int, end: int) -> None:
        """Emits the words of a range; what follows a BREAK of the innermost loop runs where the loop goes on."""
        at = start
        while at < end:
            fields = self._words[at]
            control = op_of("C", fields)
            # C reads its register before S writes one.
            read = self._machine.get(fields["c_reg"]) if "c_reg" in control.uses and not control.vectors else None
            WordLowering(self._machine, self._windows, fields, self._length()).run()
            at += 1
            first, leaves = at, control.name == "BREAK"
            if control.name in ("LOOP", "SKIP"):
                at += fields["c_imm"]
                leaves = control.name == "SKIP" and self._breaks(first, at)
                (self._loop if control.name == "LOOP" else self._skip)(read, first, at)
            elif control.name == "SETVL":
                self._vl = fields["c_imm"]
            elif control.name == "SETVLR":
                self._set_length_from(read)
            elif control.name == "BREAK":
                self._machine.set_running(self._depth, scalar.compare("ne", read, i64(0)))
            if leaves and at < end:
                self._part(at, end, self._machine.running(self._depth))
                return

    def _breaks(self, start: int, end: int) -> bool:
        """Whether the words of a range have a BREAK of the loop around them all."""
        at = start
        while at < end:
            control = op_of("C", self._words[at]).name
            if control == "BREAK":
                return True
            at += 1 + (self._words[at]["c_imm"] if control == "LOOP" else 0)
        return False

    def _part(self, start: int, end: int, condition: Value) -> None:
        """The words of a range, where an i1 holds."""
        changes = self._enter(start, end)
        with when(condition):
            self._range(start, end)
            self._leave(changes)
        self._forget(changes)

    def _skip(self, register: Value, start: int, end: int) -> None:
        self._part(start, end, scalar.compare("ne", register, i64(0)))

    def _loop(self, count: Value, start: int, end: int) -> None:
        changes = self._enter(start, end)
        if self._breaks(start, end):
            self._loop_with_break(count, start, end, changes)
        else:
            self._depth += 1
            with counted(to_index(count)):
                self._range(start, end)
                self._leave(changes)
            self._depth -= 1
        self._forget(changes)

    def _loop_with_break(self, count: Value, start: int, end: int, changes: bool) -> None:
        self._depth += 1
        self._machine.set_running(self._depth, scalar.constant(scalar.integer_type(1), 1))
        i64_type = scalar.integer_type(64)
        loop = scf.WhileOp([i64_type], [i64(0)])
        before = loop.before.blocks.append(i64_type)
        with ir.InsertionPoint(before):
            more = scalar.compare("slt", before.arguments[0], count)
            goes_on = arith.AndIOp(more, self._machine.running(self._depth)).result
            scf.ConditionOp(goes_on, [before.arguments[0]])
        after = loop.after.blocks.append(i64_type)
        with ir.InsertionPoint(after):
            self._range(start, end)
            self._leave(changes)
            scf.YieldOp([arith.AddIOp(after.arguments[0], i64(1)).result])
        self._depth -= 1

    # --- VL: known here, or in memory where the ways through the program differ ---

    def _enter(self, start: int, end: int) -> bool:
        """Before words that run any number of times; returns whether they change VL."""
        changes = any(op_of("C", fields).name in ("SETVL", "SETVLR") for fields in self._words[start:end])
        if changes:
            self._remember_length()
            self._vl = None
        return changes

    def _leave(self, changes: bool) -> None:
        if changes:
            self._remember_length()

    def _forget(self, changes: bool) -> None:
        if changes:
            self._vl = None

    def _set_length_from(self, count: Value) -> None:
        least = arith.MaxSIOp(count, i64(1)).result
        clamped = arith.MinSIOp(least, i64(siw.VLMAX)).result
        self._machine.set_length(to_index(clamped))
        self._vl = None

    def _remember_length(self) -> None:
        if self._vl is not None:
            self._machine.set_length(index(self._vl))

    def _length(self) -> Value:
        return self._machine.length() if self._vl is None else index(self._vl)
