"""An interpreter of vector programs, lane by lane as the opcode table says; slow, simple, independent of any device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.conformance.arithmetic import canonical, fma, maximum, minimum
from tfmbs.runtime.abi.siw import (
    OP_BY_CODE,
    REDUCTION_LANES,
    SCALAR_REGISTERS,
    VECTOR_REGISTERS,
    VLMAX,
    Predicate,
    Reduce,
)
from tfmbs.runtime.abi.special_model import evaluate
from tfmbs.runtime.abi.types import DTYPES, DType

Lanes = NDArray[np.uint32]
Ints = NDArray[np.int32]
Floats = NDArray[np.float32]
Fields = Mapping[str, int]

FLOAT: dict[str, Callable[..., NDArray[Any]]] = {
    "ADD": np.add,
    "SUB": np.subtract,
    "MUL": np.multiply,
    "FMA": fma,
    "DIV": np.divide,
    "MIN": minimum,
    "MAX": maximum,
    "FLOOR": np.floor,
    "CEIL": np.ceil,
    "ROUND": np.rint,
    "TRUNC": np.trunc,
    "SQRT": np.sqrt,
    "RSQRT": lambda a: evaluate("rsqrt", a),
    "EXP": lambda a: evaluate("exp", a),
    "LOG": lambda a: evaluate("log", a),
    "TANH": lambda a: evaluate("tanh", a),
    "ERF": lambda a: evaluate("erf", a),
}


def _divide(a: int, b: int) -> int:
    if b == 0:
        return 0
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


# Results wrap to 32 bits afterwards.
INTEGER: dict[str, Callable[..., int]] = {
    "ADD": lambda a, b: a + b,
    "SUB": lambda a, b: a - b,
    "MUL": lambda a, b: a * b,
    "FMA": lambda a, b, c: a * b + c,
    "DIV": _divide,
    "MIN": min,
    "MAX": max,
    "NEG": lambda a: -a,
    "ABS": abs,
    "AND": lambda a, b: a & b,
    "OR": lambda a, b: a | b,
    "XOR": lambda a, b: a ^ b,
    "SHL": lambda a, b: a << b if 0 <= b < 32 else 0,
    "SHRA": lambda a, b: a >> b if 0 <= b < 32 else -(a < 0),
    "SHRL": lambda a, b: (a & 0xFFFFFFFF) >> b if 0 <= b < 32 else 0,
    "TERNARY": lambda a, b: 1 if a > b else -1 if a < -b else 0,
}

BITS: dict[str, Callable[..., NDArray[Any]]] = {
    "MOV": lambda a: a,
    "SEL": lambda a, b, c: np.where(a != 0, b, c),
    "FLIP": lambda a: a ^ np.uint32(0x80000000),
    "CLEAR": lambda a: a & np.uint32(0x7FFFFFFF),
}
SIGN_OPS = {"NEG": "FLIP", "ABS": "CLEAR"}

ORDERED: dict[str, Callable[[Any, Any], Any]] = {
    "EQ": lambda a, b: a == b,
    "GT": lambda a, b: a > b,
    "GE": lambda a, b: a >= b,
    "LT": lambda a, b: a < b,
    "LE": lambda a, b: a <= b,
    "NE": lambda a, b: (a < b) | (a > b),
}


def _wrapped(values: Sequence[int]) -> Lanes:
    return np.array([value & 0xFFFFFFFF for value in values], np.uint32)


def compare(predicate: Predicate, dtype: DType, a: Lanes, b: Lanes) -> NDArray[np.bool_]:
    """Where `a predicate b` holds."""
    if predicate in (Predicate.FALSE, Predicate.TRUE):
        return np.full(a.shape, predicate is Predicate.TRUE)
    mode, relation = predicate.name[0], predicate.name[1:]
    if dtype is DType.I32:
        kind = np.uint32 if mode == "U" else np.int32
        return np.asarray(ORDERED[relation](a.view(kind), b.view(kind)))
    x, y = a.view(np.float32), b.view(np.float32)
    unordered = np.isnan(x) | np.isnan(y)
    if predicate in (Predicate.ORD, Predicate.UNO):
        return unordered == (predicate is Predicate.UNO)
    return np.where(unordered, mode == "U", ORDERED[relation](x, y))


def narrow(lanes: Lanes, dtype: DType) -> list[int]:
    """The integers of type `dtype` in the low bits of the lanes."""
    if dtype is DType.BOOL:
        return [int(lane != 0) for lane in lanes]
    bits = DTYPES[dtype].bits
    low = [int(lane) & ((1 << bits) - 1) for lane in lanes]
    return [x - (1 << bits) if DTYPES[dtype].is_signed and x >> (bits - 1) else x for x in low]


def convert(lanes: Lanes, source: DType, target: DType) -> Lanes:
    """CVT."""
    if source is target is DType.F32:
        return lanes
    if source is DType.F32:
        return _wrapped([_saturate(float(x), target) for x in lanes.view(np.float32)])
    integers = narrow(lanes, source)
    if target is DType.F32:
        return np.array(integers, np.int32).astype(np.float32).view(np.uint32)
    return _wrapped(narrow(_wrapped(integers), target))


def _saturate(x: float, target: DType) -> int:
    if target is DType.BOOL:
        return int(x != 0)
    if np.isnan(x):
        return 0
    bits, signed = DTYPES[target].bits, DTYPES[target].is_signed
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    return low if x < low else high if x > high else int(x)


def _reduce(dtype: DType, how: Reduce, a: Lanes, b: Lanes) -> Lanes:
    name = {Reduce.SUM: "ADD", Reduce.MAX: "MAX", Reduce.MIN: "MIN"}[how]
    return compute(name, dtype, 0, [a, b])


def compute(op: str, dtype: DType, aux: int, sources: Sequence[Lanes]) -> Lanes:
    """A lane-wise opcode on the lanes of its sources."""
    if op in BITS:
        return np.asarray(BITS[op](*sources)).astype(np.uint32)
    if op == "CMP":
        return compare(Predicate(aux), dtype, *sources).astype(np.uint32)
    if op == "CVT":
        return convert(sources[0], DType(aux), dtype)
    if dtype is DType.F32:
        return compute_f32(op, sources)
    lanes = [x.view(np.int32).tolist() for x in sources]
    return _wrapped([INTEGER[op](*values) for values in zip(*lanes, strict=True)])


def compute_f32(op: str, sources: Sequence[Lanes]) -> Lanes:
    """A lane-wise opcode on f32 lanes."""
    if op in SIGN_OPS:
        return np.asarray(BITS[SIGN_OPS[op]](*sources))
    lanes = [x.view(np.float32) for x in sources]
    if op == "TERNARY":
        a, b = lanes
        return np.where(a > b, 1, np.where(a < -b, -1, 0)).astype(np.int32).view(np.uint32)
    with np.errstate(all="ignore"):
        return canonical(FLOAT[op](*lanes)).view(np.uint32)


class Machine:
    """The state of a program. `windows` are flat arrays of their tensors' element type."""

    def __init__(self, windows: Sequence[NDArray[Any]]) -> None:
        self.vectors = np.zeros((VECTOR_REGISTERS, VLMAX), np.uint32)
        self.scalars = [0] * SCALAR_REGISTERS
        self.windows = windows
        self.vl = VLMAX

    def run(self, words: Sequence[Fields]) -> None:
        """Executes from the first word to END. Raises IndexError outside a window."""
        at, loops = 0, []
        while True:
            word = {name: words[at].get(name, 0) for name in _FIELDS}
            vl, next_at = self.vl, at + 1
            control = OP_BY_CODE["C", word["c_op"]].name
            count = self.scalars[word["c_reg"]]
            writes = [*self._compute(word, vl), *self._memory(word, vl)]
            for write in writes:
                write()
            self.scalars[0] = 0
            if control == "END":
                return
            if control == "SETVL":
                self.vl = word["c_imm"]
            elif control == "SETVLR":
                self.vl = min(max(count, 1), VLMAX)
            elif control == "LOOP":
                if count < 1:
                    next_at += word["c_imm"]
                else:
                    loops.append([next_at, next_at + word["c_imm"], count])
            while loops and loops[-1][1] == next_at:
                loops[-1][2] -= 1
                if loops[-1][2]:
                    next_at = loops[-1][0]
                    break
                loops.pop()
            at = next_at

    def _set(self, register: int, lanes: Lanes) -> Callable[[], None]:
        def write() -> None:
            self.vectors[register, : len(lanes)] = lanes

        return write

    def _compute(self, word: Fields, vl: int) -> list[Callable[[], None]]:
        op = OP_BY_CODE["D", word["d_op"]]
        if op.name == "NOP":
            return []
        dtype = DType(word["d_type"]) if word["d_type"] else DType.I32
        sources = [self.vectors[word[name], :vl].copy() for name in op.vectors[1:]]
        old = self.vectors[word["d_vd"]].copy()
        if op.name in ("RED", "TPOP"):
            return [self._set(word["d_vd"], self._partials(word, op.name, dtype, sources[0], old))]
        if op.name == "FOLD":
            return [self._set(word["d_vd"], self._folded(word, dtype))]
        if op.name == "TACC":
            value, trit = sources
            plus = compute("ADD", dtype, 0, [old[:vl], value])
            minus = compute("SUB", dtype, 0, [old[:vl], value])
            kept = np.where(trit == 1, plus, np.where(trit == 0xFFFFFFFF, minus, old[:vl]))
            return [self._set(word["d_vd"], kept.astype(np.uint32))]
        return [self._set(word["d_vd"], compute(op.name, dtype, word["d_aux"], sources))]

    def _partials(self, word: Fields, op: str, dtype: DType, source: Lanes, old: Lanes) -> Lanes:
        for i, lane in enumerate(source):
            j = i % REDUCTION_LANES
            if op == "TPOP":
                old[j : j + 1] += np.uint32(lane != 0)  # arrays wrap silently, scalars warn
            else:
                old[j : j + 1] = _reduce(dtype, Reduce(word["d_aux"]), old[j : j + 1], source[i : i + 1])
        return old

    def _folded(self, word: Fields, dtype: DType) -> Lanes:
        p = self.vectors[word["d_va"], :REDUCTION_LANES].copy()
        half = REDUCTION_LANES // 2
        while half:
            p[:half] = _reduce(dtype, Reduce(word["d_aux"]), p[:half], p[half : 2 * half])
            half //= 2
        return np.full(VLMAX, p[0], np.uint32)

    def _memory(self, word: Fields, vl: int) -> list[Callable[[], None]]:
        op = OP_BY_CODE["S", word["s_op"]].name
        base, index, imm = self.scalars[word["s_base"]], self.scalars[word["s_index"]], word["s_imm"]
        register = word["s_reg"]
        if op in ("LI", "LIH", "ADDI", "SADD", "SMUL"):
            value = {
                "LI": imm,
                "LIH": self.scalars[register] << 17 | imm & 0x1FFFF,
                "ADDI": base + imm,
                "SADD": base + index,
                "SMUL": base * index,
            }[op]
            wrapped = (value + (1 << 63)) % (1 << 64) - (1 << 63)
            return [lambda: self.scalars.__setitem__(register, wrapped)]
        if op == "NOP":
            return []
        dtype, window = DType(word["s_type"]), self.windows[word["s_win"]]
        if op in ("LD", "ST"):
            at = [base + imm + i * index for i in range(vl)]
        else:
            at = [base + imm + int(i) for i in self.vectors[word["s_index"], :vl].view(np.int32)]
        if min(at) < 0 or max(at) >= window.size:
            raise IndexError(f"{min(at)}…{max(at)} of {window.size}")
        if op in ("LD", "GATHER"):
            return [self._set(register, widen(window[at], dtype))]
        return [self._store(window, at, self.vectors[register, :vl].copy(), dtype)]

    def _store(self, window: NDArray[Any], at: list[int], lanes: Lanes, dtype: DType) -> Callable[[], None]:
        def write() -> None:
            values = lanes.view(np.float32) if dtype is DType.F32 else np.array(narrow(lanes, dtype), np.int64)
            stored = values if dtype is DType.F32 else values.astype(window.dtype)
            for i, place in enumerate(at):
                window[place] = stored[i]

        return write


def widen(values: NDArray[Any], dtype: DType) -> Lanes:
    """Window elements as lanes."""
    if dtype is DType.F32:
        return values.view(np.uint32)
    return values.astype(np.int64).astype(np.uint32)


_FIELDS = (
    *("d_op", "d_type", "d_vd", "d_va", "d_vb", "d_vc", "d_aux"),
    *("s_op", "s_type", "s_reg", "s_win", "s_base", "s_index", "s_imm"),
    *("c_op", "c_reg", "c_imm"),
)
