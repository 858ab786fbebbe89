"""Golden images with 64-bit lanes, small floats, conversions and special functions."""

from __future__ import annotations

import numpy as np

from tests.golden.builder import Builder
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.records import Kind, ProgramKind
from tfmbs.runtime.abi.types import DType, Region

RUNNING = """
  LI s1, 5 | SETVL 8
  LI s2, 1
  LOOP s1, 11
    LD.I64 v4, w1, s3, s2, 0 | RECV.F64 v2, w0
    GATHER64.F64 v6, w0, s0, v4, 0 | deps LOAD-1
    FMA.F64 v8, v2, v6, v6 | SGET.I64 s4, v4 | deps LOAD
    SCAN.F64 v10, v8, v12, SUM | ADDI s3, s3, 8 | CAST.F16 v14, v8, F64
    REDUCE.F64 v18, v8, MAX
    SKIP s4, 2
      NEG.F64 v10, v10 | deps COMPUTE
      CVT.BF16 v15, v10, F64
    LAST64 v12, v10 | SEND.F64 v10, w2 | deps COMPUTE
    ST.F16 v14, w3, s3, s2, -8
    ST.BF16 v15, w4, s3, s2, -8
  FOLD.F64 v20, v18, MAX
  SETVL 1
  ST.F64 v20, w5, s0, s0, 0
  END
"""


def running() -> Image:
    """Sums of f64 that run on from chunk to chunk: pairs of registers, streams, conversions, gathers by i64, a skip."""
    b = Builder("running")
    x = b.tensor("x", Region.INPUT, DType.F64, (5, 8))
    order = b.constant("order", np.random.default_rng(7).permutation(40).astype(np.int64), DType.I64)
    sums = b.tensor("sums", Region.OUTPUT, DType.F64, (5, 8))
    half = b.tensor("half", Region.OUTPUT, DType.F16, (40,), slot=1)
    brain = b.tensor("brain", Region.SCRATCH, DType.BF16, (40,))
    wide = b.tensor("wide", Region.OUTPUT, DType.F32, (40,), slot=2)
    most = b.tensor("most", Region.OUTPUT, DType.F64, (1,), slot=3)
    program = b.program("running", ProgramKind.VECTOR, 6, 3 + 5 * 11 + 4, RUNNING)
    done = b.launch("running", Kind.VECTOR, [x, order, sums, half, brain, most], program=program)
    text = "SETVL 40\nRECV.BF16 v0, w0\nSEND.F32 v0, w1 | deps LOAD\nEND"
    widen = b.program("widen", ProgramKind.VECTOR, 2, 4, text)
    b.launch("widen", Kind.VECTOR, [brain, wide], [done], program=widen)
    b.entry("main", [x], [sums, half, wide, most], scratch=128)
    return b.finish()


def widened() -> Image:
    """An f32 product whose epilogue adds the element's number and gives f64 results."""
    b, rng = Builder("widened"), np.random.default_rng(9)
    x = b.tensor("x", Region.INPUT, DType.F32, (3, 16))
    y = b.tensor("y", Region.OUTPUT, DType.F64, (3, 5))
    w = b.constant("w", rng.standard_normal((5, 16)).astype(np.float32), DType.F32)
    text = "TANH.F32 v5, v0 | INDEX.I64 v2, s1, s4, 0\nCVT.F64 v2, v2, I64\n"
    text += "SQRT.F64 v2, v2 | CAST.F64 v6, v5, F32 | deps COMPUTE\nADD.F64 v0, v6, v2 | END | deps COMPUTE"
    program = b.program("number", ProgramKind.EPILOGUE, 0, 4, text)
    geometry = b.gemm(3, 5, 16)
    b.launch(
        "product", Kind.GEMM, lhs=x, rhs=w, out=y, geometry=geometry, schedule=b.schedule(2, 3, 16), program=program
    )
    b.entry("main", [x], [y])
    return b.finish()


FUNCTIONS = ("RSQRT", "EXP", "LOG", "TANH", "ERF", "SIN", "COS", "SIGMOID", "GELU", "SQRT", "ROUNDA", "POW", "REM")


def functions() -> Image:
    """Every special function of f32 and f64, the remainder and rounding, as streams."""
    b = Builder("functions")
    x = b.tensor("x", Region.INPUT, DType.F64, (64,))
    wide = b.tensor("wide", Region.OUTPUT, DType.F64, (len(FUNCTIONS), 64))
    narrow = b.tensor("narrow", Region.OUTPUT, DType.F32, (len(FUNCTIONS), 64), slot=1)
    half = b.constant("half", np.array([0.5]), DType.F64)
    text = "SETVL 64 | LI s1, 1\nLD.F64 v0, w0, s0, s1, 0\nLD.F64 v2, w3, s0, s0, 0\n"
    text += "MUL.F64 v0, v0, v2 | deps LOAD\nCVT.F32 v4, v0, F64\nCVT.F32 v5, v2, F64\n"
    for name in FUNCTIONS:
        second = name in ("POW", "REM")
        text += f"{name}.F64 v6, v0{', v2' if second else ''} | deps COMPUTE\n"
        text += f"{name}.F32 v8, v4{', v5' if second else ''} | deps COMPUTE\n"
        text += "SEND.F64 v6, w1 | deps COMPUTE\nSEND.F32 v8, w2\n"
    program = b.program("functions", ProgramKind.VECTOR, 4, 7 + 4 * len(FUNCTIONS), text + "END")
    b.launch("functions", Kind.VECTOR, [x, wide, narrow, half], program=program)
    b.entry("main", [x], [wide, narrow])
    return b.finish()
