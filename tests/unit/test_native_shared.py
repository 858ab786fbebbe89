"""Loops of a vector program shared among threads: which may be, which must not, and the same bytes in either case."""

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
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.devices.emulator import Emulator, Limits

F32 = DType.F32
TURNS = 256
ELEMENTS = TURNS * VLMAX
THREADS = (2, 3)
Array = NDArray[Any]


def large(reg: int, value: int) -> list[Fields]:
    """s[reg] = value, of up to 33 bits."""
    low = value & 0x1FFFF
    return [s("LI", reg=reg, imm=value >> 17), s("LIH", reg=reg, imm=low if low < 1 << 16 else low - (1 << 17))]


def loop(*body: Fields, before: tuple[Fields, ...] = (), after: tuple[Fields, ...] = ()) -> list[Fields]:
    """`body` TURNS times: s1 = 1, s3 counts up by VLMAX from 0, s4 down from the last vector."""
    return [
        s("LI", reg=1, imm=1),
        s("LI", reg=2, imm=TURNS),
        s("LI", reg=3, imm=0),
        *large(4, ELEMENTS - VLMAX),
        *before,
        c("LOOP", reg=2, imm=len(body) + 2),
        *body,
        s("ADDI", reg=3, base=3, imm=VLMAX),
        s("ADDI", reg=4, base=4, imm=-VLMAX),
        *after,
        END,
    ]


def load(reg: int, win: int = 0, imm: int = 0, base: int = 3) -> Fields:
    return s("LD", F32, reg=reg, win=win, base=base, index=1, imm=imm)


def store(reg: int, win: int, imm: int = 0, base: int = 3) -> Fields:
    return s("ST", F32, reg=reg, win=win, base=base, index=1, imm=imm)


def add(vd: int, va: int, vb: int) -> Fields:
    return d("ADD", F32, vd=vd, va=va, vb=vb)


def source() -> Array:
    return np.random.default_rng(1).standard_normal(ELEMENTS).astype(np.float32)


def arrays(builder: Builder) -> tuple[int, int]:
    return builder.input("x", (ELEMENTS,), F32), builder.output("y", (ELEMENTS,), F32)


def entrances(builder: Builder, launch: int = 0) -> int:
    """How many parts of a launch a thread may begin by itself."""
    return int(Emulator(builder.image()).whole.native.parts(0).get(launch, [0, 0])[1])


def outputs(builder: Builder, isa: str = "") -> dict[str, Array]:
    """The outputs, after comparing their bytes and the counters with those of more threads."""
    device, inputs = Emulator(builder.image(), isa), {"x": source()}
    one = device.context(1)
    expected = one.run("main", inputs)
    for threads in THREADS:
        context = device.context(threads)
        for _ in range(3):
            got = context.run("main", inputs)
            assert all(got[name].tobytes() == array.tobytes() for name, array in expected.items())
        for own, other in zip(context.native.counters(), one.native.counters(), strict=True):
            assert {k: v for k, v in own.items() if "ns" not in k} == {k: v for k, v in other.items() if "ns" not in k}
    return expected


@pytest.mark.parametrize("isa", _native.instruction_sets())
def test_turns_that_know_nothing_of_each_other(isa: str) -> None:
    """Constants come from before the loop, by lanes and by a load."""
    builder = Builder()
    x, y = arrays(builder)
    builder.vector(loop(load(2), add(3, 2, 5), add(3, 3, 6), store(3, 1), before=(load(5), add(6, 5, 5))), [x, y])
    assert entrances(builder) > 2
    given_, first = source().reshape(TURNS, VLMAX), source()[:VLMAX]
    assert outputs(builder, isa)["y"].tobytes() == (given_ + first + (first + first)).tobytes()


def test_loads_that_are_a_turn_ahead() -> None:
    """A value comes from the turn before, which is taken again; what is behind the loop belongs to its last part."""
    builder = Builder()
    x, y = arrays(builder)
    words = loop(add(3, 2, 2), c("SEND", F32, reg=3, src=1), c("RECV", F32, reg=2, src=0), before=(load(2),))
    builder.vector(words, [x, y])
    assert entrances(builder) > 2
    rows = source().reshape(TURNS, VLMAX)
    expected = 2 * np.concatenate([rows[:1], rows[:-1]])
    assert outputs(builder)["y"].tobytes() == expected.tobytes()


def test_two_loops() -> None:
    """The second one needs all of the first, and a register that was set between them."""
    builder = Builder()
    x, y = arrays(builder)
    a = builder.scratch((ELEMENTS,), F32)
    body = [load(2), add(3, 2, 2), store(3, 1)]
    again = [load(2, 1, base=4), add(3, 2, 7), store(3, 2, base=5), s("ADDI", reg=5, base=5, imm=VLMAX)]
    after = (
        load(7, base=6),
        *[s("LI", reg=5, imm=0), *large(4, ELEMENTS - VLMAX)],
        c("LOOP", reg=2, imm=len(again) + 1),
        *again,
        s("ADDI", reg=4, base=4, imm=-VLMAX),
    )
    builder.vector(loop(*body, after=after), [x, a, y])
    assert entrances(builder) > 2
    rows = source().reshape(TURNS, VLMAX)
    assert outputs(builder)["y"].tobytes() == (2 * rows[::-1] + rows[0]).tobytes()


def test_a_sum_over_turns_is_not_shared() -> None:
    builder = Builder()
    x, y = arrays(builder)
    builder.vector(loop(load(2), add(3, 3, 2), store(3, 1)), [x, y])
    assert entrances(builder) == 0
    rows = source().reshape(TURNS, VLMAX)
    expected = np.zeros((TURNS, VLMAX), np.float32)
    total = np.zeros(VLMAX, np.float32)
    for i, row in enumerate(rows):
        total = total + row
        expected[i] = total
    assert outputs(builder)["y"].tobytes() == expected.tobytes()


def test_a_reduction_over_turns_is_not_shared() -> None:
    builder = Builder()
    x, y = builder.input("x", (ELEMENTS,), F32), builder.output("y", (TURNS * 16,), F32)
    body = [c("SETVL", imm=VLMAX), load(2), d("RED", F32, vd=3, va=2, aux=0), c("SETVL", imm=16)]
    builder.vector(loop(*body, c("SEND", F32, reg=3, src=1)), [x, y])
    assert entrances(builder) == 0
    total, expected = np.zeros(16, np.float32), []
    for row in source().reshape(TURNS, VLMAX // 16, 16):
        for part in row:
            total = total + part
        expected.append(total)
    assert outputs(builder)["y"].tobytes() == np.stack(expected).tobytes()


def test_stores_that_overlap_the_next_turns() -> None:
    """Each turn but the last stores to half of the next one's elements, too."""
    builder = Builder()
    x, y = arrays(builder)
    half = VLMAX // 2
    store_on = [c("SETVL", imm=half), store(2, 1, VLMAX), c("SETVL", imm=VLMAX)]
    words = loop(load(2), store(2, 1), *store_on)
    words[1] = s("LI", reg=2, imm=TURNS - 1)
    builder.vector(words, [x, y])
    rows = source().reshape(TURNS, VLMAX)
    expected = np.concatenate([rows[:-1], np.zeros((1, VLMAX), np.float32)])
    expected[-1, :half] = rows[-2, :half]
    assert entrances(builder) == 0
    assert outputs(builder)["y"].tobytes() == expected.tobytes()


def test_windows_over_the_same_memory() -> None:
    """Three launches on shifted views of one tensor: each part waits for those of others whose bytes it accesses."""
    builder = Builder()
    x, y = arrays(builder)
    whole = builder.scratch((ELEMENTS + VLMAX,), F32)
    ahead, behind = builder.view(whole, (ELEMENTS,), offset=4 * VLMAX), builder.view(whole, (ELEMENTS,))
    builder.copy(builder.view(x, (VLMAX,)), builder.view(whole, (VLMAX,)))
    builder.vector(loop(load(2), add(3, 2, 2), store(3, 1)), [x, ahead])
    builder.vector(loop(load(2), load(3, 1), add(4, 2, 3), store(4, 2)), [x, behind, y])
    builder.vector(loop(load(2), store(2, 1)), [x, behind])
    builder.copy(behind, builder.output("z", (ELEMENTS,), F32))
    assert all(entrances(builder, launch) > 2 for launch in (1, 2, 3))
    rows = source().reshape(TURNS, VLMAX)
    expected = rows + np.concatenate([rows[:1], 2 * rows[:-1]])
    got = outputs(builder)
    assert got["y"].tobytes() == expected.tobytes()
    assert got["z"].tobytes() == rows.tobytes()


def test_a_load_ahead_of_what_the_loop_stores() -> None:
    """The register that a turn leaves comes from memory that the loop changes: taking the turn again would not do."""
    builder = Builder()
    x, y = arrays(builder)
    a = builder.scratch((ELEMENTS,), F32)
    words = loop(load(2), store(2, 1), add(4, 3, 2), store(4, 2), load(3, 1))
    builder.vector(words, [x, a, y])
    assert entrances(builder) == 0
    rows = source().reshape(TURNS, VLMAX)
    expected = rows + np.concatenate([np.zeros((1, VLMAX), np.float32), rows[:-1]])
    assert outputs(builder)["y"].tobytes() == expected.tobytes()


def scratch_program(builder: Builder, *body: Fields) -> tuple[int, Array]:
    """A loop with a vector of scratch in window 2; that scratch."""
    x, y = arrays(builder)
    a = builder.scratch((VLMAX,), F32)
    builder.copy(builder.view(x, (VLMAX,), offset=4 * VLMAX), a)
    builder.vector(loop(*body), [x, y, a])
    return a, source().reshape(TURNS, VLMAX)


def test_scratch_of_each_turn() -> None:
    """Every thread has its own; a later launch finds what the last turn left."""
    builder = Builder()
    at = {"base": 0, "index": 1, "win": 2}
    body = [load(2), s("ST", F32, reg=2, **at), s("LD", F32, reg=3, **at), add(4, 3, 3), store(4, 1)]
    a, rows = scratch_program(builder, *body)
    builder.copy(a, builder.output("z", (VLMAX,), F32))
    assert entrances(builder, 1) > 2
    got = outputs(builder)
    assert got["y"].tobytes() == (2 * rows).tobytes()
    assert got["z"].tobytes() == rows[-1].tobytes()


def test_scratch_from_turn_to_turn() -> None:
    """A turn loads what the one before has stored."""
    builder = Builder()
    at = {"base": 0, "index": 1, "win": 2}
    body = [load(2), s("LD", F32, reg=3, **at), s("ST", F32, reg=2, **at), add(4, 3, 2), store(4, 1)]
    _, rows = scratch_program(builder, *body)
    assert entrances(builder, 1) == 0
    expected = rows + np.concatenate([rows[1:2], rows[:-1]])
    assert outputs(builder)["y"].tobytes() == expected.tobytes()


def test_scratch_that_the_last_turn_does_not_write_whole() -> None:
    """Turn i stores one element more at place i: what remains comes from all turns, so that they share the scratch."""
    builder = Builder()
    one = [c("SETVL", imm=1), s("ST", F32, reg=2, win=2, base=5, index=1), s("LD", F32, reg=3, win=2, base=5, index=1)]
    body = [load(2), *one, s("ADDI", reg=5, base=5, imm=1), c("SETVL", imm=VLMAX), add(4, 2, 2), store(4, 1)]
    a, rows = scratch_program(builder, *body)
    builder.copy(a, builder.output("z", (VLMAX,), F32))
    got = outputs(builder)
    assert got["y"].tobytes() == (2 * rows).tobytes()
    assert got["z"][:TURNS].tobytes() == rows[:, 0].tobytes()
    assert got["z"][TURNS:].tobytes() == rows[1, TURNS:].tobytes()


def test_steps_that_do_not_last() -> None:
    """The launch ends at the same word as with one thread, and its message is the same."""
    builder = Builder()
    x, y = arrays(builder)
    builder.vector(loop(load(2), add(3, 2, 2), store(3, 1)), [x, y])
    messages = set()
    for threads in (1, *THREADS):
        context = Emulator(builder.image(), "", Limits(steps=1000)).context(threads)
        with pytest.raises(TfmbsError, match="more than 1000 steps") as caught:
            context.run("main", {"x": source()})
        messages.add(str(caught.value))
    assert len(messages) == 1


RECEIVE = c("RECV", F32, reg=2, src=0)
LENGTHS = (16, 100, VLMAX)
REGISTERS = st.integers(2, 7)


WORDS: tuple[st.SearchStrategy[Fields], ...] = (
    st.builds(load, REGISTERS, st.sampled_from((0, 0, 1, 2))),
    st.builds(load, REGISTERS),
    st.just(RECEIVE),
    REGISTERS.map(lambda reg: s("LD", F32, reg=reg, win=3, base=0, index=1)),
    REGISTERS.map(lambda reg: s("ST", F32, reg=reg, win=3, base=0, index=1)),
    st.builds(add, REGISTERS, REGISTERS, REGISTERS),
    st.builds(add, REGISTERS, REGISTERS, REGISTERS),
    st.builds(lambda vd, va, vb: d("MUL", F32, vd=vd, va=va, vb=vb), REGISTERS, REGISTERS, REGISTERS),
    st.builds(lambda vd, va, aux: d("RED", F32, vd=vd, va=va, aux=aux), REGISTERS, REGISTERS, st.sampled_from((0, 1))),
    st.builds(store, REGISTERS, st.sampled_from((1, 1, 2))),
    st.sampled_from(LENGTHS).map(lambda length: c("SETVL", imm=length)),
)
"""What a turn may do: x is window 0, y window 1, scratch of all turns 2, of a vector 3."""
SOME = st.lists(st.one_of(WORDS), max_size=6)


@settings(max_examples=examples(150), deadline=None)
@given(
    st.lists(st.one_of(WORDS), max_size=6),
    st.lists(st.one_of(WORDS), min_size=1, max_size=10),
    st.lists(st.one_of(WORDS), max_size=4),
)
def test_any_loop(before: list[Fields], body: list[Fields], after: list[Fields]) -> None:
    """The bytes of all outputs, and what remains in scratch, do not depend on the number of threads."""
    builder = Builder()
    x, y = arrays(builder)
    a, b = builder.scratch((ELEMENTS,), F32), builder.scratch((VLMAX,), F32)
    builder.copy(x, y)
    builder.copy(x, a)
    builder.copy(builder.view(x, (VLMAX,), offset=4 * VLMAX), b)
    # A turn receives once, so that the window lasts.
    turn = [word for i, word in enumerate(body) if word != RECEIVE or RECEIVE not in body[:i]]
    outside = [[word for word in some if word != RECEIVE] for some in (before, after)]
    words_ = loop(*turn, before=tuple(outside[0]), after=(s("LI", reg=3, imm=0), *outside[1]))
    builder.vector(words_, [x, y, a, b])
    builder.copy(a, builder.output("z", (ELEMENTS,), F32))
    builder.copy(b, builder.output("w", (VLMAX,), F32))
    outputs(builder)
