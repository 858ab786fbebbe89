"""Chains of vector operations as machine code: the bytes of the interpreter on the baseline instruction set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.conformance.builder import END, Builder, Fields, c, d, s
from tests.native import examples
from tfmbs.runtime import _native
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.siw import VLMAX
from tfmbs.runtime.abi.siw_op import Predicate, Reduce
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.devices import emulator
from tfmbs.runtime.devices.emulator import Emulator

Array = NDArray[Any]
F32, I32, U32 = DType.F32, DType.I32, DType.U32
MOST_TURNS = 8
SPREAD = 3 * VLMAX + 64 + 16 * MOST_TURNS
"""Elements of a window: those that a stride of three reaches, and some before and behind, in each turn of a loop."""
SPECIAL: tuple[int, ...] = (0, 0x80000000, 0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00001, 0x7F800001, 0x7FFFFFFF, 1)
SPECIAL += (0x80000001, 0x007FFFFF, 0x7F7FFFFF, 0x3F800000, 0xBF800000, 0x3F7FFFFF, 0x4F000000, 0xCF000000, 0x43000000)
SPECIAL += (0xFFFFFFFF, 0x42FE8000, 0xC3008000, 31, 32, 33, 0xFFFFFFE0, 0x3F000000, 0x40200000, 0xC0200000)
SETS = (*_native.instruction_sets(), *_native.modelled_sets())
CHAINED = [isa for isa in SETS if isa.startswith(("avx512", "amx"))]
"""AMX comes with AVX-512, and so does the model of its tiles."""

pytestmark = pytest.mark.skipif(not CHAINED, reason="machine code is made for AVX-512")


def inputs(seed: int) -> dict[str, Array]:
    """Words that are numbers, small integers and whatever is special; bytes and halves."""
    rng = np.random.default_rng(seed)
    words = np.concatenate(
        [
            rng.standard_normal(SPREAD).astype(np.float32).view(np.uint32),
            rng.integers(0, 40, SPREAD).astype(np.uint32),
            rng.choice(np.array(SPECIAL, np.uint32), SPREAD),
            rng.integers(0, 1 << 32, SPREAD, dtype=np.uint64).astype(np.uint32),
        ]
    )
    x = rng.permutation(words)[:SPREAD].view(np.float32)
    return {
        "x": x,
        "b": rng.integers(-128, 128, SPREAD).astype(np.int8),
        "h": rng.integers(0, 1 << 16, SPREAD).astype(np.uint16),
    }


WINDOWS = {F32: (0, 3), I32: (6, 7), DType.I8: (1, 4), DType.U16: (2, 5)}
"""By type, the window of an input and that of an output."""


def program(body: list[Fields], length: int, turns: int = 2, times: int = 1) -> Builder:
    """A loop of these turns, with VL = length, all of it so many times.

    s1 = 1, s5, s6, s7 are 2, -1, 3, s2 an offset that moves.
    """
    builder = Builder()
    x, b, h = (builder.input(n, (SPREAD,), t) for n, t in (("x", F32), ("b", DType.I8), ("h", DType.U16)))
    y, z, w = (builder.output(n, (SPREAD,), t) for n, t in (("y", F32), ("z", DType.I8), ("w", DType.U16)))
    r = builder.output("r", (8 * VLMAX,), I32)
    for source, target in ((x, y), (b, z), (h, w)):
        builder.copy(source, target)
    words = [
        {**s("LI", reg=1, imm=1), **c("SETVL", imm=VLMAX)},
        *(s("LD", F32, reg=i, win=0, base=0, index=1, imm=70 * i) for i in range(2, 10)),
        *(s("LI", reg=reg, imm=imm) for reg, imm in ((5, 2), (6, -1), (7, 3), (2, 0), (3, VLMAX), (4, turns))),
        c("SETVL", imm=length),
        *([s("LI", reg=12, imm=times), c("LOOP", reg=12, imm=len(body) + 2)] if times > 1 else []),
        c("LOOP", reg=4, imm=len(body) + 1),
        *body,
        s("ADDI", reg=2, base=2, imm=16),
        c("SETVL", imm=VLMAX),
        *(s("ST", I32, reg=i, win=8, base=0, index=1, imm=(i - 2) * VLMAX) for i in range(2, 10)),
        END,
    ]
    read = builder.view(x, (SPREAD,), I32)
    kept = builder.scratch((SPREAD,), I32)
    builder.copy(read, kept)
    builder.vector(words, [x, b, h, y, z, w, read, kept, r])
    return builder


def run(builder: Builder, isa: str, given_: dict[str, Array], *, jit: bool) -> dict[str, bytes]:
    context = Emulator(builder.image(), isa, jit=jit).context(1)
    return {name: array.tobytes() for name, array in context.run("main", given_).items()}


def compare(body: list[Fields], length: int, seed: int = 0, turns: int = 2) -> None:
    builder, values = program(body, length, turns), inputs(seed)
    expected = run(builder, "baseline", values, jit=False)
    for isa in CHAINED:
        assert run(builder, isa, values, jit=True) == expected


REGISTERS = st.integers(2, 9)


def operation(op: str, types: tuple[DType, ...], *, aux: tuple[int, ...] = (0,)) -> st.SearchStrategy[Fields]:
    """An operation on any registers."""

    def build(dtype: DType | int, vd: int, va: int, vb: int, vc: int, code: int) -> Fields:
        fields = {"vd": vd, "va": va}
        if op in ("SEL", "FMA"):
            fields |= {"vb": vb, "vc": vc}
        elif op not in ("NEG", "ABS", "SQRT", "FLOOR", "CEIL", "ROUND", "TRUNC", "RED", "MOV", "CVT", "EXP", "ERF"):
            fields["vb"] = vb
        return d(op, dtype, **fields, **({"aux": code} if code or op in ("CMP", "RED", "CVT") else {}))

    kinds: tuple[DType | int, ...] = types or (0,)
    return st.builds(build, st.sampled_from(kinds), *[REGISTERS] * 4, st.sampled_from(aux))


BOTH, NARROW = (F32, I32), (DType.BOOL, DType.I8, DType.U8, DType.I16, DType.U16)
WHOLE: tuple[Predicate, ...] = (Predicate.FALSE, Predicate.TRUE, Predicate.OEQ, Predicate.ONE, Predicate.OGT)
WHOLE += (Predicate.OGE, Predicate.OLT, Predicate.OLE, Predicate.UGT, Predicate.UGE, Predicate.ULT, Predicate.ULE)
OPERATIONS: tuple[st.SearchStrategy[Fields], ...] = (
    *(operation(op, BOTH) for op in ("ADD", "SUB", "MUL", "FMA", "NEG", "ABS")),
    *(operation(op, (F32, I32, U32)) for op in ("MIN", "MAX")),
    *(operation(op, (I32,)) for op in ("AND", "OR", "XOR", "SHL", "SHRA", "SHRL")),
    *(operation(op, (F32,)) for op in ("DIV", "SQRT", "FLOOR", "CEIL", "ROUND", "TRUNC", "EXP", "ERF")),
    operation("MOV", ()),
    operation("SEL", ()),
    operation("CMP", (F32,), aux=tuple(Predicate)),
    operation("CMP", (I32,), aux=WHOLE),
    operation("CVT", (*NARROW, I32, F32), aux=(*NARROW, I32, F32)),
    operation("CVT", (F32, I32), aux=(U32,)),
    operation("RED", (F32,), aux=(Reduce.SUM, Reduce.MAX, Reduce.MIN)),
    operation("RED", (I32,), aux=tuple(Reduce)),
    operation("RED", (U32,), aux=(Reduce.MAX, Reduce.MIN)),
)


@st.composite
def moves(draw: st.DrawFn) -> Fields:
    """A load or store of any type and stride, whose places meet those of others; or lanes that count."""
    reg, base = draw(REGISTERS), draw(st.sampled_from((0, 2)))
    if draw(st.integers(0, 5)) == 0:
        return s(
            "INDEX", I32, reg=reg, base=base, index=draw(st.sampled_from((0, 1, 6, 7))), imm=draw(st.integers(-9, 9))
        )
    dtype, (source, target) = draw(st.sampled_from(list(WINDOWS.items())))
    stride = draw(st.sampled_from((1, 1, 1, 0, 5, 6, 7)))
    imm = draw(st.sampled_from((0, 0, 1, 8))) + (VLMAX if stride == 6 else 0)
    stores = draw(st.booleans())
    window = target if stores or draw(st.booleans()) else source
    return s("ST" if stores else "LD", dtype, reg=reg, win=window, base=base, index=stride, imm=imm)


LENGTHS = st.sampled_from((1, 31, 32, 33, 47, 48, 100, 511, VLMAX))


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.one_of(*OPERATIONS, moves(), moves(), moves()), min_size=1, max_size=24), LENGTHS, st.integers(0, 3))
def test_any_chain(body: list[Fields], length: int, seed: int) -> None:
    """Operations, loads and stores in any order, on any values: all registers and windows at the end."""
    compare(body, length, seed)


@settings(max_examples=examples(30), deadline=None)
@given(st.lists(st.one_of(OPERATIONS), min_size=60, max_size=120), st.sampled_from((100, VLMAX)), st.integers(0, 3))
def test_more_values_than_registers(body: list[Fields], length: int, seed: int) -> None:
    compare(body, length, seed)


@st.composite
def overlapping(draw: st.DrawFn) -> list[Fields]:
    """A body as schedules make them: each value is computed in the turn of what it comes from, or in the next one.

    Values have registers of their own, of which those below 10 are looked at in the end.
    """
    stages: dict[int, int] = {2: 0, 3: 0}  # by register
    words: list[tuple[int, Fields]] = []
    for reg in draw(st.permutations(range(4, 17)))[: draw(st.integers(2, 10))]:
        made = [one for one in stages if one > 3] or [2]
        a, b = draw(st.sampled_from(made)), draw(st.sampled_from(list(stages)))
        stage = max(stages[a], stages[b]) + draw(st.sampled_from((0, 0, 1)))
        kind = draw(st.integers(0, 7))
        if kind < 3 or len(words) < 2:
            dtype, (source, target) = draw(st.sampled_from(list(WINDOWS.items())))
            window = draw(st.sampled_from((source, source, source, target)))
            index = draw(st.sampled_from((1, 1, 1, 1, 0, 7)))
            stage, fields = 0, s("LD", dtype, reg=reg, win=window, base=2, index=index, imm=draw(st.integers(0, 8)))
        elif kind == 3:
            fields = d(draw(st.sampled_from(("EXP", "ERF", "NEG"))), F32, vd=reg, va=a)
        elif kind == 4:
            fields = d("SEL", vd=reg, va=a, vb=b, vc=2)
        elif kind == 5:
            fields = d("FMA", F32, vd=reg, va=a, vb=b, vc=draw(st.sampled_from(list(stages))))
        else:
            op = draw(st.sampled_from(("ADD", "SUB", "MUL", "MAX")))
            fields = d(op, draw(st.sampled_from(BOTH)), vd=reg, va=a, vb=b)
        stages[reg] = stage
        words.append((stage, fields))
    for number in range(draw(st.integers(0, 3))):
        reg = draw(st.sampled_from(list(stages)))
        if draw(st.integers(0, 3)) == 0:
            fields = d("RED", F32, vd=20 + number, va=reg, aux=draw(st.sampled_from((Reduce.SUM, Reduce.MAX))))
        else:
            dtype, (_, target) = draw(st.sampled_from(list(WINDOWS.items())))
            fields = s("ST", dtype, reg=reg, win=target, base=2, index=1, imm=draw(st.sampled_from((0, 8, VLMAX))))
        words.append((stages[reg] + draw(st.sampled_from((0, 1))), fields))
    return [fields for _, fields in sorted(words, key=lambda word: -word[0])]


@settings(max_examples=examples(300), deadline=None)
@given(overlapping(), st.sampled_from((47, 100, 128, 511, VLMAX)), st.integers(1, MOST_TURNS), st.integers(0, 3))
def test_turns_that_overlap(body: list[Fields], length: int, turns: int, seed: int) -> None:
    """What a turn hands on to a later one, and what registers hold behind the loop."""
    compare(body, length, seed, turns)


def pipeline(loaded: int = 0, index: int = 1) -> list[Fields]:
    """Stores what was loaded a turn before and computed in this one and in the one before."""
    return [
        s("ST", F32, reg=12, win=3, base=2, index=1),
        d("MUL", F32, vd=12, va=11, vb=3),
        d("ADD", F32, vd=11, va=10, vb=2),
        s("LD", F32, reg=10, win=loaded, base=2, index=index, imm=8),
        s("LD", F32, reg=2, win=loaded, base=2, index=0, imm=1),
        d("MOV", vd=5, va=12),
    ]


@pytest.mark.parametrize("turns", range(1, MOST_TURNS + 1))
@pytest.mark.parametrize("loaded", [0, 3])
@pytest.mark.parametrize("index", [1, 7])
def test_a_pipeline(turns: int, loaded: int, index: int) -> None:
    """Any number of turns; elements that are not side by side; what is stored to where it is loaded."""
    body = pipeline(loaded, index)
    compare(body, 100, turns=turns)
    native = Emulator(program(body, 100).image(), CHAINED[0]).whole.native
    assert native.loops == (loaded == 0)


@pytest.mark.parametrize("place", [100 + 16 * turn for turn in (1, 3, 6)])
def test_stores_that_meet_in_a_later_turn(place: int) -> None:
    """Such turns are taken one action after the other, with registers as earlier turns leave them."""
    compare([*pipeline(), s("ST", F32, reg=5, win=3, base=0, index=1, imm=place)], 100, turns=MOST_TURNS)


def test_cursors_and_scalars_of_a_chain_whose_stores_meet() -> None:
    """They move on once, by the actions that are executed instead."""
    body = [s("ADDI", reg=2, base=2, imm=8), c("RECV", F32, reg=10, src=0), d("ADD", F32, vd=11, va=10, vb=3)]
    body += [c("SEND", F32, reg=11, src=3), s("ST", F32, reg=10, win=3, base=2, index=1, imm=VLMAX)]
    compare(body, 100, turns=MOST_TURNS)


def test_no_more_is_computed() -> None:
    """What is looked at in the turn that makes it, too, would be made twice: it goes through its register."""
    body = [d("ADD", F32, vd=12, va=11, vb=3), d("EXP", F32, vd=11, va=10)]
    body = [s("ST", F32, reg=12, win=3, base=2, index=1), *body, s("LD", F32, reg=10, win=0, base=2, index=1)]
    assert Emulator(program(body, 100).image(), CHAINED[0]).whole.native.loops == 1
    twice = [*body, s("ST", F32, reg=11, win=3, base=2, index=1, imm=VLMAX)]
    assert Emulator(program(twice, 100).image(), CHAINED[0]).whole.native.loops == 0
    compare(twice, 100, turns=MOST_TURNS)


def test_values_with_many_ways_to_where_they_are_needed() -> None:
    """Each is looked at once: sums of a value and itself have twice as many ways at each step."""
    doubled = [d("ADD", F32, vd=13, va=10, vb=10), *[d("ADD", F32, vd=13, va=13, vb=13)] * 40]
    body = [s("ST", F32, reg=12, win=3, base=2, index=1), d("MUL", F32, vd=12, va=11, vb=3)]
    body += [d("NEG", F32, vd=11, va=13), s("LD", F32, reg=10, win=0, base=2, index=1), *doubled]
    body += [s("ST", F32, reg=13, win=3, base=2, index=1, imm=VLMAX)]
    compare(body, 100, turns=MOST_TURNS)


def test_an_access_outside_in_a_later_turn() -> None:
    body = [*pipeline(), s("LD", F32, reg=6, win=0, base=2, index=1, imm=SPREAD - VLMAX - 16 * 4)]
    texts = set()
    for jit in (False, True):
        with pytest.raises(TfmbsError) as caught:
            run(program(body, VLMAX, MOST_TURNS), CHAINED[-1], inputs(0), jit=jit)
        assert caught.value.code == "siw.address"
        texts.add(str(caught.value))
    assert len(texts) == 1


@pytest.mark.parametrize("turns", [1, MOST_TURNS])
def test_what_is_stored_before_an_access_outside(turns: int) -> None:
    """All that comes before it, of its turn too, and nothing else."""
    later = 16 * (turns - 1)
    body = [s("LD", F32, reg=10, win=0, base=2, index=1), d("ADD", F32, vd=11, va=10, vb=3)]
    body += [s("ST", F32, reg=11, win=3, base=2, index=1)]
    body += [s("LD", F32, reg=12, win=0, base=2, index=1, imm=SPREAD - VLMAX - later + 1), d("MOV", vd=3, va=12)]
    stored = []
    for jit in (False, True):
        y = np.zeros(SPREAD, np.float32)
        context = Emulator(program(body, VLMAX, turns).image(), CHAINED[-1], jit=jit).context(1)
        with pytest.raises(TfmbsError, match="elements"):
            context.run("main", inputs(0), {"y": y})
        stored.append(y.tobytes())
    assert stored[0] == stored[1]


SPECIAL_AMONG_OTHERS: tuple[st.SearchStrategy[Fields], ...] = (
    *(operation(op, (F32,)) for op in ("EXP", "ERF", "EXP", "ERF", "SUB", "MUL")),
    operation("CMP", (F32,), aux=tuple(Predicate)),
    operation("SEL", ()),
    operation("RED", (F32,), aux=(Reduce.SUM, Reduce.MAX, Reduce.MIN)),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(*SPECIAL_AMONG_OTHERS), min_size=4, max_size=24), LENGTHS, st.integers(0, 3))
def test_special_functions_among_others(body: list[Fields], length: int, seed: int) -> None:
    """Groups in doubt leave the code for a function: values, sums, conditions, and the mask of the rest must last."""
    ordinary = [d("ERF", F32, vd=i, va=i) for i in (2, 4, 6, 8)]
    compare([*ordinary, *body], length, seed)


def test_conditions_and_sums_last_while_groups_are_in_doubt() -> None:
    """Two extremes, conditions from before, and more values than are given by the caller."""
    codes = (Predicate.OGT, Predicate.OLE, Predicate.UNO)
    body = [d("CMP", F32, vd=12 + i, va=2 + i, vb=5, aux=code) for i, code in enumerate(codes)]
    body += [d("EXP", F32, vd=2, va=2), d("ERF", F32, vd=3, va=2), d("ERF", F32, vd=4, va=4), d("EXP", F32, vd=5, va=5)]
    body += [d("RED", F32, vd=6, va=2, aux=Reduce.MAX), d("RED", F32, vd=7, va=3, aux=Reduce.MIN)]
    body += [d("ERF", F32, vd=8, va=8), d("RED", F32, vd=9, va=4, aux=Reduce.SUM)]
    body += [d("SEL", vd=10 + i, va=12 + i, vb=3 + i, vc=2) for i in range(3)]
    body += [d("MOV", vd=3 + i, va=10 + i) for i in range(3)]
    for length in (100, VLMAX):
        compare(body, length)


@pytest.mark.parametrize("first", range(0, len(Predicate), 4))
def test_comparisons_that_wait(first: int) -> None:
    """More conditions than mask registers, each chosen by later."""
    codes = [Predicate((first + i) % len(Predicate)) for i in range(7)]
    compare_ = [d("CMP", F32, vd=10 + i, va=2 + i, vb=3, aux=code) for i, code in enumerate(codes)]
    choose = [d("SEL", vd=2 + i, va=10 + i, vb=4, vc=5) for i in range(7)]
    compare([*compare_, *choose], VLMAX)


def test_registers_that_change_places() -> None:
    """What a register held is stored to another one, and the other way round, without an operation between them."""
    swap = [d("MOV", vd=10, va=2), d("MOV", vd=2, va=3), d("MOV", vd=3, va=10), d("ADD", I32, vd=4, va=4, vb=5)]
    compare(swap, VLMAX)


def test_what_is_machine_code() -> None:
    """Chains are made where the instruction set allows it and they are asked for."""
    builder = program([d("ADD", F32, vd=2, va=3, vb=4), d("MUL", F32, vd=3, va=2, vb=4)], VLMAX)
    for isa in SETS:
        chains = Emulator(builder.image(), isa).whole.native.chains
        assert (chains > 0) == (isa in CHAINED)
        assert Emulator(builder.image(), isa, jit=False).whole.native.chains == 0


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    builder = program([d("ADD", F32, vd=2, va=3, vb=4), d("MUL", F32, vd=3, va=2, vb=4)], VLMAX)
    monkeypatch.setenv(emulator.JIT_VARIABLE, "0")
    assert emulator.create(builder.image()).whole.native.chains == 0
    monkeypatch.setenv(emulator.JIT_VARIABLE, "1")
    assert emulator.create(builder.image()).whole.native.chains > 0
    monkeypatch.setenv(emulator.JIT_VARIABLE, "yes")
    with pytest.raises(TfmbsError, match=r"TFMBS_JIT.*0/1.*yes"):
        emulator.create(builder.image())


def test_an_access_outside_in_a_chain() -> None:
    """The same error at the same word as without machine code."""
    load = s("LD", F32, reg=2, win=0, base=0, index=1, imm=SPREAD - VLMAX + 1)
    builder = program([d("ADD", F32, vd=3, va=3, vb=4), load, d("MUL", F32, vd=3, va=2, vb=4)], VLMAX)
    texts = set()
    for jit in (False, True):
        with pytest.raises(TfmbsError) as caught:
            run(builder, CHAINED[-1], inputs(0), jit=jit)
        assert caught.value.code == "siw.address"
        texts.add(str(caught.value))
    assert len(texts) == 1


@pytest.mark.parametrize("isa", CHAINED)
@pytest.mark.parametrize("numbers", [0, 6, 9, 20, 60])
def test_a_chain_of_many_values(isa: str, numbers: int) -> None:
    """All registers come in and go out, and so many more values are between: more than a chain has pointers for."""
    registers, stores, vl = 32, 24, 64
    builder = Builder()
    x = builder.input("x", (registers * vl,), I32)
    y = builder.output("y", ((registers + stores) * vl,), I32)
    line = {"base": 0, "index": 1}
    words: list[Fields] = [{**s("LI", reg=1, imm=1), **c("SETVL", imm=vl)}]
    words += [s("LD", I32, reg=i, win=0, imm=i * vl, **line) for i in range(registers)]
    words += [c("SETVL", imm=vl)]
    for i in range(numbers):
        words += [s("INDEX", I32, reg=31, base=0, index=0, imm=i), d("ADD", I32, vd=i % 31, va=i % 31, vb=31)]
    words += [s("ST", I32, reg=i, win=1, imm=(registers + i) * vl, **line) for i in range(stores)]
    words += [d("ADD", I32, vd=i, va=i, vb=(i + 1) % registers) for i in range(registers)]
    words += [c("SETVL", imm=vl)]
    words += [s("ST", I32, reg=i, win=1, imm=i * vl, **line) for i in range(registers)] + [END]
    builder.vector(words, [x, y])
    image, given = builder.image(), {"x": np.arange(registers * vl, dtype=np.int32)}
    chained = Emulator(image, isa)
    assert chained.whole.native.chains > 0
    expected = Emulator(image, "baseline").context(1).run("main", given)["y"]
    assert chained.context(1).run("main", given)["y"].tobytes() == expected.tobytes()
