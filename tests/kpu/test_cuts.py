"""Tiles that follow each other, and transfers in parts: what the device makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.conformance.builder import DTYPE_OF_NUMPY, Builder
from tests.kpu.programs import expanded
from tests.kpu.test_hazards import check_deletions
from tfmbs.runtime.abi.array_timing import ArrayShape, Sizes, job_lag, overlapped_cycles
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.movement.cuts import PART, part_bytes, result_parts
from tfmbs.runtime.abi.movement.fields import MOVEMENT_FIELDS, Level, Op
from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.abi.movement.nests import FREE, Nest
from tfmbs.runtime.abi.movement.operands import Matrix, Tile
from tfmbs.runtime.abi.movement.plan import Plan, Work
from tfmbs.runtime.abi.movement.program import Copy
from tfmbs.runtime.abi.movement.tiles import planned
from tfmbs.runtime.abi.records import Dataflow, Kind, LoopOrder
from tfmbs.runtime.abi.target_file import load_target
from tfmbs.runtime.abi.types import DType, Packing
from tfmbs.runtime.devices.emulator import Emulator
from tfmbs.runtime.devices.kpu import Kpu, native_program
from tfmbs.runtime.hazards import conflicts
from tfmbs.runtime.timing import Timing

KPU = ArrayShape(16, 16)


def product(
    sizes: tuple[int, int, int], tiles: tuple[int, int, int], flow: Dataflow, dtype: Any = np.int8, buffers: int = 2
) -> Image:
    m, n, k = sizes
    builder = Builder("kpu-16x16")
    kind = DTYPE_OF_NUMPY[np.dtype(dtype).name]
    x, w = builder.input("x", (m, k), kind), builder.constant(np.ones((n, k), dtype))
    out = builder.output("y", (m, n), DType.F32 if kind is DType.F32 else DType.I32)
    schedule = builder.schedule(tiles=tiles, dataflow=flow, buffers=buffers)
    builder.gemm(x, w, out, m=m, n=n, k=k, schedule=schedule)
    return builder.image()


def run(image: Image) -> Timing:
    """On small numbers; the bytes are those of the emulator."""
    shape = image.tensors[0]["dims"][:2]
    dtype = np.float32 if image.tensors[0]["dtype"] == DType.F32 else np.int8
    given = {"x": (np.arange(shape[0] * shape[1]) % 19 - 9).reshape(shape).astype(dtype)}
    context = Kpu(image).context()
    assert context.run("main", given)["y"].tobytes() == Emulator(image).context(1).run("main", given)["y"].tobytes()
    return context.timing


@pytest.mark.parametrize("flow", list(Dataflow))
def test_tiles_have_the_feed_one_behind_the_other(flow: Dataflow) -> None:
    """Never closer than the rule says, and so close where operands are there: those of a whole row are, soon."""
    timing, tile = run(product((128, 128, 64), (32, 32, 64), flow)), Sizes(32, 32, 64)
    starts = timing.start[timing.column("op") == Op.FOLD]
    feed = overlapped_cycles(flow, tile, KPU) - job_lag(flow, tile, KPU)
    gaps = np.diff(starts) // timing.core_ps
    assert gaps.min() == feed == 64 * 4 if flow is Dataflow.OUTPUT_STATIONARY else 32 * 8
    assert (gaps == feed).sum() > len(gaps) // 2


def test_without_double_buffering_each_tile_has_the_array_alone() -> None:
    timing = run(product((64, 64, 64), (16, 16, 64), Dataflow.OUTPUT_STATIONARY, buffers=1))
    folds = timing.column("op") == Op.FOLD
    assert (timing.start[folds][1:] >= timing.end[folds][:-1]).all()


def test_a_step_that_goes_on_with_sums_waits_for_them() -> None:
    timing = run(product((16, 16, 256), (16, 16, 64), Dataflow.OUTPUT_STATIONARY))
    folds = timing.column("op") == Op.FOLD
    assert folds.sum() == 4
    assert (timing.start[folds][1:] >= timing.end[folds][:-1]).all()


def test_an_array_is_busy_once_at_a_time() -> None:
    timing = run(product((128, 128, 64), (16, 16, 64), Dataflow.OUTPUT_STATIONARY))
    folds = np.flatnonzero(timing.column("op") == Op.FOLD)
    assert (timing.until[folds][:-1] <= timing.start[folds][1:]).all()
    assert (timing.until[folds] < timing.end[folds]).any()
    assert timing.until[folds][-1] == timing.end[folds][-1]


@pytest.mark.parametrize(("rows", "dtype"), [(128, np.int8), (64, np.float32)])
def test_results_of_long_products_of_few_k_leave_while_the_array_works(rows: int, dtype: Any) -> None:
    """In one piece, results of a tile would fill what L2 has for them, and the array would wait for each."""
    timing = run(product((4096, 64, 64), (rows, 64, 64), Dataflow.OUTPUT_STATIONARY, dtype))
    assert timing.total_ps // timing.core_ps <= 1.05 * 4096 * 64 * 64 / 256


def test_all_engines_bring_the_first_operands_and_take_the_last_results() -> None:
    timing = run(product((64, 64, 64), (32, 32, 64), Dataflow.OUTPUT_STATIONARY, np.float32))
    source, target = timing.column("source"), timing.column("target")
    loads = np.flatnonzero((source == Level.EXTERNAL) & (target == Level.L3))
    stores = np.flatnonzero((source == Level.L3) & (target == Level.EXTERNAL))
    assert len(set(timing.column("engine")[loads[:4]])) == 4
    assert (timing.start[loads[:4]] == 0).all()
    assert len(set(timing.column("engine")[stores[-4:]])) == 4


def test_parts_wait_for_what_they_need_and_nothing_else() -> None:
    """Of two products on each other's results: one launch's parts meet the bytes that the other one's used."""
    builder = Builder("kpu-16x16")
    x, z = builder.input("x", (40, 64), DType.F32), builder.output("z", (40, 40), DType.F32)
    y = builder.scratch((40, 48), DType.F32)
    for lhs, out, n, k in ((x, y, 48, 64), (y, z, 40, 48)):
        w = builder.constant(np.ones((n, k), np.float32))
        schedule = builder.schedule(tiles=(16, 24, 32), dataflow=Dataflow.WEIGHT_STATIONARY)
        builder.gemm(lhs, w, out, m=40, n=n, k=k, schedule=schedule)
    program = expanded(builder.image())
    assert (program.movements[:, MOVEMENT_FIELDS.index("lag_ps")] > 0).any()
    assert check_deletions(program) > 200


@pytest.mark.parametrize(
    "copy",
    [Copy(0, 7, 3, 64, run=1000), Copy(0, 7, 3, 64, 1, 0, 0, 9, 100, 20, 20), Copy(0, 7, 3, 64, 5, 4, 12, 3, 40, 4, 4)],
)
@pytest.mark.parametrize("count", [1, 2, 4, 16])
def test_parts_of_a_copy_are_the_copy(copy: Copy, count: int) -> None:
    def moved(one: Copy) -> set[tuple[int, int]]:
        return {
            (one.start + i * one.from0 + j * one.from1 + b, one.to + i * one.to0 + j * one.to1 + b)
            for i in range(one.count0)
            for j in range(one.count1)
            for b in range(one.run)
        }

    for whole in (copy, copy.by_source()):
        parts = whole.cut(count)
        assert len(parts) <= count
        assert sum(part.bytes for part in parts) == copy.bytes
        assert set().union(*map(moved, parts)) == moved(copy)
        assert all(part.source_end <= copy.source_end for part in parts)


@pytest.mark.parametrize(
    ("rows", "columns", "element"), [(64, 64, 4), (1, 5000, 4), (3, 4000, 4), (129, 64, 4), (5, 3, 1)]
)
def test_parts_of_results_cover_them(rows: int, columns: int, element: int) -> None:
    limit = part_bytes(rows, columns, element, 4)
    assert limit <= max(PART, -(-rows * columns * element // 2))
    seen = np.zeros((rows, columns), int)
    for own_rows, own_columns in result_parts(rows, columns, element, limit):
        assert own_rows.size * own_columns.size * element <= limit
        assert own_rows.size == 1 or own_columns.size == columns  # bytes of a part follow each other
        seen[
            own_rows.first : own_rows.first + own_rows.size, own_columns.first : own_columns.first + own_columns.size
        ] += 1
    assert (seen == 1).all()


def _plan(m: int, n: int, k: int, tile: Tile, nest: Nest = FREE) -> tuple[Work, Plan]:
    machine = Machine.of(load_target("kpu-16x16"))
    lhs = Matrix(0, 0, DType.F32, Packing.DENSE, 1, m, k, 0, k, 1, True)
    work = Work(1, m, n, k, lhs, Matrix(0, 0, DType.F32, Packing.DENSE, 1, n, k, 0, k, 1, False), False, 4)
    return work, planned(work, tile, Dataflow.OUTPUT_STATIONARY, 2, range(1), machine, "test", nest)


def test_tiles_grow_where_l2_holds_both_operands() -> None:
    """Each tile once; with so many blocks as have come, all that they allow is done."""
    work, plan = _plan(100, 128, 100, Tile(16, 16, 100))
    places = [place[1:3] for one in plan.rounds(work) for place in one.places]
    assert sorted(places) == [(row, column) for row in range(7) for column in range(8)]
    blocks = 0
    for number in range(1, len(places) + 1):
        rows, columns = (len({place[axis] for place in places[:number]}) for axis in range(2))
        if rows + columns > blocks:  # a new block came: all tiles without it were done
            blocks = rows + columns
            assert number - 1 in (rows * (columns - 1), (rows - 1) * columns)
    for side in range(1, 8):  # blocks of the same size: as many of rows as of columns
        assert {len({place[axis] for place in places[: side * side]}) for axis in range(2)} == {side}
    assert not _grows(*_plan(2048, 2048, 512, Tile(64, 64, 64)))
    assert not _grows(*_plan(1, 128, 100, Tile(1, 16, 100)))
    assert not _grows(*_plan(100, 128, 100, Tile(16, 16, 100), Nest(LoopOrder.ROWS)))


def _grows(work: Work, plan: Plan) -> bool:
    return plan.grows(work)


@pytest.mark.parametrize(
    ("kernel", "stride", "pads", "dilation", "lines"),
    [
        ((1, 1), (2, 2), (0, 0, 0, 0), (1, 1), range(0, 13, 2)),
        ((1, 1), (3, 1), (1, 0, 1, 0), (1, 1), range(2, 13, 3)),
        ((2, 2), (4, 4), (1, 1, 1, 1), (1, 1), [0, 3, 4, 7, 8, 11, 12]),
        ((2, 2), (4, 2), (0, 0, 0, 0), (2, 1), [0, 2, 4, 6, 8, 10]),
        ((3, 3), (2, 2), (1, 1, 1, 1), (1, 1), range(13)),
    ],
)
def test_lines_that_no_window_needs_stay_away(
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pads: tuple[int, int, int, int],
    dilation: tuple[int, int],
    lines: Any,
) -> None:
    """Of an image of 13 lines; all pixels of the others come, once."""
    builder, side, channels, filters = Builder("kpu-16x16"), 13, 6, 5
    rng = np.random.default_rng(3)
    x = builder.input("x", (2, channels, side, side), DType.I8)
    w = builder.constant(rng.integers(-9, 9, (filters, channels, *kernel), np.int8))
    reach = [(size - 1) * step + 1 for size, step in zip(kernel, dilation, strict=True)]
    height, width = ((side + pads[i] + pads[i + 2] - reach[i]) // stride[i] + 1 for i in range(2))
    out = builder.output("y", (2, filters, height, width), DType.I32)
    builder.window(Kind.CONV2D, x, w, out, kernel=kernel, strides=stride, pads=pads, dilations=dilation)
    image = builder.image()
    given = {"x": rng.integers(-9, 9, (2, channels, side, side), np.int8)}
    context = Kpu(image).context()
    found = context.run("main", given)["y"]
    assert found.tobytes() == Emulator(image).context(1).run("main", given)["y"].tobytes()
    weights = filters * channels * kernel[0] * kernel[1]
    needed = 2 * channels * len(lines) * side + weights
    assert context.timing.bytes_between(Level.EXTERNAL, Level.L3) == needed
    assert context.timing.bytes_between(Level.L3, Level.L2) == needed
    assert conflicts(context.timing.program, native_program(context.timing.program)) == []
