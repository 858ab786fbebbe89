"""Nanoseconds per element of short vector programs on 1 M elements in the emulator, beside numpy, one thread each.

`OPENBLAS_NUM_THREADS=1 python -m benchmarks.siw_chains`. Each row is the best of several runs of one launch: words
written by hand, one operation each, in a loop over chunks of VLMAX elements. No figure is a claim about the fabric.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.clock import best_seconds, launch_seconds
from tests.conformance.builder import DTYPE_OF_NUMPY, END, Builder, Fields, c, d, s
from tfmbs.runtime import _native
from tfmbs.runtime.abi.siw import VLMAX, Reduce
from tfmbs.runtime.abi.types import DType

F32, I8, I32, U8 = DType.F32, DType.I8, DType.I32, DType.U8
ELEMENTS = 1 << 20
Array = np.ndarray[Any, Any]
# s1 = 1, s2 = 2, s3: first element of the chunk, s4: twice that. Constants are in v16 and up.
ONE, TWO, AT, TWICE = 1, 2, 3, 4


@dataclass(frozen=True)
class Chain:
    """Windows 0, 1, … are inputs, the last one the output of type `out`; `body` computes one chunk."""

    name: str
    inputs: tuple[Array, ...]
    out: DType
    body: tuple[Fields, ...]
    numpy: Callable[..., Any]
    constants: tuple[float, ...] = ()
    outputs: int = ELEMENTS


def load(register: int, window: int, dtype: DType = F32) -> Fields:
    """A chunk of a window."""
    return s("LD", dtype, reg=register, win=window, base=AT, index=ONE)


def store(register: int, window: int, dtype: DType = F32) -> Fields:
    """A chunk of a window."""
    return s("ST", dtype, reg=register, win=window, base=AT, index=ONE)


def chains() -> list[Chain]:
    """Every row of the table."""
    rng = np.random.default_rng(3)
    x, y = (rng.standard_normal(ELEMENTS).astype(np.float32) for _ in range(2))
    wide = rng.standard_normal(2 * ELEMENTS).astype(np.float32)
    index = rng.permutation(ELEMENTS).astype(np.int32)
    packed = rng.integers(0, 256, ELEMENTS // 2).astype(np.uint8)
    f = partial(d, dtype=F32)
    return [
        Chain("copy", (x,), F32, (load(1, 0), store(1, 1)), np.copy),
        Chain(
            "axpy",
            (x, y),
            F32,
            (load(1, 0), load(2, 1), f("FMA", vd=2, va=1, vb=16, vc=2), store(2, 2)),
            lambda a, b: np.float32(2) * a + b,
            (2,),
        ),
        Chain(
            "relu(x + 2)",
            (x,),
            F32,
            (load(1, 0), f("ADD", vd=1, va=1, vb=16), f("MAX", vd=1, va=1, vb=0), store(1, 1)),
            lambda a: np.maximum(a + np.float32(2), 0),
            (2,),
        ),
        Chain(
            "silu",
            (x,),
            F32,
            (load(1, 0), f("SIGMOID", vd=2, va=1), f("MUL", vd=1, va=1, vb=2), store(1, 1)),
            lambda a: a / (1 + np.exp(-a)),
        ),
        Chain("gelu", (x,), F32, (load(1, 0), f("GELU", vd=1, va=1), store(1, 1)), np.tanh),
        Chain(
            "quantize to i8",
            (x,),
            I8,
            (
                load(1, 0),
                f("DIV", vd=1, va=1, vb=16),
                f("ROUND", vd=1, va=1),
                f("ADD", vd=1, va=1, vb=17),
                d("CVT", I8, vd=1, va=1, aux=F32),
                store(1, 1, I8),
            ),
            lambda a: np.clip(np.rint(a / np.float32(0.05)) + 3, -128, 127).astype(np.int8),
            (0.05, 3),
        ),
        Chain(
            "dequantize i4",
            (packed,),
            F32,
            (
                load(1, 0, U8),
                d("AND", I32, vd=2, va=1, vb=18),
                d("SHRL", I32, vd=1, va=1, vb=19),
                *(d("CVT", F32, vd=i, va=i, aux=I32) for i in (1, 2)),
                *(f("SUB", vd=i, va=i, vb=17) for i in (1, 2)),
                *(f("MUL", vd=i, va=i, vb=16) for i in (1, 2)),
                *(s("ST", F32, reg=i, win=1, base=TWICE, index=TWO, imm=i % 2) for i in (1, 2)),
            ),
            lambda a: np.stack([(a & 15) - np.float32(8), (a >> 4) - np.float32(8)], 1) * np.float32(0.1),
            (0.1, 8, 15, 4),
        ),
        Chain(
            "dot, stride 2",
            (wide, y),
            F32,
            (
                s("LD", F32, reg=1, win=0, base=TWICE, index=TWO),
                load(2, 1),
                f("MUL", vd=1, va=1, vb=2),
                f("RED", vd=3, va=1, aux=Reduce.SUM),
            ),
            lambda a, b: np.dot(a[::2], b),
        ),
        Chain(
            "cumulative sum",
            (x,),
            F32,
            (
                load(1, 0),
                f("SCAN", vd=1, va=1, vb=2, aux=Reduce.SUM),
                {**d("LAST", vd=2, va=1), **store(1, 1)},
            ),
            np.cumsum,
        ),
        Chain(
            "gather",
            (x, index),
            F32,
            (load(1, 1, I32), s("GATHER", F32, reg=2, win=0, base=0, index=1), store(2, 2)),
            lambda a, i: a[i],
        ),
        Chain(
            "softmax of rows of 512",
            (x,),
            F32,
            (
                load(1, 0),
                f("FOLD", vd=2, va=20, aux=Reduce.MAX),
                f("RED", vd=2, va=1, aux=Reduce.MAX),
                f("FOLD", vd=2, va=2, aux=Reduce.MAX),
                f("SUB", vd=1, va=1, vb=2),
                f("EXP", vd=1, va=1),
                f("SUB", vd=3, va=3, vb=3),
                f("RED", vd=3, va=1, aux=Reduce.SUM),
                f("FOLD", vd=3, va=3, aux=Reduce.SUM),
                f("DIV", vd=1, va=1, vb=3),
                store(1, 1),
            ),
            _softmax,
            (0, 0, 0, 0, -np.inf),
        ),
    ]


def _softmax(x: Array) -> Array:
    rows = x.reshape(-1, VLMAX)
    e = np.exp(rows - rows.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def words(chain: Chain, constants: int) -> list[Fields]:
    """The program; window `constants` holds the constants, as f32 or, below 32 and whole, what CVT makes of them."""
    chunks = chain.inputs[0].size // VLMAX if chain.inputs[0].size <= ELEMENTS else ELEMENTS // VLMAX
    setup = [s("LD", F32, reg=16 + i, win=constants, base=0, index=0, imm=i) for i in range(len(chain.constants))]
    whole = [d("CVT", I32, vd=i, va=i, aux=F32) for i in (18, 19) if len(chain.constants) == 4]
    return [
        s("LI", reg=ONE, imm=1),
        s("LI", reg=TWO, imm=2),
        s("LI", reg=5, imm=chunks),
        *setup,
        *whole,
        c("LOOP", reg=5, imm=len(chain.body) + 2),
        *chain.body,
        s("ADDI", reg=AT, base=AT, imm=VLMAX),
        s("ADDI", reg=TWICE, base=TWICE, imm=2 * VLMAX),
        END,
    ]


def chain_seconds(chain: Chain, isa: str, repeats: int) -> float:
    """The time of the launch alone, as the emulator counts it."""
    builder = Builder()
    args = [builder.input(f"x{i}", x.shape, DTYPE_OF_NUMPY[x.dtype.name]) for i, x in enumerate(chain.inputs)]
    args.append(builder.state("y", (chain.outputs,), chain.out))
    args.append(builder.constant(np.array(chain.constants or (0,), np.float32)))
    builder.vector(words(chain, len(args) - 1), args)
    small = builder.constant(np.zeros(1, np.float32))
    builder.copy(small, builder.output("done", (1,), F32))
    return launch_seconds(builder.image(), {f"x{i}": x for i, x in enumerate(chain.inputs)}, isa, repeats)


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--isa", default="", choices=["", *_native.instruction_sets()])
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    print(f"{'chain':<24} {'ns/element':>10} {'numpy':>8}")
    for chain in chains():
        ours = chain_seconds(chain, options.isa, options.repeats)
        theirs = best_seconds(partial(chain.numpy, *chain.inputs), options.repeats)
        print(f"{chain.name:<24} {ours * 1e9 / ELEMENTS:>10.3f} {theirs * 1e9 / ELEMENTS:>8.3f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
