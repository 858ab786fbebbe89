"""The native decoder refuses by itself every instruction word that the machine could not run safely."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance.builder import END, Fields, c, d, s
from tests.unit.test_native import MEMORY, image, put, run, tables_of
from tfmbs.runtime import _native
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.siw import LOOP_DEPTH, OPS, Predicate, Reduce, encode
from tfmbs.runtime.abi.types import DType

F16, F32, F64, I8, I32, I64, U32 = DType.F16, DType.F32, DType.F64, DType.I8, DType.I32, DType.I64, DType.U32
NOP: Fields = {}


def load(words: list[Fields]) -> None:
    """Loads an image whose vector program, of two windows, is these words; nothing but native code checks them."""
    source = image()
    tables = tables_of(source)
    put(tables, "PROGRAM", 1, "first_word", len(tables["SIW"]) // 16)
    put(tables, "PROGRAM", 1, "word_count", len(words))
    tables["SIW"] += b"".join(encode(word) for word in words)
    weights = np.frombuffer(source.weights, np.uint8)
    _native.load({name: bytes(data) for name, data in tables.items()}, source.strings, weights, "", MEMORY)


def refuse(words: list[Fields], text: str) -> None:
    with pytest.raises(TfmbsError) as caught:
        load(words)
    assert caught.value.code == "siw"
    assert text in str(caught.value)


def test_words_at_the_edge_of_what_is_valid() -> None:
    """What the refusals below are one step away from."""
    load(
        [
            {**d("FMA", F64, vd=30, va=28, vb=0, vc=2), **c("CAST", F64, reg=2, src=5, aux=F16)},
            {**d("CMP", I64, vd=31, va=30, vb=2, aux=Predicate.ULE), **s("SGET", I64, reg=31, index=30)},
            {**s("LD", F32, reg=1, win=0), **c("RECV", F32, reg=2, src=0)},
            *(c("LOOP", reg=1, imm=LOOP_DEPTH + 2 - i) for i in range(LOOP_DEPTH)),
            c("SKIP", reg=1, imm=2),
            c("BREAK", reg=1),
            NOP,
            END,
        ]
    )  # fmt: skip


PAIRS: dict[str, Fields] = {
    "written": d("ADD", F64, vd=3, va=2, vb=4),
    "first source": d("ADD", I64, vd=2, va=3, vb=4),
    "second source": d("DIV", DType.U64, vd=2, va=4, vb=31),
    "third source": d("FMA", F64, vd=2, va=4, vb=6, vc=9),
    "compared": d("CMP", F64, vd=3, va=4, vb=5, aux=Predicate.OEQ),
    "converted": d("CVT", F32, vd=3, va=5, aux=F64),
    "converted to": d("CVT", F64, vd=3, va=5, aux=F32),
    "moved": d("MOV64", vd=2, va=3),
    "chosen": d("SEL64", vd=2, va=3, vb=4, vc=7),
    "filled": d("LAST64", vd=1, va=2),
    "scanned": d("SCAN", I64, vd=2, va=4, vb=1, aux=Reduce.SUM),
    "loaded": s("LD", F64, reg=1, win=0),
    "stored": s("ST", I64, reg=31, win=1),
    "index": s("GATHER64", F32, reg=1, win=0, index=3),
    "scattered": s("SCATTER64", I64, reg=1, win=1, index=2),
    "indices": s("INDEX", I64, reg=5),
    "read": s("SGET", I64, reg=5, index=7),
    "cast": c("CAST", I64, reg=1, src=2, aux=I32),
    "cast from": c("CAST", I32, reg=1, src=3, aux=I64),
    "reduced": c("REDUCE", F64, reg=2, src=3, aux=Reduce.SUM),
    "received": c("RECV", F64, reg=3, src=0),
    "sent": c("SEND", F64, reg=3, src=1),
}


@pytest.mark.parametrize("name", PAIRS)
def test_half_a_pair(name: str) -> None:
    refuse([PAIRS[name], END], "is not the first of a pair")


TWICE: dict[str, Fields] = {
    "d and s": {**d("MOV", vd=1, va=2), **s("LD", F32, reg=1, win=0)},
    "d and c": {**d("MOV", vd=1, va=2), **c("CAST", I8, reg=1, src=3, aux=I32)},
    "s and c": {**s("INDEX", I32, reg=1), **c("RECV", F32, reg=1, src=0)},
    "half of a pair": {**d("MOV64", vd=2, va=4), **s("LD", F32, reg=3, win=0)},
    "pair over a half": {**d("MOV", vd=5, va=2), **c("CAST", F64, reg=4, src=3, aux=I32)},
}


@pytest.mark.parametrize("name", TWICE)
def test_two_slots_write_one_register(name: str) -> None:
    refuse([TWICE[name], END], "two slots write the same register")


@pytest.mark.parametrize(
    "word",
    [
        {**s("ST", F32, reg=1, win=1), **c("RECV", F32, reg=2, src=1)},
        {**s("LD", F32, reg=1, win=1), **c("SEND", F32, reg=2, src=1)},
        {**s("SCATTER", F32, reg=1, win=1, index=3), **c("SEND", F32, reg=2, src=1)},
    ],
)
def test_two_slots_use_one_window(word: Fields) -> None:
    refuse([word, END], "slots S and C both access window 1")


INVALID: dict[str, tuple[Fields, str]] = {
    "d opcode": ({"d_op": max(op.code for op in OPS if op.slot == "D") + 1}, "no opcode"),
    "s opcode": ({"s_op": max(op.code for op in OPS if op.slot == "S") + 1}, "S slot: opcode"),
    "c opcode": ({"c_op": max(op.code for op in OPS if op.slot == "C") + 1}, "C slot: opcode"),
    "sine of integers": (d("SIN", I32, vd=1, va=2), "SIN is not available"),
    "sum of unsigned": (d("RED", U32, vd=1, va=2, aux=Reduce.SUM), "RED is not available"),
    "product of partials": (d("FOLD", F32, vd=1, va=2, aux=Reduce.PROD), "FOLD is not available"),
    "unknown reduction": (d("RED", I32, vd=1, va=2, aux=7), "RED is not available"),
    "no addition of f16": (d("ADD", F16, vd=1, va=2), "ADD is not available"),
    "conversion from nothing": (d("CVT", F32, vd=1, va=2, aux=0), "CVT is not available"),
    "conversion from trits": (d("CVT", F32, vd=1, va=2, aux=DType.TRIT), "CVT is not available"),
    "conversion to trits": (d("CVT", DType.TRIT, vd=1, va=2, aux=F32), "CVT is not available"),
    "ordered integers": (d("CMP", I64, vd=1, va=2, vb=4, aux=Predicate.ORD), "CMP is not available"),
    "unknown predicate": (d("CMP", F32, vd=1, va=2, vb=4, aux=16), "CMP is not available"),
    "cast from trits": (c("CAST", F32, reg=1, src=2, aux=DType.TRIT), "CAST is not available"),
    "reduction in c": (c("REDUCE", F32, reg=1, src=2, aux=Reduce.XOR), "REDUCE is not available"),
    "loaded trits": (s("LD", DType.TRIT, reg=1, win=0), "lanes cannot hold"),
    "received nothing": (c("RECV", 0, reg=1, src=0), "lanes cannot hold"),
    "window": (s("LD", F32, reg=1, win=2), "window 2 is not declared"),
    "stream": (c("SEND", F32, reg=1, src=2), "window 2 is not declared"),
    "stream beyond all windows": (c("RECV", F32, reg=1, src=31), "window 31 is not declared"),
    "s0": (s("ADDI", reg=0, imm=1), "writes s0"),
    "s0 from a vector": (s("SGET", I32, reg=0, index=1), "writes s0"),
    "indices of floats": (s("INDEX", F32, reg=1), "INDEX is for I32 and I64"),
    "scalar of a narrow type": (s("SGET", I8, reg=1, index=1), "SGET is for I32 and I64"),
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid_word(name: str) -> None:
    word, text = INVALID[name]
    refuse([word, END], text)


AROUND = "ends after what is around"
CONTROL: dict[str, tuple[list[Fields], str]] = {
    "no end": ([NOP], "the last word holds no END"),
    "early end": ([END, END], "END is not in the last word"),
    "skip of nothing": ([c("SKIP", reg=1, imm=0), END], "SKIP over 0 words"),
    "skip of the end": ([c("SKIP", reg=1, imm=1), END], "leaves the program"),
    "skip out of a loop": ([c("LOOP", reg=1, imm=2), c("SKIP", reg=1, imm=2), NOP, NOP, END], AROUND),
    "loop out of a skip": ([c("SKIP", reg=1, imm=2), c("LOOP", reg=1, imm=2), NOP, NOP, END], AROUND),
    "skip out of a skip": ([c("SKIP", reg=1, imm=2), c("SKIP", reg=1, imm=2), NOP, NOP, END], AROUND),
    "break outside": ([c("BREAK", reg=1), END], "BREAK outside a loop"),
    "break in a skip": ([c("SKIP", reg=1, imm=1), c("BREAK", reg=1), END], "BREAK outside a loop"),
    "break behind a loop": ([c("LOOP", reg=1, imm=1), NOP, c("BREAK", reg=1), END], "BREAK outside a loop"),
    "too many loops": (
        [*(c("LOOP", reg=1, imm=LOOP_DEPTH + 1 - i) for i in range(LOOP_DEPTH + 1)), NOP, END],
        "nested too deeply",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTROL)
def test_invalid_control(name: str) -> None:
    refuse(*CONTROL[name])


def test_the_smallest_program_runs() -> None:
    source = image()
    tables = tables_of(source)
    put(tables, "PROGRAM", 1, "first_word", len(tables["SIW"]) // 16)
    put(tables, "PROGRAM", 1, "word_count", 1)
    put(tables, "PROGRAM", 1, "max_steps", 1)
    tables["SIW"] += encode(END)
    assert run(tables, source).tolist() == [0, 0, 0, 0]
