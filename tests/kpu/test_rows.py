"""Vector programs of several passes over rows: what they move, what stays on chip, and for whom it leaves it."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from tests.conformance.builder import END, Builder, Fields, c, s
from tests.kpu.programs import BLOCKS, COLUMNS, DOUBLE, ROWS, expanded, rows
from tests.kpu.test_kinds import ran
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.movement.fields import MOVEMENT_FIELDS, Level, Op
from tfmbs.runtime.abi.records import Kind
from tfmbs.runtime.abi.types import DType
from tfmbs.tools.bench.simulated import models
from tfmbs.tools.bench.simulated.result import Simulated
from tfmbs.tools.bench.simulated.workload import Workload, simulate

WORD = 4
X, LEFT, BIAS = BLOCKS * ROWS * COLUMNS * WORD, ROWS * COLUMNS * WORD, COLUMNS * WORD
READ_LATER = 120 * WORD  # by `DOUBLE`


def external(image: Image) -> tuple[int, int]:
    """Bytes that external memory gives and takes in a run, which has the emulator's bytes."""
    found = ran(image).stats.measured
    assert found is not None
    level = found.total.levels["external"]
    return level["read_bytes"], level["written_bytes"]


def test_operands_and_results_move_once() -> None:
    """The second pass finds on chip what the first one left, and the rows that it read; the bias comes once for all."""
    assert external(rows()) == (X + BIAS, X)


def test_what_a_later_launch_reads_is_stored() -> None:
    expected = (X + BIAS + READ_LATER, X + BLOCKS * LEFT + READ_LATER)
    assert external(rows(is_read_later=True)) == expected


def test_what_does_not_fit_goes_out() -> None:
    """Of the two operands of the second pass, only the sums of columns have a place."""
    given, taken = external(rows((4096, 8192, 16384)))
    assert given == 2 * X + BLOCKS * LEFT + BIAS
    assert taken == X + BLOCKS * LEFT


def test_parts_are_small_whatever_the_loops() -> None:
    """Programs are cut before any word: no part of a pass reads or writes more than a quarter of this L1."""
    program = expanded(rows())
    column = MOVEMENT_FIELDS.index
    movements = program.movements[program.movements[:, column("op")] == Op.COPY]
    fed = movements[movements[:, column("target")] == Level.L1]
    assert len(fed) > X // 2048
    assert fed[:, column("bytes")].max() <= 2048


# --- who reads what is left ------------------------------------------------------------------------------------------


def moved(first: int, count: int, *, load: int, store: int) -> list[Fields]:
    """Copies elements of a window to the same places of another one."""
    return [
        {**s("LI", reg=1, imm=1), **c("SETVL", imm=count)},
        s("LD", DType.F32, reg=1, win=load, base=0, index=1, imm=first),
        s("ST", DType.F32, reg=1, win=store, base=0, index=1, imm=first),
        END,
    ]


def there_and_back(count: int) -> list[Fields]:
    """Copies window 0 to 1, and that to 2."""
    return [*moved(0, count, load=0, store=1)[:-1], *moved(0, count, load=1, store=2)[1:]]


def repeated(turns: int) -> list[Fields]:
    """Loads each other one of 64 elements, so many times, and stores them."""
    load = s("LD", DType.F32, reg=1, win=0, base=0, index=2)
    return [
        {**s("LI", reg=1, imm=turns // 100), **c("SETVL", imm=32)},
        s("LI", reg=2, imm=2),
        c("LOOP", reg=1, imm=3),
        *[s("LI", reg=3, imm=100), c("LOOP", reg=3, imm=1), load],
        s("LI", reg=4, imm=1),
        s("ST", DType.F32, reg=1, win=1, base=0, index=4),
        END,
    ]


def chain(second: str) -> Image:
    """A launch that leaves 64 words on its way, then one that writes over them, wholly or in part, and a last that
    reads them."""
    builder = Builder("kpu-minimal")
    shape = (8, 8)
    x, y, z = builder.input("x", shape, DType.F32), *(builder.output(name, shape, DType.F32) for name in "yz")
    left = builder.scratch(shape, DType.F32)
    builder.vector(there_and_back(64), [x, left, y])
    if second == "a product":
        w = builder.constant(np.eye(8, dtype=np.float32))
        builder.gemm(x, w, left, m=8, n=8, k=8)
    elif second == "a copy":
        builder.launch(Kind.COPY, lhs=x, out=left)
    elif second != "nothing":
        builder.vector(moved(0, 64 if second == "vector code" else 63, load=0, store=1), [x, left])
    builder.vector(moved(0, 64, load=0, store=1), [left, z])
    return builder.image()


@pytest.mark.parametrize(
    ("second", "is_stored"),
    [("a product", 0), ("a copy", 0), ("vector code", 0), ("part of it", 1), ("nothing", 1)],
)
def test_only_what_is_read_before_it_is_written_again_is_stored(second: str, is_stored: int) -> None:
    """`ran` also compares the bytes: where less is stored than is read, they are wrong."""
    ran(chain(second))
    program = expanded(chain(second))
    column = MOVEMENT_FIELDS.index
    stores = program.movements[program.movements[:, column("launch")] == 0]
    stores = stores[stores[:, column("target")] == Level.EXTERNAL]
    stores = stores[stores[:, column("op")] == Op.COPY]
    assert stores[:, column("bytes")].sum() == (1 + is_stored) * 64 * WORD


def test_state_is_always_stored() -> None:
    builder = Builder("kpu-minimal")
    x, y = builder.input("x", (8, 8), DType.F32), builder.output("y", (8, 8), DType.F32)
    builder.vector(there_and_back(64), [x, builder.state("s", (8, 8), DType.F32), y])
    assert external(builder.image()) == (64 * WORD, 2 * 64 * WORD)


def test_what_a_run_before_left_comes_in() -> None:
    """State that is read before it is written has no home."""
    builder = Builder("kpu-minimal")
    state, y = builder.state("s", (120,), DType.F32), builder.output("y", (120,), DType.F32)
    x = builder.input("x", (120,), DType.F32)
    builder.vector([*DOUBLE[:-1], *moved(0, 120, load=2, store=0)[1:]], [state, y, x])
    assert external(builder.image()) == (2 * 120 * WORD, 2 * 120 * WORD)


@pytest.mark.parametrize(("turns", "is_known"), [(100, True), (200_000, False)])
def test_what_comes_back_too_often_is_not_noted(turns: int, is_known: bool) -> None:
    """Strided loads of the same elements, again and again: a launch that accesses external memory itself."""
    builder = Builder("kpu-minimal")
    x, y = builder.input("x", (64,), DType.F32), builder.output("y", (64,), DType.F32)
    builder.vector(repeated(turns), [x, y])
    program = expanded(builder.image())
    assert (len(program.movements) > 1) == is_known


# --- compiled ones ---------------------------------------------------------------------------------------------------


def compiled(op: str, height: int, width: int) -> Simulated:
    result = simulate(Workload("", op, partial(models.vector, op, height, width)))
    assert result.exact
    return result


@pytest.mark.parametrize(("op", "weights"), [("Softmax", 0), ("LayerNormalization", 2)])
@pytest.mark.parametrize(("height", "width"), [(512, 768), (512, 1024)])
def test_normalizations_move_their_operands_once(op: str, weights: int, height: int, width: int) -> None:
    """Blocks of rows larger than a part, sums of rows, weights of columns. Time is that of the vector engine."""
    result = compiled(op, height, width)
    (launch,) = result.launches
    assert launch.external_bytes == (2 * height + weights) * width * WORD
    assert result.total_ps <= 1.02 * launch.bound.total_ps
    assert launch.bound.limit == "vector"
