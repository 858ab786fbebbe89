"""``tfmbs-compile`` and the compiler's API: stages, the same bytes by every way, one clear line for what is refused."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import tfmbs
from tfmbs.compiler.api import STAGES, lower
from tfmbs.compiler.samples import cut
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.target_file import TARGETS
from tfmbs.tools.compile import main


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A linear layer with ReLU on a symbolic batch; the weights are random, with zeros."""
    generator = np.random.default_rng(0)
    weights = (generator.standard_normal((6, 8)) * (generator.random((6, 8)) > 0.5)).astype(np.float32)
    constants = [
        onnx.numpy_helper.from_array(weights, "w"),
        onnx.numpy_helper.from_array(generator.standard_normal(6).astype(np.float32), "b"),
    ]
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["h"], name="dense", transB=1),
        helper.make_node("Relu", ["h"], ["y"], name="act"),
    ]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", s]) for n, s in (("x", 8), ("y", 6))]
    proto = helper.make_model(
        helper.make_graph(nodes, "small", values[:1], values[1:], constants),
        opset_imports=[helper.make_opsetid("", 21)],
        ir_version=10,
    )
    path = tmp_path_factory.mktemp("model") / "small.onnx"
    onnx.save(proto, path)
    return path


@pytest.fixture(scope="module")
def binary(model: Path) -> bytes:
    return bytes(tfmbs.compile(model, dims={"n": 2}).image.to_bytes())


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_the_output_is_named_after_the_model(model: Path, binary: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(model, "--dim", "n=2") == 0
    assert model.with_suffix(".tfb").read_bytes() == binary
    assert capfd.readouterr() == ("", "")


def test_meta_and_records(binary: bytes) -> None:
    # A product of 2×8 and 8×6, and for each of its 2×6 elements an addition and a maximum.
    flops = 2 * 12 * 8 + 12 + 12
    moved = 4 * ((16 + 48 + 12) + (12 + 6 + 12) + (12 + 12))
    image = Image.from_buffer(binary)
    assert image.meta == {
        "producer": "tfmbs",
        "version": tfmbs.__version__,
        "target": "kpu-16x16",
        "precision": "fp32",
        "entries": ["main"],
        "scratch_live_bytes": {"main": 0},
        "semantics": {"main": {"flops": flops, "bytes": moved, "inputs": {"x": {"residency": "ephemeral activation"}}}},
    }
    assert [image.strings[row["location"]] for row in image.debug] == ["dense"]
    (telemetry,) = image.telemetry
    assert image.strings[telemetry["layer"]] == "dense"
    assert telemetry["total"] == 48
    assert 0 < telemetry["zero_count"] < 48


@pytest.mark.parametrize("level", ["import", "torch", "tfmbs", "kernel", "fabric"])
def test_going_on_from_a_stage_gives_the_same_bytes(model: Path, binary: bytes, level: str, tmp_path: Path) -> None:
    text, out = tmp_path / "stage.mlir", tmp_path / "out.tfb"
    assert run(model, "--dim", "n=2", "--compile-to", level, "-o", text) == 0
    assert run(text, "--compile-from", level, "-o", out) == 0
    assert out.read_bytes() == binary


DEADLOCK = """
func.func @main(%x: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %0 = "tfmbs.matmul"(%x, %x) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []}
    : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %1 = "tfmbs.matmul"(%0, %x) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []}
    : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %2 = "tfmbs.matmul"(%1, %x) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []}
    : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  return %2 : tensor<8x8xf32>
}
"""


@pytest.mark.parametrize(
    ("waits", "cycle"),
    [
        ("1, 1", "CODE[1] waits for itself"),
        ("2, 1", "CODE[1] waits for CODE[2], which starts after CODE[1]"),
    ],
)
def test_a_deadlock_is_refused_with_its_cycle(
    waits: str, cycle: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source, text, out = tmp_path / "source.mlir", tmp_path / "fabric.mlir", tmp_path / "out.tfb"
    source.write_text(DEADLOCK)
    assert run(source, "--compile-from", "tfmbs", "--compile-to", "fabric", "-o", text) == 0
    right = text.read_text()
    assert right.count("array<i64: 0, 1>") == 1  # the second launch waits for the first, the third for the second
    text.write_text(right.replace("array<i64: 0, 1>", f"array<i64: {waits}>"))
    assert run(text, "--compile-from", "fabric", "-o", out) == 1
    assert f"deadlock, {cycle}: token" in capfd.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("stage", "held"),
    [
        ("import", "onnx.Gemm"),
        ("torch", "torch.aten."),
        ("tfmbs", "tfmbs.matmul"),
        ("kernel", "tfmbs.kernel_gemm"),
        ("fabric", "tfmbs.fabric_descriptor"),
        ("linalg", "math.fma"),
    ],
)
def test_stages(model: Path, stage: str, held: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert stage in STAGES
    assert run(model, "--dim", "n=2", "--compile-to", stage, "-o", "-") == 0
    assert held in capfdbinary.readouterr().out.decode()


def test_portable_numerics(model: Path) -> None:
    text = str(lower(model, "linalg", dims={"n": 2}, numerics="portable"))
    assert "math.fma" not in text
    assert "tfmbs." not in text.replace("tfmbs.name", "").replace("tfmbs.precision", "")


def test_a_target_file(model: Path, tmp_path: Path) -> None:
    text = (TARGETS / "kpu-minimal.toml").read_text(encoding="utf-8").replace('"kpu-minimal"', '"mine"')
    (tmp_path / "my target.toml").write_text(text, encoding="utf-8")
    assert run(model, "--dim", "n=2", "--target", tmp_path / "my target.toml", "-o", tmp_path / "out.tfb") == 0
    image = Image.load(tmp_path / "out.tfb")
    assert image.meta["target"] == image.target["name"] == "mine"


FUNCTION = """
func.func @NAME(%x: tensor<8xf32> {tfmbs.name = "x"}) -> (tensor<8xf32> {tfmbs.name = "y"}) {
  %e = tensor.empty() : tensor<8xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %1 = OP %a, %a : f32
    linalg.yield %1 : f32
  } -> tensor<8xf32>
  %2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%0 : tensor<8xf32>) outs(%e : tensor<8xf32>) {
  ^bb0(%a: f32, %o: f32):
    %1 = arith.mulf %a, %a : f32
    linalg.yield %1 : f32
  } -> tensor<8xf32>
  return %2 : tensor<8xf32>
}
"""


def test_each_function_is_an_entry_point(tmp_path: Path) -> None:
    functions = (("double", "arith.addf"), ("zero", "arith.subf"))
    text = "".join(FUNCTION.replace("NAME", name).replace("OP", op) for name, op in functions)
    (tmp_path / "two.mlir").write_text(f"#id = affine_map<(d0) -> (d0)>\n{text}")
    program = tfmbs.compile(tmp_path / "two.mlir")
    x = np.arange(8, dtype=np.float32)
    np.testing.assert_array_equal(program.run({"x": x}, entry="double")["y"], 4 * x * x)
    np.testing.assert_array_equal(program.run({"x": x}, entry="zero")["y"], 0 * x)
    assert program.image.meta["entries"] == ["double", "zero"]
    assert len(program.image.programs) == 3  # the second halves are one program


def test_bytes_do_not_depend_on_the_process(model: Path, binary: bytes) -> None:
    script = (
        "import hashlib, sys, tfmbs\n"
        "program = tfmbs.compile(sys.argv[1], dims={'n': 2})\n"
        "print(hashlib.sha256(program.image.to_bytes()).hexdigest())"
    )
    for seed in ("1", "77"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", script, model], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == hashlib.sha256(binary).hexdigest()


def test_verification_temporaries_and_printing(
    model: Path, binary: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out, temps = tmp_path / "out.tfb", tmp_path / "temps"
    flags = ["--verify-each-numerically", "--mlir-print-ir-after-all", "--save-temps", temps]
    assert run(model, "--dim", "n=2", "-o", out, *flags) == 0
    assert out.read_bytes() == binary
    assert sorted(path.name for path in temps.iterdir()) == [
        "small.0-import.mlir",
        "small.1-quantize.mlir",
        "small.2-optimise.mlir",
        "small.3-kernel.mlir",
        "small.4-fabric.mlir",
    ]
    assert "IR Dump After TfmbsToKernel" in capfd.readouterr().err


class Cells(HTMLParser):
    """The text of a page's table cells, row by row."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.inside = False

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self.inside = tag in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        self.inside = False


def test_report(model: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert run(model, "--dim", "n=2", "-o", tmp_path / "out.tfb", "--report", page) == 0
    cells = Cells()
    cells.feed(page.read_text(encoding="utf-8"))
    head, row = cells.rows
    found = dict(zip(head, row, strict=True))
    assert found["Layer"] == "dense"
    assert found["Kind"] == "GEMM"
    assert found["Precision"] == "f32 × f32 → f32"
    assert found["Shapes"] == "2×8 × 6×8 → 2×6"
    assert found["Node"] == "dense"
    assert found["Sparsity"].endswith("%")
    assert int(found["Predicted cycles"].replace(",", "")) > 0
    assert found["Predicted external bytes"] == f"{4 * (2 * 8 + 6 * 8 + 6 + 2 * 6)}"
    assert "http" not in page.read_text(encoding="utf-8")


REFUSED: dict[str, tuple[list[str], int, str]] = {
    "no file": (["missing.onnx"], 1, "error: missing.onnx: cannot read the model, got No such file or directory\n"),
    "empty": (["{tmp}/empty.onnx"], 1, "an ONNX protobuf, got an empty file"),
    "exported program": (["model.pt2"], 1, "error: model.pt2: cannot read the model, got No such file or directory\n"),
    "pickle": (["model.pt"], 1, "model.pt: kind of model: a pickle can run any code"),
    "another kind": (["model.txt"], 1, "kind of model, expected .onnx, .pt2, .mlir, .gguf or .safetensors, got .txt"),
    "unbound": (["{model}"], 1, "symbolic dimension 'n' is not bound"),
    "no size": (["{model}", "--dim", "n"], 2, "size of a dimension, expected NAME=N or NAME=LO..HI, at least 1, got n"),
    "zero size": (["{model}", "--dim", "n=0"], 2, "expected NAME=N or NAME=LO..HI, at least 1, got n=0"),
    "target": (["{model}", "--dim", "n=2", "--target", "x"], 1, "--target: target, expected one of kpu-16x16"),
    "precision": (["{model}", "--dim", "n=2", "--precision", "fp64"], 2, "precision: unknown value, expected one of"),
    "stage": (["{model}", "--compile-to", "x"], 2, "--compile-to: stage, expected one of import, torch"),
    "start": (["{mlir}", "--compile-from", "x"], 2, "level to start from: unknown value, expected one of import"),
    "start of a model": (["{model}", "--compile-from", "kernel"], 2, "expected import, for a model that is no .mlir"),
    "backwards": (["{mlir}", "--compile-from", "kernel", "--compile-to", "tfmbs"], 2, "stage: unknown value"),
    "wrong level": (["{mlir}", "--compile-from", "fabric"], 1, "op at the fabric level, expected one it admits"),
    "no mlir": (["{tmp}/broken.mlir"], 1, "broken.mlir:1: custom op 'nonsense' is unknown"),
    "samples": (["{model}", "--dim", "n=2", "--precision", "int8", "--calibrate", "{model}"], 1, "an .npz file"),
    "no samples": (["{model}", "--dim", "n=2", "--precision", "int8"], 1, "error: dense: "),
    "folder": (
        ["{model}", "--dim", "n=2", "-o", "{tmp}/none/out.tfb"],
        1,
        "none/out.tfb: cannot be written: No such file",
    ),
    "itself": (["{mlir}", "--compile-from", "kernel", "--compile-to", "kernel"], 2, "the output is the model itself"),
    "report of IR": (["{model}", "--compile-to", "tfmbs", "--report", "x.html"], 2, "a report needs a binary"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case: str, model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments, code, message = REFUSED[case]
    (tmp_path / "empty.onnx").touch()
    (tmp_path / "broken.mlir").write_text("nonsense")
    (tmp_path / "kernel.mlir").write_text("func.func @main(%x: memref<2xf32>) {\n  return\n}\n")
    places = {"tmp": tmp_path, "model": model, "mlir": tmp_path / "kernel.mlir"}
    before = sorted(tmp_path.rglob("*"))
    assert run(*(argument.format(**places) for argument in arguments)) == code
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert message in err.splitlines(keepends=True)[0]
    assert sorted(tmp_path.rglob("*")) == before


def test_an_unsupported_op_is_named_with_its_node(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "power.mlir"
    path.write_text(
        """#id = affine_map<(d0) -> (d0)>
        func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
          %e = tensor.empty() : tensor<4xf32>
          %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
              ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) {
          ^bb0(%a: f32, %o: f32):
            %n = arith.constant 3 : i32
            %r = math.fpowi %a, %n : f32, i32 loc("wave")
            linalg.yield %r : f32
          } -> tensor<4xf32>
          return %y : tensor<4xf32>
        }
        """
    )
    assert run(path) == 1
    assert capfd.readouterr().err.startswith("error: wave: math.fpowi has no vector instruction")


def test_models_of_another_kind_are_refused() -> None:
    with pytest.raises(TfmbsError, match=r"expected a path, an onnx.ModelProto, .* got builtins.int") as refused:
        tfmbs.compile(3)
    assert refused.value.code == "unsupported"


def test_int8_uses_the_samples(model: Path, tmp_path: Path) -> None:
    samples = np.random.default_rng(1).standard_normal((10, 8)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=samples)
    out = tmp_path / "out.tfb"
    flags = ["--dim", "n=2", "--precision", "int8", "--calibrate", tmp_path / "data.npz"]
    assert run(model, "-o", out, *flags) == 0
    batches = [{"x": samples[i : i + 2]} for i in range(0, 10, 2)]
    program = tfmbs.compile(onnx.load(model), dims={"n": 2}, precision="int8", calibration=batches)
    assert out.read_bytes() == bytes(program.image.to_bytes())
    exact = tfmbs.compile(model, dims={"n": 2}).run(batches[0])["y"]
    assert np.abs(program.run(batches[0])["y"] - exact).max() < 0.1 * np.abs(exact).max()


def test_samples_are_cut_into_batches() -> None:
    batches = list(cut({"x": np.arange(6).reshape(6, 1), "s": np.float32(2)}, {"x": (2, 1), "s": ()}))
    assert [batch["x"].ravel().tolist() for batch in batches] == [[0, 1], [2, 3], [4, 5]]
    assert [float(batch["s"]) for batch in batches] == [2, 2, 2]


@pytest.mark.parametrize(
    ("shape", "code"), [((5, 1), "input.shape"), ((4, 2), "input.shape"), ((4,), "input.shape"), (None, "input.name")]
)
def test_samples_that_do_not_fit(shape: tuple[int, ...] | None, code: str) -> None:
    samples = {"other": np.zeros(1)} if shape is None else {"x": np.zeros(shape)}
    with pytest.raises(TfmbsError) as refused:
        list(cut(samples, {"x": (2, 1)}))
    assert refused.value.code == code
