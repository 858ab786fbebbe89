"""Which op makes a foreign pass crash: the pass is run, in processes of their own, on functions that end earlier."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tfmbs.compiler.probe import probe
from tfmbs.dialect.location import UNKNOWN, Place, place
from tfmbs.dialect.mlir import ir
from tfmbs.runtime.abi.errors import TfmbsError

LIMIT_SECONDS = 5.0
"""For the whole search: log2 of the number of ops are tried."""

_TENSORS = ("!torch.vtensor", "!torch.tensor", "tensor<")


def blamed(module: Any, run: Callable[[], None], limit_seconds: float = LIMIT_SECONDS) -> Place | None:
    """The place of the first op with which `run` crashes on `module`, if the functions end behind it.

    `run` works on `module` itself, in forks, so that the caller's module stays as it is. None where no op is found in
    time, or the op has no place.
    """
    deadline = time.monotonic() + limit_seconds

    def crashes(count: int) -> bool:
        def cut() -> None:
            _keep_first(module, count)

        try:
            failed = probe(lambda act: act(), [cut, run], max(deadline - time.monotonic(), 0.0))
        except TfmbsError as error:
            if error.code != "pass.crash":
                raise
            return True
        if failed is cut:
            raise AssertionError(f"functions that end behind {count} ops cannot be made")
        return False

    ops = _ops(module)
    good, bad = 0, len(ops)
    try:
        if not ops or crashes(0):
            return None
        while bad - good > 1:
            middle = (good + bad) // 2
            good, bad = (good, middle) if crashes(middle) else (middle, bad)
    except TfmbsError:  # out of time
        return None
    where = place(ops[good].location)
    return None if where == UNKNOWN else where


def _functions(module: Any) -> list[Any]:
    return [op.operation for op in module.regions[0].blocks[0] if op.operation.name == "func.func"]


def _blocks(module: Any) -> list[Any]:
    """The body of each function that has one block."""
    bodies = [list(function.regions[0].blocks) for function in _functions(module)]
    return [blocks[0] for blocks in bodies if len(blocks) == 1]


def _ops(module: Any) -> list[Any]:
    """The ops in the bodies of the functions, in order, without terminators."""
    return [op.operation for block in _blocks(module) for op in list(block.operations)[:-1]]


def _keep_first(module: Any, count: int) -> None:
    """Leaves the first `count` ops to the functions, which return the tensors that nothing uses."""
    for function, block in zip(_functions(module), _blocks(module), strict=True):
        *ops, end = (op.operation for op in block.operations)
        kept, rest = ops[:count], ops[count:]
        count -= len(kept)
        for op in (end, *reversed(rest)):
            op.erase()
        results = [result for op in kept for result in op.results if not list(result.uses)]
        returned = [result for result in results if str(result.type).startswith(_TENSORS)]
        with ir.InsertionPoint(block), function.location:
            ir.Operation.create("func.return", operands=returned)
        inputs = [argument.type for argument in block.arguments]
        type_ = ir.FunctionType.get(inputs, [result.type for result in returned], module.context)
        function.attributes["function_type"] = ir.TypeAttr.get(type_, module.context)
        if "res_attrs" in function.attributes:
            del function.attributes["res_attrs"]
