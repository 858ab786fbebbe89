"""Random vector programs: every opcode next to every other, in all slots, in nested loops, at any vector length."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conformance.builder import DTYPE_OF_NUMPY, END, Builder, Fields, c, d, s
from tests.conformance.devices import DeviceUnderTest
from tests.conformance.siw_model import Machine
from tests.conformance.test_vector_compute import PATTERNS, variants
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.siw import LOOP_DEPTH, OPS, VLMAX
from tfmbs.runtime.abi.types import DTYPES, DType

Array = NDArray[Any]

ELEMENTS = 2048
COMPUTE = [(op, dtype, aux) for op in OPS if op.slot == "D" and op.name != "NOP" for dtype, aux in variants(op)]
SOURCES = [DType.F32, DType.I32, DType.I8, DType.U16, DType.BOOL]
RESULTS = [DType.F32, DType.I32, DType.U8, DType.I16, DType.BOOL]
# v30 holds the indices of gathers and scatters, v31 the mask that makes any lanes indices; nothing else writes them.
INDEX, MASK, FREE = 30, 31, 30
ONE, BASE, STRIDE, TRIPS = 1, 2, 3, 4
SETUP: list[Fields] = [
    s("LI", reg=ONE, imm=1),
    s("LI", reg=BASE, imm=ELEMENTS // 4),
    s("LI", reg=STRIDE, imm=2),
    s("LI", reg=TRIPS, imm=2),
    s("LD", DType.I32, reg=MASK, win=len(SOURCES), base=0, index=0),
]


class Generator:
    """Straight-line words and loops over them; every address it makes lies inside its window."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def program(self) -> list[Fields]:
        body = self.body(60, 0)
        # At the end every register goes to memory.
        dump = [s("ST", DType.I32, reg=r, win=len(SOURCES) + 1 + 1, base=0, index=ONE, imm=8 * r) for r in range(32)]
        return [*SETUP, *self.fill(), *body, c("SETVL", imm=8), *dump, END]

    def pick(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high))

    def fill(self) -> list[Fields]:
        windows = [self.pick(0, len(SOURCES)) for _ in range(FREE)]
        return [s("LD", SOURCES[w], reg=r, win=w, base=0, index=ONE, imm=3 * r) for r, w in enumerate(windows)]

    def body(self, length: int, depth: int) -> list[Fields]:
        words: list[Fields] = []
        while len(words) < length:
            kind = self.pick(0, 12)
            if kind == 0 and depth < min(LOOP_DEPTH, 3):
                inner = self.body(self.pick(1, 12), depth + 1)
                words += [
                    {**self.compute(), **c("LOOP", reg=(0, ONE, STRIDE, TRIPS)[self.pick(0, 4)], imm=len(inner))},
                    *inner,
                ]
            elif kind == 1:
                words.append({**self.compute(), **c("SETVL", imm=self.pick(1, VLMAX + 1))})
            elif kind == 2:
                words.append({**self.compute(), **c("SETVLR", reg=self.pick(0, 5))})
            elif kind < 5:
                words += self.indexed()
            else:
                words.append(self.word())
        return words

    def compute(self) -> Fields:
        op, dtype, aux = COMPUTE[self.pick(0, len(COMPUTE))]
        registers = {name.removeprefix("d_"): self.pick(0, FREE) for name in op.vectors}
        return d(op.name, dtype, **registers, **({"aux": aux} if op.aux else {}))

    def word(self) -> Fields:
        """D and S together; S never writes the register that D writes."""
        compute = self.compute()
        place = {
            "base": (0, BASE)[self.pick(0, 2)],
            "index": (0, ONE, STRIDE)[self.pick(0, 3)],
            "imm": self.pick(0, 60),
        }
        if self.pick(0, 2):
            window = self.pick(0, len(RESULTS))
            store = s("ST", RESULTS[window], reg=self.pick(0, FREE), win=len(SOURCES) + 1 + window, **place)
            return {**compute, **store}
        window = self.pick(0, len(SOURCES))
        register = (compute["d_vd"] + self.pick(1, FREE)) % FREE
        return {**compute, **s("LD", SOURCES[window], reg=register, win=window, **place)}

    def indexed(self) -> list[Fields]:
        indices = d("AND", DType.I32, vd=INDEX, va=self.pick(0, FREE), vb=MASK)
        compute = self.compute()
        if self.pick(0, 2):
            window = self.pick(0, len(RESULTS))
            access = s("SCATTER", RESULTS[window], reg=self.pick(0, FREE), win=len(SOURCES) + 1 + window, base=BASE,
                       index=INDEX)  # fmt: skip
        else:
            window = self.pick(0, len(SOURCES))
            register = (compute["d_vd"] + self.pick(1, FREE)) % FREE
            access = s("GATHER", SOURCES[window], reg=register, win=window, base=BASE, index=INDEX)
        return [indices, {**compute, **access}]


def sources(seed: int) -> list[Array]:
    """Windows of patterns: what is hard about numbers, and small integers."""
    rng = np.random.default_rng(seed)
    hard = rng.choice(PATTERNS, ELEMENTS)
    f32 = np.where(rng.random(ELEMENTS) < 0.5, rng.standard_normal(ELEMENTS).astype(np.float32).view(np.uint32), hard)
    i32 = np.where(rng.random(ELEMENTS) < 0.5, rng.integers(-1, 2, ELEMENTS).astype(np.int32).view(np.uint32), hard)
    raw = rng.integers(0, 2**16, ELEMENTS)
    narrow = [raw.astype(np.uint8).view(np.int8), raw.astype(np.uint16), raw % 2 == 1]
    return [
        f32.astype(np.uint32).view(np.float32),
        i32.astype(np.uint32).view(np.int32),
        *narrow,
        np.array([511], np.int32),
    ]


@cache
def case(seed: int) -> tuple[Image, dict[str, Array], dict[str, bytes]]:
    words = Generator(seed).program()
    given = {f"x{i}": x for i, x in enumerate(sources(seed))}
    zeros = {f"y{i}": np.zeros(ELEMENTS, DTYPES[dtype].numpy) for i, dtype in enumerate(RESULTS)}
    builder = Builder()
    windows = [builder.input(name, x.shape, DTYPE_OF_NUMPY[x.dtype.name]) for name, x in given.items()]
    for name, zero in zeros.items():
        windows.append(builder.output(name, zero.shape, DTYPE_OF_NUMPY[zero.dtype.name]))
        builder.copy(builder.constant(zero), windows[-1])
    builder.vector(words, windows)
    image = builder.image()
    Machine([*given.values(), *zeros.values()]).run(words)
    return image, given, {name: array.tobytes() for name, array in zeros.items()}


@pytest.mark.parametrize("seed", range(25))
def test_random_program(device: DeviceUnderTest, seed: int) -> None:
    image, given, expected = case(seed)
    assert {name: array.tobytes() for name, array in device.run(image, given).items()} == expected
