"""Products of the same rows one after the other: their packed form is kept where it is the same, and only there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conformance.builder import END, Builder, c, s
from tests.conformance.data import floats, operands
from tfmbs.runtime import _native
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.records import Activations
from tfmbs.runtime.abi.types import DType, Packing
from tfmbs.runtime.devices.emulator import Emulator

Array = NDArray[Any]
Add = Callable[[Builder, int, int, int, int], None]
SETS = (*_native.instruction_sets(), *_native.modelled_sets())
K = 320
ROWS = (1, 2, 21)
"""Of i8 by groups, a few are multiplied by weights as the file has them."""
WIDTHS = (70, K, 300, 300)
"""Columns of products that follow each other."""
ABSMAX = Activations.ABSMAX


def groups(pair: str, packing: Packing, group: int, activations: Activations = ABSMAX) -> Add:
    """Adds a GROUP_GEMM of rows of f32 that become integers, or of integers."""

    def add(builder: Builder, rows: int, out: int, m: int, n: int) -> None:
        rng = np.random.default_rng(n)
        _, weights = operands(pair, (m, K), (n * (K // group), group), seed=n)
        scales = builder.constant(floats(rng, (n, K // group)))
        builder.groups(
            rows, builder.constant(weights, packing), scales, out, m=m, n=n, k=K, group=group, activations=activations
        )

    return add


def gemm(pair: str) -> Add:
    """Adds a GEMM."""

    def add(builder: Builder, rows: int, out: int, m: int, n: int) -> None:
        _, weights = operands(pair, (m, K), (n, K), seed=n)
        builder.gemm(rows, builder.constant(weights), out, m=m, n=n, k=K)

    return add


FORMS = {
    "i8 by rows": groups("f32-i8", Packing.DENSE, K),
    "i8 in groups": groups("f32-i8", Packing.DENSE, 64),
    "i8 in short groups": groups("f32-i8", Packing.DENSE, 16),
    "trits": groups("f32-trit", Packing.A5, K),
    "i4": groups("f32-i4", Packing.NIBBLES, 64),
    "f32 by i4": groups("f32-i4", Packing.NIBBLES, 64, Activations.STORED),
    "f32": gemm("f32-f32"),
}


def one_after_the_other(adds: list[Add], m: int) -> Image:
    """Products of the same rows in SCRATCH."""
    builder = Builder()
    x = builder.input("x", (m, K), DType.F32)
    rows = builder.scratch((m, K), DType.F32)
    builder.copy(x, rows)
    for i, (add, n) in enumerate(zip(adds, WIDTHS, strict=False)):
        add(builder, rows, builder.output(f"y{i}", (m, n), DType.F32), m, n)
    return builder.image()


def by_itself(add: Add, n: int, x: Array) -> Array:
    builder = Builder()
    m = len(x)
    add(builder, builder.input("x", (m, K), DType.F32), builder.output("y", (m, n), DType.F32), m, n)
    return Emulator(builder.image(), "baseline").context(1).run("main", {"x": x})["y"]


@pytest.fixture(name="x", params=ROWS)
def rows_of_inputs(request: pytest.FixtureRequest) -> Array:
    return floats(np.random.default_rng(1), (request.param, K))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("isa", SETS)
@pytest.mark.parametrize("form", FORMS)
def test_the_same_form(form: str, isa: str, threads: int, x: Array) -> None:
    adds = [FORMS[form]] * len(WIDTHS)
    context = Emulator(one_after_the_other(adds, len(x)), isa).context(threads)
    for given in (x, x * np.float32(0.5), x):
        got = context.run("main", {"x": given})
        for i, n in enumerate(WIDTHS):
            assert got[f"y{i}"].tobytes() == by_itself(FORMS[form], n, given).tobytes()


@pytest.mark.parametrize("isa", SETS)
@pytest.mark.parametrize("forms", [("i8 by rows", "f32", "i8 by rows"), ("i8 by rows", "i8 in groups", "i4"),
                                   ("i8 in groups", "i8 in short groups", "i8 by rows"),
                                   ("trits", "i8 by rows", "trits"), ("i4", "f32 by i4", "i4")])  # fmt: skip
def test_other_forms(forms: tuple[str, ...], isa: str, x: Array) -> None:
    got = Emulator(one_after_the_other([FORMS[form] for form in forms], len(x)), isa).context(1).run("main", {"x": x})
    for i, form in enumerate(forms):
        assert got[f"y{i}"].tobytes() == by_itself(FORMS[form], WIDTHS[i], x).tobytes()


@pytest.mark.parametrize("form", FORMS)
def test_rows_that_were_written(form: str, x: Array) -> None:
    """Other rows come to the same place between two products."""
    builder, n = Builder(), WIDTHS[0]
    given = {"x": x, "other": x[::-1] * np.float32(0.5)}
    inputs = [builder.input(name, x.shape, DType.F32) for name in given]
    rows = builder.scratch(x.shape, DType.F32)
    for i, source in enumerate(inputs):
        builder.copy(source, rows)
        FORMS[form](builder, rows, builder.output(f"y{i}", (len(x), n), DType.F32), len(x), n)
    got = Emulator(builder.image(), "").context(1).run("main", given)
    for i, own in enumerate(given.values()):
        assert got[f"y{i}"].tobytes() == by_itself(FORMS[form], n, own).tobytes()


LEFT, RIGHT = 5, 12
"""Of the first row, the elements that something stores to between two products."""


def by_program(builder: Builder, source: int, to: int) -> None:
    """Loads from the front of one, stores to the front of the other."""
    words = [
        {**s("LI", reg=1, imm=1), **c("SETVL", imm=RIGHT - LEFT)},
        s("LD", DType.F32, reg=1, win=0, base=0, index=1),
        {**s("ST", DType.F32, reg=1, win=1, base=0, index=1), **END},
    ]
    builder.vector(words, [source, to])


def by_copy(builder: Builder, source: int, to: int) -> None:
    builder.copy(builder.view(source, (RIGHT - LEFT,)), to)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("store", [by_program, by_copy])
@pytest.mark.parametrize("form", FORMS)
def test_rows_of_which_some_were_written(form: str, store: Callable[..., None], threads: int, x: Array) -> None:
    """What is stored beside the rows changes nothing, what is stored to a few of their elements counts."""
    builder, n = Builder(), WIDTHS[1]
    other = builder.input("other", x.shape, DType.F32)
    front = builder.scratch((16,), DType.F32)
    rows = builder.scratch(x.shape, DType.F32)
    behind = builder.scratch((16,), DType.F32)
    builder.copy(builder.input("x", x.shape, DType.F32), rows)
    places = (builder.view(front, (RIGHT - LEFT,), offset=4 * (16 - RIGHT + LEFT)),
              builder.view(behind, (RIGHT - LEFT,)),
              builder.view(rows, (RIGHT - LEFT,), offset=4 * LEFT))  # fmt: skip
    for i in range(len(places) + 1):
        FORMS[form](builder, rows, builder.output(f"y{i}", (len(x), n), DType.F32), len(x), n)
        if i < len(places):
            store(builder, other, places[i])
    given = {"x": x, "other": x[::-1] * np.float32(-0.5)}
    written = x.copy()
    written[0, LEFT:RIGHT] = given["other"][0, : RIGHT - LEFT]
    context = Emulator(builder.image(), "").context(threads)
    for _ in range(2):
        got = context.run("main", given)
        for i in range(len(places) + 1):
            own = written if i == len(places) else x
            assert got[f"y{i}"].tobytes() == by_itself(FORMS[form], n, own).tobytes()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("isa", SETS)
def test_one_row_of_products_with_few_and_many_rows_of_trits(isa: str, threads: int) -> None:
    """Where look-ups are fast, only many rows of trits are worth tables, which are kept for the next product."""
    rng, widths, k = np.random.default_rng(2), (70, 300, 500, 40, 300), 641
    builder = Builder()
    rows = builder.scratch((1, k), DType.I8)
    builder.copy(builder.input("x", (1, k), DType.I8), rows)
    weights = [rng.integers(-1, 2, (n, k)).astype(np.int8) for n in widths]
    for i, one in enumerate(weights):
        out, n = builder.output(f"y{i}", (1, len(one)), DType.F32), len(one)
        scales = builder.constant(np.ones((n, 1), np.float32))
        builder.groups(rows, builder.constant(one, Packing.A5), scales, out, m=1, n=n, k=k, group=k)
    context = Emulator(builder.image(), isa).context(threads)
    for _ in range(2):
        x = rng.integers(-128, 128, (1, k)).astype(np.int8)
        got = context.run("main", {"x": x})
        for i, one in enumerate(weights):
            assert got[f"y{i}"].tobytes() == (x.astype(np.float32) @ one.T.astype(np.float32)).tobytes()
