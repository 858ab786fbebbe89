"""Nanoseconds per element of single instruction words in the emulator, beside numpy in the same run, one thread each.

`OPENBLAS_NUM_THREADS=1 python -m benchmarks.siw_ops [NAME…]`. An operation runs on registers only, `REPEATS` words of
VLMAX lanes; a move goes on through a window; numpy works on arrays that stay in the second cache. The last column is
nanoseconds per word where VL is 1. No figure is a claim about the fabric.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.clock import best_seconds, launch_seconds
from tests.conformance.builder import END, Builder, Fields, c, d, s
from tfmbs.runtime import _native
from tfmbs.runtime.abi.siw import VLMAX, Predicate, Reduce
from tfmbs.runtime.abi.types import DType

F16, BF16, F32, F64, I8, I32, I64, U8, U32 = (
    DType.F16, DType.BF16, DType.F32, DType.F64, DType.I8, DType.I32, DType.I64, DType.U8, DType.U32,
)  # fmt: skip
REPEATS = 256
WINDOW = REPEATS * VLMAX
NUMPY_ELEMENTS = 16 * 1024
NUMPY = {F32: np.float32, F64: np.float64, I32: np.int32, I64: np.int64, U32: np.uint32, U8: np.uint8, I8: np.int8}
NUMPY |= {F16: np.float16}
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Row:
    """A word, the type of its operands, the same in numpy, and whether it runs once per VLMAX elements of a window."""

    name: str
    word: Fields
    dtype: DType
    numpy: Callable[[Array, Array], Any] | None = None
    memory: DType | None = None


def unary(op: str, dtype: DType, function: Callable[[Array], Any] | None = None) -> Row:
    """A function of one operand."""
    call = (lambda x, _: function(x)) if function else None
    return Row(f"{op}.{dtype.name}", d(op, dtype, vd=6, va=2), dtype, call)


def binary(op: str, dtype: DType, function: Callable[[Array, Array], Any] | None = None, **more: int) -> Row:
    """A function of two operands."""
    name = f"{op}.{dtype.name}" + (f" {more['aux']!r}" if more else "")
    return Row(name, d(op, dtype, vd=6, va=2, vb=4, **more), dtype, function)


def reduction(op: str, how: Reduce, dtype: DType, function: Callable[[Array], Any]) -> Row:
    """RED, FOLD or SCAN."""
    more = {"vb": 4} if op == "SCAN" else {}
    word = d(op, dtype, vd=6, va=2, aux=how, **more)
    return Row(f"{op}.{dtype.name} {how.name}", word, dtype, lambda x, _: function(x))


def conversion(to: DType, source: DType) -> Row:
    """CVT."""
    known = to in NUMPY and source in NUMPY
    call = (lambda x, _: x.astype(NUMPY[to])) if known else None
    return Row(f"CVT.{to.name} {source.name}", d("CVT", to, vd=6, va=2, aux=source), source, call)


def move(op: str, dtype: DType, stride: int, function: Callable[[Array, Array], Any] | None) -> Row:
    """A load or store that goes on through the window."""
    base = 9 if stride >= 0 else 10
    index = {0: 0, 1: 1, 2: 2, 3: 3, -1: 4}[stride]
    return Row(
        f"{op}.{dtype.name} stride {stride}", s(op, dtype, reg=6, win=0, base=base, index=index), F32, function, dtype
    )


def rows() -> Iterator[Row]:
    """Every row of the table."""
    for dtype in (F32, F64, I32, I64):
        yield binary("ADD", dtype, np.add)
        yield binary("MUL", dtype, np.multiply)
        yield Row(f"FMA.{dtype.name}", d("FMA", dtype, vd=6, va=2, vb=4, vc=6), dtype, lambda x, y: x * y + x)
        yield binary("DIV", dtype, np.divide if dtype in (F32, F64) else np.floor_divide)
        yield binary("REM", dtype, np.fmod)
        yield binary("MAX", dtype, np.maximum)
        yield binary("CMP", dtype, np.less, aux=Predicate.OLT)
        yield reduction("RED", Reduce.SUM, dtype, np.sum)
        yield reduction("RED", Reduce.MAX, dtype, np.max)
        yield reduction("FOLD", Reduce.SUM, dtype, lambda x: x[:16].sum())
        yield reduction("FOLD", Reduce.MAX, dtype, lambda x: x[:16].max())
        yield reduction("SCAN", Reduce.SUM, dtype, np.cumsum)
    yield binary("DIV", U32, np.floor_divide)
    yield Row("SEL", d("SEL", vd=6, va=2, vb=4, vc=6), I32, lambda x, y: np.where(x, x, y))
    yield Row("MOV", d("MOV", vd=6, va=2), I32, lambda x, _: x.copy())
    yield binary("SHL", I32, np.left_shift)
    for dtype in (F32, F64):
        for op, function in {"ROUND": np.rint, "ROUNDA": None, "FLOOR": np.floor, "SQRT": np.sqrt}.items():
            yield unary(op, dtype, function)
        for op, function in {"RSQRT": None, "EXP": np.exp, "LOG": np.log, "TANH": np.tanh, "ERF": None, "SIN": np.sin,
                             "COS": np.cos, "SIGMOID": None, "GELU": None}.items():  # fmt: skip
            yield unary(op, dtype, function)
        yield binary("POW", dtype, np.power)
    pairs = (F32, I32), (I32, F32), (I8, F32), (U8, I32), (F16, F32), (BF16, F32), (F32, F64), (F64, F32), (F32, I64)
    for to, source in (*pairs, (I64, F64), (F64, I64), (F16, F64), (BF16, I64), (I64, I32), (I32, I64)):
        yield conversion(to, source)
    yield Row("INDEX.I32", s("INDEX", I32, reg=6, base=9, index=1), I32, lambda x, _: np.arange(x.size))
    yield Row("INDEX.I64", s("INDEX", I64, reg=6, base=9, index=1), I64, lambda x, _: np.arange(x.size))
    for dtype in (F32, I8, U8, F16, BF16, F64):
        for stride in (1, 2, 3, -1, 0):
            yield move("LD", dtype, stride, None)
        for stride in (1, 2, 3, -1):
            yield move("ST", dtype, stride, None)
        for op in ("GATHER", "SCATTER"):
            yield Row(f"{op}.{dtype.name}", s(op, dtype, reg=6, win=0, base=9, index=8), I32, None, dtype)
        yield Row(f"GATHER64.{dtype.name}", s("GATHER64", dtype, reg=6, win=0, base=9, index=12), I32, None, dtype)


def program(row: Row, vl: int) -> list[Fields]:
    """Runs the row's word `REPEATS` times, 32 words at a time; s9 is the element to start at, s10 that of reverse."""
    lane = I64 if row.dtype in (I64, F64) else I32
    body = [row.word] * 32
    memory = row.memory is not None
    advance = [s("ADDI", reg=9, base=9, imm=VLMAX), s("ADDI", reg=10, base=10, imm=VLMAX)] if memory else []
    return [
        *(s("LI", reg=i, imm=i) for i in (1, 2, 3)),
        s("LI", reg=4, imm=-1),
        {**s("LI", reg=10, imm=2 * VLMAX), **c("SETVL", imm=VLMAX)},
        s("LD", lane, reg=2, win=1 + (lane is I64), base=0, index=1),
        s("LD", lane, reg=4, win=1 + (lane is I64), base=0, index=1, imm=VLMAX),
        s("LD", I32, reg=8, win=3, base=0, index=1),
        d("CVT", I64, vd=12, va=8, aux=I32),
        s("LI", reg=20, imm=REPEATS // 32),
        c("SETVL", imm=vl),
        c("LOOP", reg=20, imm=32 + len(advance)),
        *body,
        *advance,
        END,
    ]


def operands(dtype: DType, elements: int) -> Array:
    """Two vectors of tame numbers of a lane type, one after the other."""
    values = np.random.default_rng(1).random(2 * elements) * 3 + 1
    return values.astype(NUMPY[dtype])


def word_seconds(words: Sequence[Fields], row: Row, isa: str, repeats: int) -> float:
    """The time of the launch alone, as the emulator counts it."""
    builder = Builder()
    values = operands(row.dtype, VLMAX)
    narrow, wide = (values, np.zeros(2 * VLMAX)) if values.itemsize == 4 else (np.zeros(2 * VLMAX, np.float32), values)
    index = np.random.default_rng(2).permutation(VLMAX).astype(np.int32)
    window = builder.state("window", (4 * WINDOW,), row.memory or F32)
    args = [
        window,
        builder.constant(narrow.view(np.int32)),
        builder.constant(wide.view(np.int64)),
        builder.constant(index),
    ]
    x, y = builder.input("x", (1,), F32), builder.output("y", (1,), F32)
    builder.vector(words, args)
    builder.copy(x, y)
    return launch_seconds(builder.image(), {"x": np.zeros(1, np.float32)}, isa, repeats)


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="rows whose name starts so (default: all)")
    parser.add_argument("--isa", default="", choices=["", *_native.instruction_sets()])
    parser.add_argument("--repeats", type=int, default=25)
    options = parser.parse_args()
    print(f"{'word':<24} {'ns/element':>10} {'numpy':>8} {'ns/word, VL = 1':>16}")
    for row in rows():
        if options.names and not row.name.startswith(tuple(options.names)):
            continue
        words = REPEATS * VLMAX
        full = word_seconds(program(row, VLMAX), row, options.isa, options.repeats) * 1e9 / words
        single = word_seconds(program(row, 1), row, options.isa, options.repeats) * 1e9 / REPEATS
        reference = ""
        if row.numpy:
            a, b = np.split(operands(row.dtype, NUMPY_ELEMENTS), 2)
            seconds = best_seconds(partial(row.numpy, a, b), options.repeats)
            reference = f"{seconds * 1e9 / a.size:.3f}"
        print(f"{row.name:<24} {full:>10.3f} {reference:>8} {single:>16.1f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
