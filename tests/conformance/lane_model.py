"""What the vector opcodes compute, lane by lane as the opcode table says. Lanes are arrays of their bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.conformance.arithmetic import fma, maximum, minimum
from tests.conformance.convert_model import FORMATS, convert, encode, lane_bits, signed
from tfmbs.runtime.abi.siw import REDUCTION_LANES, VLMAX, Predicate, Reduce
from tfmbs.runtime.abi.special_model import evaluate
from tfmbs.runtime.abi.types import DType

Lanes = NDArray[Any]
Sources = Sequence[Lanes]

REALS = {DType.F32: np.float32, DType.F64: np.float64}
NAN_BITS = {DType.F32: 0x7FC00000, DType.F64: 0x7FF8000000000000}
UNSIGNED = {DType.U32, DType.U64}


def _away(a: NDArray[Any]) -> NDArray[Any]:
    whole = np.trunc(a)
    return np.copysign(np.where(np.abs(a - whole) == 0.5, whole + np.sign(a), np.rint(a)), a)


def _fma(a: NDArray[Any], b: NDArray[Any], c: NDArray[Any]) -> NDArray[Any]:
    if a.dtype == np.float32:
        return fma(a, b, c)
    finite = np.isfinite(a) & np.isfinite(b)  # their product is, exactly
    plain = np.where(finite & np.isinf(c), c, a * b + c)
    for i in np.flatnonzero(finite & np.isfinite(c)):
        exact = Fraction(float(a[i])) * Fraction(float(b[i])) + Fraction(float(c[i]))
        if exact != 0:  # the sign of a zero is that of the plain sum
            plain.view(np.uint64)[i] = encode(exact, FORMATS[DType.F64])
    return plain


def _special(name: str) -> Callable[..., NDArray[Any]]:
    return lambda *sources: evaluate(name, *sources)


FLOAT: dict[str, Callable[..., NDArray[Any]]] = {
    "ADD": np.add,
    "SUB": np.subtract,
    "MUL": np.multiply,
    "FMA": _fma,
    "DIV": np.divide,
    "REM": np.fmod,
    "MIN": minimum,
    "MAX": maximum,
    "FLOOR": np.floor,
    "CEIL": np.ceil,
    "ROUND": np.rint,
    "TRUNC": np.trunc,
    "ROUNDA": _away,
    "SQRT": np.sqrt,
    **{
        name: _special(name.lower())
        for name in ("RSQRT", "EXP", "LOG", "TANH", "ERF", "SIN", "COS", "POW", "SIGMOID", "GELU")
    },
}


def _divide(a: int, b: int, _: int) -> int:
    if b == 0:
        return 0
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


# Of the lanes as numbers, and their width; results wrap afterwards.
INTEGER: dict[str, Callable[..., int]] = {
    "ADD": lambda a, b, _: a + b,
    "SUB": lambda a, b, _: a - b,
    "MUL": lambda a, b, _: a * b,
    "FMA": lambda a, b, c, _: a * b + c,
    "DIV": _divide,
    "REM": lambda a, b, _: a - _divide(a, b, _) * b,
    "MIN": lambda a, b, _: min(a, b),
    "MAX": lambda a, b, _: max(a, b),
    "NEG": lambda a, _: -a,
    "ABS": lambda a, _: abs(a),
    "AND": lambda a, b, _: a & b,
    "OR": lambda a, b, _: a | b,
    "XOR": lambda a, b, _: a ^ b,
    "SHL": lambda a, b, bits: a << b if 0 <= b < bits else 0,
    "SHRA": lambda a, b, bits: a >> b if 0 <= b < bits else -(a < 0),
    "SHRL": lambda a, b, bits: (a & ((1 << bits) - 1)) >> b if 0 <= b < bits else 0,
    "TERNARY": lambda a, b, _: 1 if a > b else -1 if a < -b else 0,
}

ORDERED: dict[str, Callable[[Any, Any], Any]] = {
    "EQ": lambda a, b: a == b,
    "GT": lambda a, b: a > b,
    "GE": lambda a, b: a >= b,
    "LT": lambda a, b: a < b,
    "LE": lambda a, b: a <= b,
    "NE": lambda a, b: (a < b) | (a > b),
}

REDUCTIONS = {
    Reduce.SUM: "ADD",
    Reduce.MAX: "MAX",
    Reduce.MIN: "MIN",
    Reduce.PROD: "MUL",
    Reduce.AND: "AND",
    Reduce.OR: "OR",
    Reduce.XOR: "XOR",
}


def bits_type(dtype: DType) -> type[np.unsignedinteger[Any]]:
    """The numpy type of the lanes of an element type."""
    return np.uint64 if lane_bits(dtype) == 64 else np.uint32


def _canonical(values: NDArray[Any], dtype: DType) -> Lanes:
    bits = np.asarray(values, REALS[dtype]).view(bits_type(dtype))
    return np.where(np.isnan(values), bits_type(dtype)(NAN_BITS[dtype]), bits)


def compare(predicate: Predicate, dtype: DType, a: Lanes, b: Lanes) -> NDArray[np.bool_]:
    """Where `a predicate b` holds."""
    if predicate in (Predicate.FALSE, Predicate.TRUE):
        return np.full(a.shape, predicate is Predicate.TRUE)
    mode, relation = predicate.name[0], predicate.name[1:]
    if dtype not in REALS:
        kind = a.dtype if mode == "U" else np.dtype(f"int{lane_bits(dtype)}")
        return np.asarray(ORDERED[relation](a.view(kind), b.view(kind)))
    x, y = a.view(REALS[dtype]), b.view(REALS[dtype])
    unordered = np.isnan(x) | np.isnan(y)
    if predicate in (Predicate.ORD, Predicate.UNO):
        return unordered == (predicate is Predicate.UNO)
    return np.where(unordered, mode == "U", ORDERED[relation](x, y))


def _real(op: str, dtype: DType, sources: Sources) -> Lanes:
    sign = bits_type(dtype)(1 << (lane_bits(dtype) - 1))
    if op == "NEG":
        return sources[0] ^ sign
    if op == "ABS":
        return sources[0] & ~sign
    lanes = [x.view(REALS[dtype]) for x in sources]
    if op == "TERNARY":
        a, b = lanes
        return np.where(a > b, 1, np.where(a < -b, -1, 0)).astype(np.int32).view(np.uint32)
    with np.errstate(all="ignore"):
        return _canonical(FLOAT[op](*lanes), dtype)


def _whole(op: str, dtype: DType, sources: Sources) -> Lanes:
    bits = lane_bits(dtype)
    numbers = [x.tolist() if dtype in UNSIGNED else [signed(lane, bits) for lane in x.tolist()] for x in sources]
    results = [INTEGER[op](*lanes, bits) & ((1 << bits) - 1) for lanes in zip(*numbers, strict=True)]
    return np.array(results, bits_type(dtype))


def compute(op: str, dtype: DType, aux: int, sources: Sources) -> Lanes:
    """A lane-wise opcode on the lanes of its sources, which have the same number of lanes."""
    if op in ("MOV", "MOV64"):
        return sources[0]
    if op in ("SEL", "SEL64"):
        return np.where(sources[0] != 0, sources[1], sources[2])
    if op == "CMP":
        return compare(Predicate(aux), dtype, *sources).astype(np.uint32)
    if op == "CVT":
        lanes = [convert(lane, DType(aux), dtype) for lane in sources[0].tolist()]
        return np.array(lanes, bits_type(dtype))
    return _real(op, dtype, sources) if dtype in REALS else _whole(op, dtype, sources)


def combine(how: Reduce, dtype: DType, a: Lanes, b: Lanes) -> Lanes:
    """One step of a reduction on lanes."""
    return compute(REDUCTIONS[how], dtype, 0, [a, b])


def partials(how: Reduce, dtype: DType, old: Lanes, source: Lanes) -> Lanes:
    """RED: the lanes of vd after it took up `source`."""
    lanes = old.copy()
    for i in range(len(source)):
        j = i % REDUCTION_LANES
        lanes[j : j + 1] = combine(how, dtype, lanes[j : j + 1], source[i : i + 1])
    return lanes


def folded(how: Reduce, dtype: DType, source: Lanes) -> Lanes:
    """FOLD: all lanes of vd."""
    p = source[:REDUCTION_LANES].copy()
    half = REDUCTION_LANES // 2
    while half:
        p[:half] = combine(how, dtype, p[:half], p[half : 2 * half])
        half //= 2
    return np.full(VLMAX, p[0], source.dtype)


def scanned(how: Reduce, dtype: DType, source: Lanes, start: Lanes) -> Lanes:
    """SCAN: the lanes of vd below VL."""
    carry, out = start[:1].copy(), source.copy()
    for i in range(len(source)):
        carry = combine(how, dtype, carry, source[i : i + 1])
        out[i] = carry[0]
    return out


def counted(old: Lanes, source: Lanes) -> Lanes:
    """TPOP: the lanes of vd after it counted `source`."""
    lanes = old.copy()
    for i, lane in enumerate(source):
        lanes[i % REDUCTION_LANES : i % REDUCTION_LANES + 1] += np.uint32(lane != 0)  # arrays wrap silently
    return lanes


def accumulated(dtype: DType, old: Lanes, value: Lanes, trit: Lanes) -> Lanes:
    """TACC: the lanes of vd below VL."""
    plus, minus = compute("ADD", dtype, 0, [old, value]), compute("SUB", dtype, 0, [old, value])
    return np.where(trit == 1, plus, np.where(trit == 0xFFFFFFFF, minus, old)).astype(old.dtype)
