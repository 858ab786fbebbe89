"""Models with run-time sizes: one binary gives the bytes of the static compilation at every size of its range."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import tfmbs
from tfmbs.compiler.api import lower
from tfmbs.compiler.sizes.points import CHECKS, Box, samples
from tfmbs.compiler.sizes.ranges import Range, size_of
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.fitting import Fitter
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.signature import Size
from tfmbs.tools.check import main as check_main
from tfmbs.tools.compile import main
from tfmbs.tools.verify import main as verify_main

RNG = np.random.default_rng(11)
WIDTH = 24


def onnx_model(
    nodes: Sequence[onnx.NodeProto], shape: Sequence[str | int], constants: dict[str, np.ndarray], *outputs: str
) -> onnx.ModelProto:
    ends = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    weights = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "graph", ends, results, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def dense() -> onnx.ModelProto:
    """Two linear layers with ReLU, on rows."""
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["h"], "dense"),
        helper.make_node("Relu", ["h"], ["r"], "act"),
        helper.make_node("MatMul", ["r", "v"], ["y"], "out"),
    ]
    constants = {
        "w": RNG.standard_normal((WIDTH, 20)).astype(np.float32),
        "b": RNG.standard_normal(20).astype(np.float32),
        "v": RNG.standard_normal((20, 7)).astype(np.float32),
    }
    return onnx_model(nodes, ["n", WIDTH], constants, "y")


def scores() -> onnx.ModelProto:
    """x · w · xᵀ: bytes of the result are quadratic in one size, and of all, of third degree."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], "project"),
        helper.make_node("Transpose", ["x"], ["t"], "turn", perm=[0, 2, 1]),
        helper.make_node("MatMul", ["a", "t"], ["y"], "score"),
    ]
    w = RNG.standard_normal((WIDTH, WIDTH)).astype(np.float32) / 8
    return onnx_model(nodes, ["batch", "seq", WIDTH], {"w": w}, "y")


def images() -> onnx.ModelProto:
    """A convolution with ReLU and a pool, of a number of images that the run knows."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], "conv", pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        helper.make_node("Relu", ["c"], ["r"], "act"),
        helper.make_node("MaxPool", ["r"], ["y"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
    ]
    w = RNG.standard_normal((4, 3, 3, 3)).astype(np.float32)
    return onnx_model(nodes, ["batch", 3, 8, 8], {"w": w}, "y")


def positions() -> onnx.ModelProto:
    """Adds the first rows of a table, one for each row of x; the mean of the rows divides by their number."""
    nodes = [
        helper.make_node("Shape", ["x"], ["n"], "length", start=1, end=2),
        helper.make_node("Slice", ["table", "zero", "n", "one"], ["rows"], "first_rows"),
        helper.make_node("Add", ["x", "rows"], ["a"], "add"),
        helper.make_node("ReduceMean", ["a", "one"], ["y"], "mean", keepdims=0),
    ]
    constants = {
        "table": RNG.standard_normal((1, 300, WIDTH)).astype(np.float32),
        "zero": np.array([0], np.int64),
        "one": np.array([1], np.int64),
    }
    return onnx_model(nodes, ["batch", "seq", WIDTH], constants, "y")


def agree(model: onnx.ModelProto, program: tfmbs.Program, shape: Sequence[int], dims: dict[str, int]) -> None:
    """Bytes of the static compilation, and onnxruntime's numbers."""
    x = RNG.standard_normal(shape).astype(np.float32)
    y = program.run({"x": x})["y"]
    assert y.tobytes() == tfmbs.compile(model, dims=dims).run({"x": x})["y"].tobytes()
    reference = run_onnxruntime(model, x)
    assert y.shape == reference.shape
    np.testing.assert_allclose(y, reference, rtol=1e-4, atol=1e-4)


def run_onnxruntime(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    result: np.ndarray = session.run(None, {"x": x})[0]
    return result


@pytest.fixture(scope="module")
def linear() -> onnx.ModelProto:
    return dense()


@pytest.fixture(scope="module")
def program(linear: onnx.ModelProto) -> tfmbs.Program:
    return tfmbs.compile(linear, dims={"n": (1, 9)})


@pytest.mark.parametrize("n", range(1, 10))
def test_rows(linear: onnx.ModelProto, program: tfmbs.Program, n: int) -> None:
    agree(linear, program, (n, WIDTH), {"n": n})


def test_a_range_is_one_entry_point(linear: onnx.ModelProto, program: tfmbs.Program) -> None:
    (entry,) = program.entries
    assert entry.sizes == (Size("n", 1, 9),)
    assert [piece.sizes for piece in entry.pieces] == [(Size("n", 1, 1),), (Size("n", 2, 9),)]  # one row is a GEMV
    static = tfmbs.compile(linear, dims={"n": 9})
    assert len(program.image.weights) == len(static.image.weights)
    with pytest.raises(TfmbsError, match="error: x: shape, expected \\(1…9\\)×24, got 10×24"):
        program(np.zeros((10, WIDTH), np.float32))


def test_the_same_bytes_each_time(linear: onnx.ModelProto, program: tfmbs.Program) -> None:
    again = tfmbs.compile(linear, dims={"n": "1..9"})
    assert again.image.to_bytes() == program.image.to_bytes()


def test_stats_are_of_the_size(program: tfmbs.Program) -> None:
    context = program.context()
    for n in (1, 2, 9):
        context.run({"x": np.ones((n, WIDTH), np.float32)})
        products = [launch for launch in context.stats.launches if launch.kind in ("GEMM", "GEMV")]
        assert [launch.kind for launch in products] == ["GEMV" if n == 1 else "GEMM"] * 2
        assert (products[1].total_ops, products[1].mem_writes) == (n * 20 * 7, n * 7)


@pytest.fixture(scope="module")
def attention() -> tuple[onnx.ModelProto, tfmbs.Program]:
    model = scores()
    return model, tfmbs.compile(model, dims={"batch": (1, 3), "seq": (2, 7)})


@pytest.mark.parametrize(("batch", "seq"), [(1, 4), (3, 2), (2, 7), (3, 7), (2, 5)])
def test_two_sizes(attention: tuple[onnx.ModelProto, tfmbs.Program], batch: int, seq: int) -> None:
    agree(*attention, (batch, seq, WIDTH), {"batch": batch, "seq": seq})


def test_images() -> None:
    model = images()
    batches = tfmbs.compile(model, dims={"batch": (1, 5)})
    for batch in (1, 3, 5):
        agree(model, batches, (batch, 3, 8, 8), {"batch": batch})


def test_rows_of_a_table() -> None:
    """A constant at a smaller size may be the first rows of the one at the upper bound, and is stored once."""
    model = positions()
    model.graph.node[1].input[3] = "one"
    program = tfmbs.compile(model, dims={"batch": 2, "seq": (280, 299)})
    assert len(program.image.weights) < 2 * 300 * WIDTH * 4
    for seq in (280, 287):
        agree(model, program, (2, seq, WIDTH), {"batch": 2, "seq": seq})


def decoder() -> onnx.ModelProto:
    """One step of attention over all tokens so far: keys and values come in, and go out with a row more."""
    products = [("k1", "wk", "key"), ("v1", "wv", "value"), ("q", "wq", "query")]
    nodes = [
        *(helper.make_node("MatMul", ["x", weight], [out], name) for out, weight, name in products),
        helper.make_node("Concat", ["keys", "k1"], ["k"], "append_key", axis=1),
        helper.make_node("Concat", ["values", "v1"], ["v"], "append_value", axis=1),
        helper.make_node("Transpose", ["k"], ["t"], "turn", perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "t"], ["s"], "score"),
        helper.make_node("Softmax", ["s"], ["p"], "weigh", axis=-1),
        helper.make_node("MatMul", ["p", "v"], ["y"], "mix"),
    ]
    weights = {name: RNG.standard_normal((WIDTH, WIDTH)).astype(np.float32) / 5 for name in ("wk", "wv", "wq")}
    model = onnx_model(nodes, [1, 1, WIDTH], weights, "y", "k", "v")
    caches = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, "past", WIDTH]) for n in ("keys", "values")]
    model.graph.input.extend(caches)
    return model


def test_a_cache_that_grows() -> None:
    """Each step runs at a size of its own, on what the step before gave."""
    model = decoder()
    program = tfmbs.compile(model, dims={"past": (1, 24)})
    assert len(program.entry().pieces) == 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    keys, values = (RNG.standard_normal((1, 1, WIDTH)).astype(np.float32) for _ in range(2))
    for past in range(1, 25):
        inputs = {"x": RNG.standard_normal((1, 1, WIDTH)).astype(np.float32), "keys": keys, "values": values}
        outputs = program.run(inputs)
        for ours, theirs in zip(outputs.values(), session.run(None, inputs), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
        if past == 17:
            static = tfmbs.compile(model, dims={"past": past}).run(inputs)
            assert [array.tobytes() for array in outputs.values()] == [array.tobytes() for array in static.values()]
        keys, values = outputs["k"], outputs["v"]
    with pytest.raises(TfmbsError, match="keys: shape, expected 1×\\(1…24\\)×24, got 1×25×24"):
        program.run({**inputs, "keys": keys, "values": values})


def test_entry_points_with_ranges(linear: onnx.ModelProto) -> None:
    made = tfmbs.compile(linear, dims={"many": {"n": (4, 8)}, "one": {"n": 1}})
    assert [(entry.name, entry.sizes) for entry in made.entries] == [("many", (Size("n", 4, 8),)), ("one", ())]
    for n in (1, 6):
        x = RNG.standard_normal((n, WIDTH)).astype(np.float32)
        y = made(x)["y"]
        assert y.tobytes() == tfmbs.compile(linear, dims={"n": n})(x)["y"].tobytes()
        assert made.entry_for({"x": x}).name == ("one" if n == 1 else "many")
    with pytest.raises(TfmbsError) as caught:
        made.run({"x": np.zeros((2, WIDTH), np.float32)})
    assert "expected many (x (4…8)×24) or one (x 1×24), got x 2×24" in str(caught.value)


# --- what is refused --------------------------------------------------------------------------------------------------


def test_a_constant_that_depends_on_a_size_is_refused() -> None:
    """A row of every second position: no part of a longer one."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"], "shape", start=0, end=1),
        helper.make_node("Squeeze", ["s"], ["n"], "scalar"),
        helper.make_node("Range", ["n", "limit", "step"], ["p"], "positions"),
        helper.make_node("Cast", ["p"], ["f"], "cast", to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["f"], ["m"], "largest", keepdims=0),
        helper.make_node("MatMul", ["x", "w"], ["h"], "project"),
        helper.make_node("Unsqueeze", ["f", "one"], ["column"], "column"),
        helper.make_node("MatMul", ["h", "v"], ["g"], "again"),
        helper.make_node("Add", ["g", "column"], ["y"], "add"),
    ]
    constants = {
        "limit": np.int64(0),
        "step": np.int64(-1),
        "one": np.array([1], np.int64),
        "w": RNG.standard_normal((WIDTH, 8)).astype(np.float32),
        "v": RNG.standard_normal((8, 8)).astype(np.float32),
    }
    model = onnx_model(nodes, ["n", WIDTH], {name: np.asarray(array) for name, array in constants.items()}, "y")
    with pytest.raises(TfmbsError) as caught:
        tfmbs.compile(model, dims={"n": (2, 40)})
    assert caught.value.code == "unsupported"
    assert "depends on a run-time size" in str(caught.value)
    assert "add" in str(caught.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((3, 2), "range of sizes, expected 1 <= LO <= HI <= 4294967295, got 3..2"),
        ("0..2", "range of sizes, expected 1 <= LO <= HI <= 4294967295, got 0..2"),
        ((1, 1 << 32), "got 1..4294967296"),
        ("1..", "size, expected an integer, at least 1, or a range LO..HI, got '1..'"),
        ("1..2..3", "got '1..2..3'"),
        ((1, 2, 3), "got (1, 2, 3)"),
        ((True, 2), "got (True, 2)"),
        ((1.0, 2), "got (1.0, 2)"),
    ],
)
def test_bad_ranges(linear: onnx.ModelProto, given: Any, said: str) -> None:
    with pytest.raises(TfmbsError) as caught:
        tfmbs.compile(linear, dims={"n": given})
    assert caught.value.code == "onnx.dim"
    assert said in str(caught.value)


def test_ranges_of_one_size_and_others() -> None:
    assert [size_of("n", given) for given in ((3, 3), "4..4", 5, (1, 2))] == [3, 4, 5, Range(1, 2)]


def test_what_ranges_do_not_go_with(linear: onnx.ModelProto) -> None:
    with pytest.raises(TfmbsError, match="calibration with run-time sizes"):
        tfmbs.compile(linear, dims={"n": (1, 2)}, calibration=[{"x": np.ones((1, WIDTH), np.float32)}])
    with pytest.raises(TfmbsError, match="sizes of IR, expected numbers, no ranges"):
        lower(linear, "torch", dims={"n": (1, 2)})
    with pytest.raises(TfmbsError, match="no symbolic input dimension 'm'"):
        tfmbs.compile(linear, dims={"n": (1, 2), "m": (1, 2)})
    with pytest.raises(TfmbsError, match="run-time sizes, expected at most 4"):
        tfmbs.compile(linear, dims=dict.fromkeys("abcde", (1, 2)))


# --- samples ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degree", [2, 3])
@pytest.mark.parametrize(
    "box", [Box((2,), (128,)), Box((1,), (3,)), Box((1, 2), (8, 90)), Box((1, 1), (2, 2)), Box((1, 1, 4), (3, 64, 5))]
)
def test_samples_tell_polynomials(box: Box, degree: int) -> None:
    points, whole = samples(box, degree)
    assert (points[0], points[1]) == (box.high, box.low)
    assert len(set(points)) == len(points) <= box.points
    assert whole == (len(points) == box.points)

    def number(point: Sequence[int]) -> int:
        return 3 + 5 * sum(point) + 2 * point[0] * point[-1] + (point[0] * point[-1] ** 2 if degree == 3 else 0)

    form = Fitter(points, whole=whole).fit([number(point) for point in points])
    assert form is not None
    low, high = box.low, box.high
    middle = [(a + b) // 2 for a, b in zip(low, high, strict=True)]
    assert form.at(middle) == number(middle)
    if not whole:
        terms = {1: {2: 3, 3: 4}, 2: {2: 6, 3: 10}, 3: {2: 10, 3: 20}}[len(low)][degree]
        narrow = min(b - a + 1 for a, b in zip(low, high, strict=True)) <= degree
        assert narrow or len(points) >= terms + CHECKS


# --- the command line -------------------------------------------------------------------------------------------------

RUN = """
import sys, numpy as np, tfmbs
program = tfmbs.load(sys.argv[1])
for n in (1, 2, 5, 9):
    np.save(f"{sys.argv[2]}.{n}.npy", program(np.load(f"{sys.argv[2]}.in{n}.npy"))["y"])
assert not {"onnx", "torch_mlir", "torch"} & set(sys.modules), "the runtime imported a compiler"
"""


def test_command_line(linear: onnx.ModelProto, program: tfmbs.Program, tmp_path: Path) -> None:
    """Saved, loaded in a process without onnx and MLIR, and run there at several sizes."""
    path, binary, prefix = tmp_path / "m.onnx", tmp_path / "m.tfb", tmp_path / "x"
    onnx.save(linear, path)
    assert main([str(path), "-o", str(binary), "--dim", "n=1..9"]) == 0
    assert Image.load(binary).sizes == program.image.sizes
    inputs = {n: RNG.standard_normal((n, WIDTH)).astype(np.float32) for n in (1, 2, 5, 9)}
    for n, x in inputs.items():
        np.save(f"{prefix}.in{n}.npy", x)
    subprocess.run([sys.executable, "-c", RUN, str(binary), str(prefix)], check=True, timeout=60)
    for n, x in inputs.items():
        assert np.load(f"{prefix}.{n}.npy").tobytes() == program(x)["y"].tobytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--dim", "n=3..2"], "error: --dim: range of sizes, expected 1 <= LO <= HI <= 4294967295, got n=3..2"),
        (
            ["--dim", "n=0..2"],
            "error: --dim: size of a dimension, expected NAME=N or NAME=LO..HI, at least 1, got n=0..2",
        ),
        (["--dim", "n=1..2..3"], "error: --dim: size of a dimension, expected NAME=N or NAME=LO..HI, at least 1,"),
        (["--dim", "n=1..99999999999"], "error: --dim: range of sizes, expected 1 <= LO <= HI <= 4294967295,"),
        (["--entry", "a:n=5..x"], "error: --entry: size of a dimension"),
        (["--dim", "n=1..2", "--compile-to", "tfmbs"], "error: --compile-to: IR has one size"),
        (["--dim", "n=1..2", "--save-temps", "x"], "error: --save-temps: IR has one size"),
    ],
)
def test_usage(
    linear: onnx.ModelProto, arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.onnx"
    onnx.save(linear, path)
    assert main([str(path), *arguments]) == 2
    assert capsys.readouterr().err.startswith(said)
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.onnx"]


def test_other_tools(linear: onnx.ModelProto, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """tfmbs-check looks at the greatest size, tfmbs-verify wants one."""
    path = tmp_path / "m.onnx"
    onnx.save(linear, path)
    assert check_main([str(path), "--dim", "n=1..9", "--jobs", "1"]) == 0
    capsys.readouterr()
    assert verify_main([str(path), "--dim", "n=1..9"]) == 2
    assert capsys.readouterr().err == "error: --dim: a comparison is for one size, expected n=N, got n=1..9\n"
