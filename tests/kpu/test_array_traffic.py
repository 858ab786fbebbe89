"""What arrays read and write: the closed forms beside the operands of each fold, counted one fold after the other."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tfmbs.runtime.abi.array_timing import ArrayShape, Sizes, folds
from tfmbs.runtime.abi.array_traffic import Products, array_traffic
from tfmbs.runtime.abi.records import Dataflow

SIZE = st.integers(1, 40)
WORD = 4


@given(st.sampled_from(list(Dataflow)), st.tuples(SIZE, SIZE, SIZE), st.tuples(SIZE, SIZE), st.booleans())
def test_operands_and_sums_of_every_fold(
    dataflow: Dataflow, sizes: tuple[int, int, int], shape: tuple[int, int], is_first: bool
) -> None:
    array = ArrayShape(*shape)
    read = written = stream = 0
    for fold in folds(dataflow, Sizes(*sizes), array):
        m, n, k = len(fold.m), len(fold.n), len(fold.k)
        sums = m * n * WORD
        starts_from_sums = fold.k.start > 0 or not is_first
        read += m * k * 1 + n * k * 2 + (sums if starts_from_sums else 0)
        written += sums
        stream += {
            Dataflow.OUTPUT_STATIONARY: k, Dataflow.WEIGHT_STATIONARY: m, Dataflow.INPUT_STATIONARY: n,
        }[dataflow]  # fmt: skip
    row = (np.array([value]) for value in (*sizes, 1, 2 * sizes[2], int(is_first)))
    found = array_traffic(dataflow, Products(*row), array, WORD)
    assert (found.read.tolist(), found.written.tolist(), found.stream.tolist()) == ([read], [written], [stream])
