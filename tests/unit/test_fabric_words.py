"""Random words with all three slots, in loops, skipped parts and left loops: the reading as linalg and the emulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conformance.builder import END, Builder, Fields, c, s
from tests.conformance.devices import DEVICES
from tests.unit.test_fabric_linalg import LINALG
from tests.unit.test_fabric_opcodes import Case, cases, patterns
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.siw import VECTOR_REGISTERS, VLMAX, encode
from tfmbs.runtime.abi.siw_word import decode_word
from tfmbs.runtime.abi.types import DType

ONE, TWO, THREE = 1, 2, 3
FREE_SCALARS = range(8, 16)
INPUTS = 2  # windows 0 (I32) and 1 (I64) are read, 2 (I32) and 3 (I64) are written, 4 (I64) takes the registers
ELEMENTS = 64 * VLMAX
PAIRS = VECTOR_REGISTERS // 2
STREAMS = 12
COMPUTE = [case for case in cases("D") if case.op.unit != "special"]
CONVERT = [case for case in cases("C") if case.op.unit != "memory"]
SCALAR = [case for case in cases("S") if case.op.unit != "memory"]


class Generator:
    """Words that are valid, and whose addresses lie inside their windows."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.streams = 0

    def program(self) -> list[Fields]:
        constants = [s("LI", reg=register, imm=register) for register in (ONE, TWO, THREE)]
        loads = [s("LD", DType.I64, reg=2 * i, win=1, base=0, index=ONE, imm=16 * i) for i in range(PAIRS)]
        dump = [s("ST", DType.I64, reg=2 * i, win=4, base=0, index=ONE, imm=VLMAX * i) for i in range(PAIRS)]
        scalars = [
            word
            for register in FREE_SCALARS
            for word in (
                s("INDEX", DType.I64, reg=0, base=register, index=0),
                s("ST", DType.I64, reg=0, win=4, base=0, index=ONE, imm=VLMAX * (PAIRS + register)),
            )
        ]
        return [*constants, *loads, *self.body(40, 0), c("SETVL", imm=VLMAX), *dump, *scalars, END]

    def pick(self, *choices: Any) -> Any:
        return choices[int(self.rng.integers(len(choices)))]

    def body(self, length: int, depth: int) -> list[Fields]:
        words: list[Fields] = []
        while len(words) < length:
            kind = int(self.rng.integers(12))
            if kind == 0 and depth < 3:
                inner = self.body(int(self.rng.integers(1, 8)), depth + 1)
                words += [
                    {**self.word("DS", depth), **c("LOOP", reg=self.pick(0, ONE, TWO, THREE), imm=len(inner))},
                    *inner,
                ]
            elif kind == 1:
                inner = self.body(int(self.rng.integers(1, 5)), depth)
                words += [{**self.word("DS", depth), **c("SKIP", reg=self.condition(), imm=len(inner))}, *inner]
            elif kind == 2 and depth:
                words.append({**self.word("DS", depth), **c("BREAK", reg=self.condition())})
            elif kind == 3:
                words.append({**self.word("DS", depth), **c("SETVL", imm=int(self.rng.integers(1, VLMAX + 1)))})
            elif kind == 4:
                words.append({**self.word("DS", depth), **c("SETVLR", reg=self.condition())})
            else:
                words.append(self.word("DSC", depth))
        return words

    def condition(self) -> int:
        return int(self.pick(0, ONE, *FREE_SCALARS))

    def word(self, slots: str, depth: int) -> Fields:
        """Random operations in these slots that may stand side by side."""
        while True:
            streams, fields = self.streams, {}
            for slot in slots:
                if self.rng.random() < 0.8:
                    fields |= self.slot(slot, depth)
            try:
                decode_word(encode(fields), "word")
            except TfmbsError:
                self.streams = streams
                continue
            return fields

    def slot(self, slot: str, depth: int) -> Fields:
        if slot == "D":
            return self.registers(self.pick(*COMPUTE))
        if slot == "C":
            may_stream = depth < 2 and self.streams < STREAMS
            return self.stream() if may_stream and self.rng.random() < 0.4 else self.registers(self.pick(*CONVERT))
        return self.access() if self.rng.random() < 0.5 else self.registers(self.pick(*SCALAR))

    def vector(self) -> int:
        return int(self.rng.integers(10)) * 2  # few, so that slots meet

    def registers(self, case: Case) -> Fields:
        op, prefix = case.op, case.op.slot.lower()
        fields = {f"{prefix}_op": op.code, **{name: self.vector() for name in op.vectors}}
        if op.types:
            fields[f"{prefix}_type"] = int(case.dtype)
        if op.aux:
            fields[f"{prefix}_aux"] = case.aux
        for name in ("s_reg", "s_base", "s_index"):
            if name in op.uses and name not in fields:
                fields[name] = int(self.pick(*FREE_SCALARS))
        if "s_imm" in op.uses:
            fields["s_imm"] = int(self.rng.integers(-3, 4))
        return fields

    def access(self) -> Fields:
        kind, wide = self.pick("LD", "ST"), int(self.rng.integers(2))
        window = wide + (INPUTS if kind == "ST" else 0)
        dtype, index = (DType.I64 if wide else DType.I32), self.pick(0, ONE, TWO)
        return s(kind, dtype, reg=self.vector(), win=window, base=self.pick(0, THREE), index=index, imm=3)

    def stream(self) -> Fields:
        self.streams += 1
        kind, wide = self.pick("RECV", "SEND"), int(self.rng.integers(2))
        window = wide + (INPUTS if kind == "SEND" else 0)
        return c(kind, DType.I64 if wide else DType.I32, reg=self.vector(), src=window)


def run(device: Any, words: list[Fields]) -> dict[str, bytes]:
    builder = Builder()
    narrow, wide = patterns()
    inputs: dict[str, NDArray[Any]] = {"x0": np.resize(narrow, ELEMENTS), "x1": np.resize(wide, ELEMENTS)}
    windows = [
        builder.input(name, x.shape, dtype)
        for (name, x), dtype in zip(inputs.items(), (DType.I32, DType.I64), strict=True)
    ]
    for name, dtype in (("y0", DType.I32), ("y1", DType.I64), ("y2", DType.I64)):
        windows.append(builder.output(name, (ELEMENTS,), dtype))
        zeros = np.zeros(ELEMENTS, np.int32 if dtype is DType.I32 else np.int64)
        builder.copy(builder.constant(zeros), windows[-1])
    builder.vector(words, windows)
    return {name: array.tobytes() for name, array in device.run(builder.image(), inputs).items()}


@pytest.mark.parametrize("seed", range(12))
def test_random_words(seed: int) -> None:
    words = Generator(seed).program()
    assert run(LINALG, words) == run(DEVICES[0], words)
