"""GPTQ on arrays: against the plain form that updates the whole inverse, and against rounding to the nearest."""

import numpy as np
import pytest

from tfmbs.passes.graph.gptq import BLOCK, DAMPING, damped, fitted_scales, gptq, inverse_factor, output_error
from tfmbs.passes.graph.grids import Grid
from tfmbs.passes.graph.quantization import quantize_int4, ternarize


def inputs(width: int, *, rows: int = 300, seed: int = 0) -> np.ndarray:
    """Inputs whose channels depend on each other and differ in size, as activations do."""
    rng = np.random.default_rng(seed)
    hidden = rng.standard_normal((rows, max(2, width // 3)))
    mixed = hidden @ rng.standard_normal((hidden.shape[1], width)) + 0.1 * rng.standard_normal((rows, width))
    return np.asarray(mixed * rng.lognormal(0, 0.7, width))


def layer(n: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    x = inputs(width, seed=seed)
    return np.random.default_rng(seed + 1).standard_normal((n, width)).astype(np.float32), x.T @ x


def plain(weights: np.ndarray, moment: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Optimal brain surgeon, column by column: the rest takes δ, and the column is eliminated from the inverse."""
    rows, hessian = weights.astype(np.float64), damped(moment, weights.shape[1], 0.01)
    scales = grid.scales(rows, np.diag(hessian))
    inverse, stored = np.linalg.inv(hessian), np.zeros(rows.shape)
    group = grid.columns(rows.shape[1])
    for i in np.argsort(-np.diag(hessian), kind="stable"):
        scale = scales[:, i // group].astype(np.float64)
        stored[:, i] = grid.nearest(rows[:, i], scale)
        rows += np.outer(stored[:, i] * scale - rows[:, i], inverse[i]) / inverse[i, i]
        inverse -= np.outer(inverse[:, i], inverse[i]) / inverse[i, i]
    return stored.astype(np.int8), scales


@pytest.mark.parametrize("most", [1, 7, 127])
@pytest.mark.parametrize("group", [None, 32])
def test_blocks_give_what_one_column_after_the_other_gives(most: int, group: int | None) -> None:
    weights, moment = layer(6, BLOCK + 64)  # more than one block
    stored, scales = gptq(weights, moment, Grid(most, group), damping=0.01, refinements=0)
    expected, expected_scales = plain(weights, moment, Grid(most, group))
    np.testing.assert_array_equal(stored, expected)
    np.testing.assert_array_equal(scales, expected_scales)
    assert np.abs(stored).max() == most


def test_refined_scales_are_the_least_squares_of_outputs_and_lose_in_no_row() -> None:
    x, weights = inputs(24), np.random.default_rng(8).standard_normal((5, 24)).astype(np.float32)
    moment = damped(x.T @ x, 24, 0.0)
    stored, scales = gptq(weights, moment, Grid(7, 8), refinements=0)
    fitted = fitted_scales(weights.astype(np.float64), moment, stored, scales)
    for row, integers, found in zip(weights.astype(np.float64), stored.astype(np.float64), fitted, strict=True):
        outputs = np.stack([x[:, g : g + 8] @ integers[g : g + 8] for g in (0, 8, 16)], axis=1)
        expected = np.linalg.lstsq(outputs, x @ row, rcond=None)[0]
        np.testing.assert_allclose(found, expected, rtol=1e-3)
    hessian = damped(moment, 24, DAMPING)
    again, refined = gptq(weights, moment, Grid(7, 8), refinements=2)
    errors = [
        [output_error(difference[None], hessian) for difference in found - weights]
        for found in (real(stored, scales), real(again, refined))
    ]
    before, after = np.array(errors)
    assert (after <= before * (1 + 1e-9)).all()
    assert after.sum() < 0.95 * before.sum()


def test_signed_scales_use_the_longer_end_of_the_grid() -> None:
    rows = np.array([[-8.0, 3, 7, 0], [8.0, -3, -7, 1]])
    grid = Grid(7, None, signed=True)
    scales = grid.scales(rows, np.ones(4))
    np.testing.assert_array_equal(scales, [[1], [-1]])
    np.testing.assert_array_equal(grid.stored(rows, scales), [[-8, 3, 7, 0], [-8, 3, 7, -1]])


def real(stored: np.ndarray, scales: np.ndarray) -> np.ndarray:
    groups = stored.reshape(len(stored), scales.shape[1], -1) * scales.astype(np.float64)[:, :, None]
    return np.asarray(groups.reshape(stored.shape))


@pytest.mark.parametrize("group", [None, 32, 64, 128])
@pytest.mark.parametrize("seed", range(3))
def test_outputs_are_nearer_than_those_of_nearest_int4(group: int | None, seed: int) -> None:
    weights, moment = layer(16, 128, seed)
    ours = output_error(real(*gptq(weights, moment, Grid(7, group))) - weights, moment)
    nearest = output_error(real(*quantize_int4(weights, group)) - weights, moment)
    assert ours < 0.4 * nearest


@pytest.mark.parametrize("seed", range(3))
def test_outputs_are_nearer_than_those_of_plain_trits(seed: int) -> None:
    weights, moment = layer(16, 128, seed)
    trits, scales = ternarize(weights)
    nearest = output_error(real(trits, scales) - weights, moment)
    for group in (None, 64, 32):
        assert output_error(real(*gptq(weights, moment, Grid(1, group))) - weights, moment) < 0.5 * nearest


def test_the_error_is_that_of_the_outputs() -> None:
    x, difference = inputs(8), np.random.default_rng(5).standard_normal((3, 8))
    np.testing.assert_allclose(output_error(difference, x.T @ x), ((x @ difference.T) ** 2).sum(), rtol=1e-12)


def test_the_factor_is_that_of_the_inverse() -> None:
    hessian = damped(layer(1, 40)[1], 40, 0.01)
    factor = inverse_factor(hessian)
    np.testing.assert_array_equal(factor, np.triu(factor))
    np.testing.assert_allclose(factor.T @ factor @ hessian, np.eye(40), atol=1e-9)


@pytest.mark.parametrize("group", [None, 8])
def test_trits_with_a_scale_come_out_exactly(group: int | None) -> None:
    rng = np.random.default_rng(2)
    trits = rng.integers(-1, 2, (5, 24)).astype(np.int8)
    trits[:, ::8] = 1
    scales = rng.uniform(0.01, 3, (5, 24 // (group or 24))).astype(np.float32)
    weights = (trits.reshape(5, scales.shape[1], -1) * scales[:, :, None]).reshape(5, 24)
    stored, found = gptq(weights, layer(1, 24)[1], Grid(1, group))
    np.testing.assert_array_equal(stored, trits)
    np.testing.assert_array_equal(found, scales)


def test_scales_of_trits_have_the_least_error_of_all_selections() -> None:
    rows, importance = np.random.default_rng(4).standard_normal((6, 9)), np.random.default_rng(5).uniform(0.1, 4, 9)
    scales = Grid(1).scales(rows, importance)[:, 0].astype(np.float64)

    def error(row: np.ndarray, scale: float) -> float:
        return float((importance * (row - Grid(1).nearest(row, np.full(9, scale)) * scale) ** 2).sum())

    for row, scale in zip(rows, scales, strict=True):
        assert error(row, scale) <= min(error(row, other) for other in np.linspace(0.01, 3, 3000)) + 1e-5


def test_inputs_that_are_always_zero_leave_weights_at_their_nearest() -> None:
    weights, moment = layer(4, 16)
    moment[3], moment[:, 3] = 0, 0
    stored, scales = gptq(weights, moment, Grid(7), refinements=0)
    np.testing.assert_array_equal(stored[:, 3], np.clip(np.rint(weights[:, 3] / scales[:, 0].astype(float)), -7, 7))
    stored, scales = gptq(weights, np.zeros((16, 16)), Grid(7))
    np.testing.assert_array_equal(stored, np.clip(np.rint(weights / scales.astype(float)), -7, 7))


def test_zeros_stay_zeros() -> None:
    _, moment = layer(1, 8)
    for most, scale in ((1, 0), (7, 1)):
        stored, scales = gptq(np.zeros((2, 8), np.float32), moment, Grid(most, 4))
        assert not stored.any()
        assert (scales == scale).all()


@pytest.mark.parametrize(
    ("weights", "moment", "message"),
    [
        (np.full((1, 4), np.nan, np.float32), np.eye(4), "weights are not finite"),
        (np.ones((1, 4), np.float32), np.full((4, 4), np.inf), "moment is not finite"),
        (np.ones((1, 4), np.float32), np.eye(3), "3 inputs for 4 weights"),
        (np.ones((1, 4), np.float32), np.eye(4) - 2 * np.eye(4, k=1) - 2 * np.eye(4, k=-1), "positive definite"),
    ],
)
def test_what_cannot_be_rounded_is_refused(weights: np.ndarray, moment: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gptq(weights, moment, Grid(7))


def test_groups_divide_the_row() -> None:
    with pytest.raises(ValueError, match="groups of 3 do not divide rows of 4"):
        gptq(np.ones((1, 4), np.float32), np.eye(4), Grid(7, 3))
