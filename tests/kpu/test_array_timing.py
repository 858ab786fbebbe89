"""The rule of an array's cycles, against a clocked model, figures of RTL, and another simulator's figures."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kpu.case import Case, check, check_following, check_overlapped, clocked, emulated, random_case
from tfmbs.runtime.abi.array_timing import ArrayShape, Fold, Sizes, fold_cycles, folds, product_cycles
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.records import Dataflow

OS, WS, IS = Dataflow.OUTPUT_STATIONARY, Dataflow.WEIGHT_STATIONARY, Dataflow.INPUT_STATIONARY
KPU = ArrayShape(16, 16)


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_clocked_model(first: int) -> None:
    """`make kpu-array` checks more of them."""
    for seed in range(first, first + 50):
        check(random_case(seed))


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_clocked_model_of_overlapping_folds(first: int) -> None:
    """`make kpu-array` checks more of them."""
    for seed in range(first, first + 20):
        check_overlapped(random_case(seed))


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_clocked_model_of_tiles_that_follow_each_other(first: int) -> None:
    """`make kpu-array` checks more of them."""
    for seed in range(first, first + 20):
        check_following(seed)


@pytest.mark.parametrize("dataflow", list(Dataflow))
def test_absent_operands_keep_the_sign_of_zero(dataflow: Dataflow) -> None:
    """A sum of −0, from a product below the least float, passes PEs without operands as it is."""
    case = Case(dataflow, "f32-f32", Sizes(1, 1, 1), ArrayShape(3, 2), 0)
    lhs, rhs = np.full((1, 1), 2.0**-100, np.float32), np.full((1, 1), -(2.0**-100), np.float32)
    sums, _, _ = clocked(case, lhs, rhs)
    assert np.signbit(sums[0, 0])
    assert sums[0, 0] == 0
    assert sums.tobytes() == emulated(case, lhs, rhs).tobytes()


@pytest.mark.parametrize(("k", "last", "drained"), [(1, 31, 47), (16, 46, 62), (64, 94, 110), (768, 798, 814)])
def test_rtl_output_stationary(k: int, last: int, drained: int) -> None:
    """Measured on RTL of a 16×16 array."""
    cycles = fold_cycles(OS, Fold(range(16), range(16), range(k)), KPU)
    assert (cycles.stream, cycles.total) == (last, drained)


@pytest.mark.parametrize(("m", "total"), [(1, 47), (16, 62), (64, 110), (784, 830)])
def test_rtl_weight_stationary(m: int, total: int) -> None:
    """Measured on RTL of a 16×16 array; the other stationary operand takes the same."""
    assert product_cycles(WS, Sizes(m, 16, 16), KPU) == total
    assert product_cycles(IS, Sizes(16, m, 16), KPU) == total


SCALE_SIM = [
    ((64, 64, 64), 1503, 1759),
    ((256, 256, 256), 73_215, 77_311),
    ((512, 512, 512), 555_007, 571_391),
    ((12_544, 64, 147), 555_071, 503_599),
    ((3136, 64, 576), 475_103, 458_207),
    ((1, 1000, 512), 34_145, 94_751),
]
"""M×N×K and cycles of SCALE-Sim 3.0.0 on 16×16, output and weight stationary, measured. It counts from 0, and does not
drain outputs."""


@pytest.mark.parametrize(("mnk", "output", "weight"), SCALE_SIM, ids=str)
def test_scale_sim(mnk: tuple[int, int, int], output: int, weight: int) -> None:
    sizes = Sizes(*mnk)
    assert sum(fold_cycles(OS, fold, KPU).stream for fold in folds(OS, sizes, KPU)) == output + 1
    assert product_cycles(WS, sizes, KPU) == weight + 1


@pytest.mark.parametrize("dataflow", list(Dataflow))
def test_folds_cover_in_ascending_k(dataflow: Dataflow) -> None:
    """Each multiply-accumulate once, those of an element in ascending k."""
    seen = np.zeros((7, 9, 11), int)
    reached = np.zeros((7, 9), int)
    for fold in folds(dataflow, Sizes(7, 9, 11), ArrayShape(4, 3)):
        assert (reached[np.ix_(fold.m, fold.n)] == fold.k.start).all()
        reached[np.ix_(fold.m, fold.n)] = fold.k.stop
        seen[np.ix_(fold.m, fold.n, fold.k)] += 1
    assert (seen == 1).all()


def test_empty_sizes_are_refused() -> None:
    with pytest.raises(TfmbsError, match="without elements"):
        Sizes(4, 0, 4)
    with pytest.raises(TfmbsError, match="needs a PE"):
        ArrayShape(0, 4)
