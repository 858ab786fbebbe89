"""Several entry points of one ONNX model: chosen by the shapes of the inputs, with one copy of the weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import tfmbs
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.tools.compile import main

RNG = np.random.default_rng(5)
WIDTH = 64
SIZE = "error: --entry: size of a dimension, expected NAME=N or NAME=LO..HI, at least 1"
ENTRIES = {"long": {"seq": 9}, "short": {"seq": 1}}


def model() -> onnx.ModelProto:
    """Softmax(x · w · xᵀ), x being batch×seq×64."""
    w = RNG.standard_normal((WIDTH, WIDTH)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], "project"),
        helper.make_node("Transpose", ["x"], ["t"], "turn", perm=[0, 2, 1]),
        helper.make_node("MatMul", ["a", "t"], ["s"], "score"),
        helper.make_node("Softmax", ["s"], ["y"], "weigh"),
    ]
    ends = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "seq", WIDTH])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "graph", ends, outputs, [numpy_helper.from_array(w, "w")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def sample(seq: int) -> np.ndarray:
    return RNG.standard_normal((2, seq, WIDTH)).astype(np.float32) / 8


@pytest.fixture(scope="module")
def source() -> onnx.ModelProto:
    return model()


@pytest.fixture(scope="module")
def program(source: onnx.ModelProto) -> tfmbs.Program:
    return tfmbs.compile(source, dims={"batch": 2, **ENTRIES})


@pytest.mark.parametrize("seq", [9, 1])
def test_shapes_choose(source: onnx.ModelProto, program: tfmbs.Program, seq: int) -> None:
    x = sample(seq)
    alone = tfmbs.compile(source, dims={"batch": 2, "seq": seq})
    y = program.run({"x": x})["y"]
    assert y.tobytes() == alone.run({"x": x})["y"].tobytes() == program(x)["y"].tobytes()
    session = onnxruntime.InferenceSession(source.SerializeToString(), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(y, session.run(None, {"x": x})[0], rtol=1e-4, atol=1e-6)


def test_weights_are_stored_once(source: onnx.ModelProto, program: tfmbs.Program) -> None:
    alone = tfmbs.compile(source, dims={"batch": 2, "seq": 9})
    assert [entry.name for entry in program.entries] == list(ENTRIES)
    assert len(program.image.weights) == len(alone.image.weights)


def test_a_shape_that_none_takes(program: tfmbs.Program) -> None:
    with pytest.raises(TfmbsError) as caught:
        program.run({"x": sample(3)})
    expected = "expected long (x 2×9×64) or short (x 2×1×64), got x 2×3×64"
    assert str(caught.value) == f"error: inputs: shapes of an entry point, {expected}"
    with pytest.raises(TfmbsError, match="it cannot be made an array"):
        program.run({"x": [[1.0], [2.0, 3.0]]})
    with pytest.raises(TfmbsError, match="number of arrays, expected 1 \\(x\\) or 1 \\(x\\), got 2"):
        program(sample(1), sample(1))


def test_command_line(source: onnx.ModelProto, program: tfmbs.Program, tmp_path: Path) -> None:
    path, binary = tmp_path / "m.onnx", tmp_path / "m.tfb"
    onnx.save(source, path)
    entries = ["--entry", "long:seq=9", "--entry", "short:batch=2,seq=1"]
    assert main([str(path), "-o", str(binary), "--dim", "batch=2", *entries]) == 0
    for seq in (9, 1):
        x = sample(seq)
        assert tfmbs.load(binary)(x)["y"].tobytes() == program(x)["y"].tobytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--entry", "long"], "error: --entry: entry point, expected NAME:DIM=N,…, got long"),
        (
            ["--entry", "a:seq=0"],
            f"{SIZE}, got seq=0",
        ),
        (["--entry", "a:seq=1", "--entry", "a:seq=2"], "error: --entry: a name given twice, got a"),
    ],
)
def test_usage(arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "m.onnx"), *arguments]) == 2
    assert capsys.readouterr().err.strip() == said


def test_samples_of_several_entry_points_are_refused(source: onnx.ModelProto) -> None:
    with pytest.raises(TfmbsError, match="samples for several entry points, expected one entry point, got long, short"):
        tfmbs.compile(source, dims={"batch": 2, **ENTRIES}, precision="int8", calibration=[{"x": sample(9)}])
