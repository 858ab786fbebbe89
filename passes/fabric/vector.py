"""Vector launches: `linalg.generic` on memrefs and epilogue regions become loop nests, and these SIW programs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from tfmbs.passes.fabric.loops import nest_of
from tfmbs.passes.fabric.memory import Memory
from tfmbs.passes.fabric.program import ProgramCode
from tfmbs.passes.fabric.program_memory import rooms_of
from tfmbs.passes.fabric.program_scalars import Scalars
from tfmbs.passes.fabric.scalars import dtype_of, refuse
from tfmbs.passes.fabric.select import Selector
from tfmbs.passes.fabric.size_forms import sized
from tfmbs.passes.fabric.sources import Run, Sources, first_users
from tfmbs.passes.fabric.tables import ProgramKey, Tables, TensorKey
from tfmbs.passes.fabric.vector_types import check_types
from tfmbs.passes.fabric.windows import Windows, stores_of
from tfmbs.passes.siw.assembly import Assembler
from tfmbs.passes.siw.backend import Program, Spills, compile_code
from tfmbs.passes.siw.codegen import epilogue_code, vector_code
from tfmbs.passes.siw.control import Control
from tfmbs.passes.siw.machine import Code, CodegenError, NoWindowError, contents, instructions
from tfmbs.passes.siw.nest import Access, Nest
from tfmbs.passes.siw.schedule_check import check_schedule
from tfmbs.passes.siw.size import UndecidedError
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.records import ProgramKind
from tfmbs.runtime.abi.siw_timing import Timing
from tfmbs.runtime.abi.target import Target
from tfmbs.runtime.abi.types import DTYPES, Packing, Region

_ROLE_STRIDES = {"element": (1, 0), "channel": (0, 1), "scalar": (0, 0)}
_ALIGNMENT = 64
_SPILL_WINDOWS = 2  # vectors and pairs


@dataclass(frozen=True)
class VectorLaunch:
    """A program with the tensors of its operand windows; `reads` and `writes` are among these.

    `origins` are the words that do not come from where the launch does.
    """

    program: int
    windows: tuple[int, ...]
    reads: tuple[TensorKey, ...]
    writes: tuple[TensorKey, ...]
    origins: tuple[Run, ...]


class VectorCode:
    """Makes programs of one function's vector code.

    Values that find no register are kept behind the function's own scratch memory, which ends at byte `scratch`. All
    its launches keep them in the same place, and wait for each other. With `verify`, every schedule is checked against
    the program it was made from.
    """

    def __init__(self, tables: Tables, memory: Memory, target: Target, scratch: int, verify: bool) -> None:
        self._tables = tables
        self._memory = memory
        self._target = target
        self._timing = Timing.of(target.vector)
        self._verify = verify
        self._programs: dict[Hashable, Program] = {}
        self._spills_at = -(-scratch // _ALIGNMENT) * _ALIGNMENT
        self.scratch_bytes = scratch

    def generic(self, op: Any, name: str) -> VectorLaunch:
        """The launch of a `linalg.generic`. Raises TfmbsError naming the op that has no code."""
        try:
            return self._nest(op, name, sized)
        except UndecidedError:  # then each size has code of its own
            return self._nest(op, name, lambda _, nest: nest)

    def _nest(self, op: Any, name: str, sized_: Callable[[Any, Nest], Nest]) -> VectorLaunch:
        windows, sources = Windows(self._memory, op), Sources()
        nest = windows.joined(sized_(op, nest_of(op, sources, windows.view)), siw.WINDOWS)
        try:
            try:
                program = self._compiled(vector_code(nest), ProgramKind.VECTOR)
            except NoWindowError:
                nest = windows.joined(nest, siw.WINDOWS - _SPILL_WINDOWS)
                program = self._compiled(vector_code(nest), ProgramKind.VECTOR)
        except UndecidedError:
            raise
        except CodegenError as error:
            raise refuse(op, f"{op.name}: {error}") from error
        stored = {access.window for access in stores_of(nest)}
        return self._launch(op, program, ProgramKind.VECTOR, windows, stored, sources, name)

    def program(self, op: Any, name: str) -> VectorLaunch:
        """The launch of a `tfmbs.kernel_program`. Raises TfmbsError naming the op that has no code."""
        try:
            try:
                return self._structured(op, name, siw.WINDOWS)
            except NoWindowError:
                return self._structured(op, name, siw.WINDOWS - _SPILL_WINDOWS)
        except CodegenError as error:
            raise refuse(op, f"{op.name}: {error}") from error

    def _structured(self, op: Any, name: str, most: int) -> VectorLaunch:
        """The launch of structured code with its buffers in at most `most` windows."""
        windows, asm, sources = Windows(self._memory, op), Assembler(), Sources()
        rooms = rooms_of(op, windows, most)
        ProgramCode(Scalars(Control(asm), rooms, sources)).block(op.opview.block)
        items = asm.finish()
        stored = {instr.imms.get("s_win", 0) for instr in instructions(items) if instr.op.is_store}
        program = self._compiled(Code(items, len(windows.keys)), ProgramKind.VECTOR)
        return self._launch(op, program, ProgramKind.VECTOR, windows, stored, sources, name)

    def epilogue(self, op: Any, operands: Sequence[Any], name: str) -> VectorLaunch:
        """The program of a launch's epilogue region, which is not empty."""
        windows, sources = Windows(self._memory, op), Sources()
        selector, users = Selector(sources), first_users(op.opview.epilogue_block)
        accumulator, *arguments = op.opview.epilogue_block.arguments
        held = dtype_of(accumulator.type)
        assert held is not None  # the kernels have no others
        selector.bind(accumulator, selector.carried(0, held))
        for argument, operand, role in zip(arguments, operands, op.opview.roles, strict=True):
            view = windows.view(operand, op)
            with selector.of(users.get(argument, op)):
                selector.bind(argument, selector.add(Access(view.window, view.dtype, 0, _ROLE_STRIDES[role])))
        (result,) = selector.block(op.opview.epilogue_block)
        nest = Nest((0, 0), (False, False), tuple(selector.body), (), (result,), len(windows.keys))
        try:
            program = self._compiled(epilogue_code(nest, 0), ProgramKind.EPILOGUE)
        except CodegenError as error:
            raise refuse(op, f"epilogue of {op.name}: {error}") from error
        return self._launch(op, program, ProgramKind.EPILOGUE, windows, (), sources, name)

    def _compiled(self, code: Code, kind: ProgramKind) -> Program:
        key = (contents(code.items), code.windows, kind)  # layers of a network often have the same programs
        if key not in self._programs:
            program = compile_code(code, self._timing, kind)
            if self._verify:
                check_schedule(code, program.words, program.windows, program.max_steps, kind)
            self._programs[key] = program
        return self._programs[key]

    def _launch(
        self,
        op: Any,
        program: Program,
        kind: ProgramKind,
        windows: Windows,
        stored: Collection[int],
        sources: Sources,
        name: str,
    ) -> VectorLaunch:
        check_types(op, program.words, program.sources, sources, self._target)
        keys = [*windows.keys, *self._spill_keys(program.spills)]
        if len(keys) > siw.WINDOWS:
            raise refuse(op, f"{op.name}: operand windows", f"at most {siw.WINDOWS}", len(keys))
        names = [*windows.names, *("spills" for _ in program.spills)]
        written = {*stored, *range(len(windows.keys), len(keys))}
        return VectorLaunch(
            self._tables.program(ProgramKey(kind, len(keys), program.words, program.max_steps), name),
            tuple(self._tables.tensor(key, label) for key, label in zip(keys, names, strict=True)),
            tuple(key for window, key in enumerate(keys) if window not in written),
            tuple(key for window, key in enumerate(keys) if window in written),
            sources.runs(program.sources, op),
        )

    def _spill_keys(self, spills: Sequence[Spills]) -> list[TensorKey]:
        """Where the spilled values of a launch are."""
        keys: list[TensorKey] = []
        at = self._spills_at
        for spill in sorted(spills, key=lambda spill: spill.window):
            keys.append(TensorKey(Region.SCRATCH, 0, at, spill.dtype, Packing.DENSE, (spill.elements,)))
            at += -(-spill.elements * DTYPES[spill.dtype].bits // 8 // _ALIGNMENT) * _ALIGNMENT
        if spills:
            self.scratch_bytes = max(self.scratch_bytes, at)
        return keys
