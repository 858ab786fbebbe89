"""The tiling search, and its predictions beside the simulator."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conformance.builder import DTYPE_OF_NUMPY, Builder
from tfmbs.passes.graph.problem import Epilogue, Problem
from tfmbs.passes.graph.tiling import array_dataflows, choose, cycles
from tfmbs.runtime.abi.movement.tiles import Tile
from tfmbs.runtime.abi.records import Dataflow
from tfmbs.runtime.abi.target import Target
from tfmbs.runtime.abi.target_file import load_target, shipped_targets
from tfmbs.runtime.abi.types import DType, Packing
from tfmbs.runtime.devices.kpu import Kpu

SIZES = st.integers(1, 3000)
TARGETS = [load_target(name) for name in shipped_targets()]
KPU = load_target("kpu-16x16")
MACS = 256  # of kpu-16x16 in a cycle


def problem(m: int, n: int, k: int, batch: int = 1, dtype: DType = DType.F32) -> Problem:
    return Problem(batch, m, n, k, dtype, dtype)


# Published by SCALE-Sim 3.0.0 for 16×16 (its figures are one less per fold and, output stationary, without the drain).
PUBLISHED = [
    ((64, 64, 64), 1503, 1759),
    ((256, 256, 256), 73_215, 77_311),
    ((512, 512, 512), 555_007, 571_391),
    ((12_544, 64, 147), 555_071, 503_599),
    ((3136, 64, 576), 475_103, 458_207),
    ((1, 1000, 512), 34_145, 94_751),
]


@pytest.mark.parametrize(("sizes", "output_stationary", "weight_stationary"), PUBLISHED)
def test_cycles_are_the_published_ones(
    sizes: tuple[int, int, int], output_stationary: int, weight_stationary: int
) -> None:
    m, n, _ = sizes
    folds = -(-m // 16) * -(-n // 16)
    product = problem(*sizes)
    assert cycles(product, Dataflow.OUTPUT_STATIONARY, 16, 16) - 16 * folds - 1 == output_stationary
    assert cycles(product, Dataflow.WEIGHT_STATIONARY, 16, 16) - 1 == weight_stationary


def test_input_stationary_is_weight_stationary_transposed() -> None:
    assert cycles(problem(64, 7, 48), Dataflow.INPUT_STATIONARY, 16, 16) == cycles(
        problem(7, 64, 48), Dataflow.WEIGHT_STATIONARY, 16, 16
    )


@given(SIZES, SIZES, SIZES, st.integers(1, 8), st.sampled_from(TARGETS))
def test_every_schedule_fits_and_uses_tiles_that_have_work(m: int, n: int, k: int, batch: int, target: Target) -> None:
    product = problem(m, n, k, batch, DType.I8)
    schedule, prediction = choose(product, target, array_dataflows(target))
    tile = Tile(*schedule.tiles)
    assert all(1 <= size <= limit for size, limit in zip(tile, (m, n, k), strict=True))
    work = product.work
    needed = 2 * (work.lhs.bytes_in_l1(tile) + work.rhs.bytes_in_l1(tile)) + 4 * tile.m * tile.n
    assert needed <= target.l1.size
    used = schedule.tile_mask.bit_count()
    assert schedule.tile_mask == (1 << used) - 1
    assert 1 <= used <= min(target.tiles, batch * -(-m // tile.m) * -(-n // tile.n))
    assert schedule.dataflow in array_dataflows(target)
    assert prediction is not None
    least = batch * m * n * k // target.macs_per_cycle
    assert prediction.cycles >= least
    choose.cache_clear()
    assert choose(product, target, array_dataflows(target)) == (schedule, prediction)


def simulated(product: Problem, target: Target) -> tuple[int, int]:
    """Cycles that the simulator takes for the schedule that is chosen, and those predicted."""
    schedule, prediction = choose(product, target, array_dataflows(target))
    assert prediction is not None
    dtype = np.dtype(np.float32 if product.lhs is DType.F32 else np.int8)
    out = DType.F32 if product.lhs is DType.F32 else DType.I32
    builder = Builder()
    number = builder.schedule(
        tiles=(schedule.tiles[0], schedule.tiles[1], schedule.tiles[2]), dataflow=schedule.dataflow
    )
    x = builder.input("x", (product.m, product.k), DTYPE_OF_NUMPY[dtype.name])
    y = builder.output("y", (product.m, product.n), out)
    w = builder.constant(np.ones((product.n, product.k), dtype))
    builder.gemm(x, w, y, m=product.m, n=product.n, k=product.k, schedule=number)
    image = builder.image()
    image.target.update(target.to_dict())
    context = Kpu(image).context()
    context.run("main", {"x": np.ones((product.m, product.k), dtype)})
    return context.stats.timing["cycles"], prediction.cycles


@pytest.mark.parametrize(
    ("sizes", "dtype"),
    [
        ((1024, 1024, 1024), DType.I8),
        ((512, 512, 512), DType.I8),
        ((256, 256, 256), DType.I8),
        ((64, 64, 64), DType.I8),
        ((1000, 500, 333), DType.I8),
        ((7, 1000, 333), DType.I8),
        ((128, 768, 768), DType.F32),
        ((1, 1000, 512), DType.F32),
        ((1, 2048, 2048), DType.I8),
        ((64, 64, 64), DType.F32),
        ((100, 100, 100), DType.F32),
        ((128, 128, 128), DType.F32),
        ((4096, 64, 64), DType.F32),
        ((64, 4096, 64), DType.I8),
    ],
)
def test_predicted_cycles_are_those_of_the_simulator_within_3_percent(
    sizes: tuple[int, int, int], dtype: DType
) -> None:
    measured, predicted = simulated(problem(*sizes, dtype=dtype), KPU)
    assert abs(measured - predicted) <= 0.03 * measured


@pytest.mark.parametrize(
    ("sizes", "dtype", "bound"),
    [
        ((64, 64, 64), DType.F32, 3 * 64 * 64 * 4 / 32),  # bytes in a cycle: 64 GB/s at 2 GHz
        ((64, 64, 64), DType.I8, 64**3 / MACS),
        ((100, 100, 100), DType.F32, 7 * 7 * 100),  # folds of 16×16 sums
        ((128, 128, 128), DType.F32, 128**3 / MACS),
        ((4096, 64, 64), DType.F32, (2 * 4096 + 64) * 64 * 4 / 32),
        ((64, 4096, 64), DType.I8, 4096 * 64 * 64 / MACS),
    ],
)
def test_short_products_take_at_most_a_quarter_more_than_their_bound(
    sizes: tuple[int, int, int], dtype: DType, bound: float
) -> None:
    measured, _ = simulated(problem(*sizes, dtype=dtype), KPU)
    assert bound < measured <= 1.25 * bound


def test_a_product_of_1024_reaches_90_percent_of_the_peak() -> None:
    measured, _ = simulated(problem(1024, 1024, 1024, dtype=DType.I8), KPU)
    assert 1024**3 / (MACS * measured) >= 0.90


def test_a_vector_of_f32_times_a_matrix_reaches_85_percent_of_the_external_bandwidth() -> None:
    measured, _ = simulated(problem(1, 2048, 2048), KPU)
    bytes_per_cycle = 32  # 64 GB/s at 2 GHz
    assert 4 * 2048 * 2048 / (bytes_per_cycle * measured) >= 0.85


def test_many_fabric_tiles_get_output_tiles_of_their_own() -> None:
    target = load_target("kpu-embodied")
    schedule, _ = choose(problem(24 * 8, 24 * 8, 10_000), target, array_dataflows(target))
    assert schedule.tile_mask.bit_count() == 64


def test_a_small_l1_keeps_a_small_tile() -> None:
    small = dataclasses.replace(KPU, l1=dataclasses.replace(KPU.l1, banks=1, bank_bytes=2048))
    tile = Tile(*choose(problem(1000, 1000, 1000), small, array_dataflows(small)).schedule.tiles)
    assert 4 * tile.m * tile.n + 8 * tile.k * (tile.m + tile.n) <= 2048


def test_packed_weights_take_less_from_external_memory() -> None:
    i8 = Problem(1, 64, 4096, 4096, DType.I8, DType.I8)
    trits = Problem(1, 64, 4096, 4096, DType.I8, DType.TRIT, Packing.PT5)
    bytes_of = [choose(one, KPU, array_dataflows(KPU)).prediction for one in (i8, trits)]
    assert bytes_of[0] is not None
    assert bytes_of[1] is not None
    assert 3 * bytes_of[1].traffic.l3 < bytes_of[0].traffic.l3


def test_a_long_epilogue_is_predicted_to_be_what_limits() -> None:
    long = dataclasses.replace(problem(256, 256, 64), epilogue=Epilogue(100, 4, ()))
    prediction = choose(long, KPU, array_dataflows(KPU)).prediction
    assert prediction is not None
    assert prediction.limit == "vector"


def test_rows_that_become_integers_fill_the_array_however_long_they_are() -> None:
    """f32 rows of 131,072 elements are four times L1; integers of them fit L2."""
    for k in (768, 3072, 131072):
        group = Problem(1, 128, 768, k, DType.F32, DType.I8, group=k, is_absmax=True)
        schedule, prediction = choose(group, KPU, array_dataflows(KPU))
        assert prediction is not None
        assert prediction.bounds.array == max(prediction.bounds)
        if k == 131072:
            assert schedule.tiles[2] < k
        else:
            assert prediction.total_ps < 1.1 * 128 * 768 * k // 256 * 500


def test_rows_of_more_integers_than_l2_have_no_plan() -> None:
    group = Problem(1, 1, 8, 1 << 19, DType.F32, DType.I8, group=1 << 19, is_absmax=True)
    assert choose(group, KPU, array_dataflows(KPU)).prediction is None


def test_steps_of_weights_in_groups_are_whole_groups() -> None:
    groups = Problem(1, 64, 512, 960, DType.F32, DType.I4, Packing.NIBBLES, group=96)
    assert choose(groups, KPU, array_dataflows(KPU)).schedule.tiles[2] % 96 == 0
