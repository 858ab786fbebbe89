"""`tfmbs.onnx_backend` as users of onnx's backend interface call it."""

import unittest

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test import BackendTest

from tfmbs import TfmbsError, onnx_backend

X = np.array([[1.0, -2.5], [0.25, 3.0]], np.float32)


def model(op: str, element: int = TensorProto.FLOAT, **attributes: object) -> onnx.ModelProto:
    node = helper.make_node(op, ["x"], ["y"], **attributes)
    value = helper.make_tensor_value_info("x", element, [2, 2])
    result = helper.make_tensor_value_info("y", attributes.get("to", element), [2, 2])
    graph = helper.make_graph([node], "model", [value], [result])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def test_a_prepared_model_runs_more_than_once():
    prepared = onnx_backend.prepare(model("Neg"))
    for value in (X, X.T.copy()):
        outputs = prepared.run([value])
        np.testing.assert_array_equal(outputs[0], -value)
        np.testing.assert_array_equal(outputs["y"], -value)


@pytest.mark.parametrize("inputs", [X, [X], (X,), {"x": X}, [numpy_helper.from_array(X)]])
def test_inputs_come_in_any_of_onnx_ways(inputs):
    np.testing.assert_array_equal(onnx_backend.run_model(model("Neg"), inputs)[0], -X)


def test_bfloat16_goes_in_and_out_as_ml_dtypes():
    x = X.astype(ml_dtypes.bfloat16)
    (y,) = onnx_backend.run_model(model("Neg", TensorProto.BFLOAT16), [x])
    assert y.dtype == ml_dtypes.bfloat16
    np.testing.assert_array_equal(y, -x)
    assert onnx_backend.run_model(model("Cast", to=TensorProto.BFLOAT16), [X])[0].dtype == ml_dtypes.bfloat16


def test_a_node_alone_is_run_for_the_arrays_it_gets():
    node = helper.make_node("MatMul", ["a", "b"], ["c"])
    a, b = X, np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(onnx_backend.run_node(node, [a, b])[0], a @ b)
    (same,) = onnx_backend.run_node(node, [a, b], outputs_info=[(np.float32, (2, 3))], opset_version=13)
    np.testing.assert_array_equal(same, a @ b)


def test_an_absent_input_of_a_node_takes_no_array():
    node = helper.make_node("Clip", ["x", "", "top"], ["y"])
    np.testing.assert_array_equal(onnx_backend.run_node(node, [X, np.float32(1)])[0], np.minimum(X, 1))


def refusals():
    clip = helper.make_node("Clip", ["x", "", "top"], ["y"])
    yield "device", lambda: onnx_backend.prepare(model("Neg"), "CUDA")
    yield "usage", lambda: onnx_backend.prepare(model("Neg"), optimize=True)
    yield "usage", lambda: onnx_backend.prepare(model("Neg")).run([X], fast=True)
    yield "usage", lambda: onnx_backend.run_node(clip, [X])
    yield "usage", lambda: onnx_backend.run_node(clip, [X, X], outputs_info=[])
    yield "onnx.invalid", lambda: onnx_backend.run_node(helper.make_node("MatMul", ["a", "b"], ["c"]), [X, X[:1]])
    yield "input.name", lambda: onnx_backend.run_model(model("Neg"), [X, X])
    yield "input.name", lambda: onnx_backend.run_model(model("Neg"), {"z": X})
    yield "input.dtype", lambda: onnx_backend.run_model(model("Neg"), [X.astype(np.float64)])
    yield "onnx.unsupported", lambda: onnx_backend.prepare(model("RandomUniformLike"))


@pytest.mark.parametrize(("code", "act"), list(refusals()))
def test_refusals_are_ours(code, act):
    with pytest.raises(TfmbsError) as caught:
        act()
    assert caught.value.code == code


def test_compatibility_and_devices():
    assert onnx_backend.is_compatible(model("Neg"))
    assert not onnx_backend.is_compatible(model("RandomUniformLike"))
    assert onnx_backend.supports_device("CPU")
    assert not onnx_backend.supports_device("CUDA:0")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # onnx overflows on purpose when it makes its cases
def test_onnx_own_runner_accepts_the_backend():
    runner = BackendTest(onnx_backend.TfmbsBackend, __name__)
    runner.include("^test_(gemm_default_zero_bias|relu|single_relu_model|operator_add_broadcast|ReLU)_cpu")
    result = unittest.TestResult()
    runner.test_suite.run(result)
    assert not result.errors + result.failures
    assert result.testsRun - len(result.skipped) == 5, result
