"""Scalar ops by name on edge values of every type, for tests of vector code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.models.graphs import Array, Build, elementwise
from tfmbs.dialect.mlir import arith, ir
from tfmbs.passes.linalg.elementary import COMPOSED

FLOATS = {"f16": (16, 10), "bf16": (16, 7), "f32": (32, 23), "f64": (64, 52)}  # bits, and those of the fraction
UNARY_FLOAT = (
    "absf", "ceil", "cos", "erf", "exp", "floor", "gelu", "log", "round", "roundeven", "rsqrt", "sigmoid", "sin",
    "sqrt", "tanh", "trunc",
)  # fmt: skip
OWN = frozenset({"gelu", "sigmoid"})
COMPOSED_UNARY = tuple(sorted(name.removeprefix("math.") for name in COMPOSED if name != "math.atan2"))
BINARY_FLOAT = ("addf", "subf", "mulf", "divf", "remf", "maximumf", "minimumf", "copysign", "powf", "atan2")
NUMBER_FLOAT = ("maxnumf", "minnumf")
FLOAT_TESTS = ("isfinite", "isinf", "isnan", "isnormal")
MATH = frozenset(
    (*UNARY_FLOAT, *COMPOSED_UNARY, "atan2", *FLOAT_TESTS, "copysign", "powf", "fma", "absi", "ctlz", "cttz", "ctpop")
)
BINARY_INTEGER = (
    "addi", "subi", "muli", "divsi", "divui", "remsi", "remui", "floordivsi", "ceildivsi", "ceildivui", "maxsi",
    "minsi", "maxui", "minui", "andi", "ori", "xori", "shli", "shrsi", "shrui",
)  # fmt: skip
UNARY_INTEGER = ("absi", "ctlz", "cttz", "ctpop")


def float_patterns(element: str) -> Array:
    """Bits of floats: zeros, ones, halves, least and greatest denormals and normals, infinities, NaNs of any kind."""
    bits, fraction = FLOATS[element]
    infinity = ((1 << (bits - 1 - fraction)) - 1) << fraction
    one = (infinity >> fraction >> 1) << fraction
    half, quiet = 1 << (fraction - 1), infinity | 1 << (fraction - 1)
    least, last = 1 << fraction, 1 << (bits - 1)
    magnitudes = [
        0, 1, half, least - 1, least, least + 3, one - least, one, one + 1, one + half, one + least + (half >> 1),
        one + 5 * least, one + 6 * least + half, one + 3 * least + (half >> 2), infinity - 1, infinity, infinity | 1,
        quiet, quiet | 5,
    ]  # fmt: skip
    return np.array([m | s for m in magnitudes for s in (0, last)], f"uint{bits}").view(f"int{bits}")


def scalar_op(name: str, *operands: Any, result: Any = None) -> Any:
    """The arith, math or tfmbs op of this name on scalars, of the first operand's type if no other is given."""
    dialect = "tfmbs" if name in OWN else "math" if name in MATH else "arith"
    kind = result or operands[0].type
    return ir.Operation.create(f"{dialect}.{name}", results=[kind], operands=list(operands)).results[0]


def each(
    names: Sequence[str], shape: tuple[int, ...], *maps: tuple[int, ...], element: str, result: str | None = None
) -> Build:
    """Builds one result for each scalar op, called like it, on elements that memory holds as integers of their size."""
    bits = FLOATS[element][0] if element in FLOATS else int(element[1:])

    def one(name: str, *scalars: Any) -> Any:
        operands = [bitcast(scalar, element) for scalar in scalars]
        made = scalar_op(name, *operands, result=ir.Type.parse(result) if result else None)
        return made if result else bitcast(made, f"i{bits}")

    def build(*inputs: Any) -> dict[str, Any]:
        return {
            name: elementwise(lambda *s, name=name: one(name, *s), shape, *maps, element=result or f"i{bits}")(*inputs)
            for name in names
        }

    return build


def bitcast(value: Any, element: str) -> Any:
    """A scalar's bits as another type of the same size."""
    target = ir.Type.parse(element)
    return value if value.type == target else arith.BitcastOp(target, value).result


def ir_integer(values: Array) -> str:
    """The integer type of an array's elements."""
    return f"i{values.dtype.itemsize * 8}"


def integer_edges(bits: int) -> Array:
    """Integers around 0, the width and the ends of the range."""
    limit = 1 << (bits - 1)
    edges = [0, 1, -1, 2, 7, 8, 9, bits - 1, bits, bits + 1, 100, -100, limit - 1, -limit, 1 - limit, limit >> 1]
    return np.array([(edge + limit) % (2 * limit) - limit for edge in edges], np.int64).astype(f"int{bits}")
