"""Operators that the project lowers itself, on random inputs, beside ONNX's evaluator, onnxruntime or numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.models.one_node import by_onnxruntime, by_reference, check

RANDOM = np.random.default_rng(11)


def normal(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(dtype)


def i64(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@pytest.mark.parametrize(
    ("scales", "attributes"),
    [
        ((1.0, 1.0, 1.7, 0.6), {"mode": "linear", "coordinate_transformation_mode": "half_pixel_symmetric"}),
        ((1.0, 1.0, 0.7, 0.5), {"mode": "linear", "antialias": 1}),
        ((1.0, 1.0, 1.3, 2.5), {"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1}),
        ((1.0, 1.0, 2.0, 0.8), {"nearest_mode": "ceil", "coordinate_transformation_mode": "asymmetric"}),
        ((1.0, 1.0, 0.6, 1.5), {"mode": "linear", "coordinate_transformation_mode": "align_corners"}),
    ],
)  # fmt: skip
def test_resize_by_scales_of_run_time(scales: tuple[float, ...], attributes: dict[str, Any]) -> None:
    inputs = [normal(1, 2, 5, 6), None, np.array(scales, np.float32)]
    check("Resize", inputs, by_reference("Resize", inputs, **attributes), **attributes)


def test_resize_of_bytes_rounds_and_saturates() -> None:
    inputs = [RANDOM.integers(-128, 128, (1, 1, 4, 5)).astype(np.int8), None, None, i64(1, 1, 7, 9)]
    expected = by_reference("Resize", inputs, mode="cubic")
    check("Resize", inputs, expected, constants=[3], mode="cubic")


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize(("padding", "align"), [("zeros", 0), ("border", 1), ("reflection", 0)])
def test_grid_sample(mode: str, padding: str, align: int) -> None:
    inputs = [normal(2, 2, 4, 3), RANDOM.uniform(-1.6, 1.6, (2, 3, 2, 2)).astype(np.float32)]
    attributes = {"mode": mode, "padding_mode": padding, "align_corners": align}
    check("GridSample", inputs, by_reference("GridSample", inputs, **attributes), **attributes)


def test_slice_by_operands_of_run_time() -> None:
    data = normal(5, 6, 4)
    check("Slice", [data, i64(-1, 1), i64(-9, 100), i64(0, -1), i64(-2, 2)], [data[::-2, :, 1::2]])
    check("Slice", [data.astype(np.int32), i64(1), i64(-1)], [data.astype(np.int32)[1:-1]])


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "wrap"])
def test_pad_by_operands_of_run_time(mode: str) -> None:
    data, amounts = normal(4, 3), ((3, 2), (1, 2))
    pad: Any = np.pad  # its overloads want the mode as a literal
    expected = pad(data, amounts, mode, **({"constant_values": 2.5} if mode == "constant" else {}))
    check("Pad", [data, i64(3, 1, 2, 2), np.array(2.5, np.float32)], [expected], mode=mode)


def test_crops_where_pads_are_negative() -> None:
    data = normal(4, 3)
    expected = np.pad(data[1:], ((0, 0), (2, 0)))
    check("Pad", [data, i64(2, -1, 0, 0), None, i64(1, 0)], [expected])


def test_shapes_that_the_model_declares() -> None:
    data = normal(2, 6)
    check("Reshape", [data, i64(3, 4)], [data.reshape(3, 4)])
    check("Tile", [data, i64(2, 3)], [np.tile(data, (2, 3))])
    check("Expand", [data[:, :1], i64(3, 2, 6)], [np.broadcast_to(data[:, :1], (3, 2, 6)).copy()])
    check("Split", [data, i64(1, 5)], [data[:, :1], data[:, 1:]], axis=1)
    check("CenterCropPad", [data, i64(5, 3)], by_reference("CenterCropPad", [data, i64(5, 3)]))


def test_picks() -> None:
    data, condition = normal(4, 3), np.array([True, False, True])
    check("Compress", [data, condition], [data[:, [0, 2]]], axis=1)
    sparse = np.array([[0, 3, 0], [-1, 0, 0]], np.int32)
    check("NonZero", [sparse], [np.stack(np.nonzero(sparse))])
    lengths = i64(1, 3, 2)
    attributes = {"batch_axis": 1, "time_axis": 0}
    check(
        "ReverseSequence", [data, lengths], by_reference("ReverseSequence", [data, lengths], **attributes), **attributes
    )


@pytest.mark.parametrize("length", [5, 8])
@pytest.mark.parametrize("attributes", [{}, {"onesided": 1}, {"inverse": 1}])
def test_dft_pads_and_cuts(length: int, attributes: dict[str, int]) -> None:
    inputs = [normal(2, 6, 3, 1 if "onesided" in attributes else 2), i64(length).reshape(()), i64(1).reshape(())]
    expected = by_reference("DFT", inputs, **attributes)
    check("DFT", inputs, expected, constants=[2], **attributes)


def test_stft() -> None:
    inputs = [normal(1, 20, 1), i64(3).reshape(()), np.hanning(8).astype(np.float32)]
    check("STFT", inputs, by_reference("STFT", inputs, onesided=1), onesided=1)


@pytest.mark.parametrize("center", [0, 1])
def test_suppression(center: int) -> None:
    boxes, scores = (
        RANDOM.uniform(0, 1, (1, 5, 4)).astype(np.float32),
        RANDOM.uniform(0, 1, (1, 2, 5)).astype(np.float32),
    )
    inputs = [boxes, scores, i64(3), np.array([0.3], np.float32), np.array([0.2], np.float32)]
    expected = by_onnxruntime("NonMaxSuppression", inputs, center_point_box=center)
    check("NonMaxSuppression", inputs, expected, center_point_box=center)


def test_transposed_windows() -> None:
    data, weights = normal(1, 4, 3, 4), normal(4, 2, 3, 2)
    for attributes in ({"group": 2, "strides": [2, 1]}, {"auto_pad": "SAME_LOWER", "strides": [2, 3]}):
        inputs = [data, weights, normal(2 * attributes.get("group", 1))]
        expected = by_onnxruntime("ConvTranspose", inputs, **attributes)
        check("ConvTranspose", inputs, expected, constants=[1, 2], **attributes)
    columns = normal(1, 2 * 4, 6)
    inputs = [columns, i64(3, 4), i64(2, 2)]
    check("Col2Im", inputs, by_reference("Col2Im", inputs))


def test_lp_pool() -> None:
    data = normal(1, 2, 6, 5)
    for power in (1, 3):
        attributes = {"kernel_shape": [3, 2], "strides": [2, 1], "p": power}
        check("LpPool", [data], by_onnxruntime("LpPool", [data], **attributes), tolerance=1e-4, **attributes)


def test_unpool() -> None:
    data, places = normal(1, 1, 2, 2), i64(1, 3, 8, 14).reshape(1, 1, 2, 2)
    attributes = {"kernel_shape": [2, 2], "strides": [2, 2]}
    check("MaxUnpool", [data, places], by_onnxruntime("MaxUnpool", [data, places], **attributes), **attributes)


@pytest.mark.parametrize("mode", ["avg", "max"])
def test_roi_align(mode: str) -> None:
    rois = np.array([[0.5, 1.0, 5.0, 6.5]], np.float32)
    inputs = [normal(2, 1, 7, 8), rois, i64(1)]
    attributes = {"mode": mode, "output_height": 2, "output_width": 1, "spatial_scale": 0.8, "sampling_ratio": 0}
    check("RoiAlign", inputs, by_reference("RoiAlign", inputs, **attributes), **attributes)


@pytest.mark.parametrize("reduction", ["add", "mul", "max", "min"])
def test_reducing_scatters(reduction: str) -> None:
    inputs = [normal(3, 4), RANDOM.integers(-3, 3, (5, 4)), normal(5, 4)]
    expected = by_reference("ScatterElements", inputs, reduction=reduction)
    check("ScatterElements", inputs, expected, reduction=reduction)


def test_det() -> None:
    data = normal(3, 4, 4)
    check("Det", [data], [np.linalg.det(data.astype(np.float64)).astype(np.float32)])


@pytest.mark.parametrize("mode", ["TF", "IDF", "TFIDF"])
def test_ngrams(mode: str) -> None:
    text = RANDOM.integers(0, 4, (3, 9))
    attributes = {
        "mode": mode, "min_gram_length": 1, "max_gram_length": 2, "max_skip_count": 2, "ngram_counts": [0, 2],
        "ngram_indexes": [0, 1, 2, 3, 4], "pool_int64s": [2, 3, 1, 1, 0, 2, 3, 0],
        "weights": [0.5, 1.5, 2.0, 3.0, 0.25],
    }  # fmt: skip
    check("TfIdfVectorizer", [text], by_reference("TfIdfVectorizer", [text], **attributes), **attributes)


def test_statistics_of_a_batch() -> None:
    data = normal(3, 2, 4)
    inputs = [data, normal(2), normal(2), normal(2), RANDOM.uniform(0.5, 2, 2).astype(np.float32)]
    given = [inputs[0], *(array.reshape(2, 1) for array in inputs[1:])]
    mean, variance = data.mean((0, 2)), data.var((0, 2))
    unit = (data - mean.reshape(2, 1)) / np.sqrt(variance.reshape(2, 1) + np.float32(1e-5))
    expected = [unit * given[1] + given[2], inputs[3] * 0.8 + mean * 0.2, inputs[4] * 0.8 + variance * 0.2]
    expected = [array.astype(np.float32) for array in expected]
    check("BatchNormalization", inputs, expected, training_mode=1, momentum=0.8)
    expected = [(data - given[3]) / np.sqrt(given[4] + np.float32(1e-5)) * given[1] + given[2]]
    check("BatchNormalization", inputs, expected)


@pytest.mark.parametrize("power", [1, 2])
def test_vectors_of_length_one_or_none(power: int) -> None:
    data = normal(3, 4)
    data[1] = 0
    lengths = np.linalg.norm(data, power, axis=1, keepdims=True)
    expected = np.divide(data, lengths, out=np.zeros_like(data), where=lengths != 0)
    check("LpNormalization", [data], [expected], p=power)


def test_product_of_scalars() -> None:
    x, y = np.array(1.5, np.float32), np.array(-2.0, np.float32)
    check("Einsum", [x, y], [np.array(-3.0, np.float32)], equation=",->")


@pytest.mark.parametrize("includes", [0, 1])
@pytest.mark.parametrize(
    ("sizes", "attributes"),
    [
        ((5, 5), {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ((7, 8), {"kernel_shape": [3, 3], "strides": [3, 2], "pads": [1, 0, 0, 1], "dilations": [1, 2]}),
        ((8, 7), {"kernel_shape": [3, 3], "strides": [2, 3], "pads": [1, 1, 1, 1]}),
        ((8,), {"kernel_shape": [3], "strides": [2]}),
        ((6, 6, 7), {"kernel_shape": [3, 3, 2], "strides": [2, 2, 3], "dilations": [1, 2, 1]}),
    ],
)
def test_average_pool_in_ceil_mode(sizes: tuple[int, ...], attributes: dict[str, Any], includes: int) -> None:
    inputs = [normal(1, 2, *sizes)]
    attributes = {**attributes, "ceil_mode": 1, "count_include_pad": includes}
    check("AveragePool", inputs, by_onnxruntime("AveragePool", inputs, **attributes), **attributes)
