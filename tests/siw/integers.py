"""What integer operations and conversions mean, in numpy: wrapping, total division and shifts, saturating casts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.siw.meaning import rounded, working
from tests.siw.values import DTYPE_OF, FLOATS, Array, bits_of


def unsigned(value: Array) -> Array:
    """The same bits, read without a sign."""
    return value if value.dtype == np.bool_ else value.view(np.dtype(f"u{value.dtype.itemsize}"))


def as_signed(value: Array) -> Array:
    """What comparisons by sign see: the i1 true is -1."""
    return -value.astype(np.int8) if value.dtype == np.bool_ else value


def _divide_signed(a: Array, b: Array) -> Array:
    a, b = np.broadcast_arrays(a, b)
    with np.errstate(all="ignore"):
        divisor = np.where((b == 0) | (b == -1), np.ones_like(b), b)
        quotient = a // divisor
        rest = a - quotient * divisor
        quotient = quotient + ((rest != 0) & ((a < 0) != (divisor < 0))).astype(a.dtype)
        return np.where(b == 0, np.zeros_like(a), np.where(b == -1, np.zeros_like(a) - a, quotient))


def _divide_unsigned(a: Array, b: Array) -> Array:
    a, b = np.broadcast_arrays(a, b)
    ua, ub = unsigned(a), unsigned(b)
    quotient = ua // np.where(ub == 0, np.ones_like(ub), ub)
    return np.where(ub == 0, np.zeros_like(ua), quotient).view(a.dtype)


def _remainder(divide: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    def run(a: Array, b: Array) -> Array:
        return a - divide(a, b) * b

    return run


def _rounded_quotient(*, up: bool) -> Callable[[Array, Array], Array]:
    """floordivsi and ceildivsi; division by zero gives zero, and least / -1 wraps."""

    def run(a: Array, b: Array) -> Array:
        quotient = _divide_signed(a, b)
        rest = a - quotient * b
        moves = (rest != 0) & (b != 0) & (((rest < 0) == (b < 0)) if up else ((rest < 0) != (b < 0)))
        one = moves.astype(a.dtype)
        return quotient + one if up else quotient - one

    return run


def _ceiling_unsigned(a: Array, b: Array) -> Array:
    quotient = _divide_unsigned(a, b)
    return quotient + ((a - quotient * b != 0) & (b != 0)).astype(a.dtype)


def _count_bits(a: Array) -> Array:
    bits = np.unpackbits(np.atleast_1d(a)[..., None].view(np.uint8), axis=-1, bitorder="little")
    return bits.reshape(*np.shape(a), -1)


def _zeros_before_one(*, leading: bool) -> Callable[[Array], Array]:
    """ctlz and cttz; of zero, the width."""

    def run(a: Array) -> Array:
        bits = _count_bits(a)[..., ::-1] if leading else _count_bits(a)
        first = np.where(bits.any(-1), bits.argmax(-1), bits.shape[-1])
        return first.astype(a.dtype)

    return run


def _shift(kind: str) -> Callable[[Array, Array], Array]:
    def run(a: Array, b: Array) -> Array:
        a, b = np.broadcast_arrays(a, b)
        bits = a.dtype.itemsize * 8
        outside = unsigned(b) >= bits
        count = np.where(outside, np.zeros_like(b), b)
        if kind == "left":
            return np.where(outside, np.zeros_like(a), a << count)
        if kind == "sign":
            return np.where(outside, a >> a.dtype.type(bits - 1), a >> count)
        return np.where(outside, np.zeros_like(a), (unsigned(a) >> unsigned(count)).view(a.dtype))

    return run


def _pick(compare: Callable[[Array, Array], Array], *, by_sign: bool) -> Callable[[Array, Array], Array]:
    see = as_signed if by_sign else unsigned

    def run(a: Array, b: Array) -> Array:
        return np.where(compare(see(a), see(b)), a, b)

    return run


INTEGER_OPS: dict[str, Callable[..., Array]] = {
    "arith.addi": np.add,
    "arith.subi": np.subtract,
    "arith.muli": np.multiply,
    "arith.divsi": _divide_signed,
    "arith.divui": _divide_unsigned,
    "arith.remsi": _remainder(_divide_signed),
    "arith.remui": _remainder(_divide_unsigned),
    "arith.shli": _shift("left"),
    "arith.shrsi": _shift("sign"),
    "arith.shrui": _shift("zero"),
    "arith.floordivsi": _rounded_quotient(up=False),
    "arith.ceildivsi": _rounded_quotient(up=True),
    "arith.ceildivui": _ceiling_unsigned,
    "math.ctlz": _zeros_before_one(leading=True),
    "math.cttz": _zeros_before_one(leading=False),
    "math.ctpop": lambda a: _count_bits(a).sum(-1).astype(a.dtype),
    "math.absi": lambda a: np.where(a < 0, np.zeros_like(a) - a, a),
}
"""Operations on i8…i64 of one type."""

LOGICAL_OPS: dict[str, Callable[..., Array]] = {
    "arith.andi": np.bitwise_and,
    "arith.ori": np.bitwise_or,
    "arith.xori": np.bitwise_xor,
    "arith.maxsi": _pick(np.greater, by_sign=True),
    "arith.minsi": _pick(np.less, by_sign=True),
    "arith.maxui": _pick(np.greater, by_sign=False),
    "arith.minui": _pick(np.less, by_sign=False),
}
"""Operations on i1 and on i8…i64."""


def compare_integers(predicate: str, a: Array, b: Array) -> Array:
    """`arith.cmpi`."""
    see = unsigned if predicate[0] == "u" and predicate not in ("eq", "ne") else as_signed
    relation = {"eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal}
    relation |= {"gt": np.greater, "ge": np.greater_equal}
    return np.asarray(relation[predicate[-2:]](see(a), see(b)))


def _to_integer(value: Array, target: str, *, signed: bool) -> Array:
    """Truncated and saturated; NaN gives 0."""
    bits = bits_of(target)
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    wide = value.astype(np.float64)  # exact for every float type
    whole = np.trunc(np.nan_to_num(wide, nan=0.0, posinf=np.inf, neginf=-np.inf))
    kind = np.int64 if signed else np.uint64
    inside = (whole >= low) & (whole < float(high + 1))
    exact = np.where(inside, whole, 0).astype(kind)
    result = np.where(inside, exact, np.where(whole < 0, kind(low), kind(high)))
    return result.astype(np.dtype(f"u{DTYPE_OF[target].itemsize}") if not signed else DTYPE_OF[target]).view(
        DTYPE_OF[target]
    )


def _from_integer(value: Array, target: str) -> Array:
    """Rounded once: f16 and bf16 from an integer of at most 64 bits, through a float that holds what decides."""
    if target in ("f32", "f64"):
        return value.astype(DTYPE_OF[target])
    wide = value.astype(np.longdouble)  # 64 bits of significand hold every integer
    single = wide.astype(np.float32)
    lost = single.astype(np.longdouble) != wide
    toward = np.nextafter(single, np.where(wide > single, np.inf, -np.inf).astype(np.float32))
    odd = np.where(lost & (single.view(np.uint32) & 1 == 0), toward, single)  # round to odd: rounding twice is harmless
    return rounded(odd, target)


def _narrow_float(value: Array, target: str) -> Array:
    """Rounded once, from f64 too."""
    if value.dtype != np.float64 or target == "f32":
        return rounded(working(value), target)
    with np.errstate(all="ignore"):
        single = value.astype(np.float32)
        lost = (single.astype(np.float64) != value) & np.isfinite(value) & np.isfinite(single)
        toward = np.nextafter(single, np.where(value > single, np.inf, -np.inf).astype(np.float32))
    odd = np.where(lost & (single.view(np.uint32) & 1 == 0), toward, single)
    return rounded(odd, target)


CASTS: dict[str, Callable[[Array, str], Array]] = {
    "arith.extsi": lambda x, to: as_signed(x).astype(DTYPE_OF[to]),
    "arith.extui": lambda x, to: unsigned(x).astype(DTYPE_OF[to]),
    "arith.trunci": lambda x, to: (x & 1).astype(np.bool_) if to == "i1" else x.astype(DTYPE_OF[to]),
    "arith.sitofp": lambda x, to: _from_integer(as_signed(x), to),
    "arith.uitofp": lambda x, to: _from_integer(unsigned(x), to),
    "arith.fptosi": lambda x, to: _to_integer(x, to, signed=True),
    "arith.fptoui": lambda x, to: _to_integer(x, to, signed=False),
    "arith.extf": rounded,
    "arith.truncf": _narrow_float,
    "arith.bitcast": lambda x, to: x.view(DTYPE_OF[to]),
}
"""Conversions, called with the operand and the target's element type."""


def casts_between(source: str, target: str) -> tuple[str, ...]:
    """The conversions that MLIR has from one element type to another; none for f16 to bf16 and back but the bits."""
    if source == target:
        return ()
    wider, same = bits_of(target) > bits_of(source), bits_of(target) == bits_of(source)
    if source in FLOATS and target in FLOATS:
        return ("arith.bitcast",) if same else ("arith.extf",) if wider else ("arith.truncf",)
    if source in FLOATS:
        numeric = () if target == "i1" else ("arith.fptosi", "arith.fptoui")
        return (*numeric, "arith.bitcast") if same else numeric
    if target in FLOATS:
        numeric = ("arith.sitofp", "arith.uitofp")
        return (*numeric, "arith.bitcast") if same else numeric
    return ("arith.extsi", "arith.extui") if wider else ("arith.trunci",)
