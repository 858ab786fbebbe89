import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfmbs.passes.graph.quantization import (
    accumulator_bound,
    activation_for,
    quantize_bias,
    quantize_weights,
    ternarize,
)

FLOATS = st.floats(-(2.0**100), 2.0**100, width=32)
WEIGHTS = hnp.array_shapes(min_dims=2, max_dims=4, max_side=6).flatmap(
    lambda shape: hnp.arrays(np.float32, shape, elements=st.floats(-100, 100, width=32))
)


@given(FLOATS, FLOATS)
def test_zero_is_exact_and_the_range_is_covered(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    q = activation_for(low, high)
    assert q.scale > 0
    assert q.scale == float(np.float32(q.scale))
    assert -128 <= q.zero_point <= 127
    smallest, largest = q.scale * (-128 - q.zero_point), q.scale * (127 - q.zero_point)
    # The zero point is rounded, so an end may be cut by half a step.
    assert smallest <= min(low, 0) + 0.51 * q.scale
    assert largest >= max(high, 0) - 0.51 * q.scale


def test_known_ranges() -> None:
    assert activation_for(0.0, 255.0) == activation_for(3.0, 255.0)
    assert (activation_for(0.0, 255.0).scale, activation_for(0.0, 255.0).zero_point) == (1.0, -128)
    assert (activation_for(-255.0, -1.0).scale, activation_for(-255.0, -1.0).zero_point) == (1.0, 127)
    assert (activation_for(0.0, 0.0).scale, activation_for(0.0, 0.0).zero_point) == (1.0, -128)
    assert activation_for(-128.0, 127.0).zero_point == 0
    # A subnormal scale would be rounded by up to a half of itself: too small for an end of the range, or 0.
    assert activation_for(-8.979520559393428e-42, 0.0).scale == 2.0**-126
    assert activation_for(0.0, 1e-45).scale == 2.0**-126
    assert activation_for(-128.0, 127.0).largest == 128


@pytest.mark.parametrize(("low", "high"), [(math.nan, 1), (0, math.inf), (2, 1), (-1e308, 1e308)])
def test_impossible_ranges_are_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match=r"range|scale"):
        activation_for(low, high)


def nearest_even(value: Fraction) -> int:
    return round(value)  # of a Fraction: exact, half to even


@given(WEIGHTS)
def test_int8_weights_match_exact_rationals(weights: np.ndarray) -> None:
    stored, scales = quantize_weights(weights)
    assert stored.shape == weights.shape
    assert scales.dtype == np.float32
    for row, integers, scale in zip(
        weights.reshape(len(weights), -1), stored.reshape(len(weights), -1), scales, strict=True
    ):
        peak = max(abs(float(w)) for w in row)
        assert float(scale) == (float(np.float32(peak / 127)) or 1.0)
        for weight, integer in zip(row, integers, strict=True):
            exact = Fraction(float(weight)) / Fraction(float(scale))
            assert abs(exact - int(integer)) <= Fraction(1, 2) + Fraction(abs(exact), 2**50) or abs(integer) == 127
            assert abs(int(integer)) <= 127


@given(WEIGHTS)
def test_ternary_matches_a_loop(weights: np.ndarray) -> None:
    trits, scales = ternarize(weights)
    assert trits.dtype == np.int8
    rows, found = weights.reshape(len(weights), -1), trits.reshape(len(weights), -1)
    for row, got, scale in zip(rows, found, scales[:, 0], strict=True):
        magnitudes = [abs(float(w)) for w in row]
        chosen = [m for m in magnitudes if m > 0.7 * np.mean(magnitudes)]
        expected = math.fsum(chosen) / len(chosen) if chosen else 0.0
        assert float(scale) == pytest.approx(expected, rel=1e-6)
        assert [int(t) for t in got] == [
            int(np.sign(w)) if abs(float(w)) > 0.7 * np.mean(magnitudes) else 0 for w in row
        ]


@given(
    hnp.arrays(np.int8, (4, 9), elements=st.integers(-1, 1)),
    hnp.arrays(np.float32, (4,), elements=st.floats(2.0**-20, 2.0**20, width=32)),
)
def test_ternary_weights_come_out_exactly(trits: np.ndarray, scales: np.ndarray) -> None:
    got, got_scales = ternarize(trits * scales[:, None])
    np.testing.assert_array_equal(got, trits)
    used = np.any(trits, axis=1)
    np.testing.assert_array_equal(got_scales[:, 0], np.where(used, scales, np.float32(0)))


def test_trits_of_groups_are_those_of_rows() -> None:
    weights = np.random.default_rng(1).standard_normal((3, 12)).astype(np.float32)
    trits, scales = ternarize(weights, 4)
    rows, row_scales = ternarize(weights.reshape(9, 4))
    np.testing.assert_array_equal(trits.reshape(9, 4), rows)
    np.testing.assert_array_equal(scales.reshape(9, 1), row_scales)
    assert scales.shape == (3, 3)


def test_a_channel_of_zeros() -> None:
    zeros = np.zeros((2, 3), np.float32)
    assert not ternarize(zeros)[0].any()
    assert ternarize(zeros)[1].tolist() == [[0], [0]]
    assert not quantize_weights(zeros)[0].any()
    assert quantize_weights(zeros)[1].tolist() == [1, 1]


@pytest.mark.parametrize("quantizer", [ternarize, quantize_weights])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_weights_that_are_not_finite_are_refused(quantizer, bad: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        quantizer(np.array([[1.0, bad]], np.float32))


def test_bias_rounds_half_to_even_and_saturates() -> None:
    bias = np.array([0.5, 1.5, -2.5, 1e30, -1e30, 7.0], np.float32)
    scales = np.array([1, 1, 1, 1, 1, 0], np.float32)
    assert quantize_bias(bias, scales).tolist() == [0, 2, -2, 2**31 - 1, -(2**31), 0]


@given(
    hnp.arrays(np.int8, (3, 5), elements=st.integers(-127, 127)),
    hnp.arrays(np.int32, (3,)),
    st.integers(-128, 127),
    st.integers(0, 2**32 - 1),
)
def test_no_accumulator_exceeds_the_bound(stored: np.ndarray, bias: np.ndarray, zero_point: int, seed: int) -> None:
    largest = max(127 - zero_point, zero_point + 128)
    bound = accumulator_bound(stored, largest, bias)
    activations = np.random.default_rng(seed).integers(-128, 128, 5)
    worst = np.where(stored > 0, 127, -128)
    for lhs in (activations, worst, -1 - worst):
        accumulators = np.sum(stored.astype(np.int64) * (lhs - zero_point), axis=1) + bias
        assert np.abs(accumulators).max() <= bound
