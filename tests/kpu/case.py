"""A random product on a random array: the clocked model beside the rule of `array_timing`, emulator and simulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.conformance.arithmetic import canonical, fma
from tests.conformance.builder import DTYPE_OF_NUMPY, Builder
from tests.conformance.data import PAIRS, operands, packings
from tests.kpu import pe_overlap
from tests.kpu.pe_array import Array, output_stationary, weight_stationary
from tfmbs.runtime.abi.array_timing import (
    ArrayShape,
    Fold,
    FoldCycles,
    Sizes,
    fold_cycles,
    folds,
    job_lag,
    overlapped_cycles,
    product_cycles,
)
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.movement.fields import Op
from tfmbs.runtime.abi.records import Dataflow
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.devices.emulator import Emulator
from tfmbs.runtime.devices.kpu import Kpu

MOST_SIZE = 13
MOST_PES = 6


@dataclass(frozen=True)
class Case:
    dataflow: Dataflow
    pair: str
    sizes: Sizes
    array: ArrayShape
    seed: int


def random_case(seed: int) -> Case:
    """A case whose folds are ragged more often than not."""
    rng = np.random.default_rng(seed)
    m, n, k = (int(size) for size in rng.integers(1, MOST_SIZE + 1, 3))
    rows, columns = (int(size) for size in rng.integers(1, MOST_PES + 1, 2))
    return Case(
        Dataflow(int(rng.integers(1, 4))), str(rng.choice(PAIRS)), Sizes(m, n, k), ArrayShape(rows, columns), seed
    )


def check(case: Case) -> None:
    """Raises AssertionError where clocks or values differ."""
    s = case.sizes
    lhs, rhs = operands(case.pair, (s.m, s.k), (s.n, s.k), case.seed)
    sums, clocks, macs = clocked(case, lhs, rhs)
    assert clocks == product_cycles(case.dataflow, s, case.array), f"{case}: {clocks} clocks"
    assert macs == s.m * s.n * s.k, f"{case}: the folds do not cover the product"
    assert clocks * case.array.rows * case.array.columns >= macs, f"{case}: faster than its PEs"
    expected = emulated(case, lhs, rhs)
    assert sums.tobytes() == expected.tobytes(), f"{case}: {sums} is not {expected}"
    simulated_sums, simulated_clocks = simulated(case, lhs, rhs)
    assert simulated_clocks == clocks, f"{case}: the device takes {simulated_clocks} cycles, the PEs {clocks}"
    assert simulated_sums.tobytes() == sums.tobytes(), f"{case}: {simulated_sums} of the device is not {sums}"


def clocked(case: Case, lhs: Array, rhs: Array) -> tuple[Array, int, int]:
    """lhs[m,k]·rhs[n,k] fold by fold through the PEs: sums, clocks of all folds, multiply-accumulates."""
    is_float = lhs.dtype == np.float32
    a, b = (x.astype(np.float32 if is_float else np.int64) for x in (lhs, rhs.T))
    sums = np.zeros((case.sizes.m, case.sizes.n), a.dtype)
    clocks = macs = 0
    for fold in folds(case.dataflow, case.sizes, case.array):
        taken = _clock_fold(case, fold, a, b, sums)
        assert taken == fold_cycles(case.dataflow, fold, case.array), f"{case}, {fold}: {taken}"
        clocks, macs = clocks + taken.total, macs + fold.macs
    return (canonical(sums) if is_float else sums.astype(np.int32)), clocks, macs


def overlapped(case: Case, lhs: Array, rhs: Array, tiles: Sequence[Sizes] = ()) -> tuple[Array, int]:
    """lhs[m,k]·rhs[n,k] through PEs in which folds overlap: sums, and clocks until the last one has left.

    With `tiles`, products of these sizes one after the other, which lie along the diagonal of the whole.
    """
    is_float = lhs.dtype == np.float32
    a, b = (x.astype(np.float32 if is_float else np.int64) for x in (lhs, rhs.T))
    is_input = case.dataflow is Dataflow.INPUT_STATIONARY
    shape = (case.array.rows, case.array.columns)
    parts, first = [], (0, 0, 0)
    for tile in tiles or [case.sizes]:
        for fold in folds(case.dataflow, tile, case.array):
            m, n, k = (
                slice(at + axis.start, at + axis.stop) for at, axis in zip(first, (fold.m, fold.n, fold.k), strict=True)
            )
            part = fold.k.start // case.array.rows
            if is_input:  # what stays is lhs: the same the other way round
                parts.append(pe_overlap.Fold(b[k, n].T, a[m, k].T, n, m, part))
            else:
                parts.append(pe_overlap.Fold(a[m, k], b[k, n], m, n, part))
        first = first[0] + tile.m, first[1] + tile.n, first[2] + tile.k

    def mac(x: Any, y: Any, total: Any) -> Any:
        return fma(np.float32(x), np.float32(y), np.float32(total)) if is_float else x * y + total

    sums = np.zeros((case.sizes.n, case.sizes.m) if is_input else (case.sizes.m, case.sizes.n), a.dtype)
    is_output = case.dataflow is Dataflow.OUTPUT_STATIONARY
    run = pe_overlap.output_stationary if is_output else pe_overlap.weight_stationary
    sums, clocks = pe_overlap.closest(lambda gap: run(parts, sums, shape, mac, gap))
    sums = sums.T if is_input else sums
    return np.ascontiguousarray(canonical(sums) if is_float else sums.astype(np.int32)), clocks


def check_overlapped(case: Case) -> None:
    """Raises AssertionError where clocks or values of overlapping folds differ."""
    s = case.sizes
    lhs, rhs = operands(case.pair, (s.m, s.k), (s.n, s.k), case.seed)
    sums, clocks = overlapped(case, lhs, rhs)
    assert clocks == overlapped_cycles(case.dataflow, s, case.array), f"{case}: {clocks} clocks"
    found, cycles = simulated(case, lhs, rhs, buffers=2)
    assert cycles == clocks, f"{case}: the device takes {cycles} cycles, the PEs {clocks}"
    assert found.tobytes() == sums.tobytes(), f"{case}: {found} of the device is not {sums}"
    assert sums.tobytes() == emulated(case, lhs, rhs).tobytes(), f"{case}: {sums} is not the emulator's"


def check_following(seed: int) -> None:
    """Tiles whose folds follow each other in the feed: raises AssertionError where the PEs take another number of
    clocks than the rule, or lose a value.

    The controller of `pe_overlap` leaves as many places empty behind each fold, so streams are no shorter than a load
    or a drain, or all of the same length.
    """
    rng, case = np.random.default_rng(seed), random_case(seed)
    axis = {Dataflow.OUTPUT_STATIONARY: 2, Dataflow.WEIGHT_STATIONARY: 0, Dataflow.INPUT_STATIONARY: 1}[case.dataflow]
    same, rows = int(rng.integers(1, MOST_SIZE + 1)), case.array.rows
    tiles = []
    for _ in range(int(rng.integers(2, 4))):
        sizes = rng.integers(1, MOST_SIZE // 2 + 1, 3)
        sizes[axis] = same if same < rows else rng.integers(rows, MOST_SIZE + 1)
        tiles.append(Sizes(*(int(size) for size in sizes)))
    whole = Sizes(*(sum(tile[i] for tile in map(_sizes, tiles)) for i in range(3)))
    lhs = rng.integers(-99, 99, (whole.m, whole.k), np.int8)
    rhs = rng.integers(-99, 99, (whole.n, whole.k), np.int8)
    sums, clocks = overlapped(Case(case.dataflow, "i8-i8", whole, case.array, seed), lhs, rhs, tiles)
    flow, array = case.dataflow, case.array
    feeds = [overlapped_cycles(flow, tile, array) - job_lag(flow, tile, array) for tile in tiles]
    expected = sum(feeds) + job_lag(flow, tiles[-1], array)
    assert clocks == expected, f"{case}, {tiles}: {clocks} clocks, expected {expected}"
    m = n = k = 0
    for tile in tiles:
        own = (
            lhs[m : m + tile.m, k : k + tile.k].astype(np.int32)
            @ rhs[n : n + tile.n, k : k + tile.k].astype(np.int32).T
        )
        assert (sums[m : m + tile.m, n : n + tile.n] == own).all(), f"{case}, {tiles}: other sums"
        m, n, k = m + tile.m, n + tile.n, k + tile.k


def _sizes(tile: Sizes) -> tuple[int, int, int]:
    return tile.m, tile.n, tile.k


def _clock_fold(case: Case, fold: Fold, a: Array, b: Array, sums: Array) -> FoldCycles:
    """Sends a fold through the PEs; its sums become those that leave."""

    def mac(x: Array, y: Array, total: Array) -> Array:
        return fma(x, y, total) if a.dtype == np.float32 else x * y + total

    m, n, k = (slice(axis.start, axis.stop) for axis in (fold.m, fold.n, fold.k))
    shape = (case.array.rows, case.array.columns)
    if case.dataflow is Dataflow.OUTPUT_STATIONARY:
        sums[m, n], stream, drain = output_stationary(a[m, k], b[k, n], shape, mac)
        return FoldCycles(0, stream, drain)
    if case.dataflow is Dataflow.WEIGHT_STATIONARY:
        sums[m, n], load, stream = weight_stationary(a[m, k], b[k, n], sums[m, n].copy(), shape, mac)
    else:
        left, held, start = b[k, n].T, a[m, k].T, sums[m, n].T.copy()
        result, load, stream = weight_stationary(left, held, start, shape, mac)
        sums[m, n] = result.T
    return FoldCycles(load, stream, 0)


def emulated(case: Case, lhs: Array, rhs: Array) -> Array:
    """The emulator's sums."""
    return Emulator(_image(case, lhs, rhs), "").context(1).run("main", {"x": lhs})["y"]


def simulated(case: Case, lhs: Array, rhs: Array, buffers: int = 1) -> tuple[Array, int]:
    """The simulator's sums, and the cycles of its array: in one tile, without double buffering by default."""
    context = Kpu(_image(case, lhs, rhs, buffers)).context()
    sums = context.run("main", {"x": lhs})["y"]
    timing = context.timing
    folds_of_array = timing.column("op") == Op.FOLD
    busy = (timing.end - timing.start)[folds_of_array].sum()
    return sums, int(busy) // timing.core_ps


def _image(case: Case, lhs: Array, rhs: Array, buffers: int = 1) -> Image:
    s, builder = case.sizes, Builder()
    schedule = builder.schedule(tiles=(s.m, s.n, s.k), dataflow=case.dataflow, buffers=buffers)
    x = builder.input("x", lhs.shape, DTYPE_OF_NUMPY[lhs.dtype.name])
    out = builder.output("y", (s.m, s.n), DType.F32 if lhs.dtype == np.float32 else DType.I32)
    builder.gemm(x, builder.constant(rhs, packings(case.pair)[0]), out, m=s.m, n=s.n, k=s.k, schedule=schedule)
    image = builder.image()
    # A small array of its own, in a machine that is as it was.
    image.target["array"] |= {"rows": case.array.rows, "columns": case.array.columns}
    return image
