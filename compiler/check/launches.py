"""Which kernels a module at kernel level launches, for which nodes, and what had to stay below a better kernel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tfmbs.compiler.driver import Observer
from tfmbs.compiler.plan import Step
from tfmbs.dialect.location import names, place
from tfmbs.dialect.mlir import ir
from tfmbs.dialect.shapes import shape_of
from tfmbs.passes.convert_attention_to_tfmbs import ConvertAttentionToTfmbs
from tfmbs.passes.convert_torch_to_tfmbs import KERNEL_OF, ConvertTorchToTfmbs, kernel_of, why_not
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.passes.torch import attention

VECTOR = "vector"
_KERNELS = {
    "tfmbs.kernel_attention": "attention",
    "tfmbs.kernel_lstm": "lstm",
    "tfmbs.kernel_conv2d": "conv2d",
    "tfmbs.kernel_conv3d": "conv3d",
    "tfmbs.kernel_group_gemm": "group_gemm",
    "tfmbs.kernel_pool": "pool",
    "tfmbs.kernel_copy": "copy",
    "tfmbs.kernel_program": VECTOR,
    "linalg.generic": VECTOR,
    "linalg.fill": VECTOR,
}
_GEMM = "tfmbs.kernel_gemm"


@dataclass(frozen=True)
class Launch:
    """One launch: the kind of kernel, the names of what it does the work of, the shapes of its operands."""

    kernel: str
    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Declined:
    """Work of a node that other code does, the kernel that would do it better, and why it cannot."""

    name: str
    kernel: str
    reason: str


def launches(module: Any) -> list[Launch]:
    """The launches of a kernel-level module, in their order. `kernel_gemm` counts as gemm, gemv or batch_matmul."""
    found = ops_where(module, lambda op: op.operation.name in (_GEMM, *_KERNELS) and not _is_inside_launch(op))
    return [Launch(_kernel(op), _names(op), tuple(_shapes(op))) for op in found]


def _is_inside_launch(op: Any) -> bool:
    parent = op.operation.parent
    while parent is not None and parent.operation.name != "func.func":
        if parent.operation.name in (_GEMM, *_KERNELS):
            return True
        parent = parent.operation.parent
    return False


def _kernel(op: Any) -> str:
    name = op.operation.name
    if name != _GEMM:
        return _KERNELS[name]
    kind: str = op.operation.attributes["kind"].value
    return "batch_matmul" if kind == "gemm" and len(shape_of(op.operation.operands[0].type)) == 3 else kind


def _names(op: Any) -> tuple[str, ...]:
    """Names at the launch itself, then those at what was fused into it."""
    found = dict.fromkeys(names(op.operation.location))

    def visit(inner: Any) -> Any:
        found.update(dict.fromkeys(names(inner.location)))
        return ir.WalkResult.ADVANCE

    op.operation.walk(visit)
    return tuple(found)


def _shapes(op: Any) -> Iterator[tuple[int, ...]]:
    for operand in op.operation.operands:
        if isinstance(operand.type, ir.MemRefType):
            yield shape_of(operand.type)


class Watch(Observer):
    """Notes what is left to other code although there is a kernel for such an op, or such a group of them."""

    each_upstream = False

    def __init__(self) -> None:
        self.declined: list[Declined] = []

    def after(self, step: Step, op: Any) -> None:
        """Asks about each op that is left behind those passes."""
        if step.name == ConvertAttentionToTfmbs.pass_name():
            for left in ops_where(op, lambda op: op.operation.name in attention.PRODUCTS):
                if (reason := attention.why_not(left.operation)) is not None:
                    self.declined.append(Declined(str(place(left.location)), "attention", reason))
        if step.name == ConvertTorchToTfmbs.pass_name():
            for left in ops_where(op, lambda op: op.operation.name in KERNEL_OF):
                reason = why_not(left.operation)
                self.declined.append(Declined(str(place(left.location)), kernel_of(left.operation), reason))
