"""A golden image with run-time sizes: two pieces of one entry, with a state that outlives a change of size."""

from __future__ import annotations

import numpy as np

from tests.golden.builder import Builder
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.records import Kind, Patched, ProgramKind
from tfmbs.runtime.abi.types import DType, Region

MOST = 6

SUMS = """
  LI s1, {high} | SETVL 6
  LIH s1, {low}
  LI s3, 1
  LI s4, 0
  LD.F32 v1, w1, s0, s3, 0 | LOOP s1, 3
  LD.F32 v2, w0, s4, s3, 0
  ADDI s4, s4, 6
  ADD.F32 v1, v1, v2 | deps LOAD
  ST.F32 v1, w1, s0, s3, 0 | deps COMPUTE+LOAD
  END
"""


def sized() -> Image:
    """Rows of x times a matrix; a state gathers sums of all rows so far. One row is a GEMV of its own."""
    b, rng = Builder("sized"), np.random.default_rng(9)
    w = b.constant("w", rng.standard_normal((6, 8)).astype(np.float32), DType.F32)
    state_name = b.string("total")
    b.image.states.append({"name": state_name, "offset": 0, "bytes": 24})
    total = b.tensor("total", Region.STATE, DType.F32, (6,))
    sums = b.tensor("sums", Region.OUTPUT, DType.F32, (6,), slot=1)
    for rows, kind in ((MOST, Kind.GEMM), (1, Kind.GEMV)):
        x = b.tensor("x", Region.INPUT, DType.F32, (rows, 8))
        y = b.tensor("y", Region.OUTPUT, DType.F32, (rows, 6))
        geometry, schedule = b.gemm(rows, 6, 8), b.schedule(8, 8, 8)
        product = b.launch("product", kind, lhs=x, rhs=w, out=y, geometry=geometry, schedule=schedule)
        text = SUMS.format(high=rows >> 17, low=rows & (1 << 17) - 1)
        first_word = len(b.image.words)
        program = b.program("sums", ProgramKind.VECTOR, 2, 7 + 3 * rows, text)
        summed = b.launch("sums", Kind.VECTOR, [y, total], waits=[product], program=program)
        b.launch("show", Kind.COPY, waits=[summed], lhs=total, out=sums)
        b.entry("main", [x], [y, sums])
        b.size("n", 1 if rows == 1 else 2, rows)
        if rows == 1:
            continue
        one, eight, six = ({"terms": (((1,), factor),)} for factor in (1, 8 * 4, 6 * 4))
        for tensor, size in ((x, eight), (y, six)):
            b.depends(Patched.TENSOR, tensor, "dims", 0, **one)
            b.depends(Patched.TENSOR, tensor, "bytes", **size)
        b.depends(Patched.GEMM_GEOMETRY, geometry, "m", **one)
        b.depends(Patched.SIW, first_word, "s_imm", **one, shift=17)
        b.depends(Patched.SIW, first_word + 1, "s_imm", **one, part=True)
        b.depends(Patched.PROGRAM, program, "max_steps", terms=(((1,), 3), ((0,), 7)))
    return b.finish()
