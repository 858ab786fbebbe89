"""Histograms of growing ranges, and what observers make of them, compared with numpy and brute force on the values."""

import numpy as np
import pytest

from tfmbs.compiler.calibration.histogram import BINS, Histogram
from tfmbs.compiler.calibration.observers import OBSERVERS, range_of
from tfmbs.passes.graph.quantization import activation_for

F32 = np.ndarray


def of(*batches: F32) -> Histogram:
    found = Histogram()
    for batch in batches:
        found.add(batch)
    return found


def draws(seed: int, size: int = 20_000) -> F32:
    return np.random.default_rng(seed).standard_normal(size).astype(np.float32)


def with_outliers(seed: int) -> F32:
    values = draws(seed)
    values[:3] = 40, -35, 38
    return values


def squared_error(values: F32, low: float, high: float) -> float:
    activation = activation_for(low, high)
    wide = values.astype(np.float64)
    stored = np.clip(np.rint(wide / activation.scale) + activation.zero_point, -128, 127)
    return float(np.sum((wide - (stored - activation.zero_point) * activation.scale) ** 2))


def test_counts_are_those_of_numpy_and_do_not_depend_on_the_order() -> None:
    small, large = draws(1) / 1000, draws(2) * 50
    found, other = of(small, large), of(large, small)
    expected, _ = np.histogram(np.concatenate([small, large]), BINS, (-found.limit, found.limit))
    np.testing.assert_array_equal(found.counts, expected)
    np.testing.assert_array_equal(found.counts, other.counts)
    assert (found.low, found.high) == (large.min(), large.max())


def test_zeros_and_values_that_are_not_finite_do_not_count() -> None:
    found = of(np.array([0, 1, np.inf, np.nan], np.float32))
    assert found.counts.sum() == 1
    assert np.isnan(found.high)


def test_all_of_one_magnitude_lie_in_the_outermost_bin() -> None:
    found = of(np.full(5, 2, np.float32))
    assert found.limit == 2
    assert found.counts[-1] == 5


def test_minmax_is_the_whole_range() -> None:
    values = with_outliers(3)
    assert range_of(of(values), "minmax", False) == (values.min(), values.max())


def test_percentile_is_that_of_numpy_to_a_bin() -> None:
    values = draws(4, 200_000)
    found = of(values)
    expected = np.percentile(values, [0.005, 99.995])
    np.testing.assert_allclose(range_of(found, "percentile", False), expected, atol=2 * found.width)


@pytest.mark.parametrize("symmetric", [False, True])
def test_mse_is_near_the_best_of_all_ranges(symmetric: bool) -> None:
    values = with_outliers(5)
    low, high = range_of(of(values), "mse", symmetric)
    found = squared_error(values, low, high)
    ends = np.linspace(0.05, 1, 40)
    if symmetric:
        tried = [(-40 * end * 128 / 127, 40 * end) for end in ends]
    else:
        tried = [(values.min() * a, values.max() * b) for a in ends for b in ends]
    assert found <= 1.02 * min(squared_error(values, a, b) for a, b in tried)
    assert found <= squared_error(values, *range_of(of(values), "minmax", symmetric))


def test_entropy_leaves_outliers_out_and_keeps_a_normal_distribution_nearly_whole() -> None:
    low, high = range_of(of(with_outliers(6)), "entropy", False)
    assert -20 < low < -2
    assert 2 < high < 20
    values = np.random.default_rng(7).uniform(-1, 1, 50_000).astype(np.float32)
    low, high = range_of(of(values), "entropy", False)
    assert low < -0.95
    assert high > 0.95


@pytest.mark.parametrize("observer", OBSERVERS)
@pytest.mark.parametrize("sign", [1, -1])
def test_ranges_hold_zero_and_stay_within_all_values(observer: str, sign: int) -> None:
    values = np.abs(with_outliers(8)) * np.float32(sign)
    low, high = range_of(of(values), observer, False)
    assert min(values.min(), 0) <= low <= 0 <= high <= max(values.max(), 0)
    assert low < high


@pytest.mark.parametrize("observer", OBSERVERS)
def test_symmetric_ranges_have_zero_point_0(observer: str) -> None:
    for seed in range(20):
        low, high = range_of(of(draws(seed, 500) * np.float32(10.0 ** (seed - 10))), observer, True)
        assert activation_for(np.float32(low), np.float32(high)).zero_point == 0


@pytest.mark.parametrize("observer", OBSERVERS)
def test_nothing_but_zeros_is_the_range_of_zero(observer: str) -> None:
    assert range_of(of(np.zeros(4, np.float32)), observer, False) == (0, 0)
