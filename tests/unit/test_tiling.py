import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmbs.passes.graph.tiling import Problem, Tile, array_dataflows, choose_schedule, cycles, grow
from tfmbs.runtime.abi.records import Dataflow
from tfmbs.runtime.abi.target import Target
from tfmbs.runtime.abi.target_file import load_target, shipped_targets

SIZES = st.integers(1, 3000)
TARGETS = [load_target(name) for name in shipped_targets()]


def f32(m: int, n: int, k: int, batch: int = 1) -> Problem:
    return Problem(batch, m, n, k, 4, lambda count: 4 * count)


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
    problem = f32(*sizes)
    assert cycles(problem, Dataflow.OUTPUT_STATIONARY, 16, 16) - 16 * folds - 1 == output_stationary
    assert cycles(problem, Dataflow.WEIGHT_STATIONARY, 16, 16) - 1 == weight_stationary


def test_input_stationary_is_weight_stationary_transposed() -> None:
    assert cycles(f32(64, 7, 48), Dataflow.INPUT_STATIONARY, 16, 16) == cycles(
        f32(7, 64, 48), Dataflow.WEIGHT_STATIONARY, 16, 16
    )


@given(SIZES, SIZES, SIZES, st.integers(1, 8), st.sampled_from(TARGETS))
def test_every_schedule_fits_and_uses_tiles_that_have_work(m: int, n: int, k: int, batch: int, target: Target) -> None:
    problem = f32(m, n, k, batch)
    schedule = choose_schedule(problem, target, array_dataflows(target))
    tile = Tile(*schedule.tiles)
    assert all(1 <= size <= limit for size, limit in zip(tile, (m, n, k), strict=True))
    assert problem.bytes_in_l1(tile) <= target.l1.size
    assert schedule.buffers == 2
    used = schedule.tile_mask.bit_count()
    assert schedule.tile_mask == (1 << used) - 1
    assert 1 <= used <= min(target.tiles, problem.output_tiles(tile))
    assert schedule.dataflow in array_dataflows(target)
    assert schedule == choose_schedule(problem, target, array_dataflows(target))


def test_growth_does_not_take_work_from_fabric_tiles() -> None:
    target = load_target("kpu-embodied")
    problem = f32(24 * 8, 24 * 8, 100)
    assert problem.output_tiles(grow(problem, Dataflow.OUTPUT_STATIONARY, target)) == 64


def test_a_small_l1_keeps_a_small_tile() -> None:
    target = load_target("kpu-16x16")
    small = dataclasses.replace(target, l1=dataclasses.replace(target.l1, banks=1, bank_bytes=2048))
    tile = grow(f32(1000, 1000, 1000), Dataflow.OUTPUT_STATIONARY, small)
    assert tile == Tile(16, 16, 4)


def test_packed_weights_leave_room_for_a_longer_reduction() -> None:
    target = load_target("kpu-16x16")
    i8 = Problem(1, 16, 16, 10**6, 1, lambda count: count)
    pt5 = Problem(1, 16, 16, 10**6, 1, lambda count: -(-count // 5))
    assert grow(i8, Dataflow.OUTPUT_STATIONARY, target).tk == 1024
    assert grow(pt5, Dataflow.OUTPUT_STATIONARY, target).tk == 2048
    assert pt5.bytes_in_l1(Tile(16, 16, 100)) == 2 * (1600 + 16 * 20) + 16 * 16 * 4
