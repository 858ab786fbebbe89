"""The dialect's functions of scalars as upstream's ops, for toolchains that know no others."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tfmbs.dialect.mlir import arith, ir
from tfmbs.dialect.mlir import math as math_ops
from tfmbs.dialect.scalars import FUNCTION_OPS, OF_MATH
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.passes.linalg.scalar import constant


def compose_functions(module: Any) -> None:
    """Replaces the dialect's functions by upstream's, wherever they are; sigmoid and gelu are composed of these."""
    for op in ops_where(module, lambda op: op.operation.name in _OF_UPSTREAM):
        with op.operation.location, ir.InsertionPoint(op):
            op.result.replace_all_uses_with(_OF_UPSTREAM[op.operation.name](*op.operation.operands))
        op.operation.erase()


def _upstream(name: str) -> Callable[..., Any]:
    def build(*operands: Any) -> Any:
        return ir.Operation.create(name, results=[operands[0].type], operands=list(operands)).results[0]

    return build


def _sigmoid(x: Any) -> Any:
    """1 / (1 + e**-x)."""
    one = constant(x.type, 1.0)
    power = math_ops.ExpOp(arith.NegFOp(x).result).result
    return arith.DivFOp(one, arith.AddFOp(one, power).result).result


def _gelu(x: Any) -> Any:
    """x · 0.5 · (1 + erf(x / √2))."""
    inner = math_ops.ErfOp(arith.MulFOp(x, constant(x.type, math.sqrt(0.5))).result).result
    half = arith.MulFOp(x, constant(x.type, 0.5)).result
    return arith.MulFOp(half, arith.AddFOp(constant(x.type, 1.0), inner).result).result


_OF_UPSTREAM: dict[str, Callable[..., Any]] = {
    **{FUNCTION_OPS[name].OPERATION_NAME: _upstream(op) for op, name in OF_MATH.items()},
    FUNCTION_OPS["sigmoid"].OPERATION_NAME: _sigmoid,
    FUNCTION_OPS["gelu"].OPERATION_NAME: _gelu,
}
