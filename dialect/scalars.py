"""Scalar code: which ops may compute in bodies of loops and epilogues; functions that upstream has no op for."""

from types import new_class
from typing import Any

from tfmbs.dialect.base import Op, VerifyError
from tfmbs.dialect.checks import expect_type
from tfmbs.dialect.mlir import ext, ir
from tfmbs.runtime.abi.special import FUNCTIONS, Function

SCALAR_DIALECTS = ("arith", "math")


class FunctionOp(Op):
    """Base of the functions that are instructions: of scalar floats of one type, with a result of that type.

    They are ops of this dialect, although upstream's `math` has most of them: its ops are folded where operands are
    constants, to what the host's libm gives.
    """

    def check(self) -> None:
        expected = self.operation.operands[0].type
        if not isinstance(expected, ir.F16Type | ir.BF16Type | ir.F32Type | ir.F64Type):
            raise VerifyError(f"{OPERANDS[0]}: expected f16, bf16, f32 or f64, got {expected}")
        for name, value in zip(OPERANDS[1:], list(self.operation.operands)[1:], strict=False):
            expect_type(name, expected, value.type, f"type of {OPERANDS[0]}")
        expect_type("result", expected, self.operation.results[0].type, f"type of {OPERANDS[0]}")


OPERANDS = ("x", "y")


def _function_op(name: str, function: Function) -> Any:
    annotations = dict.fromkeys(OPERANDS[: function.arguments], ext.Operand[Any])
    body = {
        "__annotations__": {**annotations, "result": ext.Result[Any]},
        "__doc__": f"{function.meaning}. Of scalars.",
        "__module__": __name__,
    }
    keywords = {"name": name, "traits": [ext.Pure]}
    return new_class(f"{name.title()}Op", (FunctionOp,), keywords, lambda namespace: namespace.update(body))


FUNCTION_OPS: dict[str, Any] = {name: _function_op(name, function) for name, function in FUNCTIONS.items()}
"""The ops, by the function's name in `runtime.abi.special`."""

OF_MATH = {f"math.{'powf' if name == 'pow' else name}": name for name in FUNCTIONS if name not in ("sigmoid", "gelu")}
"""Names of the functions, by the op of `math` that is the same function."""

SCALAR_OPS = frozenset(op.OPERATION_NAME for op in FUNCTION_OPS.values())
SCALAR_CODE = " or ".join((*SCALAR_DIALECTS, "a function of tfmbs"))


def is_scalar_code(name: str) -> bool:
    """Whether ops of this name compute scalars."""
    return name.partition(".")[0] in SCALAR_DIALECTS or name in SCALAR_OPS


def function(name: str, *operands: Any, loc: Any = None, ip: Any = None) -> Any:
    """The special function `name` of scalars of one float type."""
    return FUNCTION_OPS[name].build(list(operands), [operands[0].type], loc=loc, ip=ip).result
