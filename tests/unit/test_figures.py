"""The figures of the error table beside numpy's closed forms."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmbs.compiler.verify.figures import measure
from tfmbs.runtime.abi.errors import TfmbsError

F32 = np.float32


def of(ours: list[float], reference: list[float], dtype: type = F32) -> tuple[float, float, float, int | None]:
    figures = measure(np.array(ours, dtype), np.array(reference, dtype), "y")
    return figures.max_abs, figures.max_rel, figures.cosine, figures.ulp


def test_equal_arrays_have_no_distance() -> None:
    assert of([1, -2, math.inf, math.nan, 0.0], [1, -2, math.inf, math.nan, -0.0]) == (0, 0, pytest.approx(1), 0)


def test_distances_of_plain_numbers() -> None:
    max_abs, max_rel, cosine, ulp = of([3, 4], [4, 3])
    assert (max_abs, max_rel, cosine) == (1, 1 / 3, pytest.approx(24 / 25))
    assert ulp == 1 << 22  # 3 to 4: half a binade of 2²³ floats


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("value", [1.0, -1.0, 0.0, 6e-8, -3.5])
def test_neighbours_are_one_ulp_apart(dtype: type, value: float) -> None:
    start = np.array([value], dtype)
    for towards in (-np.inf, np.inf):
        assert measure(np.nextafter(start, dtype(towards)), start, "y").ulp == 1


@given(st.integers(-(1 << 22), 1 << 22))
def test_ulps_of_denormals_count_units_across_zero(units: int) -> None:
    unit = np.finfo(F32).smallest_subnormal
    assert measure(np.array([units], F32) * unit, np.array([-3], F32) * unit, "y").ulp == abs(units + 3)


@pytest.mark.parametrize("ours", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_is_infinitely_far(ours: float) -> None:
    max_abs, max_rel, _, ulp = of([ours, 1], [2, 1])
    assert (max_abs, max_rel) == (math.inf, math.inf)
    assert (ulp is None) == math.isnan(ours)


def test_large_and_small_vectors_have_an_angle() -> None:
    assert of([1e300, 1e300], [1e-300, 1e-300], np.float64)[2] == pytest.approx(1)
    assert of([0, 0], [1, 2])[2] == 0


def test_tolerance_is_relative_to_the_largest_of_the_reference() -> None:
    figures = measure(np.array([100, 0.05], F32), np.array([100, 0], F32), "y")
    assert figures.max_rel == math.inf
    assert figures.exceeds(1e-4)
    assert not figures.exceeds(1e-3)
    assert not measure(np.zeros(2, F32), np.zeros(2, F32), "y").exceeds(0)
    assert measure(np.full(2, np.nan, F32), np.zeros(2, F32), "y").exceeds(1e9)


def test_integers_differ_or_do_not() -> None:
    figures = measure(np.array([1, 5]), np.array([1, 7]), "y")
    assert (figures.max_abs, figures.unequal, figures.ulp) == (2, 1, None)
    large = measure(np.array([1 << 60]), np.array([(1 << 60) + 1]), "y")
    assert (large.max_abs, large.exceeds(0)) == (1, True)
    assert measure(np.array([-(1 << 63)]), np.array([(1 << 63) - 1]), "y").max_abs == 2.0**64


def test_bits_of_bf16_are_read_as_such() -> None:
    reference = np.array([1.5, -2], ml_dtypes.bfloat16)
    assert measure(reference.view(np.uint16), reference, "y").ulp == 0
    assert measure(reference.view(np.uint16) + np.uint16(3), reference, "y").ulp == 3


def test_other_shapes_and_types_are_refused() -> None:
    with pytest.raises(TfmbsError, match=r"y: shape, expected \(3,\), got \(2,\)"):
        measure(np.zeros(2), np.zeros(3), "y")
    with pytest.raises(TfmbsError, match="element type, expected float32, got float64"):
        measure(np.zeros(2), np.zeros(2, F32), "y")


def test_signal_to_noise_is_the_ratio_of_powers_in_decibels() -> None:
    rng = np.random.default_rng(1)
    reference = rng.standard_normal(50).astype(F32)
    ours = reference + F32(1e-2) * rng.standard_normal(50).astype(F32)
    signal, noise = reference.astype(np.float64), (ours.astype(np.float64) - reference)
    expected = 10 * math.log10((signal**2).sum() / (noise**2).sum())
    assert measure(ours, reference, "y").sqnr == pytest.approx(expected)
    for factor in (F32(1e30), F32(1e-30)):  # whose squares are beyond f32, and nearly beyond f64 with it
        assert measure(ours * factor, reference * factor, "y").sqnr == pytest.approx(expected, abs=1e-4)


def test_signal_to_noise_at_its_ends() -> None:
    assert measure(np.zeros(3, F32), np.zeros(3, F32), "y").sqnr == math.inf
    assert measure(np.ones(3, F32), np.zeros(3, F32), "y").sqnr == -math.inf
    infinite = np.array([1, math.inf], F32), np.array([1, 2], F32)
    assert measure(*infinite, "y").sqnr == math.inf  # of the elements that are finite in both
    assert measure(np.array([1, 3]), np.array([1, 1]), "y").sqnr == pytest.approx(10 * math.log10(2 / 4))
