"""Structured code as vector programs: walks the region of a `tfmbs.kernel_program` and emits what it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tfmbs.dialect.kernel_program import VIEWS
from tfmbs.dialect.mlir import ir
from tfmbs.passes.fabric.loops import nest_of
from tfmbs.passes.fabric.program_lanes import vector_loop
from tfmbs.passes.fabric.program_scalars import Scalars
from tfmbs.passes.fabric.program_straight import only_computes
from tfmbs.passes.fabric.program_vector import VectorLoops
from tfmbs.passes.fabric.scalars import dtype_of, lane_of, refuse
from tfmbs.passes.kernel.aliases import terminator_of
from tfmbs.passes.siw.codegen import emit_nest
from tfmbs.passes.siw.control import Linear
from tfmbs.passes.siw.machine import Bank, CodegenError, Reg
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.siw import Predicate


@dataclass(frozen=True)
class Variable:
    """What control flow hands on: a scalar register for an index, a vector register for any other scalar."""

    register: Reg
    is_index: bool


class ProgramCode:
    """Emits the code of a program's region. Raises TfmbsError naming the op that has no code."""

    def __init__(self, scalars: Scalars) -> None:
        self._scalars = scalars
        self._control = scalars.control
        self._asm = scalars.control.asm
        self._vectors = VectorLoops(scalars)

    def block(self, block: Any) -> None:
        """Emits the ops of a block but for its terminator; scalars that it needs are computed by then."""
        ops = [op.operation for op in block.operations]
        with self._scalars.within(ops):
            for index, op in enumerate(ops):
                self._scalars.reached(index)
                if op.name in VIEWS or op.name in ("scf.yield", "scf.condition"):
                    continue
                emit = _CONTROL.get(op.name)
                if emit is None or only_computes(op):
                    self._scalars.select(op)
                    continue
                self._scalars.flush()
                try:
                    with self._asm.at(self._scalars.sources.of(op)):
                        emit(self, op)
                except CodegenError as error:
                    raise refuse(op, f"{op.name}: {error}") from error
            self._scalars.flush()

    # --- structured ops ---

    def generic(self, op: Any) -> None:
        """A `linalg.generic` on memrefs."""
        spread: dict[Any, Reg] = {}
        bind = partial(self._scalars.bind_outside, op, spread=spread)
        nest = nest_of(op, self._scalars.sources, self._scalars.memory.view, bind)
        emit_nest(self._asm, nest)

    # --- loops ---

    def for_(self, op: Any) -> None:
        """scf.for: a hardware loop; what it hands on is kept in registers."""
        body, (low, high, step) = op.regions[0].blocks[0], op.operands[:3]
        if "unsignedCmp" in op.attributes:
            raise refuse(op, f"{op.name}: bounds", "signed ones", "unsigned ones")
        start, end, by = (self._scalars.number(value) for value in (low, high, step))
        if by.terms == () and by.offset < 1:
            raise refuse(op, f"{op.name}: step", "at least 1", by.offset)
        count = self._count(start, end, by)
        results = self._variables(op.results, list(op.operands)[3:], op)
        vector = vector_loop(op, start, by, count)
        if vector is not None and self._vectors.runs_in_lanes(vector):
            self._vectors.emit(vector, [None if variable is None else variable.register for variable in results])
            self._bind(op.results, results)
            return
        first, last = start.range[0], max(start.range[0], end.range[1] - 1)
        loop = self._control.counted(start, by if by.terms else by.offset, count, (first, last))
        with loop as counter, self._scalars.scope():
            self._scalars.bind_number(body.arguments[0], counter)
            self._bind(list(body.arguments)[1:], results)
            self.block(body)
            self._assign(results, list(terminator_of(body).operands), op)
        self._bind(op.results, results)

    def _count(self, start: Linear, end: Linear, step: Linear) -> Linear:
        distance = end.plus(start.times(-1))
        if not step.terms:
            if step.offset == 1:
                return distance
            if not distance.terms:
                return Linear(-(-distance.offset // step.offset))
        return self._scalars.quotient(distance.plus(step).plus(Linear(-1)), step)

    def while_(self, op: Any) -> None:
        """scf.while: a loop without end that its condition leaves."""
        before, after = (region.blocks[0] for region in op.regions)
        variables = self._variables(before.arguments, list(op.operands), op)
        results = [self._variable(value, op) for value in op.results]
        with self._control.forever(), self._scalars.scope():
            self._bind(before.arguments, variables)
            self.block(before)
            condition, *forwarded = terminator_of(before).operands
            self._assign(results, forwarded, op)
            self._control.leave_unless(self._scalars.condition(condition))
            self._bind(after.arguments, results)
            self.block(after)
            self._assign(variables, list(terminator_of(after).operands), op)
        self._bind(op.results, results)

    # --- choices ---

    def if_(self, op: Any) -> None:
        """scf.if: code that is skipped."""
        condition = self._scalars.condition(op.operands[0])
        results = [self._variable(value, op) for value in op.results]
        then, *other = [region.blocks[0] for region in op.regions if len(region.blocks)]
        self._branch(condition, then, results, op)
        if other and (results or len(other[0].operations) > 1):
            one = self._asm.constant(1)
            opposite = self._asm.scalar()
            self._asm.emit("S", "SSUB", reg=opposite, base=one, index=condition)
            self._branch(opposite, other[0], results, op)
        self._bind(op.results, results)

    def switch(self, op: Any) -> None:
        """scf.index_switch: each case under a comparison, the default where none holds."""
        default, *cases = [region.blocks[0] for region in op.regions]
        results = [self._variable(value, op) for value in op.results]
        number = self._scalars.number(op.operands[0])
        tests = [self._scalars.comparison(Predicate.OEQ, number, Linear(case)) for case in op.attributes["cases"]]
        none = self._asm.constant(1)
        for test in tests:
            rest = self._asm.scalar()
            self._asm.emit("S", "SSUB", reg=rest, base=none, index=test)
            none = rest
        for test, block in zip(tests, cases, strict=True):
            self._branch(test, block, results, op)
        self._branch(none, default, results, op)
        self._bind(op.results, results)

    def _branch(self, condition: Reg, block: Any, results: Sequence[Variable | None], op: Any) -> None:
        with self._control.under(condition), self._scalars.scope():
            self.block(block)
            self._assign(results, list(terminator_of(block).operands), op)

    # --- what control flow hands on ---

    def _variable(self, value: Any, op: Any) -> Variable | None:
        """A variable for a scalar; None for a memref, which is always the same one."""
        if isinstance(value.type, ir.MemRefType):
            return None
        if isinstance(value.type, ir.IndexType):
            return Variable(self._asm.scalar(), True)
        dtype = dtype_of(value.type)
        if dtype is None:
            raise refuse(op, f"{op.name}: a scalar of type {value.type}")
        return Variable(self._asm.vector(wide=lane_of(dtype) in siw.WIDE), False)

    def _variables(self, values: Sequence[Any], initial: Sequence[Any], op: Any) -> list[Variable | None]:
        variables = [self._variable(value, op) for value in values]
        self._assign(variables, initial, op)
        return variables

    def _bind(self, values: Sequence[Any], variables: Sequence[Variable | None]) -> None:
        for value, variable in zip(values, variables, strict=True):
            if variable is None:
                continue
            if variable.is_index:
                self._scalars.bind_number(value, self._control.atom(variable.register))
            else:
                self._scalars.bind_lane(value, variable.register)

    def _assign(self, variables: Sequence[Variable | None], values: Sequence[Any], op: Any) -> None:
        """Gives all variables their new values at once."""
        self._asm.set_vl(1)
        pairs = [(variable, value) for variable, value in zip(variables, values, strict=True) if variable is not None]
        changed = {variable.register for variable, _ in pairs}
        moves: list[tuple[Reg, Reg]] = []
        for variable, value in pairs:
            wide = variable.register.bank is Bank.PAIR
            source = self._scalars.copied(value) if variable.is_index else self._scalars.lane(value, op, wide=wide)
            if source in changed and source != variable.register and not variable.is_index:
                kept = self._asm.vector(wide=wide)
                self._asm.move(kept, source)
                source = kept
            moves.append((variable.register, source))
        for target, source in moves:
            if target.bank is Bank.SCALAR:
                self._asm.emit("S", "ADDI", reg=target, base=source, imm=0)
            else:
                self._asm.move(target, source)


_CONTROL: dict[str, Callable[[ProgramCode, Any], None]] = {
    "linalg.generic": ProgramCode.generic,
    "scf.for": ProgramCode.for_,
    "scf.if": ProgramCode.if_,
    "scf.index_switch": ProgramCode.switch,
    "scf.while": ProgramCode.while_,
}
