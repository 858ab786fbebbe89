"""Loops whose turns are prepared at once as far as scalars allow it: bytes, counters and errors of the interpreter."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.builder import Builder, Fields, c, d, s
from tests.native import examples
from tests.unit.test_native_chains import CHAINED, SPREAD, WINDOWS, inputs, program
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.siw import VLMAX
from tfmbs.runtime.abi.siw_op import Reduce
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.devices.emulator import Emulator, Limits

F32, I32 = DType.F32, DType.I32
TURNS = 12

pytestmark = pytest.mark.skipif(not CHAINED, reason="machine code is made for AVX-512")


def outcome(builder: Builder, isa: str, *, jit: bool, seed: int = 0, steps: int | None = None) -> Any:
    """All outputs and counters of a run, or its error."""
    limits = None if steps is None else Limits(steps=steps)
    context = Emulator(builder.image(), isa, limits, jit=jit).context(1)
    try:
        outputs = context.run("main", inputs(seed))
    except TfmbsError as error:
        return error.code, str(error)
    counters = [{k: v for k, v in row.items() if not k.endswith("_ns")} for row in context.native.counters()]
    return {name: array.tobytes() for name, array in outputs.items()}, counters


def compare(
    body: list[Fields],
    length: int = 100,
    turns: int = TURNS,
    seed: int = 0,
    *,
    times: int = 1,
    steps: int | None = None,
) -> Any:
    """The outcome that both ways have."""
    builder = program(body, length, turns, times)
    expected = outcome(builder, CHAINED[0], jit=False, seed=seed, steps=steps)
    for isa in CHAINED:
        assert outcome(builder, isa, jit=True, seed=seed, steps=steps) == expected
    return expected


SUM, REGISTERS = 2, st.integers(3, 9)
SCALARS = st.sampled_from((8, 9, 10, 11))
ADDED = st.sampled_from((1, 2, 5, 7, 8, 9, 10, 11))
"""Of these, s1, s5 and s7 stay what they are, and s2 moves by 16."""


@st.composite
def scalar(draw: st.DrawFn) -> Fields:
    """Numbers that later turns add to, that are set, or that neither describes."""
    reg = draw(SCALARS)
    op = draw(st.sampled_from(("ADDI",) * 5 + ("LI", "LI", "SADD", "SSUB", "SMUL", "SMIN", "SMAX", "LIH")))
    if op in ("LI", "LIH"):
        return s(op, reg=reg, imm=draw(st.integers(0, 40)) if op == "LI" else 1)
    if op == "ADDI":
        return s(op, reg=reg, base=draw(st.one_of(st.just(reg), ADDED)), imm=draw(st.sampled_from((0, 1, 8, 16, -2))))
    return s(op, reg=reg, base=draw(ADDED), index=draw(ADDED))


@st.composite
def move(draw: st.DrawFn) -> Fields:
    """A load or store, of one element too, at a place that a scalar says or at a cursor."""
    reg, (dtype, (source, target)) = draw(REGISTERS), draw(st.sampled_from(list(WINDOWS.items())))
    stores = draw(st.booleans())
    window = target if stores or draw(st.booleans()) else source
    if draw(st.integers(0, 4)) == 0:
        return c("SEND" if stores else "RECV", dtype, reg=reg, src=window)
    base, index = draw(st.sampled_from((0, 2, 2, 8, 9, 10, 11))), draw(st.sampled_from((1, 1, 1, 1, 0, 7)))
    imm = draw(st.sampled_from((0, 0, 1, 8, 128, VLMAX)))
    return s("ST" if stores else "LD", dtype, reg=reg, win=window, base=base, index=index, imm=imm)


@st.composite
def operation(draw: st.DrawFn) -> Fields:
    """On registers of this turn or of the one before; a sum; a number that turns count."""
    vd, va, vb = (draw(REGISTERS) for _ in range(3))
    kind = draw(st.integers(0, 6))
    if kind == 0:
        return d("RED", F32, vd=SUM, va=va, aux=draw(st.sampled_from((Reduce.SUM, Reduce.MAX))))
    if kind == 1:
        return s("INDEX", I32, reg=vd, base=draw(st.sampled_from((0, 5, 8, 9))), index=0, imm=3)
    return d(draw(st.sampled_from(("ADD", "SUB", "MUL"))), draw(st.sampled_from((F32, I32))), vd=vd, va=va, vb=vb)


BODIES = st.lists(st.one_of(scalar(), move(), move(), operation()), min_size=2, max_size=16)


@settings(max_examples=examples(400), deadline=None)
@given(BODIES, st.sampled_from((31, 32, 47, 100, 128)), st.integers(1, TURNS), st.integers(0, 3))
def test_any_loop(body: list[Fields], length: int, turns: int, seed: int) -> None:
    """Places that move by any numbers, meet or leave their windows; what is left in registers and scalars."""
    compare(body, length, turns, seed)


@settings(max_examples=examples(100), deadline=None)
@given(BODIES, st.sampled_from((32, 100)), st.integers(2, 4), st.integers(2, 3))
def test_any_loop_in_a_loop(body: list[Fields], length: int, turns: int, times: int) -> None:
    """Which starts with the scalars and cursors that the one before left."""
    compare(body, length, turns, times=times)


DOUBLED = [s("LD", F32, reg=10, win=0, base=8, index=1), d("ADD", F32, vd=11, va=10, vb=10)]
DOUBLED += [s("ST", F32, reg=11, win=3, base=9, index=1)]


@pytest.mark.parametrize(
    "scalars",
    [
        [s("ADDI", reg=8, base=8, imm=16), s("ADDI", reg=9, base=2, imm=0)],  # a copy, from the second turn on
        [s("SMUL", reg=8, base=2, index=7), s("ADDI", reg=9, base=8, imm=5)],
        [s("SADD", reg=8, base=8, index=8), s("ADDI", reg=8, base=8, imm=1)],  # each turn doubles it
        [s("SMIN", reg=8, base=2, index=7), s("SADD", reg=9, base=2, index=5)],
        [s("ADDI", reg=8, base=8, imm=32), s("SSUB", reg=9, base=8, index=2)],
    ],
)
@pytest.mark.parametrize("turns", [1, 2, 3, 4, 5, 8])
def test_scalars_that_turns_add_to(scalars: list[Fields], turns: int) -> None:
    compare([*DOUBLED, *scalars], turns=turns)


@pytest.mark.parametrize("step", [0, 1, 15, 16, 17, 48])
@pytest.mark.parametrize("place", [0, 1, 96, 160, 384])
def test_stores_that_meet_what_other_turns_load(step: int, place: int) -> None:
    """What is stored is loaded by a later turn, by an earlier one, or by lanes that come later in this one."""
    body = [s("LD", F32, reg=10, win=3, base=2, index=1), s("LD", F32, reg=12, win=3, base=0, index=0, imm=170)]
    body += [d("ADD", F32, vd=11, va=10, vb=12), s("ST", F32, reg=11, win=3, base=8, index=1, imm=place)]
    compare([*body, s("ADDI", reg=8, base=8, imm=step)])


@pytest.mark.parametrize("place", [199, 200, 204, 216, 220])
def test_a_single_element_that_a_later_turn_stores_over(place: int) -> None:
    """That turn needs it as it was."""
    body = [s("ST", F32, reg=12, win=3, base=2, index=1), d("MUL", F32, vd=12, va=11, vb=3)]
    body += [d("ADD", F32, vd=11, va=10, vb=2), s("LD", F32, reg=10, win=0, base=2, index=1, imm=8)]
    compare([*body, s("LD", F32, reg=2, win=3, base=2, index=0, imm=place)], 200)


def test_cursors_and_numbers_move_on() -> None:
    """Behind the loop's last even turn, too; a number that each turn counts in all lanes."""
    body = [c("RECV", F32, reg=10, src=0), d("ADD", F32, vd=11, va=10, vb=3), c("SEND", F32, reg=11, src=3)]
    compare(body)
    number = s("INDEX", I32, reg=12, base=2, index=0, imm=3)
    compare([*body, number, d("ADD", I32, vd=5, va=5, vb=12)])


def test_what_turns_load_is_read_behind_the_loop() -> None:
    """And by the turn that comes next."""
    body = [d("ADD", F32, vd=11, va=10, vb=3), s("LD", F32, reg=10, win=0, base=2, index=1)]
    compare([*body, s("ST", F32, reg=11, win=3, base=2, index=1), s("LD", F32, reg=5, win=0, base=2, index=7)])


@pytest.mark.parametrize("turn", [1, 4, TURNS - 2, TURNS - 1])
def test_a_turn_that_leaves_a_window(turn: int) -> None:
    """The error and its word are those of that turn."""
    outside = s("LD", F32, reg=6, win=0, base=2, index=1, imm=SPREAD - 100 - 16 * turn + 1)
    code, _ = compare([*DOUBLED, outside, d("MOV", vd=7, va=6)])
    assert code == "siw.address"


@pytest.mark.parametrize("less", range(0, 72, 3))
def test_steps_that_end_in_a_turn(less: int) -> None:
    body = [*DOUBLED, s("ADDI", reg=8, base=8, imm=16)]
    _, rows = compare(body)
    words = sum(row["words"] for row in rows)
    found = compare(body, steps=words - less)
    assert (found[0] == "resource-limit") == (less > 0)
