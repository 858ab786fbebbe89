"""Products in blocks whose sums park between blocks of k: bytes of values and traffic, time, and what chooses them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.conformance.builder import Builder
from tests.kpu.programs import expanded
from tfmbs.passes.graph.problem import Choice, Problem
from tfmbs.passes.graph.tiling import array_dataflows, choose
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.movement.fields import MOVEMENT_FIELDS, Op
from tfmbs.runtime.abi.movement.nests import Loops
from tfmbs.runtime.abi.movement.operands import Matrix, Tile
from tfmbs.runtime.abi.movement.plan import Work
from tfmbs.runtime.abi.movement.tiles import first_tile, halved
from tfmbs.runtime.abi.records import Activations, Dataflow, Kind, LoopOrder
from tfmbs.runtime.abi.sections import MAJOR, MINOR
from tfmbs.runtime.abi.target import Target
from tfmbs.runtime.abi.target_file import load_target
from tfmbs.runtime.abi.types import DType, Packing
from tfmbs.tools.bench.simulated import models
from tfmbs.tools.bench.simulated.result import Simulated
from tfmbs.tools.bench.simulated.workload import DEFAULT_TARGET, Workload, simulate

WORD = 4
LOOPS = {"order": LoopOrder.ROWS, "block_m": 128, "block_n": 256, "block_k": 64}
TILE = {"dataflow": Dataflow.WEIGHT_STATIONARY, "tile_m": 32, "tile_n": 64, "tile_k": 32}


def product(kind: str, m: int, n: int, k: int, **schedule: int) -> Simulated:
    def change(image: Image) -> Image:
        rows = [{**row, **schedule} for row in image.schedules]
        return Image.from_buffer(replace(image, schedules=rows, file=None).to_bytes())

    return simulate(Workload("t", "t", lambda: models.product(kind, m, n, k), change=change))


@pytest.mark.parametrize("kind", ["f32", "int8"])
def test_operands_come_once_for_each_block(kind: str) -> None:
    """Of 2×2 blocks; sums park on chip and never leave it, whatever k is."""
    m, n, k = 256, 512, 960
    found = product(kind, m, n, k, **TILE, **LOOPS)
    e = WORD if kind == "f32" else 1
    assert found.exact
    assert found.external_bytes <= 2 * (m + n) * k * e + WORD * m * n
    assert found.bytes["l1_to_l2"] == WORD * m * n * k // 64  # a block of k after the other, and the results
    assert found.bytes["l2_to_l1"] >= WORD * m * n * (k // 64 - 1)


PANELS = {"tile_m": 64, "tile_k": 128, "tile_n": 32, "block_m": 256, "block_n": 512, "block_k": 256}
RESULTS = {"tile_m": 48, "tile_n": 64, "tile_k": 96, "block_m": 288, "block_n": 512, "block_k": 192}


@pytest.mark.parametrize(
    ("sizes", "loops"),
    [
        pytest.param((256, 512, 960), {}, id="rows first"),
        pytest.param((256, 500, 900), {"order": LoopOrder.COLUMNS}, id="columns first"),
        pytest.param((256, 512, 960), {"dataflow": Dataflow.OUTPUT_STATIONARY}, id="sums go into the array again"),
        pytest.param((512, 1024, 1024), PANELS, id="panels come late"),
        pytest.param((1024, 1024, 1024), RESULTS, id="results of a short last block of k wait for each other"),
    ],
)
def test_the_model_tells_the_time(sizes: tuple[int, int, int], loops: dict[str, int]) -> None:
    found = product("f32", *sizes, **{**TILE, **LOOPS, **loops})
    assert found.exact
    assert found.predicted == pytest.approx(found.cycles, rel=0.02)


def chosen(m: int, n: int, k: int, kind: DType = DType.F32) -> Choice:
    target = load_target(DEFAULT_TARGET)
    return choose(Problem(1, m, n, k, kind, kind, shares_right=True), target, array_dataflows(target))


def test_the_search_blocks_long_products() -> None:
    schedule, prediction = chosen(1024, 768, 3072)
    assert all(schedule.block)
    assert prediction is not None
    least = WORD * (1024 * 3072 + 768 * 3072 + 1024 * 768)
    assert prediction.traffic.l3 + prediction.traffic.results < 2.5 * least


def test_the_search_says_which_tiles_follow_each_other() -> None:
    """Columns stay and rows follow where rows are few; an LSTM's loops are its own."""
    short = chosen(16, 4096, 256).schedule
    assert short.order is not LoopOrder.ANY
    assert short.block == (0, 0, 0)
    target = load_target(DEFAULT_TARGET)
    recurrent = Problem(1, 64, 2048, 512, DType.F32, DType.F32, has_loops=False)
    loops = choose(recurrent, target, array_dataflows(target)).schedule
    assert (loops.order, loops.block) == (LoopOrder.ANY, (0, 0, 0))


def test_an_order_is_obeyed() -> None:
    """With room for all of an operand's panel only, the other one comes once for each of its turns."""
    rows, columns = (
        product("f32", 512, 512, 512, **TILE, order=order, block_m=0, block_n=0, block_k=0)
        for order in (LoopOrder.ROWS, LoopOrder.COLUMNS)
    )
    assert rows.exact
    assert columns.exact
    assert rows.external_bytes != columns.external_bytes


@pytest.mark.parametrize("flow", list(Dataflow))
def test_tiles_of_a_block_follow_each_other_but_where_the_array_takes_sums_in(flow: Dataflow) -> None:
    builder = Builder(DEFAULT_TARGET)
    x, y = builder.input("x", (64, 128), DType.F32), builder.output("y", (64, 64), DType.F32)
    w = builder.constant(np.ones((64, 128), np.float32))
    schedule = builder.schedule(tiles=(32, 32, 32), dataflow=flow, order=LoopOrder.ROWS, block=(64, 64, 64))
    builder.gemm(x, w, y, m=64, n=64, k=128, schedule=schedule)
    moves = expanded(builder.image()).movements
    folds = moves[moves[:, MOVEMENT_FIELDS.index("op")] == Op.FOLD]
    has_lag = folds[:, MOVEMENT_FIELDS.index("lag_ps")] > 0
    assert len(folds) == 16
    assert (has_lag != (flow is Dataflow.OUTPUT_STATIONARY)).all()


def test_rows_that_become_integers_refuse_an_order() -> None:
    builder = Builder("kpu-minimal")
    x, y = builder.input("x", (4, 64), DType.F32), builder.output("y", (4, 8), DType.F32)
    w, scales = builder.constant(np.ones((8, 64), np.int8)), builder.constant(np.ones((8, 1), np.float32))
    schedule = builder.schedule(tiles=(4, 8, 64), order=LoopOrder.ROWS)
    builder.groups(x, w, scales, y, m=4, n=8, k=64, group=64, activations=Activations.ABSMAX, schedule=schedule)
    with pytest.raises(TfmbsError, match="ABSMAX: order, expected 0, got 1"):
        Image.from_buffer(builder.image().to_bytes())


def test_tiles_in_blocks_that_do_not_fit_are_passed_over() -> None:
    """Smaller tiles use more tiles of the fabric, which need more slots: one candidate fits where another does not."""
    values = load_target("tfmbs-1024").to_dict()
    for level, size in (("l1", 1 << 17), ("l2", 1 << 14), ("l3", 1 << 20)):
        values[level] |= {"banks": 1, "bank_bytes": size}
    target = Target.from_dict(values, "small")
    problem = Problem(1, 1, 1024, 256, DType.I8, DType.I8, shares_right=True)
    assert choose(problem, target, array_dataflows(target)).prediction is not None


@pytest.mark.parametrize("fabric", [1, 2, 5])
@pytest.mark.parametrize("block", [(7, 5, 6), (7, 5, 2), (3, 2, 2), (1, 1, 1), (2, 5, 6)])
def test_the_model_counts_rounds(fabric: int, block: tuple[int, int, int]) -> None:
    """Where sums park, a round has tiles of one block, whatever of the fabric that leaves with nothing to do."""
    loops = Loops(7, 5, 6, *block, True)
    rounds = list(loops.rounds(3, tuple(range(fabric))))
    assert loops.round_count(3, fabric) == sum(one.last == loops.steps for one in rounds)


@pytest.mark.parametrize("packing", [Packing.A5, Packing.R5, Packing.PT5, Packing.T2])
@pytest.mark.parametrize("n", [1, 9, 64, 100, 1000])
@pytest.mark.parametrize("k", [1, 3, 7, 302, 1000])
def test_halving_a_tile_comes_to_an_end(packing: Packing, n: int, k: int) -> None:
    """Rows that are shorter than what their packing may be cut into are not cut; nor are as many as lie abreast."""
    lhs = Matrix(0, 0, DType.I8, Packing.DENSE, 1, 5, k, 0, k, 1, True)
    work = Work(1, 5, n, k, lhs, Matrix(0, 0, DType.TRIT, packing, 1, n, k, 0, k, 1, False), False, 4)
    tile, seen = first_tile(work, Tile(5, n, k)), 0
    while (smaller := halved(tile, work)) != tile:
        tile, seen = smaller, seen + 1
        assert tile.k <= k
        assert tile.n <= n
        assert seen < 100
    blocks = {Packing.A5: (64, 320), Packing.R5: (1, 320), Packing.PT5: (1, 5), Packing.T2: (1, 4)}[packing]
    assert tile == (1, min(n, blocks[0]), min(k, blocks[1]))


def test_kinds_without_blocks_refuse_them() -> None:
    def window(order: LoopOrder = LoopOrder.ANY, block: tuple[int, int, int] = (0, 0, 0)) -> Image:
        builder = Builder("kpu-minimal")
        x, out = builder.input("x", (1, 2, 6, 6), DType.F32), builder.output("y", (1, 3, 6, 6), DType.F32)
        w = builder.input("w", (3, 2, 3, 3), DType.F32)
        schedule = builder.schedule(tiles=(8, 8, 8), order=order, block=block)
        builder.window(Kind.CONV2D, x, w, out, kernel=(3, 3), pads=(1, 1, 1, 1), schedule=schedule)
        return Image.from_buffer(builder.image().to_bytes())

    assert window(order=LoopOrder.ROWS).version == (MAJOR, MINOR)
    with pytest.raises(TfmbsError, match="CONV2D: block_k, expected 0, got 16"):
        window(block=(0, 0, 16))
