"""Weights that are small integers times scales are recognized to the last bit, and others are not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmbs.passes.graph.found_grids import LARGEST, find_grid


def on_grid(seed: int, most: int, group: int, groups: int = 1, rows: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Weights rows×(groups·group) and their scales; the largest integer occurs in each group."""
    rng = np.random.default_rng(seed)
    scales = np.exp(rng.uniform(-9, 3, (rows, groups))).astype(np.float32)
    integers = rng.integers(-most, most + 1, (rows, groups, group))
    integers[:, :, 0], integers[:, :, 1] = most, -1
    return (integers.astype(np.float32) * scales[:, :, None]).reshape(rows, -1), scales


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), most=st.integers(1, 127), group=st.integers(8, 70))
def test_a_scale_of_each_channel_is_found(seed: int, most: int, group: int) -> None:
    weights, scales = on_grid(seed, most, group)
    found = find_grid(weights, LARGEST)
    assert found is not None
    assert found.precision == ("ternary" if most == 1 else "int4" if most <= 7 else "int8")
    # A neighbour that gives the same weights is as good.
    np.testing.assert_allclose(found.scales, scales, rtol=2.0**-22)
    np.testing.assert_array_equal(np.rint(weights / found.scales) * found.scales, weights)


@pytest.mark.parametrize(("precision", "group"), [("ternary", 32), ("int4", 64), ("int8", 128)])
def test_a_scale_of_each_group_is_found(precision: str, group: int) -> None:
    weights, _ = on_grid(1, LARGEST[precision], group, groups=3)
    found = find_grid(weights, LARGEST)
    assert found is not None
    assert (found.precision, found.scales.shape) == (precision, (4, 3))
    assert find_grid(weights.reshape(4, -1, 1, 1), LARGEST) is None  # groups are those of linear layers


@pytest.mark.parametrize("change", [np.nextafter(np.float32(1), np.float32(2)), np.float32(np.inf), np.float32(np.nan)])
def test_one_bit_off_is_off(change: np.float32) -> None:
    weights, _ = on_grid(2, 1, 64)
    weights[3, 0] *= change
    assert find_grid(weights, ["ternary", "int4"]) is None


def test_zeros_have_any_scale_and_few_weights_none() -> None:
    found = find_grid(np.zeros((3, 8), np.float32), LARGEST)
    assert found is not None
    assert found.precision == "ternary"
    assert find_grid(np.ones((8, 7), np.float32), LARGEST) is None
    assert find_grid(np.random.default_rng(3).standard_normal((16, 64)).astype(np.float32), LARGEST) is None
