"""Which ops may be present at each level of the IR, and the check that the pipeline runs between levels."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tfmbs.dialect import (
    epilogue,
    fabric,
    fabric_siw,
    graph_attention,
    graph_groups,
    graph_lstm,
    graph_ops,
    graph_windows,
    kernel,
    kernel_attention,
    kernel_groups,
    kernel_lstm,
    kernel_program,
    kernel_windows,
    scalars,
)
from tfmbs.dialect.base import Tfmbs
from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import ir
from tfmbs.dialect.types import is_quantized, is_ternary
from tfmbs.runtime.abi.errors import TfmbsError


def _ops_of(*modules: Any) -> frozenset[str]:
    """Names of the ops that the modules define."""
    names = {module.__name__ for module in modules}
    return frozenset(op.OPERATION_NAME for op in Tfmbs.operations if op.__module__ in names)


@dataclass(frozen=True)
class Level:
    """What a level admits: whole `dialects`, single `ops` of others, and which kinds of values its ops handle.

    `types` are the dialects, with their `!`, whose own types values may have.
    """

    dialects: frozenset[str]
    ops: frozenset[str]
    types: frozenset[str] = frozenset()
    tensors: bool = False
    memrefs: bool = False
    stored_only: bool = False

    def admits_op(self, name: str) -> bool:
        """Whether ops of this name may be present."""
        return name in self.ops or name.split(".", maxsplit=1)[0] in self.dialects

    def admits_type(self, type_: Any) -> bool:
        """Whether values of this type may be present; `stored_only` refuses quantized and ternary elements.

        Complex elements are of the torch level only: the bindings cannot read constants of them.
        """
        if not isinstance(type_, ir.ShapedType):
            name = str(type_)
            return not name.startswith("!") or name.split(".", maxsplit=1)[0] in self.types
        if isinstance(type_.element_type, ir.ComplexType) and not self.types:
            return False
        if isinstance(type_, ir.RankedTensorType) and not self.tensors:
            return False
        if isinstance(type_, ir.MemRefType) and not self.memrefs:
            return False
        return not (self.stored_only and (is_quantized(type_.element_type) or is_ternary(type_.element_type)))


_MODULE = frozenset({"builtin.module"})
_GRAPH = _ops_of(graph_attention, graph_groups, graph_lstm, graph_ops, graph_windows, epilogue, scalars)
_SCALAR = frozenset({"func", "arith", "math", "scf"})

LEVELS: dict[str, Level] = {
    "torch": Level(
        _SCALAR | {"builtin", "torch", "torch_c", "tensor", "linalg"},
        _GRAPH,
        types=frozenset({"!torch"}),
        tensors=True,
    ),
    "tfmbs": Level(
        _SCALAR | {"tensor", "linalg"},
        _MODULE
        | _ops_of(graph_attention, graph_groups, graph_lstm, graph_ops, graph_windows, epilogue, scalars)
        | {"quant.scast", "affine.apply"},
        tensors=True,
    ),
    "kernel": Level(
        _SCALAR,
        _MODULE
        | _ops_of(
            kernel, kernel_attention, kernel_groups, kernel_lstm, kernel_windows, kernel_program, epilogue, scalars
        )
        | kernel_program.VIEWS
        | kernel_program.ACCESSES
        | kernel_program.STRUCTURED
        | {"memref.alloc"},
        memrefs=True,
        stored_only=True,
    ),
    "fabric": Level(frozenset(), _MODULE | _ops_of(fabric, fabric_siw)),
    "linalg": Level(
        _SCALAR | {"tensor", "linalg", "memref", "bufferization", "affine", "cf"},
        _MODULE,
        tensors=True,
        memrefs=True,
        stored_only=True,
    ),
}


def check_level(module: Any, level: str) -> None:
    """Raise TfmbsError `ir.verify` at the first op in textual order that `level`, a key of `LEVELS`, does not admit."""
    spec = LEVELS[level]
    for op in _walk(module.operation):
        if not spec.admits_op(op.name):
            raise TfmbsError("ir.verify", place(op.location), f"op at the {level} level", "one it admits", op.name)
        for value in (*op.results, *(argument for block in _blocks(op) for argument in block.arguments)):
            if not spec.admits_type(value.type):
                what = f"type of a value of {op.name} at the {level} level"
                raise TfmbsError("ir.verify", place(op.location), what, "one it admits", value.type)


def _blocks(op: Any) -> Iterator[Any]:
    for region in op.regions:
        yield from region.blocks


def _walk(op: Any) -> Iterator[Any]:
    """`op` and everything in it, in textual order."""
    yield op
    for block in _blocks(op):
        for inner in block.operations:
            yield from _walk(inner.operation)
