"""Launches that take turns on memory that a cache does not hold: same bytes, steps and counters as one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conformance.builder import END, Builder, Fields, c, d, s
from tfmbs.runtime import _native
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.siw import VLMAX
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.devices.emulator import Emulator, EmulatorContext, Limits

F32, I32 = DType.F32, DType.I32
TURNS = 512
ELEMENTS = TURNS * VLMAX
Array = NDArray[Any]


def loop(*body: Fields, start: int = 0) -> list[Fields]:
    """`body` once for each vector of a window: s1 = 1, s3 counts up by VLMAX, s4 down from the last vector."""
    last = ELEMENTS - VLMAX
    return [
        {**s("LI", reg=1, imm=1), **c("SETVL", imm=VLMAX)},
        s("LI", reg=2, imm=TURNS),
        s("LI", reg=3, imm=start),
        s("LI", reg=4, imm=last >> 17),
        s("LIH", reg=4, imm=last & 0xFFFF if last & 0x1FFFF < 1 << 16 else (last & 0x1FFFF) - (1 << 17)),
        c("LOOP", reg=2, imm=len(body) + 2),
        *body,
        s("ADDI", reg=3, base=3, imm=VLMAX),
        s("ADDI", reg=4, base=4, imm=-VLMAX),
        END,
    ]


def doubled(source: int, target: int) -> list[Fields]:
    """Window target = 2 * window source."""
    load, store = c("RECV", F32, reg=2, src=source), c("SEND", F32, reg=3, src=target)
    return loop(load, d("ADD", F32, vd=3, va=2, vb=2), store)


def reversed_vectors() -> list[Fields]:
    """The vectors of window 1 are those of window 0 from the last one on."""
    return loop(s("LD", F32, reg=2, win=0, base=4, index=1), c("SEND", F32, reg=2, src=1))


def context(builder: Builder, isa: str = "", limits: Limits | None = None) -> EmulatorContext:
    return Emulator(builder.image(), isa, limits).context(1)


def rows_of(context: EmulatorContext) -> list[dict[str, int]]:
    return [dict(row) for row in context.native.counters()]


def overlap(rows: list[dict[str, int]], one: int, other: int) -> bool:
    """Whether the later launch began before the earlier one had ended."""
    return rows[other]["start_ns"] < rows[one]["start_ns"] + rows[one]["wall_ns"]


def source() -> Array:
    return np.random.default_rng(1).standard_normal(ELEMENTS).astype(np.float32)


@pytest.mark.parametrize("isa", _native.instruction_sets())
def test_three_in_a_row(isa: str) -> None:
    """Each follows the one before; the second scratch is written again by the third in place of the input."""
    builder = Builder()
    x, y = builder.input("x", (ELEMENTS,), F32), builder.output("y", (ELEMENTS,), F32)
    a, b = builder.scratch((ELEMENTS,), F32), builder.scratch((ELEMENTS,), F32)
    for one, other in ((x, a), (a, b), (b, a), (a, y)):
        builder.vector(doubled(0, 1), [one, other])
    run = context(builder, isa)
    for seed in (1, 2):
        given = source() * seed
        assert run.run("main", {"x": given})["y"].tobytes() == (given * 16).tobytes()
    rows = rows_of(run)
    assert overlap(rows, 0, 1)
    assert [row["loads"] for row in rows] == [ELEMENTS] * 4
    assert len({row["words"] for row in rows}) == 1


def test_a_reader_from_the_end_waits() -> None:
    """The first vector that it reads is the last one that is written."""
    builder = Builder()
    x, y = builder.input("x", (ELEMENTS,), F32), builder.output("y", (ELEMENTS,), F32)
    a, b = builder.scratch((ELEMENTS,), F32), builder.scratch((ELEMENTS,), F32)
    builder.vector(doubled(0, 1), [x, a])
    builder.vector(reversed_vectors(), [a, b])
    builder.vector(doubled(0, 1), [b, y])
    run, given = context(builder), source()
    expected = (given * 4).reshape(TURNS, VLMAX)[::-1]
    assert run.run("main", {"x": given})["y"].tobytes() == expected.tobytes()
    rows = rows_of(run)
    assert not overlap(rows, 0, 1)
    assert overlap(rows, 1, 2)


def test_what_is_read_is_overwritten_later() -> None:
    """A launch that overwrites what an earlier one reads, from the other end, comes after it."""
    builder = Builder()
    x, y = builder.input("x", (ELEMENTS,), F32), builder.output("y", (ELEMENTS,), F32)
    z, a = builder.output("z", (ELEMENTS,), F32), builder.scratch((ELEMENTS,), F32)
    builder.vector(doubled(0, 1), [x, a])
    builder.vector(doubled(0, 1), [a, y])
    builder.vector(
        loop(s("LD", F32, reg=2, win=0, base=4, index=1), s("ST", F32, reg=2, win=1, base=4, index=1)), [x, a]
    )
    builder.vector(doubled(0, 1), [a, z])
    given = source()
    outputs = context(builder).run("main", {"x": given})
    assert outputs["y"].tobytes() == (given * 4).tobytes()
    assert outputs["z"].tobytes() == (given * 2).tobytes()


def test_limits_hold_as_for_whole_launches() -> None:
    """With fewer steps than both need, the second launch is the one that stops, at the same word as always."""
    builder = Builder()
    x, y = builder.input("x", (ELEMENTS,), F32), builder.output("y", (ELEMENTS,), F32)
    a = builder.scratch((ELEMENTS,), F32)
    builder.vector(doubled(0, 1), [x, a])
    builder.vector(doubled(0, 1), [a, y])
    words = 6 + 5 * TURNS + 1
    given = source()
    context(builder, limits=Limits(steps=2 * words)).run("main", {"x": given})
    with pytest.raises(TfmbsError, match=f"word 10: the program takes more than {words - 2} steps") as caught:
        context(builder, limits=Limits(steps=2 * words - 2)).run("main", {"x": given})
    assert caught.value.code == "resource-limit"


def test_what_is_written_for_certain() -> None:
    """Only outputs that are not known to be written whole, before they are read, start as zeros."""
    builder = Builder()
    x = builder.input("x", (ELEMENTS,), F32)
    whole, half, back = (builder.output(name, (ELEMENTS,), F32) for name in ("whole", "half", "back"))
    copied, strided = builder.output("copied", (ELEMENTS,), F32), builder.output("strided", (4 * VLMAX,), F32)
    one = [c("RECV", F32, reg=2, src=0), c("SEND", F32, reg=2, src=1)]
    builder.vector(doubled(0, 1), [x, whole])
    builder.vector([c("SETVL", imm=VLMAX), *one, END], [x, half])
    builder.vector([c("SETVL", imm=VLMAX), *one, *one, END], [half, back])
    builder.copy(x, copied)
    columns = [s("ST", F32, reg=2, win=1, base=0, index=1, imm=i) for i in range(4)]
    builder.vector([s("LI", reg=1, imm=4), c("RECV", F32, reg=2, src=0), *columns, END], [x, strided])
    run, given = context(builder), source()
    names = ("whole", "half", "back", "copied", "strided")
    sizes = {name: run.device.whole.native.written(0).get(slot, 0) for slot, name in enumerate(names)}
    full, vector = 4 * ELEMENTS, 4 * VLMAX
    assert sizes == {"whole": full, "half": 0, "back": 2 * vector, "copied": full, "strided": 4 * vector}
    outputs = run.run("main", {"x": given})
    assert outputs["back"][:VLMAX].tobytes() == given[:VLMAX].tobytes()
    assert not outputs["half"][VLMAX:].any()
    assert not outputs["back"][VLMAX:].any()
    assert outputs["strided"].tobytes() == np.repeat(given[:VLMAX], 4).tobytes()


TAKEN = [s("LD", I32, reg=4, win=2, base=0, index=0), s("SGET", I32, reg=5, index=4), s("LI", reg=1, imm=1)]
"""s5 comes from a lane: a number of an input."""
SENT = [s("LD", F32, reg=2, win=0, base=5, index=1), c("SEND", F32, reg=2, src=1)]
FAR = s("ST", F32, reg=2, win=1, base=5, index=1)


@pytest.mark.parametrize(
    ("words", "vectors"),
    [
        (SENT, 2),
        ([s("GATHER", F32, reg=2, win=0, base=5, index=4), SENT[1]], 2),
        ([FAR], 0),
        ([s("SADD", reg=6, base=1, index=5), s("ST", F32, reg=2, win=1, base=6, index=1)], 0),
        ([s("ADDI", reg=6, base=5, imm=7), s("ST", F32, reg=2, win=1, base=6, index=1)], 0),
        ([s("SMIN", reg=6, base=5, index=1), s("ST", F32, reg=2, win=1, base=0, index=6)], 0),
        ([s("LI", reg=5, imm=VLMAX), FAR], 2),
        ([s("LI", reg=5), s("LIH", reg=5, imm=VLMAX), FAR], 2),
        ([s("LIH", reg=5, imm=VLMAX), FAR], 0),
        ([c("LOOP", reg=5, imm=1), SENT[1]], 0),
        ([c("LOOP", reg=1, imm=1), SENT[1]], 2),
        ([c("SKIP", reg=5, imm=1), SENT[1]], 0),
        ([c("SETVLR", reg=5), SENT[1]], 0),
        # The control reads the scalar as it was before its word.
        ([{**s("LI", reg=5, imm=1), **c("LOOP", reg=5, imm=1)}, SENT[1]], 0),
        ([s("SCATTER", F32, reg=2, win=1, base=0, index=4)], 0),
    ],
)
def test_what_is_written_whatever_is_loaded(words: list[Fields], vectors: int) -> None:
    """Where a number of an input says what is loaded, stores are known; they are not where it says what is stored."""
    builder = Builder()
    x, y = builder.input("x", (ELEMENTS,), F32), builder.output("y", (2 * VLMAX,), F32)
    builder.vector([*TAKEN, *SENT, *words, END], [x, y, builder.input("n", (VLMAX,), I32)])
    run = context(builder)
    assert run.device.whole.native.written(0).get(0, 0) == 4 * VLMAX * vectors
    given = {"x": source(), "n": np.zeros(VLMAX, np.int32)}
    lent = np.full(2 * VLMAX, np.nan, np.float32)
    run.run("main", given, {"y": lent})
    assert lent.tobytes() == run.run("main", given)["y"].tobytes()
    assert not np.isnan(lent).any()


def test_looking_ahead_is_bounded() -> None:
    """Launches that come after the words that are walked of an entry take no turns; their bytes are the same."""
    words = [
        {**s("LI", reg=1, imm=1), **c("SETVL", imm=1)},
        s("LI", reg=2, imm=60_000),
        c("LOOP", reg=2, imm=4),
        *[s("LD", F32, reg=1, win=0, base=0, index=1)] * 4,
        s("ST", F32, reg=1, win=1, base=0, index=1),
        END,
    ]
    builder = Builder()
    x, y, z = builder.input("x", (1,), F32), builder.output("y", (1,), F32), builder.output("z", (1,), F32)
    for _ in range(40):  # twice 240,000 words each, of 2 ** 24
        builder.vector(words, [x, y])
    builder.vector(words, [x, z])
    image = Emulator(builder.image()).whole.native
    assert set(image.written(0)) == {0}
