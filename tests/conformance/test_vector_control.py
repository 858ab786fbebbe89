"""Slot C and scalars: loops, skipped words, vector length, and what a program starts from."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.builder import END, Builder, Fields, c, d, s
from tests.conformance.devices import DeviceUnderTest
from tests.conformance.vector_programs import compare_with_model, patterns
from tfmbs.runtime.abi.siw import VLMAX, Predicate, Reduce
from tfmbs.runtime.abi.types import DType

F32, I32 = DType.F32, DType.I32


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


def mark(number: int) -> list[Fields]:
    """Two words that send a number to window 0, where VL is 1."""
    return [s("INDEX", I32, reg=9, imm=number, base=0, index=0), c("SEND", I32, reg=9, src=0)]


def test_skip(device: DeviceUnderTest) -> None:
    """Where the scalar is 0; nested; ending with the loop around it; the scalar is read before the word writes it."""
    words = [
        {**s("LI", reg=1, imm=1), **c("SETVL", imm=1)},
        s("LI", reg=2, imm=-3),
        c("SKIP", reg=0, imm=2),
        *mark(1),
        c("SKIP", reg=2, imm=2),
        *mark(2),
        {**s("LI", reg=3, imm=0), **c("SKIP", reg=1, imm=5)},
        *mark(3),
        {**s("LI", reg=3, imm=9), **c("SKIP", reg=3, imm=2)},
        *mark(4),
        s("LI", reg=4, imm=3),
        c("LOOP", reg=4, imm=6),
        s("ADDI", reg=5, base=5, imm=-1),
        *mark(5),
        {**s("ADDI", reg=6, base=5, imm=2), **c("SKIP", reg=6, imm=2)},
        *mark(6),
        *mark(7),
        END,
    ]
    compare_with_model(device, words, [], np.zeros(9, np.int32))


def test_break(device: DeviceUnderTest) -> None:
    """Leaves the innermost loop only, after its word; from inside a skipped part; in the last word of two loops."""
    words = [
        {**s("LI", reg=1, imm=1), **c("SETVL", imm=1)},
        s("LI", reg=2, imm=4),
        c("LOOP", reg=2, imm=8),
        s("ADDI", reg=3, base=0, imm=-3),
        c("LOOP", reg=2, imm=6),
        s("ADDI", reg=3, base=3, imm=1),
        c("SKIP", reg=3, imm=1),
        c("BREAK", reg=2),
        *mark(1),
        {**s("ADDI", reg=4, base=4, imm=1), **c("BREAK", reg=3)},
        s("LI", reg=5, imm=65535),
        c("LOOP", reg=5, imm=5),
        s("ADDI", reg=6, base=6, imm=1),
        s("ADDI", reg=7, base=6, imm=-40),
        *mark(2),
        c("BREAK", reg=7),
        s("INDEX", I32, reg=9, base=4, index=0),
        c("SEND", I32, reg=9, src=0),
        END,
    ]
    compare_with_model(device, words, [], np.zeros(60, np.int32))


@pytest.mark.parametrize("vl", [1, 3, 512])
def test_results_that_fill_a_register_keep_nothing(device: DeviceUnderTest, vl: int) -> None:
    """LAST and FOLD write all lanes whatever VL is; SCAN, RED and CAST leave the lanes from VL on."""
    words = [
        {**s("LI", reg=1, imm=1), **c("SETVL", imm=VLMAX)},
        s("LD", I32, reg=2, win=0, base=0, index=1),
        d("MOV", vd=3, va=2),
        {**d("MOV", vd=4, va=2), **c("SETVL", imm=vl)},
        {**d("LAST", vd=3, va=2), **c("REDUCE", I32, reg=4, src=2, aux=Reduce.XOR)},
        {**d("SCAN", I32, vd=2, va=2, vb=2, aux=Reduce.MAX), **c("CAST", DType.I8, reg=5, src=2, aux=I32)},
        c("SETVL", imm=VLMAX),
        *(c("SEND", I32, reg=register, src=1) for register in (2, 3, 4, 5)),
        END,
    ]
    compare_with_model(device, words, [patterns(I32, VLMAX)], np.zeros(4 * VLMAX, np.int32))
