"""Attention with values in a state, of which a context knows what it looked at: whoever stores to them is noticed."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.builder import END, Builder, Fields, c, d, s
from tfmbs.runtime.abi.records import MaskMode
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.program import Context, Program

GROUPS, KEYS, WIDTH, STEP = 2, 300, 32, 64
"""Values of several blocks; elements that a store takes."""

F32, I32 = DType.F32, DType.I32
SIZE = GROUPS * KEYS * WIDTH
SETUP = [
    {**s("LI", reg=1, imm=1), **c("SETVL", imm=1)},
    s("LD", I32, reg=9, win=1, base=0, index=1),
    {**s("SGET", I32, reg=5, index=9), **c("SETVL", imm=STEP)},
    s("LD", F32, reg=2, win=0, base=0, index=1),
]
VECTORS: dict[str, list[Fields]] = {
    "ST": [s("ST", F32, reg=2, win=2, base=5, index=1)],
    "ST, backwards": [
        s("LI", reg=6, imm=-1),
        s("ADDI", reg=7, base=5, imm=STEP - 1),
        s("ST", F32, reg=2, win=2, base=7, index=6),
    ],
    "SEND": [c("SEND", F32, reg=2, src=2)],
    "SCATTER": [s("INDEX", I32, reg=3, base=0, index=1), s("SCATTER", F32, reg=2, win=2, base=5, index=3)],
    "chain": [
        d("MUL", F32, vd=3, va=2, vb=2),
        d("SUB", F32, vd=3, va=3, vb=3),
        d("ADD", F32, vd=3, va=2, vb=3),
        s("ST", F32, reg=3, win=2, base=5, index=1),
    ],
}


def copy(builder: Builder, x: int, v: int) -> None:
    builder.copy(x, builder.view(v, (STEP,), offset=4 * KEYS * WIDTH - 4 * STEP))


def product(builder: Builder, x: int, v: int) -> None:
    row = builder.view(x, (STEP, 1))
    out = builder.view(v, (1, STEP), offset=4 * KEYS * WIDTH - 4 * STEP)
    builder.gemm(builder.constant(np.ones((1, 1), np.float32)), row, out, m=1, n=STEP, k=1)


LAUNCHES: dict[str, Callable[[Builder, int, int], None]] = {"COPY": copy, "GEMM": product}


def attend(builder: Builder, q: int, k: int, v: int, mask: int, name: str) -> None:
    y = builder.output(name, (1, GROUPS, 1, WIDTH), F32)
    builder.attention(q, k, v, y, masked=mask, mask=MaskMode.SELECT, fill=-np.inf, clear=True)


def program(kind: str | None) -> Program:
    """Attention before and behind a store to the state, and the state itself; or attention of an input."""
    builder = Builder()
    q, k = builder.input("q", (1, GROUPS, 1, WIDTH), F32), builder.input("k", (1, GROUPS, KEYS, WIDTH), F32)
    mask = builder.input("mask", (1, 1, 1, KEYS), DType.BOOL)
    if kind is None:
        attend(builder, q, k, builder.input("v", (1, GROUPS, KEYS, WIDTH), F32), mask, "y")
        return Program(builder.image())
    x, at = builder.input("x", (STEP,), F32), builder.input("at", (1,), I32)
    builder.state("other", (33,), F32)
    v = builder.state("v", (1, GROUPS, KEYS, WIDTH), F32)
    attend(builder, q, k, v, mask, "before")
    if kind in VECTORS:
        builder.vector([*SETUP, *VECTORS[kind], END], [x, at, builder.view(v, (SIZE,))])
    else:
        LAUNCHES[kind](builder, x, v)
    attend(builder, q, k, v, mask, "y")
    builder.copy(v, builder.output("v", (1, GROUPS, KEYS, WIDTH), F32))
    return Program(builder.image())


OBVIOUS = program(None)
PROGRAMS = {kind: program(kind) for kind in (*VECTORS, *LAUNCHES)}


def compare(context: Context, inputs: dict[str, np.ndarray], before: np.ndarray) -> np.ndarray:
    """Both results are those of an attention of the values as they are then, which are returned."""
    got = context.run(inputs)
    rest = {name: inputs[name] for name in ("q", "k", "mask")}
    for name, values in (("before", before), ("y", got["v"])):
        expected = OBVIOUS.run({**rest, "v": values})["y"]
        assert got[name].tobytes() == expected.tobytes(), name
    return got["v"]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", PROGRAMS)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_stores_are_noticed(kind: str, threads: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    context, shape = PROGRAMS[kind].context(threads=threads), (1, GROUPS, KEYS, WIDTH)
    values = np.zeros(shape, np.float32)
    for _ in range(data.draw(st.integers(1, 4))):
        x = rng.standard_normal(STEP).astype(np.float32)
        x[data.draw(st.integers(0, STEP - 1))] = data.draw(st.sampled_from((np.inf, np.nan, -np.inf, 1.0)))
        mask = np.arange(KEYS) <= data.draw(st.sampled_from((0, 3, 150, KEYS - 1)))
        given = {
            "q": rng.standard_normal((1, GROUPS, 1, WIDTH)).astype(np.float32),
            "k": rng.standard_normal(shape).astype(np.float32),
            "mask": mask.reshape(1, 1, 1, KEYS),
            "x": x,
            "at": np.array([data.draw(st.integers(0, SIZE - STEP))], np.int32),
        }
        values = compare(context, given, values)
        if data.draw(st.integers(0, 5)) == 0:
            context.reset()
            values = np.zeros(shape, np.float32)


def test_heads_side_by_side_have_other_numbers_between_their_values() -> None:
    """An infinite number of another head hides nothing of one's own values, and is none of them."""
    builder = Builder()
    q, k = builder.input("q", (1, GROUPS, 1, WIDTH), F32), builder.input("k", (1, GROUPS, KEYS, WIDTH), F32)
    mask, x = builder.input("mask", (1, 1, 1, KEYS), DType.BOOL), builder.input("x", (KEYS, GROUPS, WIDTH), F32)
    v = builder.state("v", (KEYS, GROUPS, WIDTH), F32)
    builder.copy(x, v)
    geometry = {
        "batch": 1, "groups": GROUPS, "shared": 1, "rows": 1, "columns": KEYS, "width": WIDTH, "value_width": WIDTH,
        "lhs_head_stride": WIDTH, "lhs_stride": 1, "rhs_group_stride": KEYS * WIDTH, "rhs_row_stride": WIDTH,
        "rhs_stride": 1, "value_group_stride": WIDTH, "value_row_stride": GROUPS * WIDTH, "value_stride": 1,
        "mask_column_stride": 1, "scale": 1.0, "fill": -np.inf, "mask": MaskMode.SELECT, "clear": 1,
    }  # fmt: skip
    builder.attention_of(q, k, v, builder.output("y", (1, GROUPS, 1, WIDTH), F32), geometry, mask)
    context, rng = Program(builder.image()).context(), np.random.default_rng(5)
    inputs = {
        "q": rng.standard_normal((1, GROUPS, 1, WIDTH)).astype(np.float32),
        "k": rng.standard_normal((1, GROUPS, KEYS, WIDTH)).astype(np.float32),
        "mask": (np.arange(KEYS) < 20).reshape(1, 1, 1, KEYS),
    }
    x_ = rng.standard_normal((KEYS, GROUPS, WIDTH)).astype(np.float32)
    x_[200, 1, 7] = np.inf
    for _ in range(2):
        got = context.run({**inputs, "x": x_})["y"]
        values = np.ascontiguousarray(x_.transpose(1, 0, 2))[None]
        assert got.tobytes() == OBVIOUS.run({**inputs, "v": values})["y"].tobytes()
        assert np.isnan(got[0, 1, 0, 7])
        assert np.isfinite(got[0, 0]).all()
