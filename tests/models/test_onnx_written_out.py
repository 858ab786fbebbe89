"""Operators that are written out in others before import: beside onnxruntime, ONNX's evaluator, numpy or torch."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

import tfmbs
from tests.models.one_node import by_onnxruntime, by_reference, check
from tests.models.test_hostile_models import of, typed
from tests.models.torch_agreement import assert_agrees
from tfmbs.runtime.abi.errors import TfmbsError

RANDOM = np.random.default_rng(5)
F32 = TensorProto.FLOAT


def normal(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


def i64(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@pytest.mark.parametrize(
    ("size", "align"),
    [((2, 3, 4, 5), 0), ((2, 3, 4, 5), 1), ((1, 2, 3, 2, 4), 0), ((1, 2, 3, 2, 4), 1), ((3, 1, 1, 6), 0)],
)
def test_affine_grid_of_a_size_of_run_time(size: tuple[int, ...], align: int) -> None:
    """The size is an operand; the output's declared shape tells it."""
    inputs = [normal(size[0], len(size) - 2, len(size) - 1), i64(*size)]
    check("AffineGrid", inputs, by_reference("AffineGrid", inputs, align_corners=align), align_corners=align)


@pytest.mark.parametrize(
    ("amounts", "axes"), [((-1, 1, 0, -2), None), ((-2, 0, 0, -3), None), ((-5, 6), (-1,)), ((2, -4, -1, 1), (1, 0))]
)
def test_pad_by_constant_amounts_below_zero(amounts: tuple[int, ...], axes: tuple[int, ...] | None) -> None:
    inputs = [normal(3, 4), i64(*amounts), np.array(7.5, np.float32), *([] if axes is None else [i64(*axes)])]
    constants = list(range(1, len(inputs)))
    check("Pad", inputs, by_onnxruntime("Pad", inputs), constants=constants)


@pytest.mark.parametrize(("left", "right"), [((4,), (2, 4, 3)), ((2, 5, 3, 4), (4,)), ((4,), (4, 3)), ((4,), (4,))])
def test_products_with_vectors(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    inputs = [normal(*left), normal(*right)]
    check("MatMul", inputs, [np.matmul(*inputs)])


def test_products_with_vectors_in_pytorch() -> None:
    class Products(nn.Module):
        def forward(self, v: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
            return v @ m, m.transpose(1, 2) @ v

    module, inputs = Products(), (torch.from_numpy(normal(4)), torch.from_numpy(normal(2, 4, 3)))
    assert_agrees(tfmbs.compile(module, example_inputs=inputs), module, inputs)


def scan_of_opset_8() -> onnx.ModelProto:
    body = helper.make_graph(
        [helper.make_node("Add", ["s", "n"], ["t"]), helper.make_node("Identity", ["t"], ["o"])], "body",
        [helper.make_tensor_value_info(name, F32, (2,)) for name in "sn"],
        [helper.make_tensor_value_info(name, F32, (2,)) for name in "to"],
    )  # fmt: skip
    node = helper.make_node("Scan", ["", "i", "x"], ["y", "z"], name="scan", body=body, num_scan_inputs=1)
    return typed(of([node], ("i", F32, (1, 2)), ("x", F32, (1, 3, 2)), outputs="y z", opset=8))


REFUSED = {
    "node 'scan' (Scan): Scan, expected one without an axis of batches, of opset 9 or later, got opset 8":
        scan_of_opset_8(),
    "node 'p' (MaxPool): order of indices, expected storage_order 0, by rows, got storage_order 1, by columns": typed(
        of([helper.make_node("MaxPool", ["x"], ["y", "z"], name="p", kernel_shape=[2, 2], storage_order=1)],
           ("x", F32, (1, 1, 4, 4)), outputs="y z")),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_refused_by_node_and_reason(message: str) -> None:
    with pytest.raises(TfmbsError) as caught:
        tfmbs.compile(REFUSED[message])
    assert str(caught.value) == f"error: model: {message}"
