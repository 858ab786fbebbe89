"""`tfmbs-verify`: what is broken on purpose is named, cut out, and broken there too; what is right passes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.models.zoo import build, node, weights
from tfmbs.compiler.compilation import Options
from tfmbs.compiler.pipelines import PRECISIONS
from tfmbs.compiler.verify.onnx_subject import OnnxSubject
from tfmbs.compiler.verify.verification import TOLERANCES, Verifier
from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import arith, ir
from tfmbs.dialect.resources import read_elements
from tfmbs.passes.graph.kernels import ops_of
from tfmbs.passes.tfmbs_telemetry import TfmbsTelemetry
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.program import Program
from tfmbs.tools.verify import main

Array = np.ndarray


def network() -> onnx.ModelProto:
    """Two products with a ReLU between; sizes of a run-time shape, a part that is constant."""
    nodes = [
        node("MatMul", "x w1", "h1"),
        node("Relu", "h1", "a1"),
        node("Shape", "a1", "s"),
        node("Expand", "one s", "ones"),
        node("Mul", "a1 ones", "m"),
        node("Add", "m b", "r"),
        node("MatMul", "r w2", "y"),
    ]
    one = np.ones((1, 1), np.float32)
    return build(nodes, (3, 8), w1=weights(1, 8, 16), w2=weights(2, 16, 4), b=weights(3, 16), one=one)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("m.onnx").write_bytes(network().SerializeToString())
    return "m.onnx"


def break_pass(monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    """Has a pass change the constants that belong to the node `at`."""
    right = TfmbsTelemetry.run

    def wrong(self: TfmbsTelemetry, module: Any) -> None:
        right(self, module)
        for op in ops_of(module, arith.ConstantOp):
            users = {place(use.owner.location).name for use in op.result.uses}
            if at in users:
                value = read_elements(op.attributes["value"])
                op.attributes["value"] = ir.DenseElementsAttr.get(value + np.float32(0.25))

    monkeypatch.setattr(TfmbsTelemetry, "run", wrong)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out, error = capsys.readouterr()
    return code, out, error


@pytest.mark.parametrize("reference", ["onnxruntime", "onnx"])
def test_a_right_model_passes(reference: str, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, error = run(capsys, model, "--reference", reference)
    assert (code, error) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert ["matmul_y", "MatMul", "y"] in [line[:3] for line in lines]
    assert [line[0] for line in lines[4:8]] == ["matmul_h1", "relu_a1", "mul_m", "add_r"]  # constants are not compared
    assert "every layer is within the tolerance" in out
    assert not list(Path().glob("m.layer*"))


def test_a_broken_pass_shows_at_its_layer_which_is_broken_alone_too(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as broken:
        break_pass(broken, "add_r")
        code, out, error = run(capsys, model)
        assert code == 1
        assert error.splitlines()[-1].startswith("error: add_r (Add): 'r': max|ours - reference| 0.25")
        assert "that layer alone on the reference's values: the error is there too" in out
        marked = [line.split()[0] for line in out.splitlines() if line.endswith("OVER")]
        assert marked == ["matmul_y", "add_r", "matmul_y"]
        assert [n.name for n in onnx.load("m.layer.onnx").graph.node] == ["add_r"]
        assert np.load("m.layer.npz").files == ["m"]
        code, _, error = run(capsys, "m.layer.onnx", "--inputs", "m.layer.npz")
        assert code == 1
        assert "error: add_r (Add)" in error
    assert run(capsys, "m.layer.onnx", "--inputs", "m.layer.npz")[0] == 0


def test_the_broken_pass_is_named_from_either_tool(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tfmbs.tools import compile as compile_tool

    break_pass(monkeypatch, "add_r")
    for tool in (main, compile_tool.main):
        assert tool([model, "--verify-each-numerically"]) == 1
        error = capsys.readouterr().err
        assert error.startswith("error: pass tfmbs-telemetry: changed 12 of 12 elements of output 'y'")


def test_json(model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    break_pass(monkeypatch, "add_r")
    code, out, _ = run(capsys, model, "--json", "-", "--cut-out", "part")
    value = json.loads(out)
    assert code == 1
    assert (value["passed"], value["reference"], value["tolerance"]) == (False, "onnxruntime", 1e-4)
    assert value["first_over"] == next(row for row in value["layers"] if row["over"])
    assert value["first_over"]["max_abs"] == pytest.approx(0.25)
    assert value["cut_out"] == {"nodes": ["add_r"], "reproduces": True, "refused": None}
    assert set(value["not_compared"]) == {"s", "ones"}
    assert Path("part.onnx").exists()


def execute(image: Image, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
    return Program(image).run(inputs)


def mutated(image: Image, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
    """As `execute`, on the binary with the sign of its first product's weights flipped."""
    rhs = image.tensors[image.descriptors[0]["rhs"]]
    data = bytearray(image.weights)
    span = slice(rhs["offset"], rhs["offset"] + rhs["bytes"])
    data[span] = (-np.frombuffer(data[span], np.float32)).tobytes()
    image.weights = bytes(data)
    return Program(Image.from_buffer(image.to_bytes())).run(inputs)


def inputs() -> dict[str, Array]:
    return {"x": np.random.default_rng(0).standard_normal((3, 8)).astype(np.float32)}


def test_a_mutated_binary_shows_at_the_layer_whose_weights_changed() -> None:
    result = Verifier(Options(), mutated).verify(OnnxSubject(network(), inputs()))
    assert result.first is not None
    assert result.first.layer.node == "matmul_h1"
    assert [row.bad for row in result.outputs] == [True]
    assert result.repeat is not None
    assert (result.repeat.bad, result.repeat.part.nodes) == (True, ("matmul_h1",))


def test_an_error_of_the_plain_program_only_is_found_where_it_is_whole() -> None:
    """Only programs from x to y alone are wrong, as if fusion were: the cut-out grows until it is one."""

    def fused_wrongly(image: Image, arrays: Mapping[str, Array]) -> Mapping[str, Array]:
        outputs = dict(execute(image, arrays))
        if list(outputs) == ["y"] and "x" in arrays:
            outputs["y"] = outputs["y"] + np.float32(1)
        return outputs

    result = Verifier(Options(), fused_wrongly).verify(OnnxSubject(network(), inputs()))
    assert result.first == result.outputs[0]
    assert not any(row.bad for row in result.layers)
    assert not result.same_bytes
    assert result.repeat is not None
    assert result.repeat.bad
    assert result.repeat.part.nodes == ("matmul_h1", "relu_a1", "mul_m", "add_r", "matmul_y")


def test_errors_that_add_up_are_not_blamed_on_a_layer() -> None:
    """Each layer is off by as much as the tolerance allows, all of them by more."""

    def sloppy(image: Image, arrays: Mapping[str, Array]) -> Mapping[str, Array]:
        outputs = dict(execute(image, arrays))
        factor = 1 + 6e-3 * len(outputs) if "a1" in outputs else 1.0
        return {name: (array * np.float32(factor)) for name, array in outputs.items()}

    result = Verifier(Options(), sloppy, tolerance=1e-2).verify(OnnxSubject(network(), inputs()))
    assert result.first is not None
    assert result.repeat is not None
    assert not result.repeat.bad


def test_quantized_models_are_compared_too(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez("data.npz", **inputs())
    given = (model, "--precision", "int8", "--calibrate", "data.npz", "--inputs", "data.npz")
    code, out, _ = run(capsys, *given)
    assert code == 0, out
    code, out, error = run(capsys, *given, "--tolerance", "1e-5")
    assert code == 1
    assert "error: matmul_h1" in error
    assert "that layer alone on the reference's values: the error is there too" in out
    assert set(TOLERANCES) == set(PRECISIONS)


def test_random_inputs_follow_the_seed(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    tables = [run(capsys, model, "--seed", seed, "--json", "-")[1] for seed in ("1", "1", "2")]
    assert tables[0] == tables[1]
    assert tables[0] != tables[2]


def unknown_to_onnxruntime() -> onnx.ModelProto:
    value = build([node("Relu", "x", "y")], (2, 3))
    value.ir_version = 14  # the newest that the onnx package knows
    return value


REFUSED: dict[str, tuple[tuple[str, ...], int, str]] = {
    "reference": (("--reference", "numpy"), 2, "error: --reference: reference, expected one of onnxruntime, onnx"),
    "tolerance": (("--tolerance", "-1"), 2, "error: --tolerance: tolerance, expected at least 0"),
    "nan": (("--tolerance", "nan"), 2, "error: --tolerance: tolerance, expected at least 0"),
    "inputs": (("--inputs", "none.npz"), 1, "error: none.npz: cannot read the samples"),
    "names": (("--inputs", "wrong.npz"), 1, "error: samples: missing input, expected x, got z"),
    "dim": (("--dim", "n=2"), 1, "no symbolic input dimension 'n'"),
    "uncalibrated": (("--precision", "int8"), 1, "matmul_h1: 'tfmbs.matmul' op no input range"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_line(name: str, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, expected, message = REFUSED[name]
    np.savez("wrong.npz", z=np.zeros(2))
    code, out, error = run(capsys, model, *arguments)
    assert (code, out) == (expected, "")
    assert message in error.splitlines()[0]


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("m.mlir", lambda: b"x", "error: m.mlir: kind of model, expected .onnx or .pt2"),
        ("none.onnx", None, "error: none.onnx: cannot read the model"),
        ("new.onnx", lambda: unknown_to_onnxruntime().SerializeToString(), "error: onnxruntime: it does not run"),
    ],
)
def test_models_that_cannot_be_compared(
    file: str, content: Callable[[], bytes] | None, message: str, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if content:
        Path(file).write_bytes(content())
    code, out, error = run(capsys, file)
    assert (code, out) == (1, "")
    assert error.startswith(message)


def quantized(tmp_path: Path, factor: float, *more: str) -> list[str]:
    """Arguments for an int8 model calibrated on its inputs times `factor`."""
    x = np.random.default_rng(3).standard_normal((3, 8)).astype(np.float32)
    np.savez(tmp_path / "in.npz", x=x)
    np.savez(tmp_path / "samples.npz", x=x * np.float32(factor))
    files = ["--inputs", str(tmp_path / "in.npz"), "--calibrate", str(tmp_path / "samples.npz")]
    return ["--precision", "int8", "--tolerance", "10", *files, *more]


def test_saturation_counts_inputs_beyond_the_calibrated_range(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, model, *quantized(tmp_path, 0.5, "--json", "-"))
    assert code == 0
    first, second = json.loads(out)["products"]
    assert (first["layer"], first["precision"], first["inputs"]) == ("matmul_h1", "int8", 24)
    low, high = first["range"]
    x, step = np.load(tmp_path / "in.npz")["x"], (high - low) / 255
    clamped = int(((x < low - step / 2) | (x > high + step / 2)).sum())
    assert first["saturated"] == clamped > 0
    assert second["saturated"] > 0
    code, out, _ = run(capsys, model, *quantized(tmp_path, 1.0))
    rows = {line.split()[0]: line.split() for line in out.splitlines() if line.startswith("matmul")}
    assert rows["matmul_h1"][-1] == "0/24"


def test_report_draws_layers_and_products(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, model, *quantized(tmp_path, 0.5, "--report", "page.html"))[0] == 0
    page = Path("page.html").read_text()
    assert "m.onnx beside onnxruntime" in page
    assert page.count('<div class="card">') == 2
    assert page.count("<svg") == 2 + 2 * 2  # errors, sparsity, and weights and inputs of each product
    assert 'class="outside"' in page
    assert not any(foreign in page for foreign in ("http:", "https:", "<script"))


def test_floats_have_no_saturation(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, model, "--json", "-", "--report", "page.html")
    value = json.loads(out)
    assert [product["saturated"] for product in value["products"]] == [None, None]
    assert {product["precision"] for product in value["products"]} == {"fp32"}
    assert "outside" not in Path("page.html").read_text().partition("</style>")[2]
