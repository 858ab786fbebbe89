"""The functions of a module, for passes that lower them whole."""

from __future__ import annotations

from typing import Any

from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import passmanager
from tfmbs.runtime.abi.errors import TfmbsError

INLINE = "builtin.module(inline{default-pipeline=},symbol-dce)"
"""Folds nothing: what a call computes is what its function computes."""


def functions(module: Any) -> list[Any]:
    """The ``func.func`` ops of the module `module`, in order.

    Raises:
        TfmbsError: ``unsupported``, one of them is a declaration, which has no body to lower.
    """
    found = [op for op in module.regions[0].blocks[0].operations if op.operation.name == "func.func"]
    for function in found:
        if function.is_external:
            where = place(function.location)
            raise TfmbsError("unsupported", where, f"function @{function.name.value}", "a body", "a declaration")
    return found


def inline_calls(module: Any) -> None:
    """Makes the functions that are called a part of those that call them; private ones go. Recursive calls stay."""
    passmanager.PassManager.parse(INLINE).run(module.operation)
