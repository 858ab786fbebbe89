"""Random vector programs: every opcode next to every other in all slots, in loops, skips and breaks, at any VL."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.conformance.builder import END, Fields, c, d, s
from tests.conformance.test_vector_compute import COMPUTING, variants
from tfmbs.runtime.abi.siw import OP_BY_CODE, VLMAX, WIDE, Op, Predicate
from tfmbs.runtime.abi.types import DType

I32, I64 = DType.I32, DType.I64
ELEMENTS = 2048
SOURCES = [DType.F32, I64, DType.I8, DType.U16, DType.F16, DType.BF16, DType.BOOL]
STREAM = DType.I16  # the window of RECV
RESULTS = [DType.F32, DType.F64, DType.U8, DType.I16, DType.BF16, DType.U32]
SENT = DType.F16  # the window of SEND
INPUTS = [*SOURCES, STREAM]
OUTPUTS = [*RESULTS, SENT, I32]  # the last takes all registers at the end
STREAM_ELEMENTS = 1 << 16

COMPUTE = {slot: [(op, *v) for op in COMPUTING if op.slot == slot for v in variants(op)] for slot in "DC"}
# v24 to v27 hold the indices of gathers and scatters and the masks that make any lanes indices.
FREE, INDEX, MASK, INDEX_64 = 24, 24, 25, 26
# Scalars: constants, one read from any lanes and put into bounds, one read from any lanes.
ONE, BASE, STRIDE, TRIPS, LIMIT, BOUNDED, READ = 1, 2, 3, 4, 5, 6, 7
SETUP: list[Fields] = [
    s("LI", reg=ONE, imm=1),
    s("LI", reg=BASE, imm=ELEMENTS // 4),
    s("LI", reg=STRIDE, imm=2),
    s("LI", reg=TRIPS, imm=2),
    s("LI", reg=LIMIT, imm=60),
    s("INDEX", I32, reg=MASK, base=0, index=0, imm=511),
]


def _written(word: Fields) -> set[int]:
    """The vector registers that a word writes, each slot by itself; empty where two slots write the same one."""
    seen: set[int] = set()
    for slot in "DSC":
        op = OP_BY_CODE[slot, word.get(f"{slot.lower()}_op", 0)]
        if op.writes in op.vectors and op.writes:
            registers = set(op.registers(op.writes, word))
            if registers & seen:
                return set()
            seen |= registers
    return seen


class Generator:
    """Words over the vector registers below `pool`: the fewer, the more the slots of a word touch the same."""

    def __init__(self, seed: int, pool: int = FREE) -> None:
        self.rng = np.random.default_rng(seed)
        self.pool = pool
        self.stream_left = {"RECV": STREAM_ELEMENTS // VLMAX, "SEND": STREAM_ELEMENTS // VLMAX}

    def program(self, length: int) -> list[Fields]:
        """A whole program; every address it makes lies inside its window."""
        fill = [
            s("LD", SOURCES[window], reg=register, win=window, base=0, index=ONE, imm=3 * register)
            for register in range(0, FREE, 2)
            for window in [self.pick(0, len(SOURCES))]
        ]
        window = len(INPUTS) + len(OUTPUTS) - 1
        dump = [s("ST", I32, reg=r, win=window, base=0, index=ONE, imm=16 * r) for r in range(28)]
        return [*SETUP, *fill, *self.body(length, 0), c("SETVL", imm=16), *dump, END]

    def pick(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high))

    def choose(self, values: Sequence[int]) -> int:
        return values[self.pick(0, len(values))]

    def body(self, length: int, depth: int) -> list[Fields]:
        words: list[Fields] = []
        while len(words) < length:
            kind = self.pick(0, 16)
            if kind < 3 and depth < 3:
                name = ("LOOP", "SKIP")[self.pick(0, 2)]
                inner = self.body(self.pick(1, 12), depth + (name == "LOOP"))
                scalar = self.choose((0, ONE, STRIDE, TRIPS) if name == "LOOP" else (0, ONE, BOUNDED, READ))
                words += [{**self.data(""), **c(name, reg=scalar, imm=len(inner))}, *inner]
            elif kind == 3 and depth:
                words.append({**self.data(""), **c("BREAK", reg=self.choose((0, ONE, BOUNDED, READ)))})
            elif kind == 4:
                words.append({**self.data(""), **c("SETVL", imm=self.pick(1, VLMAX + 1))})
            elif kind == 5:
                words.append({**self.data(""), **c("SETVLR", reg=self.choose((0, ONE, LIMIT, BOUNDED, READ)))})
            elif kind == 6:
                words += self.scalars()
            elif kind == 7:
                words += self.indices()
            else:
                words.append(self.data("C", depth))
        return words

    # --- slots ---

    def register(self, op: Op, field: str, word: Fields) -> int:
        covered = op.lane_bits(field, word) // 32
        return self.pick(0, self.pool // covered) * covered

    def operation(self, slot: str) -> Fields:
        op, dtype, aux = COMPUTE[slot][self.pick(0, len(COMPUTE[slot]))]
        word = (d if slot == "D" else c)(op.name, dtype, **({"aux": aux} if op.aux else {}))
        return {**word, **{name: self.register(op, name, word) for name in op.vectors}}

    def access(self) -> Fields:
        """S: a load, store, gather, scatter, INDEX or SGET."""
        name = ("LD", "ST", "GATHER", "SCATTER", "GATHER64", "SCATTER64", "INDEX", "SGET")[self.pick(0, 8)]
        if name in ("INDEX", "SGET"):
            dtype = (I32, I64)[self.pick(0, 2)]
            vector = 2 * self.pick(0, self.pool // 2) if dtype is I64 else self.pick(0, self.pool)
            if name == "SGET":
                return s(name, dtype, reg=READ, index=vector)
            return s(name, dtype, reg=vector, base=self.choose((0, BASE, READ)), index=self.choose((ONE, READ)), imm=-5)
        loads = name in ("LD", "GATHER", "GATHER64")
        types, first = (SOURCES, 0) if loads else (RESULTS, len(INPUTS))
        window = self.pick(0, len(types))
        dtype = types[window]
        vector = 2 * self.pick(0, self.pool // 2) if dtype in WIDE else self.pick(0, self.pool)
        if name in ("LD", "ST"):
            base, index = self.choose((0, BASE, BOUNDED)), self.choose((0, ONE, STRIDE))
            return s(name, dtype, reg=vector, win=first + window, base=base, index=index, imm=self.pick(0, 60))
        index = INDEX_64 if name.endswith("64") else INDEX
        return s(name, dtype, reg=vector, win=first + window, base=BASE, index=index)

    def stream(self, depth: int) -> Fields:
        """C: RECV or SEND, while the windows last."""
        name = ("RECV", "SEND")[self.pick(0, 2)]
        self.stream_left[name] -= 2**depth
        if self.stream_left[name] < 0:
            return {}
        dtype, window = (STREAM, len(SOURCES)) if name == "RECV" else (SENT, len(INPUTS) + len(RESULTS))
        return c(name, dtype, reg=self.pick(0, self.pool), src=window)

    def data(self, slots: str, depth: int = 0) -> Fields:
        """Operations in D and S, and in C where it is among `slots`; no two of them write the same register."""
        while True:
            word = {**self.operation("D"), **self.access()}
            if "C" in slots and self.pick(0, 4):
                word |= self.operation("C") if self.pick(0, 2) else self.stream(depth)
            if _written(word):
                return word

    # --- values within bounds ---

    def scalars(self) -> list[Fields]:
        name = ("SSUB", "SMIN", "SMAX", "SADD", "SMUL")[self.pick(0, 5)]
        return [
            s(name, reg=READ, base=READ, index=self.choose((0, LIMIT, BASE, READ))),
            s("SMAX", reg=BOUNDED, base=READ, index=0),
            s("SMIN", reg=BOUNDED, base=BOUNDED, index=LIMIT),
        ]

    def indices(self) -> list[Fields]:
        """Any lanes as indices: all lanes of the index registers stay within bounds, as both start as zeros."""
        return [
            d("AND", I32, vd=INDEX, va=self.pick(0, self.pool), vb=MASK),
            d("CVT", I64, vd=INDEX_64, va=INDEX, aux=I32),
            d("CMP", I32, vd=self.pick(0, self.pool), va=INDEX, vb=MASK, aux=Predicate.OLT),
        ]
