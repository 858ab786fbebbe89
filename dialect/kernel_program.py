"""The kernel-level op for structured code: loops, conditions and scalar code over memrefs, run as one launch."""

from collections.abc import Iterator
from typing import Any

from tfmbs.dialect.base import Op, VerifyError
from tfmbs.dialect.checks import expect, memref_shape
from tfmbs.dialect.mlir import ext, ir
from tfmbs.dialect.scalars import SCALAR_CODE, is_scalar_code

VIEWS = frozenset(
    f"memref.{name}" for name in ("cast", "collapse_shape", "expand_shape", "reinterpret_cast", "subview")
)
"""Ops that give another view of a memref's elements."""

CONTROL = frozenset(f"scf.{name}" for name in ("condition", "for", "if", "index_switch", "while", "yield"))
ACCESSES = frozenset({"memref.load", "memref.store"})
STRUCTURED = frozenset({"affine.apply", "linalg.generic", "linalg.index", "linalg.yield"})


class KernelProgramOp(Op, name="kernel_program", traits=[ir.NoTerminatorTrait]):
    """Structured code as one launch: `body` is one block, without arguments and terminator, that runs once.

    It reads and writes memrefs of static shape from around it: it loads and stores elements, takes views of run-time
    offsets, runs `linalg.generic` on memrefs, and decides by `scf.for`, `if`, `while` and `index_switch` on scalars.
    It allocates nothing; no scalar enters or leaves it.
    """

    body: ext.Region

    @property
    def block(self) -> Any:
        """The one block."""
        return self.operation.regions[0].blocks[0]

    @property
    def captured(self) -> list[Any]:
        """The memrefs from around it, in order of first use."""
        return list(dict.fromkeys(value for value in self._uses_of_outside()))

    def check(self) -> None:
        blocks = self.operation.regions[0].blocks
        expect("number of blocks", 1, len(blocks))
        expect("number of block arguments", 0, len(blocks[0].arguments))

    def check_body(self) -> None:
        """What the body uses of the code around it, and which ops it has. All of them have been verified."""
        for value in self._uses_of_outside():
            if not isinstance(value.type, ir.MemRefType):
                raise VerifyError(f"body: expected memrefs of the code around it, got a value of type {value.type}")
            memref_shape("captured memref", value)
        for op in self.operations():
            _check_op(op)

    def operations(self) -> Iterator[Any]:
        """Every op of the body, in textual order."""
        for op in self.block.operations:
            yield from _walk(op.operation)

    @staticmethod
    def verify_region_invariants(op: Any) -> bool:
        """Entry point of the bindings, after the ops of the region were verified."""
        return bool(op._holds(op.check_body))

    def _uses_of_outside(self) -> Iterator[Any]:
        ops = list(self.operations())
        inside = {*ops, self.operation}
        for op in ops:
            for operand in op.operands:
                owner = operand.owner.owner if isinstance(operand.owner, ir.Block) else operand.owner
                if owner.operation not in inside:
                    yield operand


def _check_op(op: Any) -> None:
    if op.name in CONTROL | ACCESSES | STRUCTURED | VIEWS:
        return
    if not is_scalar_code(op.name):
        expected = f"scf, memref.load, memref.store, views, linalg.generic, {SCALAR_CODE}"
        raise VerifyError(f"body op: expected {expected}, got {op.name}")
    for value in (*op.operands, *op.results):
        if isinstance(value.type, ir.ShapedType):
            raise VerifyError(f"body op {op.name}: expected scalars, got {value.type}")


def _walk(op: Any) -> Iterator[Any]:
    yield op
    for region in op.regions:
        for block in region.blocks:
            for inner in block.operations:
                yield from _walk(inner.operation)
