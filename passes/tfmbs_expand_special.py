"""The pass ``tfmbs-expand-special``: special functions become the steps that define their bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import ir
from tfmbs.dialect.scalars import FUNCTION_OPS, OF_MATH
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.passes.linalg import scalar
from tfmbs.passes.registry import Pass
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.special import SPECIALS

EXACT_MATH = frozenset({"absf", "ceil", "copysign", "floor", "fma", "round", "roundeven", "sqrt", "trunc"})
"""Ops of `math` that IEEE 754 defines to the bit: upstream's lowering is right."""

FUNCTIONS = {**OF_MATH, **{op.OPERATION_NAME: name for name, op in FUNCTION_OPS.items()}}
"""The special functions, by op."""

INTEGER_MATH = frozenset({"absi", "ctlz", "cttz", "ctpop"})


@dataclass(frozen=True)
class TfmbsExpandSpecial(Pass):
    """Replace `tfmbs.exp`, `tfmbs.gelu`, `math.powf`, … by the steps of `runtime/abi/special.py`.

    Scalar f32 and f64; f16 and bf16 are f32 by now (`tfmbs-expand-arith`). Other functions of `math` whose bits nobody
    defines are refused.

    Before:

        func.func @f(%x: f32) -> f32 {
          %0 = math.rsqrt %x : f32
          return %0 : f32
        }

    After:

        func.func @f(%arg0: f32) -> f32 {
          %0 = arith.extf %arg0 : f32 to f64
          %cst = arith.constant 1.000000e+00 : f64
          %1 = math.sqrt %0 : f64
          %2 = arith.divf %cst, %1 : f64
          %3 = arith.truncf %2 : f64 to f32
          %4 = arith.bitcast %3 : f32 to i32
          %c2147483647_i32 = arith.constant 2147483647 : i32
          %5 = arith.andi %4, %c2147483647_i32 : i32
          %c2139095040_i32 = arith.constant 2139095040 : i32
          %6 = arith.cmpi ugt, %5, %c2139095040_i32 : i32
          %c2143289344_i32 = arith.constant 2143289344 : i32
          %7 = arith.select %6, %c2143289344_i32, %4 : i32
          %8 = arith.bitcast %7 : i32 to f32
          return %8 : f32
        }
    """

    def run(self, module: Any) -> None:
        for op in ops_where(module, _is_function):
            result = op.results[0]
            name = FUNCTIONS.get(op.operation.name, "")
            if (name, str(result.type)) not in SPECIALS:
                known = f"one of {', '.join(FUNCTION_OPS)} of an f32 or f64"
                what = "function without defined bits"
                raise TfmbsError("unsupported", place(op.location), what, known, op.operation.name)
            with op.location, ir.InsertionPoint(op):
                result.replace_all_uses_with(scalar.special(name, *op.operands))
            op.erase()


def _is_function(op: Any) -> bool:
    dialect, _, name = op.operation.name.partition(".")
    return op.operation.name in FUNCTIONS or (dialect == "math" and name not in EXACT_MATH | INTEGER_MATH)
