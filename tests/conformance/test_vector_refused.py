"""What a device must refuse while a vector program runs: accesses outside windows, and too many steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.conformance.builder import END, Builder, Fields, c, s
from tests.conformance.devices import DeviceUnderTest
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.siw import VLMAX
from tfmbs.runtime.abi.types import DType

F32, I32 = DType.F32, DType.I32


def refused(device: DeviceUnderTest, words: Sequence[Fields], max_steps: int = 1 << 20) -> TfmbsError:
    """The error of a program on an input of 100 elements, indices (100, −1, 0, …), and an output of 100."""
    builder = Builder()
    x, index = builder.input("x", (100,), F32), builder.input("i", (100,), I32)
    out = builder.output("y", (100,), F32)
    builder.copy(builder.constant(np.zeros(100, np.float32)), out)
    builder.vector(words, [x, index, out], max_steps)
    indices = np.zeros(100, np.int32)
    indices[:2] = 100, -1
    with pytest.raises(TfmbsError) as caught:
        device.run(builder.image(), {"x": np.zeros(100, np.float32), "i": indices})
    return caught.value


STRIDE_ONE = s("LI", reg=1, imm=1)
HUGE = [s("LI", reg=2, imm=-1), s("LIH", reg=2, imm=0), s("LIH", reg=2, imm=0), s("LIH", reg=2, imm=0)]


@pytest.mark.parametrize(
    ("access", "vl", "text"),
    [
        (s("LD", F32, reg=1, win=0, base=0, index=1), 101, "elements 0 to 100 of window 0, which has 100"),
        (s("LD", F32, reg=1, win=0, base=0, index=1, imm=-1), 1, "elements -1 to -1"),
        (s("ST", F32, reg=1, win=2, base=0, index=1, imm=100), 1, "elements 100 to 100 of window 2"),
        (s("LD", F32, reg=1, win=0, base=0, index=2), 3, "elements -4503599627370496 to 0"),
        (s("LD", F32, reg=1, win=0, base=2, index=2), VLMAX, "elements "),
        (s("ST", F32, reg=1, win=2, base=1, index=3), 100, "elements -98 to 1"),
    ],
    ids=["beyond", "before", "store-beyond", "huge-stride", "huge-base", "negative-stride"],
)
def test_access_outside_a_window(device: DeviceUnderTest, access: Fields, vl: int, text: str) -> None:
    words = [{**STRIDE_ONE, **c("SETVL", imm=vl)}, s("LI", reg=3, imm=-1), *HUGE, access, END]
    error = refused(device, words)
    assert error.code == "siw.address"
    assert error.location == "program0 word 6"
    assert text in str(error)


def test_address_beyond_64_bits_does_not_wrap(device: DeviceUnderTest) -> None:
    """−2⁶³ + a negative immediate lies below every i64; wrapped, it would be a small positive index."""
    lowest = [s("LI", reg=2, imm=-1), *[s("SADD", reg=2, base=2, index=2) for _ in range(63)]]
    words = [{**STRIDE_ONE, **c("SETVL", imm=1)}, *lowest, s("LD", F32, reg=1, win=0, base=2, index=1, imm=-1), END]
    error = refused(device, words)
    assert (error.code, "below -2^63" in str(error)) == ("siw.address", True)


@pytest.mark.parametrize("lane", [0, 1])
@pytest.mark.parametrize("op", ["GATHER", "SCATTER"])
def test_index_outside_a_window(device: DeviceUnderTest, op: str, lane: int) -> None:
    load = s("LD", I32, reg=4, win=1, base=0, index=1, imm=lane)
    access = s(op, F32, reg=1, win=0 if op == "GATHER" else 2, base=0, index=4)
    error = refused(device, [{**STRIDE_ONE, **c("SETVL", imm=3)}, load, access, END])
    assert (error.code, error.location) == ("siw.address", "program0 word 2")


def test_program_beyond_its_steps(device: DeviceUnderTest) -> None:
    """A loop whose count the verifier cannot know (it changes from trip to trip) is stopped by the device."""
    words = [
        s("LI", reg=2, imm=8),
        c("LOOP", reg=2, imm=3),
        {**s("ADDI", reg=2, base=2, imm=5), **c("LOOP", reg=2, imm=1)},
        {},
        {},
        END,
    ]
    error = refused(device, words, max_steps=60)
    assert error.code == "siw"
    assert "more than 60 steps" in str(error)


@pytest.mark.parametrize("op", ["RECV", "SEND"])
def test_stream_beyond_its_window(device: DeviceUnderTest, op: str) -> None:
    """The second half of the elements fits, one more does not; a cursor that failed is not used again."""
    stream = c(op, F32, reg=1, src=0 if op == "RECV" else 2)
    error = refused(device, [c("SETVL", imm=50), stream, stream, c("SETVL", imm=1), stream, END])
    assert (error.code, error.location) == ("siw.address", "program0 word 4")
    assert "elements 100 to 100 of window" in str(error)


@pytest.mark.parametrize("op", ["GATHER64", "SCATTER64"])
def test_wide_index_outside_a_window(device: DeviceUnderTest, op: str) -> None:
    """An index that comes near 2⁶³ does not wrap back into the window."""
    lowest = [s("LI", reg=2, imm=-1), *[s("SADD", reg=2, base=2, index=2) for _ in range(63)]]
    access = s(op, F32, reg=1, win=0 if op == "GATHER64" else 2, base=2, index=4)
    words = [{**STRIDE_ONE, **c("SETVL", imm=2)}, *lowest, s("INDEX", DType.I64, reg=4, base=2, index=1), access, END]
    error = refused(device, words)
    assert error.code == "siw.address"
    assert "below -2^63" in str(error)


def test_endless_loop(device: DeviceUnderTest) -> None:
    """A loop over a count that only the device knows, whose BREAK never leaves it."""
    count = [s("INDEX", DType.I64, reg=4, base=0, index=0, imm=65535), s("SGET", DType.I64, reg=2, index=4)]
    words = [STRIDE_ONE, *count, c("LOOP", reg=2, imm=2), c("BREAK", reg=1), {}, END]
    error = refused(device, words, max_steps=1000)
    assert error.code == "siw"
    assert "more than 1000 steps" in str(error)
