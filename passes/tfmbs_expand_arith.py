"""The pass ``tfmbs-expand-arith``: what the fabric computes where upstream's scalar ops leave a choice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import arith, ir
from tfmbs.dialect.scalars import OF_MATH, SCALAR_OPS, is_scalar_code
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.passes.linalg import conversions, floats, integers, scalar
from tfmbs.passes.linalg.formats import is_small
from tfmbs.passes.linalg.named import generalize
from tfmbs.passes.registry import Pass
from tfmbs.runtime.abi.errors import TfmbsError

COMPUTED = frozenset(
    {
        "arith.addf", "arith.subf", "arith.mulf", "arith.divf", "arith.remf", "arith.maximumf", "arith.minimumf",
        "math.fma", "math.sqrt", "math.floor", "math.ceil", "math.round", "math.roundeven", "math.trunc",
        *OF_MATH, *SCALAR_OPS,
    }
)  # fmt: skip
"""Float arithmetic: of f16 and bf16 it is the f32 operation, rounded; a result that is NaN is the canonical NaN."""

EXTREMA = frozenset({"arith.maximumf", "arith.minimumf"})

CANONICAL = COMPUTED | {"arith.extf", "arith.truncf"}

CLASSES = frozenset({"math.isnan", "math.isinf", "math.isfinite", "math.isnormal"})

BLIND = CANONICAL | CLASSES | {"arith.fptosi", "arith.fptoui", "arith.cmpf"}
"""Users that show no bits of a NaN operand: their results are canonical, or depend on its being a NaN only."""

MOVES = frozenset({"arith.constant", "arith.bitcast", "arith.select"})
UNDEFINED = frozenset(
    f"index.{name}"
    for name in ("divs", "divu", "rems", "remu", "ceildivs", "ceildivu", "floordivs", "shl", "shrs", "shru")
)
"""Ops that stop the process where arith's, which are expanded, have a result."""

PROMISES = {
    "fastmath": "#arith.fastmath<none>",
    "overflowFlags": "#arith.overflow<none>",
    "isExact": None,
    "nonNeg": None,
}
"""Attributes by which a program promises that some operands do not occur, and what to put in their place: results are
defined for all operands."""
TO_NEAREST_EVEN = 0


@dataclass(frozen=True)
class TfmbsExpandArith(Pass):
    """Spell out the fabric's arithmetic where upstream leaves a result open: NaN, saturation, division by zero, shifts.

    A NaN result of arithmetic becomes the canonical one wherever its bits can be seen (it is stored, selected or cast);
    float to integer saturates with NaN giving 0; a / 0 is 0 and least / -1 is least; shifts by the width or more give 0
    or the sign. Arithmetic in f16 and bf16 is the f32 operation, rounded once; nothing but moves of these types is
    left. Promises such as `fastmath` and `nsw` are dropped.

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
        generalize(module)
        for op in ops_where(module, lambda op: op.operation.name in UNDEFINED):
            raise TfmbsError("unsupported", place(op.location), op.operation.name, "the same of arith, on index")
        for op in _scalar_code(module):
            _drop_promises(op)
            _check(op)
        for op in _scalar_code(module):
            if op.name in EXTREMA and not is_small(op.results[0].type):
                _propagate_nan(op)
            elif op.name in CANONICAL and not is_small(op.results[0].type):
                _canonicalize(op)
        for op in _scalar_code(module):
            expansion = _expansion(op)
            if expansion is not None:
                with op.location, ir.InsertionPoint(op):
                    op.results[0].replace_all_uses_with(expansion(op))
                op.erase()


def _scalar_code(module: Any) -> list[Any]:
    """The ops that compute scalars, in the order of the text."""
    found = [op.operation for op in ops_where(module, _is_scalar_code)]
    return [op for op in found if len(op.results) and not isinstance(op.results[0].type, ir.ShapedType)]


def _is_scalar_code(op: Any) -> bool:
    return is_scalar_code(op.operation.name)


def _drop_promises(op: Any) -> None:
    for name, none in PROMISES.items():
        if name in op.attributes and none is None:
            del op.attributes[name]
        elif name in op.attributes and str(op.attributes[name]) != none:
            op.attributes[name] = ir.Attribute.parse(none, op.context)


def _check(op: Any) -> None:
    """Refuses other float types and other rounding modes."""
    for value in (*op.operands, *op.results):
        if isinstance(value.type, ir.FloatType) and not scalar.is_float(value.type):
            raise TfmbsError("unsupported", place(op.location), op.name, "f16, bf16, f32 or f64", value.type)
    if "roundingmode" in op.attributes and op.attributes["roundingmode"].value != TO_NEAREST_EVEN:
        raise TfmbsError("unsupported", place(op.location), f"{op.name}: rounding mode", "to_nearest_even")


def _canonicalize(op: Any) -> None:
    result = op.results[0]
    seeing = [use for use in result.uses if use.owner.name not in BLIND]
    if not seeing:
        return
    with op.location, ir.InsertionPoint.after(op):
        safe = scalar.canonical(result)
    for use in seeing:
        use.owner.operands[use.operand_number] = safe


def _propagate_nan(op: Any) -> None:
    """Makes a NaN operand win for all users: LLVM drops a signalling one beside a number that was an integer."""
    result = op.results[0]
    seeing = list(result.uses)
    with op.location, ir.InsertionPoint.after(op):
        safe = scalar.canonical_where(scalar.compare("uno", *op.operands), result)
    for use in seeing:
        use.owner.operands[use.operand_number] = safe


def _expansion(op: Any) -> Callable[[Any], Any] | None:
    """What to build instead of an op, None where upstream's own meaning is the fabric's."""
    if op.name in EXPANSIONS:
        return EXPANSIONS[op.name]
    if not any(is_small(value.type) for value in (*op.operands, *op.results)) or op.name in MOVES:
        return None
    if op.name in SMALL:
        return SMALL[op.name]
    if op.name in COMPUTED:
        return _through_f32
    raise TfmbsError("unsupported", place(op.location), f"{op.name} of {op.operands[0].type}")


def _through_f32(op: Any) -> Any:
    """The op on f32, rounded once to the narrow type."""
    attributes = {name: op.attributes[name] for name in op.attributes}
    operands = [floats.widened(operand) for operand in op.operands]
    wide = ir.Operation.create(op.name, [ir.F32Type.get()], operands, attributes)
    return floats.rounded(wide.results[0], op.results[0].type)


def _converted(op: Any) -> Any:
    return conversions.float_to_float(op.operands[0], op.results[0].type)


def _to_integer(op: Any) -> Any:
    return conversions.saturating_to_integer(op.operands[0], op.results[0].type, op.name == "arith.fptosi")


def _from_integer(op: Any) -> Any:
    return conversions.integer_to_float(op.operands[0], op.results[0].type, op.name == "arith.sitofp")


def _compared(op: Any) -> Any:
    return arith.CmpFOp(op.attributes["predicate"], *(floats.widened(operand) for operand in op.operands)).result


SMALL: dict[str, Callable[[Any], Any]] = {
    "arith.extf": _converted,
    "arith.truncf": _converted,
    "arith.sitofp": _from_integer,
    "arith.uitofp": _from_integer,
    "arith.cmpf": _compared,
    "arith.negf": lambda op: floats.negated(*op.operands),
    "math.absf": lambda op: floats.absolute(*op.operands),
    "math.copysign": lambda op: floats.copied_sign(*op.operands),
}
"""Ops that are expanded where an operand or the result is f16 or bf16."""

EXPANSIONS: dict[str, Callable[[Any], Any]] = {
    "arith.fptosi": _to_integer,
    "arith.fptoui": _to_integer,
    **{f"arith.{name}": lambda op: floats.number(op.name, *op.operands) for name in ("maxnumf", "minnumf")},
    **{f"arith.{name}": lambda op: integers.divide(op.name, *op.operands) for name in ("divsi", "divui")},
    **{f"arith.{name}": lambda op: integers.remainder(op.name, *op.operands) for name in ("remsi", "remui")},
    **{f"arith.{name}": lambda op: integers.shift(op.name, *op.operands) for name in ("shli", "shrsi", "shrui")},
    **{name: lambda op: floats.has_class(op.name, *op.operands) for name in CLASSES},
    **{
        f"arith.{name}": lambda op: integers.divide_rounding(op.name, *op.operands)
        for name in ("floordivsi", "ceildivsi", "ceildivui")
    },
}
"""Ops that are expanded for all types."""
