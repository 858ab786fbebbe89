"""Programs that quantize one buffer into another one: bytes, counters and errors are those of the interpreter on the
baseline set, also where a program is not quite that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.conformance.builder import END, Builder, Fields, c, d, s
from tfmbs.runtime import _native
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.siw import VLMAX
from tfmbs.runtime.abi.siw_op import Predicate
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.devices.emulator import Emulator

Array = NDArray[Any]
F32, I32, I8 = DType.F32, DType.I32, DType.I8
SETS = (*_native.instruction_sets(), *_native.modelled_sets())
SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, 3e38, -3e38], np.float32)


def constant(reg: int, scalar: int, number: float) -> list[Fields]:
    """The number in all lanes of a register, by way of a scalar."""
    bits = int(np.float32(number).view(np.int32))
    low = bits & 0x1FFFF
    load = [s("LI", reg=scalar, imm=bits >> 17), s("LIH", reg=scalar, imm=low - (low >> 16 << 17))]
    return [*load, s("INDEX", I32, reg=reg, base=scalar, index=0)]


@dataclass(frozen=True)
class Quantization:
    """Of `turns` + 2 blocks of `length` elements, `extra` more in memory: the next block is received before the last
    one is stored, as the scheduler has it."""

    length: int
    turns: int
    scale: float
    zero: int
    low: int
    extra: int

    @property
    def size(self) -> int:
        return self.length * (self.turns + 1)

    def words(self) -> list[Fields]:
        uno = int(Predicate.UNO)
        head = [
            d("DIV", F32, vd=6, va=5, vb=0),
            d("ROUND", F32, vd=7, va=6),
            d("ADD", F32, vd=8, va=7, vb=1),
            d("MAX", F32, vd=9, va=8, vb=2),
            d("MIN", F32, vd=10, va=9, vb=3),
        ]
        receive = c("RECV", F32, reg=5, src=0)
        select = d("SEL", vd=12, va=11, vb=4, vc=10)
        narrow = c("CAST", I8, reg=13, src=12, aux=int(F32))
        constants = [self.scale, float(self.zero), float(self.low), 127.0, 0.0]
        words = [word for i, number in enumerate(constants) for word in constant(i, i + 1, number)]
        words += [c("SETVL", imm=self.length), s("LI", reg=1, imm=1), s("LI", reg=2, imm=0)]
        words += [s("LI", reg=3, imm=self.turns), receive, *head]
        words += [
            {**d("CMP", F32, vd=11, va=10, vb=10, aux=uno), **c("LOOP", reg=3, imm=8)},
            {**select, **s("ADDI", reg=2, base=2, imm=self.length), **receive},
            {**d("DIV", F32, vd=6, va=5, vb=0), **narrow},
            s("ST", I8, reg=13, win=1, base=2, index=1, imm=-self.length),
            *head[1:],
            d("CMP", F32, vd=11, va=10, vb=10, aux=uno),
            select,
            narrow,
            s("ST", I8, reg=13, win=1, base=2, index=1, imm=0),
        ]
        return [*words, END]

    def builder(self, words: list[Fields]) -> Builder:
        builder = Builder()
        x = builder.input("x", (self.size + self.extra,), F32)
        builder.vector(words, [x, builder.output("y", (self.size + self.extra,), I8)])
        return builder

    def values(self, seed: int) -> Array:
        """Some lie where rounding turns, some are special, most are neither."""
        rng = np.random.default_rng(seed)
        count = self.size + self.extra
        x = (rng.uniform(-200, 200, count) * self.scale).astype(np.float32)
        halves = ((rng.integers(-150, 150, count) + 0.5) * np.float32(self.scale)).astype(np.float32)
        kind = rng.random(count)
        return np.where(kind < 0.2, halves, np.where(kind < 0.25, rng.choice(SPECIAL, count), x)).astype(np.float32)


def outcome(builder: Builder, isa: str, x: Array, threads: int = 1) -> Any:
    try:
        context = Emulator(builder.image(), isa).context(threads)
        y = context.run("main", {"x": x})["y"]
    except TfmbsError as error:
        return error.code, str(error)
    launch = context.stats.launches[0]
    return y.tobytes(), launch.total_ops, launch.mem_reads, launch.mem_writes, launch.flops, launch.bytes


cases = st.builds(
    Quantization,
    st.sampled_from([1, 16, 490, VLMAX - 1, VLMAX]),
    st.sampled_from([0, 1, 2, 3, 17]),
    st.floats(2**-10, 8.0, width=32),
    st.integers(-128, 127),
    st.sampled_from([-128, -5]),
    st.integers(0, 3),
)


@settings(max_examples=60, deadline=None)
@given(cases, st.integers(0, 9))
def test_quantization(case: Quantization, seed: int) -> None:
    builder, x = case.builder(case.words()), case.values(seed)
    expected = outcome(builder, "baseline", x)
    for isa in SETS:
        assert outcome(builder, isa, x) == expected


@pytest.mark.parametrize("turns", [64, 149, 399])
def test_threads_that_share_a_stream(turns: int) -> None:
    """Any number of units of work, the last one not whole."""
    case = Quantization(490, turns, scale=0.7, zero=3, low=-128, extra=5)
    builder, x = case.builder(case.words()), case.values(turns)
    expected = outcome(builder, "baseline", x)
    for isa in SETS:
        for threads in (1, 2, 3):
            assert outcome(builder, isa, x, threads) == expected


FIELDS = ("d_va", "d_vb", "d_vc", "d_vd", "s_reg", "s_base", "s_index", "s_imm", "s_win", "c_reg", "c_src", "c_imm")
CONSTANTS = 15
"""Words that make the constants."""


@settings(max_examples=300, deadline=None)
@given(st.data(), cases, st.integers(0, 9))
def test_programs_that_are_almost_one(data: st.DataObject, case: Quantization, seed: int) -> None:
    """One field of one word is another number."""
    words = case.words()
    places = [(i, field) for i in range(CONSTANTS, len(words)) for field in FIELDS if field in words[i]]
    at, field = data.draw(st.sampled_from(places))
    change = data.draw(st.sampled_from([-1, 1, 2, -case.length, case.length]))
    words[at] = {**words[at], field: words[at][field] + change}
    try:
        builder = case.builder(words)
        builder.image()
    except (TfmbsError, ValueError, OverflowError, IndexError):  # it is no program
        return
    x = case.values(seed)
    expected = outcome(builder, "baseline", x)
    for isa in SETS:
        assert outcome(builder, isa, x) == expected


def plain(length: int, turns: int, moves: list[Fields]) -> Builder:
    """A loop that quantizes a block in each turn and stores it at s2, before `moves`; s4 = length and s5 = 0."""
    case = Quantization(length, turns - 1, scale=0.5, zero=3, low=-128, extra=0)
    made = case.words()
    words = [*made[: CONSTANTS + 3], *(s("LI", reg=reg, imm=imm) for reg, imm in ((3, turns), (4, length), (5, 0)))]
    body = [*made[CONSTANTS + 4 : CONSTANTS + 10], *made[-5:-1], *moves]
    return case.builder([*words, c("LOOP", reg=3, imm=len(body)), *body, END])


def add(reg: int, base: int, imm: int = 0) -> Fields:
    return s("ADDI", reg=reg, base=base, imm=imm)


@pytest.mark.parametrize(
    "moves",
    [
        [add(2, 2, 64)],
        [add(2, 2, 60), add(2, 2, 4)],
        [add(5, 2, 64), add(2, 5)],
        [add(2, 5, 64), add(5, 5, 64)],
        [s("LI", reg=2, imm=64)],
        [s("LIH", reg=2, imm=64)],
        [add(2, 4), add(4, 5)],
        [add(2, 4), add(4, 5, 128), s("LI", reg=5, imm=64)],
        [add(6, 2), add(2, 4), add(4, 6)],
        [add(6, 2), add(2, 4), add(4, 6, 128)],
    ],
)
@pytest.mark.parametrize("turns", [1, 2, 3, 4, 9])
def test_scalars_that_go_on_or_do_not(moves: list[Fields], turns: int) -> None:
    """The first blocks are stored behind each other; later ones may go elsewhere, or outside."""
    builder = plain(64, turns, moves)
    x = np.random.default_rng(turns).uniform(-60, 60, 64 * turns).astype(np.float32)
    expected = outcome(builder, "baseline", x)
    for isa in SETS:
        assert outcome(builder, isa, x) == expected
