"""ONNX's integer products are kernels of integers: to the last integer what the reference and onnxruntime compute."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

import tfmbs
from tests.models.integer_models import Arrays, by_linalg, by_onnxruntime, model, products
from tfmbs.runtime.abi.errors import TfmbsError

WEIGHTS: list[tuple[type, int]] = [(np.int8, 0), (np.uint8, 128), (np.uint8, 77), (np.int8, -5)]
"""Types of weights and their zero points; with the last two, differences leave i8."""

CONV = ("x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b")
MATMUL = ("a", "as", "az", "b", "bs", "bz", "ys", "yz")
"""Operands of QLinearConv and QLinearMatMul."""

COMBINATIONS = list(product((np.uint8, np.int8), WEIGHTS))


def integers(seed: int, dtype: type, *shape: int) -> np.ndarray:
    info = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(info.min, int(info.max) + 1, shape).astype(dtype)


def check(made: onnx.ModelProto, inputs: Arrays, kernels: list[str], *, at_onnxruntime: bool = True) -> Any:
    """All give the same integers, and the products are launches of integers; returns the program."""
    program = tfmbs.compile(made)
    got = program.run(dict(inputs))
    expected = ReferenceEvaluator(made).run(None, dict(inputs))
    others = by_onnxruntime(made, inputs) if at_onnxruntime else None
    linalg = by_linalg(made, inputs)
    for (name, array), wanted in zip(got.items(), expected, strict=True):
        assert array.dtype == wanted.dtype
        np.testing.assert_array_equal(array, wanted)
        assert others is None or np.array_equal(array, others[name])
        assert array.tobytes() == linalg[name].tobytes()
    found = products(program)
    assert [kind for kind, _, _ in found] == kernels
    assert {lhs for _, lhs, _ in found} <= {"I8"}
    assert {rhs for _, _, rhs in found} <= {"I8", "I4", "TRIT"}
    return program


def has_kernel(activations: type, weights: type) -> bool:
    """Whether onnxruntime computes with these types: signed activations have signed weights there."""
    return activations is np.uint8 or weights is np.int8


def times(kind: str, zero_point: int) -> list[str]:
    """The kernels of one product: a second one with ones where weights are more than 8 bits."""
    return [kind] * (2 if zero_point in (77, -5) else 1)


@pytest.mark.parametrize(("activations", "weights"), COMBINATIONS, ids=str)
def test_convolutions(activations: type, weights: tuple[type, int]) -> None:
    dtype, zero = weights
    low = np.iinfo(activations).min
    x, w = integers(1, activations, 2, 4, 9, 7), integers(2, dtype, 6, 2, 3, 3)
    geometry = {"pads": [1, 1, 1, 2], "strides": [1, 2], "group": 2}
    scales = np.random.default_rng(3).uniform(0.001, 0.01, 6).astype(np.float32)
    constants = {
        "xs": np.float32(0.02), "xz": activations(low + 100), "w": w, "ws": scales, "wz": np.full(6, zero, dtype),
        "ys": np.float32(0.3), "yz": activations(low + 30), "b": np.arange(-900, 900, 300, dtype=np.int32),
    }  # fmt: skip
    node = helper.make_node("QLinearConv", list(CONV), ["y"], **geometry)
    made = model([node], {"x": x}, {"y": activations}, constants)
    known = has_kernel(activations, dtype)
    check(made, {"x": x}, times("CONV2D", zero), at_onnxruntime=known)
    node = helper.make_node("ConvInteger", ["x", "w", "xz", "wz"], ["y"], **geometry)
    inputs = {"x": x, "xz": np.array(low + 100, activations)}
    made = model([node], inputs, {"y": np.int32}, {"w": w, "wz": np.array(zero, dtype)})
    check(made, inputs, times("CONV2D", zero), at_onnxruntime=known)


@pytest.mark.parametrize(("activations", "weights"), COMBINATIONS, ids=str)
def test_matrix_products(activations: type, weights: tuple[type, int]) -> None:
    dtype, zero = weights
    low = np.iinfo(activations).min
    a, b = integers(1, activations, 2, 5, 33), integers(2, dtype, 33, 6)
    constants = {
        "as": np.float32(0.02), "az": activations(low + 100), "b": b, "bs": np.float32(0.004),
        "bz": np.array(zero, dtype), "ys": np.float32(0.3), "yz": activations(low + 30),
    }  # fmt: skip
    known = has_kernel(activations, dtype)
    node = helper.make_node("QLinearMatMul", list(MATMUL), ["y"])
    made = model([node], {"a": a}, {"y": activations}, constants)
    check(made, {"a": a}, times("GEMM", zero), at_onnxruntime=known)
    node = helper.make_node("MatMulInteger", ["a", "b", "az", "bz"], ["y"])
    inputs = {"a": a, "az": np.array(low + 100, activations)}
    made = model([node], inputs, {"y": np.int32}, {"b": b, "bz": np.full(6, zero, dtype)})
    check(made, inputs, times("GEMM", zero), at_onnxruntime=known)


@pytest.mark.parametrize("zero", [0, 200])
def test_products_of_activations(zero: int) -> None:
    a, b = integers(8, np.uint8, 3, 5, 17), integers(9, np.uint8, 3, 17, 6)
    inputs = {"a": a, "b": b}
    constants = {
        "as": np.float32(0.02), "az": np.uint8(100), "bs": np.float32(0.03), "bz": np.uint8(zero),
        "ys": np.float32(2.3), "yz": np.uint8(128),
    }  # fmt: skip
    made = model([helper.make_node("QLinearMatMul", list(MATMUL), ["y"])], inputs, {"y": np.uint8}, constants)
    check(made, inputs, ["GEMM"])
    node = helper.make_node("MatMulInteger", ["a", "b", "", "bz"], ["y"])
    check(model([node], inputs, {"y": np.int32}, {"bz": np.uint8(zero)}), inputs, ["GEMM"], at_onnxruntime=False)


@pytest.mark.parametrize("spatial", [1, 3])
def test_convolutions_of_other_ranks(spatial: int) -> None:
    x, w = integers(4, np.uint8, 1, 3, *(5,) * spatial), integers(5, np.int8, 4, 3, *(2,) * spatial)
    node = helper.make_node("ConvInteger", ["x", "w", "xz"], ["y"], pads=[1] * spatial + [0] * spatial)
    made = model([node], {"x": x}, {"y": np.int32}, {"w": w, "xz": np.uint8(9)})
    check(made, {"x": x}, ["CONV2D" if spatial == 1 else "CONV3D"], at_onnxruntime=False)


@pytest.mark.parametrize(("most", "element"), [(1, "TRIT"), (7, "I4"), (127, "I8")])
def test_weights_are_packed_in_the_fewest_bits_that_hold_them(most: int, element: str) -> None:
    a, b = integers(6, np.uint8, 4, 16), np.random.default_rng(7).integers(-most, most + 1, (16, 8)).astype(np.int8)
    made = model([helper.make_node("MatMulInteger", ["a", "b"], ["y"])], {"a": a}, {"y": np.int32}, {"b": b})
    assert products(check(made, {"a": a}, ["GEMM"])) == [("GEMM", "I8", element)]


@pytest.mark.parametrize("zero", [0, 127, 128, 255])
def test_ties_go_to_even_and_ends_saturate(zero: int) -> None:
    """Sums of every parity times ½, on both sides of zero and far beyond both ends; the zero point is added behind.

    ONNX's evaluator adds it to QLinearMatMul's sums before it rounds, other than its QuantizeLinear and onnxruntime:
    with an odd one, ties go the other way there.
    """
    a = np.array([[1, 0], [0, 1], [255, 0], [0, 255], [200, 3]], np.uint8)
    b = np.array([[1, 3, 5, -1, -3, -5, 127], [-127, 2, 7, 9, -7, -9, 4]], np.int8)
    constants = {
        "as": np.float32(1), "az": np.uint8(0), "b": b, "bs": np.float32(1), "bz": np.int8(0),
        "ys": np.float32(2), "yz": np.uint8(zero),
    }  # fmt: skip
    made = model([helper.make_node("QLinearMatMul", list(MATMUL), ["y"])], {"a": a}, {"y": np.uint8}, constants)
    got = tfmbs.compile(made).run({"a": a})["y"]
    np.testing.assert_array_equal(got, by_onnxruntime(made, {"a": a})["y"])
    sums = a.astype(np.int32) @ b.astype(np.int32)
    np.testing.assert_array_equal(got, np.clip(np.rint(sums / 2) + zero, 0, 255))
    assert set((sums % 4).ravel()) >= {1, 3}
    assert {0, 255} <= set(got.ravel())
    if zero % 2 == 0:
        check(made, {"a": a}, ["GEMM"])


def test_sums_that_can_leave_i32_are_refused() -> None:
    node = helper.make_node("MatMulInteger", ["a", "b"], ["y"], name="big")
    inputs = {"a": np.zeros((1, 70000), np.uint8)}
    made = model([node], inputs, {"y": np.int32}, {"b": np.full((70000, 1), 127, np.int8)})
    with pytest.raises(TfmbsError, match="big: MatMulInteger: accumulators can exceed i32"):
        tfmbs.compile(made)
