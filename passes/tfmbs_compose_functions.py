"""The pass ``tfmbs-compose-functions``: functions of `math` become instructions of the fabric, or formulas of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.mlir import arith, ir
from tfmbs.dialect.scalars import OF_MATH, function
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.passes.linalg.elementary import COMPOSED
from tfmbs.passes.linalg.formats import is_small
from tfmbs.passes.linalg.named import computes_tensors, generalize
from tfmbs.passes.linalg.reals import Real
from tfmbs.passes.registry import Pass


@dataclass(frozen=True)
class TfmbsComposeFunctions(Pass):
    """Replace `math.exp`, `powf`, … by the dialect's own ops, and `math.tan`, `atan2`, … by formulas of these in f64.

    Upstream does not fold the dialect's ops: where operands are constants it would ask the host's libm. Arithmetic
    on tensors gets a `linalg.generic`. Composed functions of f16 and bf16 are those of f32, rounded once more.

    Before:

        func.func @f(%x: f32) -> f32 {
          %0 = math.tan %x : f32
          return %0 : f32
        }

    After:

        func.func @f(%arg0: f32) -> f32 {
          %0 = arith.extf %arg0 : f32 to f64
          %1 = "tfmbs.sin"(%0) : (f64) -> f64
          %2 = "tfmbs.cos"(%0) : (f64) -> f64
          %3 = arith.divf %1, %2 : f64
          %4 = arith.truncf %3 : f64 to f32
          return %4 : f32
        }
    """

    def run(self, module: Any) -> None:
        if ops_where(module, computes_tensors):
            generalize(module)
        for op in _functions(module):
            with op.location, ir.InsertionPoint(op):
                op.results[0].replace_all_uses_with(_built(op.operation.name, list(op.operands)))
            op.operation.erase()


def _functions(module: Any) -> list[Any]:
    found: list[Any] = ops_where(module, lambda op: op.operation.name in COMPOSED or op.operation.name in OF_MATH)
    return found


def _built(name: str, operands: list[Any]) -> Any:
    return function(OF_MATH[name], *operands) if name in OF_MATH else _composed(name, operands)


def _composed(name: str, operands: list[Any]) -> Any:
    type_ = operands[0].type
    if is_small(type_):
        wide = [arith.ExtFOp(ir.F32Type.get(), operand).result for operand in operands]
        return arith.TruncFOp(type_, _composed(name, wide)).result
    f64 = ir.F64Type.get()
    if type_ == f64:
        return COMPOSED[name](*(Real(operand) for operand in operands)).value
    wide = [arith.ExtFOp(f64, operand).result for operand in operands]
    return arith.TruncFOp(type_, COMPOSED[name](*(Real(operand) for operand in wide)).value).result
