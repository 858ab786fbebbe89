"""Trits of rows that lie abreast (packing A5): what a tile of them is, where they are cut, and where they are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.conformance.builder import Builder
from tests.kpu.programs import small
from tests.kpu.retarget import retargeted
from tests.kpu.test_kinds import ran
from tests.native import examples
from tfmbs.passes.graph.candidates import candidates
from tfmbs.passes.graph.problem import Problem
from tfmbs.passes.graph.tiling import array_dataflows, choose
from tfmbs.runtime.abi.abreast import ABREAST
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.movement.entry import expand
from tfmbs.runtime.abi.movement.fields import FOLD_FIELDS, MOVEMENT_FIELDS, Op
from tfmbs.runtime.abi.movement.group_operands import WORD, Groups
from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.abi.movement.memory import Slot
from tfmbs.runtime.abi.movement.nests import Nest
from tfmbs.runtime.abi.movement.operands import Matrix, Tile
from tfmbs.runtime.abi.movement.prediction import predict
from tfmbs.runtime.abi.movement.program import Copy
from tfmbs.runtime.abi.movement.tiles import planned
from tfmbs.runtime.abi.packing import pack_rows
from tfmbs.runtime.abi.records import Activations, Dataflow, Kind
from tfmbs.runtime.abi.residues import BLOCK_TRITS
from tfmbs.runtime.abi.target import Target
from tfmbs.runtime.abi.target_file import load_target, shipped_targets
from tfmbs.runtime.abi.types import DType, Packing, packed_rows, row_bytes
from tfmbs.runtime.devices.kpu import Kpu, walked

Bytes = NDArray[np.uint8]
A5 = Packing.A5


def trits(*shape: int, seed: int = 0) -> NDArray[np.int8]:
    return np.random.default_rng(seed).integers(-1, 2, shape).astype(np.int8)


def product(
    m: int,
    n: int,
    k: int,
    tiles: tuple[int, int, int],
    flow: Dataflow = Dataflow.OUTPUT_STATIONARY,
    batch: int = 1,
    packing: Packing = A5,
) -> Image:
    """A GEMM of i8 by trits; products of a batch have rows of their own."""
    builder = Builder("kpu-edge")
    x, out = builder.input("x", (batch, m, k), DType.I8), builder.output("y", (batch, m, n), DType.I32)
    stride = {"rhs_batch_stride": n * k if batch > 1 else 0}
    schedule, w = builder.schedule(tiles=tiles, dataflow=flow), builder.constant(trits(batch * n, k), packing)
    builder.gemm(x, w, out, batch=batch, m=m, n=n, k=k, lhs_zero=3, schedule=schedule, **stride)
    return builder.image()


def limited(image: Image, l1: int, tiles: int = 1) -> Image:
    """On memories that hold few tiles, so that slots are used again and again."""
    image = small(image, tiles)
    for level, size in (("l1", l1), ("l2", 4 * l1), ("l3", 8 * l1)):
        image.target[level] |= {"banks": 1, "bank_bytes": size}
    return image


def folds(image: Image) -> set[tuple[int, int]]:
    """Columns and depths of what the array multiplies at once."""
    machine = Machine.of(Target.from_dict(image.target, "TARGET", image.version[1]))
    tables = expand(image, 0, machine, walked)
    moves = tables.movements[tables.movements[:, MOVEMENT_FIELDS.index("op")] == Op.FOLD]
    first = moves[:, MOVEMENT_FIELDS.index("parameter_first")]
    columns, depth = (tables.parameters[first + FOLD_FIELDS.index(name)] for name in ("columns", "depth"))
    return {(int(n), int(k)) for n, k in zip(columns, depth, strict=True)}


# --- what moves -------------------------------------------------------------------------------------------------------


def moved(copies: list[Copy], memory: Bytes, size: int) -> Bytes:
    """`size` bytes that copies write; each once."""
    to, times = np.zeros(size, np.uint8), np.zeros(size, np.int64)
    for copy in copies:
        assert copy.source_end <= len(memory)
        for i in range(copy.count0):
            for j in range(copy.count1):
                start = copy.start + i * copy.from0 + j * copy.from1
                at = copy.to + i * copy.to0 + j * copy.to1
                to[at : at + copy.run] = memory[start : start + copy.run]
                times[at : at + copy.run] += 1
    assert (times == 1).all()
    return to


@pytest.mark.parametrize(("n", "k"), [(64, 320), (50, 7), (300, 1000), (129, 641), (128, 640)])
def test_a_tile_is_packed_as_its_rows_would_be(n: int, k: int) -> None:
    rows, start = trits(n, k), 128
    memory = np.concatenate([np.full(start, 255, np.uint8), pack_rows(rows, A5).reshape(-1)])
    matrix = Matrix(0, start, DType.TRIT, A5, 1, n, k, 0, k, 1, False)
    tile = Tile(1, matrix.fitted_count(100), min(k, BLOCK_TRITS))
    for index in range(-(-n // tile.n)):
        for step in range(-(-k // tile.k)):
            (key,) = matrix.keys(0, index, step, tile)
            vectors, depth = matrix.shape(key, tile)
            own = rows[vectors.first : vectors.first + vectors.size, depth.first : depth.first + depth.size]
            expected = pack_rows(own, A5).tobytes()
            assert matrix.bytes_of(vectors.size, depth) == len(expected) <= matrix.chunk_bytes(tile)
            assert moved(matrix.loads(key, tile, Slot(0, 0, 0)), memory, len(expected)).tobytes() == expected


@pytest.mark.parametrize("is_integer", [False, True])
@pytest.mark.parametrize(
    ("n", "k", "group"), [(300, 1000, 1000), (64, 7, 7), (65, 320, 320), (70, 6, 2), (128, 640, 320), (3, 1300, 325)]
)
def test_scales_follow_the_rows_that_lie_abreast(n: int, k: int, group: int, *, is_integer: bool) -> None:
    rows, scales = trits(n * (k // group), group), np.random.default_rng(1).random((n, k // group), np.float32)
    packed = pack_rows(rows, A5).reshape(-1)
    memory = np.concatenate([packed, scales.reshape(-1).view(np.uint8)])
    matrix = Groups(0, 0, DType.TRIT, A5, 1, n, k, 0, k, 1, False, group, len(packed), is_integer)
    tile = Tile(1, matrix.fitted_count(1), min(k, matrix.unit) or k)
    for index in range(-(-n // tile.n)):
        for step in range(-(-k // tile.k)):
            (key,) = matrix.keys(0, index, step, tile)
            vectors, depth = matrix.shape(key, tile)
            last, count = vectors.first + vectors.size, k // group
            own = rows[vectors.first * count : last * count, depth.first : depth.first + depth.size]
            own = rows[vectors.first * count : last * count] if count > 1 else own
            expected = pack_rows(own, A5).tobytes()
            if depth.first + depth.size == k or not is_integer:
                expected += scales[vectors.first : last].tobytes()
            assert matrix.bytes_of(vectors.size, depth) == len(expected) <= matrix.chunk_bytes(tile)
            assert moved(matrix.loads(key, tile, Slot(0, 0, 0)), memory, len(expected)).tobytes() == expected


# --- bytes of results: `ran` compares them with the emulator's --------------------------------------------------------


@pytest.mark.parametrize("flow", list(Dataflow))
@pytest.mark.parametrize("tiles", [1, 2])
@pytest.mark.parametrize(("n", "k"), [(200, 700), (64, 320), (63, 321), (65, 5), (1, 1)])
def test_products_in_the_smallest_tiles(n: int, k: int, tiles: int, flow: Dataflow) -> None:
    image = limited(product(5, n, k, (4, 1, 1), flow), 24576, tiles)
    ran(image).check_hazards()
    for columns, depth in folds(image):
        assert columns in (min(n, ABREAST), n % ABREAST)
        assert depth in (min(k, BLOCK_TRITS), k % BLOCK_TRITS)


def test_sums_are_those_of_numpy() -> None:
    image = limited(product(9, 150, 900, (4, 100, 400)), 32768)
    x = np.random.default_rng(2).integers(-128, 128, (1, 9, 900)).astype(np.int8)
    expected = (x[0].astype(np.int32) - 3) @ trits(150, 900).astype(np.int32).T
    assert Kpu(image).context().run("main", {"x": x})["y"].tobytes() == expected.tobytes()
    assert folds(image) == {(64, 320), (22, 320), (64, 260), (22, 260)}


@pytest.mark.parametrize("lhs", ["i8", "f32", "absmax"])
@pytest.mark.parametrize(("n", "k", "group"), [(150, 700, 700), (70, 96, 32), (9, 650, 325), (64, 640, 320)])
def test_products_in_groups(n: int, k: int, group: int, lhs: str) -> None:
    m, is_absmax = 7, lhs == "absmax"
    builder = Builder("kpu-edge")
    x = builder.input("x", (m, k), DType.I8 if lhs == "i8" else DType.F32)
    w = builder.constant(trits(n * (k // group), group), A5)
    scales = builder.constant(np.random.default_rng(3).standard_normal((n, k // group)).astype(np.float32))
    builder.groups(
        x, w, scales, builder.output("y", (m, n), DType.F32), m=m, n=n, k=k, group=group,
        activations=Activations.ABSMAX if is_absmax else Activations.STORED, schedule=builder.schedule(tiles=(3, 5, 9)),
    )  # fmt: skip
    image = limited(builder.image(), 49152)
    ran(image).check_hazards()
    steps = {min(k, BLOCK_TRITS), k % BLOCK_TRITS} - {0} if group == k else {k}  # rows abreast are groups of all of k
    assert {depth for _, depth in folds(image)} == steps
    assert {columns for columns, _ in folds(image)} == {min(n, ABREAST), n % ABREAST} - {0}


@given(st.integers(1, 300), st.integers(1, 1300), st.tuples(*[st.integers(1, 700)] * 3), st.sampled_from(Dataflow))
@settings(max_examples=examples(25))
def test_random_products(n: int, k: int, tiles: tuple[int, int, int], flow: Dataflow) -> None:
    ran(limited(product(3, n, k, tiles, flow), 32768, 1 + n % 2)).check_hazards()


def test_rows_of_a_longer_tensor() -> None:
    """What lies abreast of the last rows of a product are weights, no padding."""
    builder = Builder("kpu-edge")
    x, out = builder.input("x", (2, 400), DType.I8), builder.output("y", (2, 70), DType.I32)
    builder.gemm(x, builder.constant(trits(100, 400), A5), out, m=2, n=70, k=400, schedule=builder.schedule())
    ran(builder.image())


# --- targets and schedules --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", shipped_targets())
def test_the_smallest_tile_of_every_target(target: str) -> None:
    image = retargeted(product(3, 130, 650, (1, 1, 1)), target)
    ran(image).check_hazards()
    assert folds(image) == {(64, 320), (64, 10), (2, 320), (2, 10)}


@pytest.mark.parametrize("target", shipped_targets())
@pytest.mark.parametrize("sizes", [(1, 2560, 2560), (100, 200, 300), (512, 1000, 6912), (3, 40, 100)])
def test_the_search_offers_what_may_be_cut(sizes: tuple[int, int, int], target: str) -> None:
    """Neither the tiles that it tries nor those and the blocks of its schedules end amid rows that lie abreast."""
    m, n, k = sizes
    machine = load_target(target)
    problem = Problem(1, m, n, k, DType.I8, DType.TRIT, A5, shares_right=True)
    for wanted in (problem, replace(problem, group=k, is_absmax=True, has_loops=False)):
        tried = candidates(wanted, wanted.work, Machine.of(machine), array_dataflows(machine))
        assert all(tile.n == n or tile.n % ABREAST == 0 for _, tile, _ in tried)
        schedule, prediction = choose(wanted, machine, array_dataflows(machine))
        assert prediction is not None
        _, columns, depth = schedule.tiles
        assert columns == n or columns % ABREAST == 0
        assert depth == k or depth % BLOCK_TRITS == 0
        assert schedule.block[1] % ABREAST == 0 or schedule.block[1] >= n


@pytest.mark.parametrize("sizes", [(1, 1024, 2048), (64, 500, 1000), (300, 300, 3000), (100, 1000, 2560)])
def test_the_model_tells_the_time_as_well_as_of_rows_by_themselves(sizes: tuple[int, int, int]) -> None:
    """With the tiles that the search chooses: how far simulated cycles are from predicted ones depends on these."""
    m, n, k = sizes
    target = load_target("kpu-edge")
    problem = Problem(1, m, n, k, DType.I8, DType.TRIT, A5, shares_right=True)
    schedule, _ = choose(problem, target, array_dataflows(target))
    machine, nest = Machine.of(target), Nest(schedule.order, *schedule.block)
    tiles, fabric, found = Tile(*schedule.tiles), range(schedule.tile_mask.bit_count()), []
    for packing in (A5, Packing.R5):
        work = replace(problem, packing=packing).work
        plan = planned(work, tiles, schedule.dataflow, 2, fabric, machine, "test", nest)
        assert plan.tile == tiles
        image = product(m, n, k, tiles, schedule.dataflow, packing=packing)
        names = ("order", "block_m", "block_n", "block_k")
        image.schedules[0] |= dict(zip(names, nest, strict=True))
        image.masks[0]["words"] = (schedule.tile_mask, 0, 0, 0)
        found.append(ran(image).stats.timing["cycles"] / predict(work, plan, machine).cycles)
    assert found[0] == pytest.approx(found[1], rel=0.005)
    assert found[0] == pytest.approx(1, rel=0.06)


def test_the_model_counts_the_bytes_of_padding() -> None:
    """70 rows are 128: so many come from external memory, and so many are predicted."""
    m, n, k = 4, 70, 640
    machine = load_target("kpu-edge")
    problem = Problem(1, m, n, k, DType.I8, DType.TRIT, A5, shares_right=True)
    _, prediction = choose(problem, machine, array_dataflows(machine))
    assert prediction is not None
    weights = packed_rows(A5, n) * row_bytes(DType.TRIT, A5, k)
    assert prediction.traffic.l3 == weights + m * k
    measured = ran(product(m, n, k, (4, 64, 320))).stats.measured
    assert measured is not None
    assert measured.total.levels["external"]["read_bytes"] == weights + m * k


# --- refused ----------------------------------------------------------------------------------------------------------


def convolution(groups: int, channels: int) -> Image:
    builder = Builder("kpu-edge")
    x, out = builder.input("x", (1, 2 * groups, 6, 5), DType.I8), builder.output("y", (1, channels, 6, 5), DType.I32)
    w = builder.constant(trits(channels, 2, 3, 3), A5)
    builder.window(Kind.CONV2D, x, w, out, kernel=(3, 3), pads=(1, 1, 1, 1), groups=groups, lhs_zero=-5)
    return builder.image()


def test_products_that_begin_with_rows_abreast_of_no_others() -> None:
    for image in (product(3, 128, 400, (2, 64, 320), batch=3), convolution(1, 70), convolution(2, 128)):
        ran(image).check_hazards()


@pytest.mark.parametrize(
    ("image", "first"),
    [(product(3, 40, 400, (2, 40, 400), batch=2), 40), (convolution(2, 12), 6), (convolution(3, 288), 96)],
)
def test_products_that_share_rows_abreast_are_refused(image: Image, first: int) -> None:
    said = f"products that share rows abreast of packing A5: .*, expected a multiple of 64 rows, got {first}"
    with pytest.raises(TfmbsError, match=said) as caught:
        ran(image)
    assert caught.value.code == "unsupported"


def test_the_search_passes_over_products_that_share_rows_abreast() -> None:
    machine = load_target("kpu-edge")
    problem = Problem(2, 3, 40, 400, DType.I8, DType.TRIT, A5)
    assert choose(problem, machine, array_dataflows(machine)).prediction is None


@pytest.mark.parametrize("is_absmax", [False, True])
def test_an_l1_that_does_not_hold_rows_abreast_is_refused(is_absmax: bool) -> None:
    """Two buffers of 64 rows of 64 bytes."""
    if is_absmax:
        builder = Builder("kpu-minimal")
        x, out = builder.input("x", (3, 320), DType.F32), builder.output("y", (3, 64), DType.F32)
        w, scales = builder.constant(trits(64, 320), A5), builder.constant(np.ones((64, 1), np.float32))
        builder.groups(x, w, scales, out, m=3, n=64, k=320, group=320, activations=Activations.ABSMAX)
        said = "its smallest tile, 64 rows of A5, does not fit L1 beside parts of rows, expected an L1 of more than"
    else:
        builder, needed = Builder("kpu-minimal"), 2 * (64 * 64 + 320) + WORD * 64
        x, out = builder.input("x", (3, 320), DType.I8), builder.output("y", (3, 64), DType.I32)
        builder.gemm(x, builder.constant(trits(64, 320), A5), out, m=3, n=64, k=320, schedule=builder.schedule())
        said = f"its smallest tile, 64 rows of A5, .*, expected an L1 of at least {needed} bytes, got 8192"
    with pytest.raises(TfmbsError, match=said) as caught:
        ran(limited(builder.image(), 8192))
    assert caught.value.code == "unsupported"
