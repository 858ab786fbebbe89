"""Calibration files: they give the same bytes as the samples, and are refused for another graph; observers by name."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import tfmbs
from tests.models.zoo import build, node, weights
from tfmbs.compiler.calibration.histogram import Histogram
from tfmbs.compiler.calibration.observers import range_of
from tfmbs.compiler.calibration.results import read_calibration
from tfmbs.compiler.compilation import Compilation, Options
from tfmbs.compiler.quantization import Quantization
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.tools.compile import main


def network(seed: int = 1) -> onnx.ModelProto:
    nodes = [node("Gemm", "x w1", "h", transB=1), node("Relu", "h", "r"), node("Gemm", "r w2", "y", transB=1)]
    return build(nodes, (4, 16), w1=weights(seed, 8, 16), w2=weights(2, 4, 8))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a model, samples for it, and what was calibrated with them."""
    onnx.save(network(), tmp_path / "model.onnx")
    values = np.random.default_rng(3).standard_normal((40, 16)).astype(np.float32)
    values[0, 0] = 30
    np.savez(tmp_path / "samples.npz", x=values)
    compile_(tmp_path, "first", "--calibrate", f"{tmp_path}/samples.npz", "--save-ranges", f"{tmp_path}/ranges.txt")
    return tmp_path


def compile_(folder: Path, name: str, *options: str, model: str = "model.onnx") -> bytes:
    output = folder / f"{name}.tfb"
    assert main([str(folder / model), "-o", str(output), "--precision", "int8", *options]) == 0
    return output.read_bytes()


def test_a_file_gives_the_bytes_of_the_samples(files: Path) -> None:
    assert compile_(files, "again", "--ranges", str(files / "ranges.txt")) == (files / "first.tfb").read_bytes()
    found = read_calibration(files / "ranges.txt")
    assert found.text() == (files / "ranges.txt").read_text()
    values = np.load(files / "samples.npz")["x"]
    assert (found.inputs[0].low, found.inputs[0].high) == (values.min(), values.max())


def test_a_file_is_refused_for_another_graph(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx.save(network(seed=9), files / "other.onnx")
    arguments = [str(files / "other.onnx"), "--precision", "int8", "--ranges", str(files / "ranges.txt")]
    assert main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "calibration: it belongs to another graph" in line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line"),
        ("tfmbs-calibration 1\n", "graph DIGEST"),
        ("tfmbs-calibration 1\ngraph 1\ninput 1 2\n", "ranges.txt:3: line of a calibration"),
        ("tfmbs-calibration 1\ngraph 1\ninput one 2 x\n", "two numbers"),
        ("tfmbs-calibration 1\ngraph 1\n# a comment\ninput 2 1 x\n", "ranges.txt:4: .*in order"),
        ("tfmbs-calibration 1\ngraph 1\ninput nan 1 x\n", "finite"),
    ],
)
def test_what_is_no_calibration_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "ranges.txt"
    path.write_text(text)
    with pytest.raises(TfmbsError, match=message):
        read_calibration(path)


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(TfmbsError, match="cannot read the calibration"):
        read_calibration(tmp_path / "none")


@pytest.mark.parametrize("observer", ["percentile", "mse", "entropy"])
def test_the_observer_that_is_asked_for_makes_the_range(files: Path, observer: str) -> None:
    path = files / "observed.txt"
    given = ("--calibrate", str(files / "samples.npz"), "--observer", observer, "--save-ranges", str(path))
    compile_(files, "observed", *given)
    values = Histogram()
    values.add(np.load(files / "samples.npz")["x"])
    found = read_calibration(path).inputs[0]
    assert (found.low, found.high) == tuple(map(np.float32, range_of(values, observer, False)))


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"observer": "median"}, "minmax, percentile, mse, entropy"),
        ({"zero_point": "none"}, "asymmetric, symmetric"),
        ({"observer": "mse", "migration": 0.5}, "ranges of what it moves"),
    ],
)
def test_knobs_that_mean_nothing_are_refused(knobs: dict[str, Any], message: str) -> None:
    with pytest.raises(TfmbsError, match=message):
        Quantization.of(knobs)


def test_ranges_come_from_a_file_or_from_samples() -> None:
    with pytest.raises(TfmbsError, match="a file or samples"):
        Options(precision="int8", calibration=[{}], quantization=Quantization(ranges="file"))


def test_symmetric_activations_have_no_zero_point() -> None:
    samples = [{"x": np.random.default_rng(4).standard_normal((4, 16)).astype(np.float32)}]
    knobs = Quantization(zero_point="symmetric")
    compilation = Compilation.of(network(), Options(precision="int8", calibration=samples, quantization=knobs))
    compilation.lower("tfmbs")
    types = {word for word in compilation.text().split("!quant.uniform<i8:f32, ")[1:] if word}
    assert types
    assert not any(":" in text.split(">")[0] for text in types)


def test_a_data_loader_is_an_iterable_of_batches(files: Path) -> None:
    """It gives a list of tensors, one for each input in their order."""
    values = np.load(files / "samples.npz")["x"]
    loader: Any = DataLoader(TensorDataset(torch.from_numpy(values)), batch_size=8)
    program = tfmbs.compile(files / "model.onnx", precision="int8", calibration=loader)
    assert program.image.to_bytes() == (files / "first.tfb").read_bytes()
    with pytest.raises(TfmbsError, match="kind of value, expected arrays by name, or 1 in the order of the inputs"):
        tfmbs.compile(files / "model.onnx", precision="int8", calibration=[[values, values]])


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04cut off", b"\x93NUMPY", b"tfmbs-calibration 1\n"])
def test_samples_that_are_no_npz_file_are_refused_in_a_line(
    files: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "bad.npz").write_bytes(content)
    assert main([str(files / "model.onnx"), "--precision", "int8", "--calibrate", str(files / "bad.npz")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"error: {files / 'bad.npz'}: samples, expected an .npz file of plain arrays, got other bytes"
