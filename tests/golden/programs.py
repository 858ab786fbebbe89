"""Golden images of vector programs: loops, state, gathers and scatters, a loop that is left."""

from __future__ import annotations

import numpy as np

from tests.golden.builder import Builder, row
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.records import Kind, ProgramKind
from tfmbs.runtime.abi.types import DType, Region

SOFTMAX = """
  LI s1, 3 | SETVL 512
  LI s3, 1
  LD.F32 v6, w2, s0, s0, 0 | SETVL 5
  LOOP s1, 11
  MOV v2, v6 | LD.F32 v1, w0, s2, s3, 0 | deps LOAD
  RED.F32 v2, v1, MAX | deps LOAD
  MOV v4, v7
  FOLD.F32 v3, v2, MAX
  SUB.F32 v1, v1, v3
  EXP.F32 v1, v1
  RED.F32 v4, v1, SUM | deps COMPUTE
  FOLD.F32 v5, v4, SUM
  DIV.F32 v1, v1, v5
  ST.F32 v1, w1, s2, s3, 0 | deps COMPUTE
  ADDI s2, s2, 5
  END
"""


def softmax() -> Image:
    """A vector program: the softmax of three rows, with a hardware loop."""
    b = Builder("softmax")
    x = b.tensor("x", Region.INPUT, DType.F32, (3, 5))
    y = b.tensor("y", Region.OUTPUT, DType.F32, (3, 5))
    low = b.constant("low", np.array([-np.inf], np.float32), DType.F32)
    program = b.program("softmax", ProgramKind.VECTOR, 3, 38, SOFTMAX)
    launch = b.launch("softmax", Kind.VECTOR, [x, y, low], program=program)
    b.origin(launch, "node exp", 9, 2, 0b001)
    b.origin(launch, "node div", 12, 1, 0b001)
    b.entry("main", [x], [y])
    return b.finish()


def state() -> Image:
    """Two entries that share a state: one adds its input to it, the other returns it."""
    b = Builder("state", "kpu-edge")
    b.image.states.append(row("state", name=b.string("total"), bytes=16))
    total = b.tensor("total", Region.STATE, DType.I32, (4,))
    x = b.tensor("x", Region.INPUT, DType.I32, (4,))
    y = b.tensor("y", Region.OUTPUT, DType.I32, (4,))
    program = b.program(
        "add",
        ProgramKind.VECTOR,
        2,
        5,
        "LI s1, 1 | SETVL 4\nLD.I32 v0, w0, s0, s1, 0\nLD.I32 v1, w1, s0, s1, 0\nADD.I32 v0, v0, v1 | deps LOAD\n"
        "ST.I32 v0, w1, s0, s1, 0 | END",
    )
    b.launch("add", Kind.VECTOR, [x, total], program=program)
    b.entry("add", [x], [])
    b.image.entries[0]["outputs_count"] = 0
    b.launch("get", Kind.COPY, lhs=total, out=y)
    b.entry("get", [], [y])
    return b.finish()


PERMUTE = """
  LI s1, 2 | SETVL 6
  LI s3, 1
  LI s4, 0
  LIH s4, 6
  LD.I32 v1, w1, s0, s3, 0 | SETVLR s4
  LI s5, 2 | LOOP s1, 5
  LOOP s5, 4
  GATHER.I8 v2, w0, s2, v1, 0 | deps LOAD
  CVT.I16 v3, v2, I8 | deps LOAD
  TACC.I32 v3, v2, v1 | SCATTER.I32 v3, w2, s2, v1, 0
  SADD s2, s2, s4
  END
"""


def mixed() -> Image:
    """A batched product whose right operand is k by n, and a vector program with nested loops, gather and scatter."""
    b = Builder("mixed")
    a = b.tensor("a", Region.INPUT, DType.F32, (2, 2, 4))
    w = b.tensor("w", Region.INPUT, DType.F32, (2, 4, 3), slot=1)
    x = b.tensor("x", Region.INPUT, DType.I8, (4, 6), slot=2)
    p = b.tensor("p", Region.OUTPUT, DType.F32, (2, 2, 3))
    y = b.tensor("y", Region.OUTPUT, DType.I32, (4, 6), slot=1)
    order = b.constant("order", np.array([3, 1, 5, 0, 2, 4], np.int32), DType.I32)
    geometry = b.geometry(
        "gemm_geometry",
        batch=2,
        m=2,
        n=3,
        k=4,
        lhs_batch_stride=8,
        lhs_m_stride=4,
        lhs_k_stride=1,
        rhs_batch_stride=12,
        rhs_n_stride=1,
        rhs_k_stride=3,
    )
    b.launch("product", Kind.GEMM, lhs=a, rhs=w, out=p, geometry=geometry, schedule=b.schedule(2, 3, 4))
    program = b.program("permute", ProgramKind.VECTOR, 3, 26, PERMUTE)
    b.launch("permute", Kind.VECTOR, [x, order, y], program=program)
    b.entry("main", [a, w, x], [p, y])
    return b.finish()


COLLATZ = """
  SETVL 64 | LI s1, 1000
  LI s2, 1
  INDEX.I32 v9, s0, s0, 1
  LD.I32 v0, w0, s0, s2, 0
  INDEX.I32 v8, s0, s0, 113
  REM.U32 v0, v0, v8 | deps LOAD
  ADD.I32 v0, v0, v9 | deps COMPUTE
  LOOP s1, 9
    CMP.I32 v1, v0, v9, OGT
    ADD.I32 v4, v4, v1 | REDUCE.I32 v2, v1, MAX
    FOLD.I32 v3, v2, MAX
    SUB.I32 v2, v2, v2 | SGET.I32 s4, v3
    SHRL.I32 v5, v0, v9 | BREAK s4
    AND.I32 v6, v0, v9 | INDEX.I32 v7, s0, s0, 3
    FMA.I32 v7, v0, v7, v9
    SEL v7, v6, v7, v5
    SEL v0, v1, v7, v0
  ST.I32 v4, w1, s0, s2, 0
  END
"""


def collatz() -> Image:
    """Steps of the Collatz sequence of 64 numbers: a loop that is left when all lanes have arrived at 1."""
    b = Builder("collatz")
    x = b.tensor("x", Region.INPUT, DType.I32, (64,))
    steps = b.tensor("steps", Region.OUTPUT, DType.I32, (64,))
    program = b.program("collatz", ProgramKind.VECTOR, 2, 8 + 1000 * 9 + 2, COLLATZ)
    b.launch("collatz", Kind.VECTOR, [x, steps], program=program)
    b.entry("main", [x], [steps])
    return b.finish()
