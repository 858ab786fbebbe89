"""Vector launches: `linalg.generic` on memrefs and epilogue regions become loop nests, and these SIW programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmbs.dialect.kernel import strides_of
from tfmbs.dialect.mlir import ir
from tfmbs.dialect.resources import resource_attr
from tfmbs.dialect.shapes import shape_of
from tfmbs.passes.fabric.memory import Memory
from tfmbs.passes.fabric.select import Selector, refuse
from tfmbs.passes.fabric.tables import ProgramKey, Tables, TensorKey
from tfmbs.passes.siw.assembly import CodegenError
from tfmbs.passes.siw.codegen import Code, epilogue_code, vector_code
from tfmbs.passes.siw.nest import Access, Carried, Nest
from tfmbs.passes.siw.pack import pack
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.records import ProgramKind
from tfmbs.runtime.abi.types import DType, Packing, Region

_LOADABLE = siw.OP_BY_NAME["S", "LD"].types
_ROLE_STRIDES = {"element": (1, 0), "channel": (0, 1), "scalar": (0, 0)}


@dataclass(frozen=True)
class VectorLaunch:
    """A program with the tensors of its operand windows; `reads` and `writes` are among these."""

    program: int
    windows: tuple[int, ...]
    reads: tuple[TensorKey, ...]
    writes: tuple[TensorKey, ...]


class VectorCode:
    """Makes programs of one function's vector code."""

    def __init__(self, tables: Tables, memory: Memory) -> None:
        self._tables = tables
        self._memory = memory

    def generic(self, op: Any, name: str) -> VectorLaunch:
        """The launch of a `linalg.generic`. Raises TfmbsError naming the op that has no code."""
        windows = _Windows(self._memory, op)
        try:
            code = vector_code(_nest_of(op, windows))
        except CodegenError as error:
            raise refuse(op, f"{op.name}: {error}") from error
        return self._launch(op, code, ProgramKind.VECTOR, windows, name)

    def epilogue(self, op: Any, operands: Sequence[Any], name: str) -> VectorLaunch:
        """The program of a launch's epilogue region, which is not empty."""
        windows, selector = _Windows(self._memory, op), Selector()
        accumulator, *arguments = op.opview.epilogue_block.arguments
        selector.bind(accumulator, selector.add(Carried(0)))
        for argument, operand, role in zip(arguments, operands, op.opview.roles, strict=True):
            window, dtype = windows.add(operand)
            selector.bind(argument, selector.add(Access(window, dtype, 0, _ROLE_STRIDES[role])))
        (result,) = selector.block(op.opview.epilogue_block)
        nest = Nest((0, 0), (False, False), tuple(selector.body), (), (result,), len(windows.keys))
        try:
            code = epilogue_code(nest, 0)
        except CodegenError as error:
            raise refuse(op, f"epilogue of {op.name}: {error}") from error
        return self._launch(op, code, ProgramKind.EPILOGUE, windows, name)

    def _launch(self, op: Any, code: Code, kind: ProgramKind, windows: _Windows, name: str) -> VectorLaunch:
        numbers = [self._memory.tensor(value, op) for value in windows.values]
        keys = [*windows.keys]
        if code.pool:
            keys.append(self._pool(code.pool))
            numbers.append(self._tables.tensor(keys[-1], "constants"))
        if len(keys) > siw.WINDOWS:
            raise refuse(op, f"{op.name}: operand windows", f"at most {siw.WINDOWS}", len(keys))
        packed = pack(code.items)
        program = self._tables.program(ProgramKey(kind, len(keys), packed.words, packed.max_steps), name)
        stored = windows.stored
        return VectorLaunch(
            program,
            tuple(numbers),
            tuple(key for window, key in enumerate(keys) if window not in stored),
            tuple(key for window, key in enumerate(keys) if window in stored),
        )

    def _pool(self, words: tuple[int, ...]) -> TensorKey:
        value = resource_attr(np.array(words, np.uint32).view(np.int32), "constants")
        offset = self._tables.weights(value, "constants")
        return TensorKey(Region.WEIGHTS, 0, offset, DType.I32, Packing.DENSE, (len(words),))


class _Windows:
    """The operand windows of one program: a window for each part of memory."""

    def __init__(self, memory: Memory, op: Any) -> None:
        self.keys: list[TensorKey] = []
        self.values: list[Any] = []
        self.stored: set[int] = set()
        self._memory = memory
        self._op = op

    def add(self, value: Any) -> tuple[int, DType]:
        """The window of a memref and its element type."""
        key = self._memory.key(value, self._op)
        if key.dtype not in _LOADABLE:
            expected = ", ".join(sorted(dtype.name for dtype in _LOADABLE))
            raise refuse(self._op, f"{self._op.name}: element type in vector code", expected, key.dtype.name)
        for window, other in enumerate(self.keys):
            if (other.region, other.slot, other.offset, other.bytes, other.dtype) == (
                key.region,
                key.slot,
                key.offset,
                key.bytes,
                key.dtype,
            ):
                return window, key.dtype
        self.keys.append(key)
        self.values.append(value)
        return len(self.keys) - 1, key.dtype

    def check_overlap(self) -> None:
        """What is stored to must not be seen through another window: its loads would not wait for the stores."""
        for window in self.stored:
            for other, key in enumerate(self.keys):
                if other != window and key.overlaps(self.keys[window]):
                    raise refuse(self._op, f"{self._op.name}: an operand that overlaps the result in part")


def _nest_of(op: Any, windows: _Windows) -> Nest:
    """The loop nest of a `linalg.generic` on memrefs."""
    graph = op.opview
    maps = [attribute.value for attribute in op.attributes["indexing_maps"]]
    kinds = [str(attribute) for attribute in op.attributes["iterator_types"]]
    reduction = tuple("reduction" in kind for kind in kinds)
    extents = _extents(op, maps, len(kinds))
    block, selector = op.regions[0].blocks[0], Selector()
    operands, outputs = list(op.operands), len(graph.outputs)
    accesses: list[Access | None] = []
    for value, affine_map in zip(operands, maps, strict=True):
        memref = isinstance(value.type, ir.MemRefType)
        accesses.append(_access(op, value, affine_map, len(kinds), windows) if memref else None)
    for index, (argument, access) in enumerate(zip(block.arguments, accesses, strict=True)):
        output = index - (len(operands) - outputs)
        if output >= 0:
            selector.bind(argument, selector.add(Carried(output)))
        elif access is not None:
            selector.bind(argument, selector.add(access))
        else:
            selector.bind(argument, selector.value(operands[index], op))
    yields = selector.block(block)
    stores = [access for access in accesses[-outputs:] if access is not None]
    for store in stores:
        windows.stored.add(store.window)
        if any(extent > 1 and not r and not s for extent, r, s in zip(extents, reduction, store.strides, strict=True)):
            raise refuse(op, f"{op.name}: result", "an element of its own for each parallel iteration")
    windows.check_overlap()
    return Nest(extents, reduction, tuple(selector.body), tuple(stores), tuple(yields), len(windows.keys))


def _extents(op: Any, maps: Sequence[Any], dims: int) -> tuple[int, ...]:
    """Sizes of the loops, from the operands that a loop indexes directly."""
    sizes: dict[int, int] = {}
    for value, affine_map in zip(op.operands, maps, strict=True):
        for position, expr in enumerate(affine_map.results):
            if isinstance(expr, ir.AffineDimExpr):
                sizes.setdefault(expr.position, shape_of(value.type)[position])
    missing = [d for d in range(dims) if d not in sizes]
    if missing:
        raise refuse(op, f"{op.name}: loop {missing[0]}", "an operand that it indexes directly", "none")
    return tuple(sizes[d] for d in range(dims))


def _access(op: Any, value: Any, affine_map: Any, dims: int, windows: _Windows) -> Access:
    """The access of a memref operand; its window starts at its first element."""
    window, dtype = windows.add(value)
    strides, offset = [0] * dims, 0
    for expr, stride in zip(affine_map.results, strides_of(value.type), strict=True):
        coefficients, constant = _linear(op, expr, dims)
        offset += constant * stride
        strides = [s + c * stride for s, c in zip(strides, coefficients, strict=True)]
    return Access(window, dtype, offset, tuple(strides))


def _linear(op: Any, expr: Any, dims: int) -> tuple[list[int], int]:
    """Coefficient of each loop and the constant of an affine expression."""
    if isinstance(expr, ir.AffineDimExpr):
        return [int(d == expr.position) for d in range(dims)], 0
    if isinstance(expr, ir.AffineConstantExpr):
        return [0] * dims, expr.value
    if isinstance(expr, ir.AffineAddExpr | ir.AffineMulExpr):
        (left, a), (right, b) = _linear(op, expr.lhs, dims), _linear(op, expr.rhs, dims)
        if isinstance(expr, ir.AffineAddExpr):
            return [x + y for x, y in zip(left, right, strict=True)], a + b
        if not any(right):
            return [x * b for x in left], a * b
        if not any(left):
            return [y * a for y in right], a * b
    raise refuse(op, f"{op.name}: index {expr}", "a linear one")
