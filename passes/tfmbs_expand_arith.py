"""The pass ``tfmbs-expand-arith``: what the fabric computes where upstream's scalar ops leave a choice."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.mlir import ir
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.passes.linalg import scalar
from tfmbs.passes.registry import Pass

CANONICAL = frozenset(
    {
        "arith.addf", "arith.subf", "arith.mulf", "arith.divf", "arith.remf", "arith.maximumf", "arith.minimumf",
        "arith.truncf", "math.fma", "math.sqrt", "math.floor", "math.ceil",
        "math.round", "math.roundeven", "math.trunc",
    }
)  # fmt: skip
"""f32 arithmetic: a result that is NaN is the canonical NaN."""

# Users that show no bits of a NaN operand: their own results are canonical, or depend on its being a NaN only.
BLIND = (
    CANONICAL | {f"math.{name}" for name in ("exp", "log", "tanh", "erf", "rsqrt")} | {"arith.fptosi", "arith.fptoui"}
)
BLIND |= {"arith.cmpf"}


@dataclass(frozen=True)
class TfmbsExpandArith(Pass):
    """Spell out the fabric's arithmetic where upstream leaves a result open: NaN, saturation, division by zero, shifts.

    A NaN result of f32 arithmetic becomes the canonical one wherever its bits can be seen (it is stored, selected or
    cast); float to integer saturates with NaN giving 0; a / 0 is 0 and least / -1 is least; shifts by the width or more
    give 0 or the sign. f64, which only the special functions use, is left alone.

    Before:

        func.func @f(%x: f32, %y: f32) -> f32 {
          %0 = arith.mulf %x, %y : f32
          %1 = arith.addf %0, %y : f32
          return %1 : f32
        }

    After:

        func.func @f(%arg0: f32, %arg1: f32) -> f32 {
          %0 = arith.mulf %arg0, %arg1 : f32
          %1 = arith.addf %0, %arg1 : f32
          %2 = arith.bitcast %1 : f32 to i32
          %c2147483647_i32 = arith.constant 2147483647 : i32
          %3 = arith.andi %2, %c2147483647_i32 : i32
          %c2139095040_i32 = arith.constant 2139095040 : i32
          %4 = arith.cmpi ugt, %3, %c2139095040_i32 : i32
          %c2143289344_i32 = arith.constant 2143289344 : i32
          %5 = arith.select %4, %c2143289344_i32, %2 : i32
          %6 = arith.bitcast %5 : i32 to f32
          return %6 : f32
        }
    """

    def run(self, module: Any) -> None:
        for op in _scalar_ops(module, CANONICAL):
            _canonicalize(op)
        for op in _scalar_ops(module, EXPANSIONS):
            with op.location, ir.InsertionPoint(op):
                op.results[0].replace_all_uses_with(EXPANSIONS[op.name](op))
            op.erase()


def _scalar_ops(module: Any, names: Container[str]) -> list[Any]:
    """The ops of these names whose result a lane holds: a scalar, but no index and no f64."""
    found = [op.operation for op in ops_where(module, lambda op: op.operation.name in names)]
    return [op for op in found if isinstance(op.results[0].type, ir.F32Type | ir.IntegerType)]


def _canonicalize(op: Any) -> None:
    result = op.results[0]
    seeing = [use for use in result.uses if use.owner.name not in BLIND]
    if not seeing:
        return
    with op.location, ir.InsertionPoint.after(op):
        safe = scalar.canonical(result)
    for use in seeing:
        use.owner.operands[use.operand_number] = safe


def _to_integer(op: Any) -> Any:
    return scalar.saturating_to_integer(op.operands[0], op.results[0].type, op.name == "arith.fptosi")


EXPANSIONS: dict[str, Callable[[Any], Any]] = {
    "arith.fptosi": _to_integer,
    "arith.fptoui": _to_integer,
    "arith.maxnumf": lambda op: scalar.number(op.name, *op.operands),
    "arith.minnumf": lambda op: scalar.number(op.name, *op.operands),
    "arith.divsi": lambda op: scalar.divide(op.name, *op.operands),
    "arith.divui": lambda op: scalar.divide(op.name, *op.operands),
    "arith.remsi": lambda op: scalar.remainder(op.name, *op.operands),
    "arith.remui": lambda op: scalar.remainder(op.name, *op.operands),
    "arith.shli": lambda op: scalar.shift(op.name, *op.operands),
    "arith.shrsi": lambda op: scalar.shift(op.name, *op.operands),
    "arith.shrui": lambda op: scalar.shift(op.name, *op.operands),
}
