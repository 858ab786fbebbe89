"""The dialect's own functions of scalars, composed of upstream's ops for toolchains that know no others."""

from __future__ import annotations

import math
from typing import Any

from tfmbs.dialect.mlir import arith, ir
from tfmbs.dialect.mlir import math as math_ops
from tfmbs.dialect.scalars import GeluOp, SigmoidOp
from tfmbs.passes.graph.kernels import ops_of
from tfmbs.passes.linalg.scalar import constant


def compose_functions(module: Any) -> None:
    """Replaces `tfmbs.sigmoid` and `tfmbs.gelu`, wherever they are; errors are those of upstream's `exp` and `erf`."""
    for op in ops_of(module, SigmoidOp, GeluOp):
        with op.operation.location, ir.InsertionPoint(op):
            build = _sigmoid if isinstance(op, SigmoidOp) else _gelu
            op.result.replace_all_uses_with(build(op.value))
        op.operation.erase()


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
