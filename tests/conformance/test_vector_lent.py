"""Loads whose lanes an emulator may leave in memory, and columns of matrices, mixed with all that sees a difference."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.builder import END, Fields, c, d, s
from tests.conformance.devices import DeviceUnderTest
from tests.conformance.vector_programs import compare_with_model, patterns
from tests.native import examples
from tfmbs.runtime.abi.siw import VLMAX, Reduce
from tfmbs.runtime.abi.types import DType

F32, F64, I32, I64 = DType.F32, DType.F64, DType.I32, DType.I64
ELEMENTS = 2 * VLMAX
LENGTHS = (1, 16, 64, 80, 96, 100, 256, VLMAX)
REGISTERS = 10
COUNT = 30


class Random:
    """Programs over windows 0 (only loaded), 1 (loaded and stored to) and 2 (for the registers at the end)."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def _int(self, end: int) -> int:
        return int(self.rng.integers(end))

    def _register(self) -> int:
        return self._int(REGISTERS)

    def _pair(self) -> int:
        return 2 * self._int(REGISTERS // 2)

    def _place(self, op: str) -> Fields:
        """A load or store of neighbours; a store goes to window 1."""
        window = 1 if op == "ST" else self._int(2)
        return s(op, I32, reg=self._register(), win=window, base=0, index=1, imm=self._int(VLMAX))

    def _mask(self) -> list[Fields]:
        """Makes v31 indices."""
        return [d("AND", I32, vd=31, va=self._register(), vb=30)]

    def words(self) -> list[Fields]:
        """One or two words."""
        v, a, b = self._register(), self._register(), self._register()
        kind = self._int(12)
        if kind < 4:
            return [self._place("LD")]
        if kind < 6:
            return [self._place("ST")]
        if kind == 6:
            return [c("SETVL", imm=int(self.rng.choice(LENGTHS)))]
        choices: list[list[Fields]] = [
            [d("ADD", I32, vd=v, va=a, vb=b)],
            [d("RED", I32, vd=v, va=a, aux=Reduce.MAX)],
            [d("FOLD", I32, vd=v, va=a, aux=Reduce.XOR)],
            [d("LAST", vd=v, va=a)],
            [d("CVT", I64, vd=self._pair(), va=a, aux=I32)],
            [d("CVT", I32, vd=v, va=self._pair(), aux=I64)],
            [d("XOR", I64, vd=self._pair(), va=self._pair(), vb=self._pair())],
            [d("TACC", I32, vd=v, va=a, vb=b)],
            [{**d("MOV", vd=v, va=a), **c("CAST", I32, reg=a, src=v, aux=I32)}] if a != v else [],
            [*self._mask(), s("GATHER", I32, reg=v, win=self._int(2), base=0, index=31)],
            [*self._mask(), s("SCATTER", I32, reg=v, win=1, base=0, index=31)],
            [s("SGET", I32, reg=5, index=a), s("INDEX", I32, reg=v, base=5, index=1)],
        ]
        return choices[self._int(len(choices))]

    def program(self) -> list[Fields]:
        """Straight code, then the same kind of code twice in a loop, then all registers to window 2."""
        body = [word for _ in range(COUNT) for word in self.words()]
        return [
            {**s("LI", reg=1, imm=1), **c("SETVL", imm=VLMAX)},
            s("INDEX", I32, reg=30, base=0, index=0, imm=VLMAX - 1),
            {**s("LI", reg=2, imm=2), **c("RECV", I32, reg=4, src=0)},
            *(word for _ in range(COUNT) for word in self.words()),
            c("LOOP", reg=2, imm=len(body)),
            *body,
            c("SETVL", imm=VLMAX),
            *(s("ST", I32, reg=r, win=2, base=0, index=1, imm=VLMAX * r) for r in range(REGISTERS)),
            END,
        ]


@pytest.mark.parametrize("seed", range(examples(12)))
def test_lanes_in_memory(device: DeviceUnderTest, seed: int) -> None:
    """Writes of some lanes, pairs, reductions, stores over what was loaded, changes of VL."""
    stored, registers = patterns(I32, ELEMENTS, seed + 100), np.zeros(REGISTERS * VLMAX, np.int32)
    compare_with_model(device, Random(seed).program(), [patterns(I32, ELEMENTS, seed)], stored, registers)


def test_a_store_over_what_was_loaded(device: DeviceUnderTest) -> None:
    """The register keeps what it loaded; so does one that is stored over its own source, one place on."""
    words = [
        {**s("LI", reg=1, imm=1), **c("SETVL", imm=128)},
        s("LD", I32, reg=1, win=1, base=0, index=1),
        s("LD", I32, reg=2, win=1, base=0, index=1, imm=64),
        s("LD", I32, reg=3, win=0, base=0, index=1),
        s("ST", I32, reg=1, win=1, base=0, index=1, imm=1),
        s("ST", I32, reg=3, win=1, base=0, index=1, imm=100),
        d("SUB", I32, vd=4, va=1, vb=2),
        s("ST", I32, reg=4, win=2, base=0, index=1),
        END,
    ]
    compare_with_model(device, words, [patterns(I32, 300)], patterns(I32, 300, 2), np.zeros(128, np.int32))


@pytest.mark.parametrize("lanes", [16, 40, 128])
@pytest.mark.parametrize(("stride", "steps"), [(16, (1,)), (37, (1,)), (37, (1, 1, 3)), (37, (-1, 2)), (40, (16, 1))])
def test_columns(device: DeviceUnderTest, stride: int, steps: tuple[int, ...], lanes: int) -> None:
    """Loads of columns of a matrix, up to its last element, in several orders."""
    matrix = patterns(F32, stride * lanes)
    words: list[Fields] = [
        {**s("LI", reg=1, imm=1), **c("SETVL", imm=lanes)},
        s("LI", reg=2, imm=stride),
        *([s("LI", reg=3, imm=1)] if min(steps) < 0 else []),
    ]
    column, count = 1 if min(steps) < 0 else 0, 0
    while 0 <= column < stride and count < 64:
        words.append(s("LD", F32, reg=2, win=0, base=0, index=2, imm=column))
        words.append({**d("MOV", vd=3, va=2), **c("SEND", F32, reg=2, src=1)})
        column += steps[count % len(steps)]
        count += 1
    compare_with_model(device, [*words, END], [matrix], np.zeros(count * lanes, np.float32))


def test_columns_that_are_stored_to(device: DeviceUnderTest) -> None:
    """Neighbouring columns of a matrix in place: each is the sum with the one before."""
    stride, lanes = 24, 32
    words: list[Fields] = [
        {**s("LI", reg=1, imm=stride), **c("SETVL", imm=lanes)},
        s("LD", I32, reg=1, win=1, base=0, index=1),
    ]
    for column in range(1, stride):
        words += [
            s("LD", I32, reg=2, win=1, base=0, index=1, imm=column),
            d("ADD", I32, vd=1, va=1, vb=2),
            s("ST", I32, reg=1, win=1, base=0, index=1, imm=column),
        ]
    compare_with_model(device, [*words, END], [patterns(I32, 4)], patterns(I32, stride * lanes))


def test_quotients_by_one_divisor(device: DeviceUnderTest) -> None:
    """Dividends of all magnitudes and signs, NaNs and zeros, by tame and by extreme numbers, the same in all lanes."""
    rng = np.random.default_rng(7)
    hard = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, -1e-45, 3.4e38, 2.0**-60, 2.0**60], np.float32)
    close = (1 + rng.integers(0, 1 << 23, 4 * VLMAX) * 2.0**-23).astype(np.float32)
    dividends = np.concatenate([patterns(F32, 2 * VLMAX, 3), close, np.resize(hard, VLMAX)])
    divisors = np.array(
        [3, -7.1, 1 + 2**-23, 2 - 2**-23, 1e30, 1e-30, 0, 1e-42, np.inf, np.nan, *close[:16]], np.float32
    )
    words: list[Fields] = [{**s("LI", reg=1, imm=1), **c("SETVL", imm=VLMAX)}]
    for i in range(len(divisors)):
        words += [s("LD", F32, reg=1, win=1, base=0, index=0, imm=i), s("LI", reg=2, imm=0)]
        for first in range(0, len(dividends), VLMAX):
            words += [
                s("LD", F32, reg=2, win=0, base=0, index=1, imm=first),
                d("DIV", F32, vd=3, va=2, vb=1),
                c("SEND", F32, reg=3, src=2),
            ]
    compare_with_model(
        device, [*words, END], [dividends, divisors], np.zeros(len(divisors) * len(dividends), np.float32)
    )
