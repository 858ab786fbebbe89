"""The pass ``tfmbs-expand-special``: special functions become the steps that define their bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import ir
from tfmbs.passes import scalar
from tfmbs.passes.kernels import ops_where
from tfmbs.passes.registry import Pass
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.special import SPECIALS

EXACT_MATH = frozenset({"absf", "ceil", "copysign", "floor", "fma", "round", "roundeven", "sqrt", "trunc"})
"""Ops of `math` that IEEE 754 defines to the bit: upstream's lowering is right."""

INTEGER_MATH = frozenset({"absi", "ctlz", "cttz", "ctpop", "ipowi"})


@dataclass(frozen=True)
class TfmbsExpandSpecial(Pass):
    """Replace `math.exp`, `log`, `tanh`, `erf` and `rsqrt` by the steps of `runtime/abi/special.py`.

    Scalar f32 only. Other functions of `math` whose bits nobody defines are refused.

    Before:

        func.func @f(%x: f32) -> f32 {
          %0 = math.rsqrt %x : f32
          return %0 : f32
        }

    After:

        func.func @f(%x: f32) -> f32 {
          %0 = arith.extf %x : f32 to f64
          %one = arith.constant 1.000000e+00 : f64
          %1 = math.sqrt %0 : f64
          %2 = arith.divf %one, %1 : f64
          %3 = arith.truncf %2 : f64 to f32
          %4 = arith.cmpf uno, %3, %3 : f32
          %nan = arith.constant 2143289344 : i32
          %5 = arith.bitcast %nan : i32 to f32
          %6 = arith.select %4, %5, %3 : f32
          return %6 : f32
        }
    """

    def run(self, module: Any) -> None:
        for op in ops_where(module, lambda op: op.operation.name.startswith("math.")):
            name = op.operation.name.removeprefix("math.")
            if name in EXACT_MATH | INTEGER_MATH:
                continue
            result = op.results[0]
            if name not in SPECIALS or not isinstance(result.type, ir.F32Type):
                known = f"one of {', '.join(sorted(SPECIALS))} of an f32"
                raise TfmbsError(
                    "unsupported", place(op.location), "function without defined bits", known, f"math.{name}"
                )
            with op.location, ir.InsertionPoint(op):
                result.replace_all_uses_with(scalar.special(name, op.operands[0]))
            op.erase()
