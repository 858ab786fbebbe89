"""Kinds of launches whose time has a rule of its own: groups, LSTM, and weights whose zeros cost no cycles."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kpu.programs import KINDS, sparse
from tests.kpu.random_programs import random_rows
from tfmbs.runtime.abi.array_timing import ArrayShape, Sizes, job_cycles
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.movement.fields import Op
from tfmbs.runtime.abi.records import Dataflow, ZeroSkip
from tfmbs.runtime.abi.types import DType, Region
from tfmbs.runtime.devices.emulator import Emulator
from tfmbs.runtime.devices.kpu import Kpu, KpuContext

ARRAY = ArrayShape(8, 8)  # of kpu-minimal


def given(image: Image) -> dict[str, np.ndarray]:
    """Random inputs."""
    rng, inputs = np.random.default_rng(1), {}
    for tensor in image.tensors:
        if tensor["region"] == Region.INPUT:
            shape, dtype = tensor["dims"][: tensor["rank"]], (np.int8 if tensor["dtype"] == DType.I8 else np.float32)
            numbers = rng.integers(-9, 9, shape) if dtype == np.int8 else rng.standard_normal(shape)
            inputs[image.strings[tensor["name"]]] = numbers.astype(dtype)
    return inputs


def ran(image: Image) -> KpuContext:
    """A context after a run, whose bytes are the emulator's."""
    inputs = given(image)
    context = Kpu(image).context()
    found, expected = context.run("main", inputs), Emulator(image).context(1).run("main", inputs)
    assert {name: x.tobytes() for name, x in found.items()} == {name: x.tobytes() for name, x in expected.items()}
    return context


def array_cycles(context: KpuContext) -> int:
    timing = context.timing
    folds = timing.column("op") == Op.FOLD
    return int((timing.end - timing.start)[folds].sum()) // timing.core_ps


@pytest.mark.parametrize("name", KINDS)
def test_bytes_are_the_emulators(name: str) -> None:
    """And it has no conflicts, and its stats add up."""
    context = ran(KINDS[name]())
    context.check_hazards()
    assert context.stats.timing["macs"] == context.timing.column("macs").sum()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("is_window", [False, True])
@pytest.mark.parametrize("dataflow", list(Dataflow))
def test_zeros_cost_no_cycles_where_a_whole_tile_has_none(dataflow: Dataflow, is_window: bool, seed: int) -> None:
    """Counted on the weights as they are before they are packed, tile by tile; double-buffered."""
    image = sparse(dataflow, is_window=is_window, seed=seed)
    weights = unpacked(seed)
    context = ran(image)
    rows = 30 if is_window else 19
    expected = macs = 0
    for first in range(0, 12, 4):
        kept = max(1, int(weights[first : first + 4].any(axis=0).sum()))
        assert kept < 36
        for m in [8] * (rows // 8) + [rows % 8]:
            sizes = Sizes(m, 4, kept)
            expected += job_cycles(dataflow, sizes, ARRAY, is_overlapped=True, is_continued=False)
            macs += m * 4 * kept
    assert array_cycles(context) == expected
    assert context.timing.column("macs").sum() == macs
    image.schedules[0]["zero_skip"] = ZeroSkip.NONE
    assert array_cycles(ran(image)) > expected


def unpacked(seed: int) -> np.ndarray:
    """The weights of `sparse`, drawn again."""
    rng, rows = np.random.default_rng(seed), np.zeros((12, 36), np.int8)
    for first in range(0, 12, 4):
        at = rng.permutation(36)[:8]
        rows[first : first + 4, at] = rng.integers(-1, 2, (4, 8))
    return rows


def test_a_tile_of_zeros_takes_one_step() -> None:
    image = sparse(Dataflow.OUTPUT_STATIONARY)
    image.weights = bytes(len(image.weights))
    cycles = job_cycles(Dataflow.OUTPUT_STATIONARY, Sizes(8, 4, 1), ARRAY, is_overlapped=True, is_continued=False)
    assert array_cycles(ran(image)) == 9 * cycles


def test_skipping_wants_a_compacted_stream() -> None:
    """Of dense weights, nothing in the binary says which k there are."""
    image = KINDS["output stationary"]()
    image.target["zero_skip"] = ["none", "cycle"]
    image.schedules[0]["zero_skip"] = ZeroSkip.CYCLE
    with pytest.raises(TfmbsError, match="zero-skip mode CYCLE, expected constant weights in packing S2 or S4"):
        Kpu(image).context().run("main", given(image))


def test_groups_take_a_fold_each() -> None:
    """Of integers; the array's time of reals does not depend on groups."""
    fold = {
        k: job_cycles(Dataflow.OUTPUT_STATIONARY, Sizes(4, 8, k), ARRAY, is_overlapped=True, is_continued=False)
        for k in (8, 16)
    }
    again = job_cycles(Dataflow.OUTPUT_STATIONARY, Sizes(4, 8, 16), ARRAY, is_overlapped=True, is_continued=True)
    assert array_cycles(ran(KINDS["groups of integers"]())) == 4 * 3 * 6 * fold[8]
    assert array_cycles(ran(KINDS["groups of reals"]())) == 4 * 3 * (fold[16] + 2 * again)


def test_a_group_that_is_cut_goes_on_with_its_sums() -> None:
    """All of k in one group: six steps of 16, of integers as they are and of those that rows become."""
    fold, again = (
        job_cycles(Dataflow.OUTPUT_STATIONARY, Sizes(4, 8, 16), ARRAY, is_overlapped=True, is_continued=one)
        for one in (False, True)
    )
    for name in ("integers in one group, which is cut", "rows in one group, which is cut"):
        assert array_cycles(ran(KINDS[name]())) == 4 * 3 * (fold + 5 * again)


ROWS = {
    "groups of rows by their magnitude": (13, 48),
    "rows in one group, which is cut": (13, 96),
    "rows longer than L1, on two tiles": (3, 1040),
    "rows in panels, on two tiles": (29, 160),
    "rows that leave L2 one by one": (3, 4000),
}
"""Kinds whose rows become integers: how many rows, and how long."""


@pytest.mark.parametrize("name", ROWS)
def test_rows_become_integers_once(name: str) -> None:
    """However many blocks of columns there are: each element is measured once, and once made an integer."""
    context = ran(KINDS[name]())
    m, k = ROWS[name]
    timing = context.timing
    for op in (Op.MAGNITUDE, Op.QUANTIZE):
        jobs = timing.column("op") == op
        assert timing.column("operations")[jobs].sum() == m * k


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_random_products_in_groups(first: int) -> None:
    """Reductions that are cut in groups and between them, rows whose elements lie apart, one and two tiles."""
    for seed in range(first, first + 20):
        ran(random_rows(seed)).check_hazards()


def test_magnitudes_are_those_of_whole_rows() -> None:
    """In parts: rows of zeros, of NaNs, of subnormals, with an infinity, and with their largest element anywhere."""
    image = KINDS["rows longer than L1, on two tiles"]()
    m, k = ROWS["rows longer than L1, on two tiles"]
    assert 4 * k > 4096
    largest = [np.float32(x) for x in (3e38, np.inf, np.nan, 1e-42, 0.0)]
    rng = np.random.default_rng(3)
    for seed in range(6):
        x = rng.standard_normal((m, k)).astype(np.float32) * rng.choice(np.float32([0, 1e-6, 1, 1e30]), (m, 1))
        for row in range(m):
            x[row, rng.integers(0, k, 3)] = largest[(seed + row) % len(largest)]
        found, expected = (one.run("main", {"x": x}) for one in (Kpu(image).context(), Emulator(image).context(1)))
        assert found["y"].tobytes() == expected["y"].tobytes()


@pytest.mark.parametrize(
    ("level", "size", "said"),
    [
        ("l2", 4096, "the integers of its smallest block of rows do not fit"),
        ("l1", 512, "its smallest tile does not fit L1 beside parts of rows, expected an L1 of more than 512 bytes"),
    ],
)
def test_rows_that_a_memory_does_not_hold_are_refused(level: str, size: int, said: str) -> None:
    image = KINDS["rows that leave L2 one by one"]()
    image.target[level] |= {"bank_bytes": size}
    with pytest.raises(TfmbsError, match=said):
        Kpu(image).context().run("main", given(image))
