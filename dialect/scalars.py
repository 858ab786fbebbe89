"""Scalar code: which ops may compute in bodies of loops and epilogues; functions that upstream has no op for."""

from typing import Any

from tfmbs.dialect.base import Op, VerifyError
from tfmbs.dialect.checks import expect_type
from tfmbs.dialect.mlir import ext, ir

SCALAR_DIALECTS = ("arith", "math")


class ScalarOp(Op):
    """Base of the functions of one float; what they compute is in docs/isa.md."""

    def check(self) -> None:
        operand, result = self.operation.operands[0].type, self.operation.results[0].type
        if not isinstance(operand, ir.F16Type | ir.BF16Type | ir.F32Type | ir.F64Type):
            raise VerifyError(f"value: expected f16, bf16, f32 or f64, got {operand}")
        expect_type("result", operand, result, "type of the value")


class SigmoidOp(ScalarOp, name="sigmoid", traits=[ext.Pure]):
    """1 / (1 + e**-value), of a scalar f16, bf16, f32 or f64."""

    value: ext.Operand[Any]
    result: ext.Result[Any]


class GeluOp(ScalarOp, name="gelu", traits=[ext.Pure]):
    """value · (1 + erf(value / √2)) / 2, of a scalar f16, bf16, f32 or f64."""

    value: ext.Operand[Any]
    result: ext.Result[Any]


SCALAR_OPS = frozenset({SigmoidOp.OPERATION_NAME, GeluOp.OPERATION_NAME})


SCALAR_CODE = " or ".join((*SCALAR_DIALECTS, *sorted(SCALAR_OPS)))


def is_scalar_code(name: str) -> bool:
    """Whether ops of this name compute scalars."""
    return name.partition(".")[0] in SCALAR_DIALECTS or name in SCALAR_OPS


def sigmoid(value: Any, *, loc: Any = None, ip: Any = None) -> Any:
    """The logistic function of a float."""
    return SigmoidOp.build([value], [value.type], loc=loc, ip=ip).result


def gelu(value: Any, *, loc: Any = None, ip: Any = None) -> Any:
    """The Gaussian error linear unit of a float."""
    return GeluOp.build([value], [value.type], loc=loc, ip=ip).result
