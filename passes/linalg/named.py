"""Named linalg ops and elementwise arithmetic on tensors as `linalg.generic`, so that bodies can be rewritten."""

from __future__ import annotations

from typing import Any

from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import ir, linalg, passmanager
from tfmbs.dialect.scalars import is_scalar_code
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.runtime.abi.errors import TfmbsError

_TO_GENERIC = "builtin.module(func.func(convert-elementwise-to-linalg,linalg-generalize-named-ops))"


def generalize(module: Any) -> None:
    """Makes every op whose scalar code is implied by its name or its type a `linalg.generic` that shows it.

    Nothing happens in a module without such ops. Raises TfmbsError where upstream cannot do it.
    """
    if not ops_where(module, _computes_implicitly):
        return
    try:
        passmanager.PassManager.parse(_TO_GENERIC, module.operation.context).run(module.operation)
    except ir.MLIRError as error:
        what = "an op cannot be written as linalg.generic"
        raise TfmbsError("unsupported", place(module.operation.location), what, details=str(error)) from error


def _computes_implicitly(op: Any) -> bool:
    operation = op.operation
    if operation.name.startswith("linalg.") and len(operation.regions) and not isinstance(op, linalg.GenericOp):
        return len(operation.regions[0].blocks[0].operations) > 1
    return computes_tensors(op)


def computes_tensors(op: Any) -> bool:
    """Whether it is arithmetic on whole tensors."""
    operation = op.operation
    if not is_scalar_code(operation.name) or operation.name in ("arith.constant", "arith.select"):
        return False
    return any(isinstance(result.type, ir.RankedTensorType) for result in operation.results)
