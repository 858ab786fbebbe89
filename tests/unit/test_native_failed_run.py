"""A context after a run that failed: nothing of that run is left, least of all lanes in memory that is gone."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.builder import END, Builder, c, d, s
from tfmbs.runtime import _native
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.siw import VLMAX
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.devices.emulator import Emulator, EmulatorContext

I32 = DType.I32
ELEMENTS = 1 << 20  # enough for its memory to be unmapped when it is freed
GOOD = np.zeros(16, np.int32)
BAD = np.array([0] * 15 + [-1], np.int32)


def context(isa: str) -> EmulatorContext:
    """y = v5 of the start, which is 0; v5 then borrows lanes of x, and indices i of x are looked at."""
    builder = Builder()
    x, i = builder.input("x", (ELEMENTS,), I32), builder.input("i", (16,), I32)
    y = builder.output("y", (VLMAX,), I32)
    words = [
        {**s("LI", reg=1, imm=1), **c("SETVL", imm=VLMAX)},
        d("MOV", vd=7, va=5),
        s("ST", I32, reg=7, win=2, base=0, index=1),
        s("LD", I32, reg=5, win=0, base=0, index=1),
        c("SETVL", imm=16),
        s("LD", I32, reg=6, win=1, base=0, index=1),
        s("GATHER", I32, reg=8, win=0, base=0, index=6),
        END,
    ]
    builder.vector(words, [x, i, y])
    return Emulator(builder.image(), isa).context(1)


@pytest.mark.parametrize("isa", _native.instruction_sets())
def test_registers_forget_what_a_failed_run_borrowed(isa: str) -> None:
    run = context(isa)
    assert not run.run("main", {"x": np.full(ELEMENTS, 777, np.int32), "i": GOOD})["y"].any()
    with pytest.raises(TfmbsError, match="elements -1 to 0 of window 0"):
        run.run("main", {"x": np.full(ELEMENTS, 777, np.int32), "i": BAD})
    assert not run.run("main", {"x": np.zeros(ELEMENTS, np.int32), "i": GOOD})["y"].any()
