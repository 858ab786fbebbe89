"""Slots S and C: loads, stores, gathers, scatters, scalars, loops, vector length; and what must be refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conformance.builder import DTYPE_OF_NUMPY, END, Builder, Fields, c, d, s
from tests.conformance.devices import DeviceUnderTest
from tests.conformance.siw_model import Machine
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.siw import VLMAX, Predicate, Reduce
from tfmbs.runtime.abi.types import DTYPES, DType

Array = NDArray[Any]
F32, I32 = DType.F32, DType.I32
LANE_TYPES = [DType.BOOL, DType.I8, DType.U8, DType.I16, DType.U16, I32, DType.U32, F32]


def compare_with_model(
    device: DeviceUnderTest, words: Sequence[Fields], inputs: Sequence[Array], output: Array
) -> None:
    """Runs a program on windows (the inputs, then one output like `output`), here and in the model; by bytes.

    The output starts as zeros, which a first launch writes.
    """
    builder = Builder()
    tensors = [builder.input(f"x{i}", x.shape, DTYPE_OF_NUMPY[x.dtype.name]) for i, x in enumerate(inputs)]
    zeros = builder.constant(np.zeros_like(output))
    out = builder.output("y", output.shape, DTYPE_OF_NUMPY[output.dtype.name])
    builder.copy(zeros, out)
    builder.vector(words, [*tensors, out])
    expected = np.zeros_like(output).reshape(-1)
    Machine([*(x.reshape(-1) for x in inputs), expected]).run(words)
    result = device.run(builder.image(), {f"x{i}": x for i, x in enumerate(inputs)})["y"]
    assert result.tobytes() == expected.tobytes()


def patterns(dtype: DType, size: int, seed: int = 1) -> Array:
    rng = np.random.default_rng(seed)
    if dtype is DType.BOOL:
        return rng.integers(0, 2, size).astype(bool)
    return rng.integers(0, 256, size * DTYPES[dtype].bits // 8).astype(np.uint8).view(DTYPES[dtype].numpy)


@pytest.mark.parametrize("stride", [1, 3, 0, -2])
@pytest.mark.parametrize("dtype", LANE_TYPES, ids=lambda dtype: dtype.name)
def test_load_widens_and_strides(device: DeviceUnderTest, dtype: DType, stride: int) -> None:
    words = [
        {**s("LI", reg=1, imm=70), **c("SETVL", imm=21)},
        s("LI", reg=2, imm=stride),
        s("LI", reg=3, imm=1),
        s("LD", dtype, reg=5, win=0, base=1, index=2, imm=-11),
        s("ST", I32, reg=5, win=1, base=0, index=3, imm=2),
        END,
    ]
    compare_with_model(device, words, [patterns(dtype, 200)], np.zeros(40, np.int32))


@pytest.mark.parametrize("stride", [1, 3, 0, -2])
@pytest.mark.parametrize("dtype", LANE_TYPES, ids=lambda dtype: dtype.name)
def test_store_narrows_and_strides(device: DeviceUnderTest, dtype: DType, stride: int) -> None:
    words = [
        {**s("LI", reg=1, imm=50), **c("SETVL", imm=20)},
        s("LI", reg=2, imm=stride),
        s("LI", reg=3, imm=1),
        s("LD", I32, reg=5, win=0, base=0, index=3),
        s("ST", dtype, reg=5, win=1, base=1, index=2),
        END,
    ]
    source = patterns(I32, 20)
    source[[1, 4]] = 0
    compare_with_model(device, words, [source], np.zeros(120, DTYPES[dtype].numpy))


@pytest.mark.parametrize("dtype", LANE_TYPES, ids=lambda dtype: dtype.name)
def test_gather_and_scatter(device: DeviceUnderTest, dtype: DType) -> None:
    """Indices repeat: the scatter writes in ascending lanes, so the last one stays."""
    rng = np.random.default_rng(3)
    words = [
        {**s("LI", reg=1, imm=9), **c("SETVL", imm=33)},
        s("LI", reg=3, imm=1),
        s("LD", I32, reg=4, win=1, base=0, index=3),
        s("GATHER", dtype, reg=5, win=0, base=1, index=4),
        s("SCATTER", dtype, reg=5, win=2, base=1, index=4, imm=-2),
        END,
    ]
    index = rng.integers(-9, 12, 33).astype(np.int32) + 2
    index[:3] = [-7, 13, -7]
    compare_with_model(device, words, [patterns(dtype, 30), index], np.zeros(30, DTYPES[dtype].numpy))


def test_slots_read_before_any_writes(device: DeviceUnderTest) -> None:
    """One word: D overwrites what S stores, or what S indexes by, or reads what S loads."""
    words = [
        {**s("LI", reg=3, imm=1), **c("SETVL", imm=8)},
        s("LD", I32, reg=1, win=0, base=0, index=3),
        s("LI", reg=2, imm=8),
        {**d("ADD", I32, vd=1, va=1, vb=1), **s("ST", I32, reg=1, win=2, base=0, index=3)},
        {**d("ADD", I32, vd=4, va=1, vb=1), **s("LD", I32, reg=1, win=0, base=2, index=3)},
        s("ST", I32, reg=4, win=2, base=0, index=3, imm=8),
        s("LD", I32, reg=6, win=1, base=0, index=3),
        {**d("SUB", I32, vd=6, va=5, vb=6), **s("GATHER", I32, reg=5, win=0, base=0, index=6)},
        s("ST", I32, reg=5, win=2, base=0, index=3, imm=16),
        s("ST", I32, reg=6, win=2, base=0, index=3, imm=24),
        {**d("ADD", I32, vd=5, va=5, vb=5), **s("SCATTER", I32, reg=5, win=2, base=2, index=1, imm=24)},
        END,
    ]
    source = np.arange(16, dtype=np.int32)
    source[8:] = source[:8] % 3
    compare_with_model(device, words, [source, source[::-1].copy() % 8], np.zeros(40, np.int32))


def test_scalars_wrap_and_s0_is_zero(device: DeviceUnderTest) -> None:
    """2⁶² · 4 wraps to 0; constants of more than 17 bits come from LIH; addresses use all of it."""
    words = [
        {**s("LI", reg=1, imm=1), **c("SETVL", imm=2)},
        s("LI", reg=2, imm=1),
        s("LIH", reg=2, imm=5),
        s("ADDI", reg=3, base=2, imm=-65536),
        s("LI", reg=4, imm=16384),
        s("SMUL", reg=4, base=4, index=4),
        s("SMUL", reg=4, base=4, index=4),
        s("LI", reg=5, imm=64),
        s("SMUL", reg=4, base=4, index=5),
        s("SADD", reg=4, base=4, index=4),
        s("SADD", reg=4, base=4, index=4),
        s("SADD", reg=3, base=3, index=4),
        s("LI", reg=6, imm=-65536),
        s("SADD", reg=3, base=3, index=6),
        s("LD", I32, reg=7, win=0, base=3, index=1),
        s("ST", I32, reg=7, win=1, base=0, index=1),
        END,
    ]
    compare_with_model(device, words, [patterns(I32, 600)], np.zeros(2, np.int32))


def test_control_reads_its_register_before_the_word_writes_it(device: DeviceUnderTest) -> None:
    words = [
        {**s("LI", reg=1, imm=1), **c("SETVL", imm=1)},
        s("LI", reg=2, imm=3),
        {**s("LI", reg=2, imm=7), **c("LOOP", reg=2, imm=1)},
        {**d("ADD", I32, vd=1, va=1, vb=1), **s("ADDI", reg=3, base=3, imm=1)},
        s("LD", I32, reg=1, win=0, base=3, index=1),
        s("ST", I32, reg=1, win=1, base=0, index=1),
        {**s("LI", reg=2, imm=2), **c("SETVLR", reg=2)},
        s("LD", I32, reg=1, win=0, base=0, index=1),
        s("ST", I32, reg=1, win=1, base=0, index=1, imm=1),
        END,
    ]
    compare_with_model(device, words, [patterns(I32, 10)], np.zeros(12, np.int32))


def test_nested_loops_with_a_shared_end(device: DeviceUnderTest) -> None:
    """Three loops, two of which end in the same word; a loop over zero trips is skipped."""
    words = [
        {**s("LI", reg=1, imm=1), **c("SETVL", imm=1)},
        s("LI", reg=2, imm=3),
        s("LI", reg=3, imm=2),
        s("LD", I32, reg=2, win=0, base=0, index=1),
        c("LOOP", reg=2, imm=7),
        c("LOOP", reg=0, imm=2),
        s("ADDI", reg=4, base=4, imm=100),
        s("ADDI", reg=5, base=5, imm=100),
        {**d("ADD", I32, vd=1, va=1, vb=2), **c("LOOP", reg=3, imm=3)},
        s("ST", I32, reg=1, win=1, base=4, index=1),
        {**d("MUL", I32, vd=1, va=1, vb=1), **s("ADDI", reg=4, base=4, imm=1)},
        {},
        s("ST", I32, reg=1, win=1, base=4, index=1),
        END,
    ]
    compare_with_model(device, words, [np.array([3], np.int32)], np.zeros(10, np.int32))


@pytest.mark.parametrize("length", [1, 511, 512, 513, 1300])
def test_strip_mining_with_a_tail(device: DeviceUnderTest, length: int) -> None:
    """y = max(x, 0) · 2 over any length: SETVLR clamps to VLMAX and to 1."""
    words = [
        s("LI", reg=1, imm=1),
        s("LI", reg=2, imm=length),
        s("LI", reg=4, imm=-(-length // VLMAX)),
        c("LOOP", reg=4, imm=7),
        c("SETVLR", reg=2),
        s("LD", F32, reg=1, win=0, base=3, index=1),
        d("MAX", F32, vd=1, va=1, vb=0),
        d("ADD", F32, vd=1, va=1, vb=1),
        s("ST", F32, reg=1, win=1, base=3, index=1),
        s("ADDI", reg=3, base=3, imm=VLMAX),
        s("ADDI", reg=2, base=2, imm=-VLMAX),
        END,
    ]
    x = np.random.default_rng(4).standard_normal(length).astype(np.float32)
    compare_with_model(device, words, [x], np.zeros(length, np.float32))


def test_reduction_over_many_chunks(device: DeviceUnderTest) -> None:
    """Sixteen partial sums over 1,100 elements, folded once: the written order of vector sums."""
    words = [
        s("LI", reg=1, imm=1),
        s("LI", reg=2, imm=1100),
        s("LI", reg=4, imm=3),
        c("LOOP", reg=4, imm=5),
        c("SETVLR", reg=2),
        s("LD", F32, reg=1, win=0, base=3, index=1),
        d("RED", F32, vd=2, va=1, aux=Reduce.SUM),
        s("ADDI", reg=3, base=3, imm=VLMAX),
        s("ADDI", reg=2, base=2, imm=-VLMAX),
        {**d("FOLD", F32, vd=2, va=2, aux=Reduce.SUM), **c("SETVL", imm=1)},
        s("ST", F32, reg=2, win=1, base=0, index=1),
        END,
    ]
    x = (np.random.default_rng(5).standard_normal(1100) * 1e3).astype(np.float32)
    partials = np.zeros(16, np.float32)
    for i, value in enumerate(x):
        partials[i % 16] += value
    for half in (8, 4, 2, 1):
        partials[:half] += partials[half : 2 * half]
    builder = Builder()
    builder.vector(words, [builder.input("x0", x.shape, F32), builder.output("y", (1,), F32)])
    assert device.run(builder.image(), {"x0": x})["y"].tobytes() == partials[:1].tobytes()
    compare_with_model(device, words, [x], np.zeros(1, np.float32))


def test_registers_start_as_zero_in_every_run(device: DeviceUnderTest) -> None:
    """The second launch of the same program sees nothing of the first one."""
    words = [
        {**s("LI", reg=1, imm=1), **c("SETVL", imm=4)},
        {**d("CMP", I32, vd=2, va=0, vb=0, aux=Predicate.OEQ), **s("ADDI", reg=5, base=5, imm=1)},
        {**d("ADD", I32, vd=3, va=3, vb=2), **s("LD", I32, reg=1, win=0, base=0, index=1)},
        s("ST", I32, reg=3, win=1, base=5, index=1, imm=-1),
        END,
    ]
    builder = Builder()
    x = builder.input("x", (4,), I32)
    outputs = [builder.output(name, (4,), I32) for name in ("a", "b")]
    for out in outputs:
        builder.vector(words, [x, out])
    context = device.open(builder.image())
    for _ in range(2):
        result = context.run("main", {"x": np.full(4, 9, np.int32)})
        assert result["a"].tolist() == result["b"].tolist() == [1, 1, 1, 1]


# --- refused ----------------------------------------------------------------------------------------------------------


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
