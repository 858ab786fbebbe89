"""The quick special functions of an instruction set have the bits of the steps; their tables are fresh."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.fit_tables import PATH, header
from tests.conformance.builder import END, Builder, c, d, s
from tfmbs.runtime import _native
from tfmbs.runtime.abi.siw import VLMAX
from tfmbs.runtime.abi.special_model import evaluate
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.devices.emulator import Emulator

F32 = DType.F32
TURNS = 512


def test_tables_are_fresh() -> None:
    assert PATH.read_text(encoding="utf-8") == header(), "run: python -m benchmarks.fit_tables"


@pytest.mark.parametrize("isa", _native.instruction_sets())
@pytest.mark.parametrize("name", ["EXP", "ERF", "GELU"])
def test_bits_of_the_steps(name: str, isa: str) -> None:
    """A quarter of a million arguments: all bits, and those where the function is neither 0 nor 1; VLs with a tail."""
    rng = np.random.default_rng(5)
    count = TURNS * VLMAX
    anything = rng.integers(0, 1 << 32, count // 4, dtype=np.uint32).view(np.float32)
    scale = rng.choice([1e-30, 1e-3, 1, 4, 30], count - len(anything))
    x = np.concatenate([anything, (rng.standard_normal(len(scale)) * scale).astype(np.float32)])
    builder = Builder()
    source, target = builder.input("x", x.shape, F32), builder.output("y", x.shape, F32)
    body = [c("RECV", F32, reg=2, src=0), d(name, F32, vd=3, va=2), c("SEND", F32, reg=3, src=1)]
    words = [
        {**s("LI", reg=2, imm=TURNS), **c("SETVL", imm=VLMAX - 3)},
        c("LOOP", reg=2, imm=len(body)),
        *body,
        {**s("LI", reg=2, imm=3 * TURNS), **c("SETVL", imm=1)},
        c("LOOP", reg=2, imm=len(body)),
        *body,
        END,
    ]
    builder.vector(words, [source, target])
    got = Emulator(builder.image(), isa).context(1).run("main", {"x": x})["y"]
    assert got.tobytes() == evaluate(name.lower(), x).tobytes()
