"""What epilogues take on the vector engine: chunks are whole rows of a tile, as many as the registers have room for."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.builder import Builder
from tests.kpu.programs import ADD_BIAS
from tests.kpu.test_kinds import ran
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.movement.fields import Op
from tfmbs.runtime.abi.types import DType

TARGET, MEMORY, ALU = "kpu-16x16", 12, 4
"""A target of eight lanes, and its latencies of a load and an addition, in cycles."""

WORDS = len(ADD_BIAS)


def biased(m: int, n: int) -> Image:
    """An f32 product in one tile, and a bias."""
    builder = Builder(TARGET)
    x, w = builder.input("x", (m, 8), DType.F32), builder.constant(np.ones((n, 8), np.float32))
    bias = builder.constant(np.arange(n, dtype=np.float32))
    out, schedule = builder.output("y", (m, n), DType.F32), builder.schedule(tiles=(m, n, 8))
    builder.gemm(x, w, out, m=m, n=n, k=8, schedule=schedule, epilogue=builder.epilogue(ADD_BIAS, 1), args=[bias])
    return builder.image()


@pytest.mark.parametrize(
    ("m", "n", "chunks"),
    [
        pytest.param(1, 8, [1], id="a beat"),
        pytest.param(24, 9, [24 * 2], id="rows begin with a beat"),
        pytest.param(30, 40, [12 * 5, 12 * 5, 6 * 5], id="12 rows of 40 have 480 of 512 elements"),
        pytest.param(3, 520, [64, 1] * 3, id="parts of rows"),
    ],
)
def test_chunks_are_whole_rows(m: int, n: int, chunks: list[int]) -> None:
    """The load's first beat is there after its latency, the addition follows beat by beat; sums come in as fast."""
    context = ran(biased(m, n))
    timing = context.timing
    epilogues = timing.column("op") == Op.EPILOGUE
    assert epilogues.sum() == 1
    cycles = int((timing.end - timing.start)[epilogues].sum()) // timing.core_ps
    assert cycles == sum(MEMORY + ALU + beats + beats for beats in chunks)
    assert context.native.counters()[0]["words"] == WORDS * len(chunks)
