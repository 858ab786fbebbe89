"""The five tools on the digit networks: every stage, the same bytes by every way, bad files and arguments refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from examples.digits import data
from tfmbs.compiler.compilation import STARTS
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.passes.tfmbs_sink_reshape import TfmbsSinkReshape
from tfmbs.runtime.abi.target_file import TARGETS
from tfmbs.tools import assemble, objdump
from tfmbs.tools import compile as compile_tool
from tfmbs.tools import run as run_tool

DIGITS = Path(__file__).parents[2] / "examples" / "digits"
SHAPES = {"cnn": (1, 8, 8), "mlp_ternary": (64,)}
CASES = [("cnn", "fp32"), ("cnn", "int8"), ("cnn", "ternary"), ("mlp_ternary", "fp32"), ("mlp_ternary", "ternary")]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
Capture = pytest.CaptureFixture[str]


def call(main: Any, *arguments: object) -> int:
    """The exit code of a tool's entry point."""
    try:
        return int(main([str(argument) for argument in arguments]))
    except SystemExit as end:  # argparse
        return int(end.code or 0)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with calibration data and one image for both networks, and a binary for each of `CASES`."""
    folder = tmp_path_factory.mktemp("digits")
    seen, held_out = data.split()
    for network, shape in SHAPES.items():
        np.savez(folder / f"{network}.npz", input=seen.images[:32].reshape(32, *shape))
        np.save(folder / f"{network}.npy", held_out.images[:1].reshape(1, *shape))
    for network, precision in CASES:
        out = folder / f"{network}.{precision}.tfb"
        assert call(compile_tool.main, DIGITS / f"{network}.onnx", "-o", out, *options(folder, network, precision)) == 0
    return folder


def options(home: Path, network: str, precision: str) -> list[object]:
    return ["--dim", "batch=1", "--precision", precision, "--calibrate", home / f"{network}.npz"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- the worked path ---


@pytest.mark.parametrize(("network", "precision"), CASES)
def test_run_gives_the_digit_that_onnxruntime_gives(home: Path, folder: Path, network: str, precision: str) -> None:
    image = home / f"{network}.npy"
    files = ["--stats", "s.json", "--trace", "t.json", "--report", "r.html"]
    binary = home / f"{network}.{precision}.tfb"
    assert call(run_tool.main, binary, "--input", f"input={image}", "--output", "logits=y.npy", *files) == 0
    session = onnxruntime.InferenceSession(DIGITS / f"{network}.onnx")
    (expected,) = session.run(["logits"], {"input": np.load(image)})
    logits = np.load(folder / "y.npy")
    assert logits.shape == expected.shape
    assert logits.argmax() == expected.argmax()
    if precision == "fp32":
        np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    stats = json.loads((folder / "s.json").read_text())
    assert len(stats["launches"]) == len(json.loads((folder / "t.json").read_text())["traceEvents"]) - 1
    assert all(launch["name"] in (folder / "r.html").read_text() for launch in stats["launches"])


@pytest.mark.parametrize(("network", "precision"), CASES)
def test_disassembly_assembles_to_the_same_bytes(
    home: Path, folder: Path, network: str, precision: str, capsys: Capture
) -> None:
    binary = home / f"{network}.{precision}.tfb"
    assert call(objdump.main, binary) == 0
    (folder / "m.s").write_text(capsys.readouterr().out)
    assert call(assemble.main, "m.s", "-o", "m.tfb") == 0
    assert (folder / "m.tfb").read_bytes() == binary.read_bytes()


@pytest.mark.parametrize("stage", STARTS)
def test_every_stage_leads_to_the_same_bytes(home: Path, folder: Path, stage: str) -> None:
    given = options(home, "cnn", "int8")
    assert call(compile_tool.main, DIGITS / "cnn.onnx", *given, "--compile-to", stage, "-o", "m.mlir") == 0
    assert call(compile_tool.main, "m.mlir", *given[2:], "--compile-from", stage, "-o", "m.tfb") == 0
    assert (folder / "m.tfb").read_bytes() == (home / "cnn.int8.tfb").read_bytes()


def test_a_target_file_is_the_target_of_that_name(home: Path, folder: Path) -> None:
    model, target = DIGITS / "mlp_ternary.onnx", TARGETS / "kpu-edge.toml"
    for given, out in (("kpu-edge", "a.tfb"), (target, "b.tfb")):
        assert call(compile_tool.main, model, "--dim", "batch=1", "--target", given, "-o", out) == 0
    assert (folder / "a.tfb").read_bytes() == (folder / "b.tfb").read_bytes()
    assert (folder / "a.tfb").read_bytes() != (home / "mlp_ternary.fp32.tfb").read_bytes()


def test_int8_keeps_its_values_on_the_samples_in_every_pass(home: Path, folder: Path) -> None:
    given = options(home, "mlp_ternary", "int8")
    model = DIGITS / "mlp_ternary.onnx"
    assert call(compile_tool.main, model, *given, "--verify-each-numerically", "-o", "m.tfb") == 0
    assert (folder / "m.tfb").exists()


def test_a_pass_that_changes_values_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """The pass swaps the operands of the subtraction that the graph ends in."""

    def swap(_: TfmbsSinkReshape, module: Any) -> None:
        for op in ops_where(module, lambda op: op.operation.name == "arith.subf"):
            left, right = op.operation.operands
            op.operation.operands[0], op.operation.operands[1] = right, left

    nodes = [onnx.helper.make_node("Sub", ["x", "c"], ["y"], name="minus")]
    onnx.save(model(nodes, c=np.ones(3, np.float32)), "m.onnx")
    assert call(compile_tool.main, "m.onnx", "--verify-each-numerically") == 0
    monkeypatch.setattr(TfmbsSinkReshape, "run", swap)
    assert call(compile_tool.main, "m.onnx", "--verify-each-numerically", "-o", "wrong.tfb") == 1
    error = capsys.readouterr().err
    assert error.startswith("error: pass tfmbs-sink-reshape: changed 6 of 6 elements of output 'y'")
    assert not (folder / "wrong.tfb").exists()


def model(nodes: list[Any], shape: tuple[int | str, ...] = (2, 3), **arrays: Any) -> onnx.ModelProto:
    """A model from the f32 input x to the output y."""
    graph = onnx.helper.make_graph(
        nodes,
        "graph",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)


# --- real processes: streams, signals, hash seeds ---


def shell(command: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Runs a command of bash, in which `$0` is this Python and `$@` are the arguments."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command, sys.executable, *map(str, arguments)],
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        check=False,
        timeout=120,
    )


def test_another_process_with_another_hash_seed_gives_the_same_bytes(home: Path, folder: Path) -> None:
    given = options(home, "cnn", "int8")
    command = '"$0" -m tfmbs.tools.compile "$@"'
    done = shell(command, DIGITS / "cnn.onnx", "-o", "m.tfb", *given, PYTHONHASHSEED="4711")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert (folder / "m.tfb").read_bytes() == (home / "cnn.int8.tfb").read_bytes()


def test_a_reader_that_leaves_early_is_no_traceback(home: Path) -> None:
    done = shell('"$0" -m tfmbs.tools.objdump "$@" | head -c 10', home / "cnn.fp32.tfb")
    assert (len(done.stdout), done.stderr) == (10, b"")


def test_closed_standard_streams_are_no_traceback(home: Path, folder: Path) -> None:
    """Standard input is closed for the tools that read it, standard output for one that writes to it."""
    for arguments, closed in (
        (["-m", "tfmbs.tools.opt", "-"], "<&-"),
        (["-m", "tfmbs.tools.assemble", "-", "-o", "m.tfb"], "<&-"),
        (["-m", "tfmbs.tools.objdump", home / "cnn.fp32.tfb"], ">&-"),
    ):
        done = shell(f'exec "$0" "$@" {closed}', *arguments)
        assert done.returncode == 1, arguments
        assert done.stderr.startswith(b"error: "), arguments
        assert done.stderr.count(b"\n") == 1, arguments
    assert not (folder / "m.tfb").exists()
    command = '"$0" -m tfmbs.tools.compile "$@" -o m.tfb --compile-from fabric 2>&-'
    assert call(compile_tool.main, *fabric(home), "-o", "m.mlir") == 0
    assert shell(command, "m.mlir").returncode == 0
    assert (folder / "m.tfb").read_bytes() == (home / "mlp_ternary.fp32.tfb").read_bytes()


def fabric(home: Path) -> list[object]:
    return [DIGITS / "mlp_ternary.onnx", *options(home, "mlp_ternary", "fp32"), "--compile-to", "fabric"]


def test_interrupt_ends_without_a_traceback_or_a_file(folder: Path) -> None:
    os.mkfifo(folder / "m.s")
    command = [sys.executable, "-m", "tfmbs.tools.assemble", "m.s", "-o", "m.tfb"]
    with subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE) as running, (folder / "m.s").open("wb"):
        running.send_signal(signal.SIGINT)  # the pipe opened: the tool reads from it now
        _, error = running.communicate(timeout=60)
    assert (running.returncode, error) == (130, b"")
    assert not (folder / "m.tfb").exists()
