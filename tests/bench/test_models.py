"""`tfmbs-bench models` on small networks: what it writes, what it refuses, and that it sees a wrong output."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.bench.schema import validate
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.tools.bench import checkout, measure_models, networks, programs
from tfmbs.tools.bench.main import main

ROOT = Path(__file__).parents[2]
QUICK = ["models", "--size", "SMALL", "--rounds", "1", "--threads", "1"]


@pytest.fixture(autouse=True)
def _short_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure_models, "SAMPLE_SECONDS", 1e-4)


@pytest.fixture
def small_file(tmp_path: Path) -> Path:
    weights = np.random.default_rng(0).standard_normal((16, 8)).astype(np.float32)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Relu", ["h"], ["y"])],
        "small",
        [value("x", TensorProto.FLOAT, (4, 16))],
        [value("y", TensorProto.FLOAT, (4, 8))],
        [numpy_helper.from_array(weights, "w")],
    )
    path = tmp_path / "small.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), str(path))
    return path


def test_networks_beside_their_peers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, plot = tmp_path / "m.json", tmp_path / "m.svg"
    some = ["--models", "resnet18,gpt2-decode", "--peers", "onnxruntime"]
    assert main([*QUICK, *some, "--json", str(out), "--plot", str(plot)]) == 0
    value = json.loads(out.read_text())
    validate(value, json.loads((ROOT / "docs" / "tfmbs-bench-models.schema.json").read_text()))
    assert value["missing"] == {}
    found = [(cell["network"], cell["precision"], cell["program"]) for cell in value["cells"]]
    expected = [("resnet18", "fp32", who) for who in ("tfmbs", "onnxruntime")]
    expected += [("resnet18", "int8", who) for who in ("tfmbs", "onnxruntime QDQ", "onnxruntime QOperator")]
    expected += [("gpt2-decode", "fp32", who) for who in ("tfmbs", "onnxruntime")]
    assert found == expected
    for cell in value["cells"]:
        assert cell["right"]
        assert cell["cosine"] > (0.99999 if cell["precision"] == "fp32" else 0.99)
        assert bool(cell["launches"]) == cell["ours"]
        decodes = cell["network"] == "gpt2-decode"
        assert (cell["tokens_per_second"] is not None) == decodes
        assert (cell["read_stream_share"] is not None) == (decodes and cell["ours"])
    assert value["cells"][0]["launches"]["CONV2D"]["count"] == 6
    ET.fromstring(plot.read_text())
    table = capsys.readouterr().out
    assert "resnet18 int8, on 1, ms by kind of launch: " in table
    assert "1.00" in table


def test_bert_int8_and_iree(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*QUICK, "--models", "bert", "--json", "-"]) == 0
    cells = json.loads(capsys.readouterr().out)["cells"]
    found = {(cell["precision"], cell["program"]) for cell in cells if cell["right"]}
    theirs = {("fp32", "onnxruntime"), ("fp32", "IREE"), ("int8", "onnxruntime dynamic")}
    assert found == {("fp32", "tfmbs"), ("int8", "tfmbs"), *theirs}


def test_the_decoder_of_trits(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*QUICK, "--models", "bitnet-2b-decode,bitnet-2b-prefill", "--json", "-"]) == 0
    decode, prefill = json.loads(capsys.readouterr().out)["cells"]
    assert decode["right"]
    assert prefill["right"]
    assert (decode["tokens"], prefill["tokens"]) == (1, 8)
    assert decode["worst_error"] < 1e-5
    assert prefill["worst_error"] < 1e-5
    assert decode["read_stream_share"] > 0
    assert prefill["read_stream_share"] is None


def test_a_file_of_the_user(small_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*QUICK, "--models", str(small_file), "--precision", "fp32", "--peers", "onnxruntime"]) == 0
    assert f"{small_file}  fp32" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--precision", "int4"], "error: --precision: value, expected some of fp32,int8,ternary, got int4"),
        (["--peers", "torch"], "error: --peers: value, expected some of onnxruntime,iree, got torch"),
        (["--models", "bert,bert"], "error: --models: a value given twice, got bert,bert"),
        (["--threads", "two"], "error: --threads: value, expected numbers from 1 to 256, got two"),
        (["--plot", "m"], "error: --plot: kind of picture, expected .svg, got m"),
        (
            ["--models", "gpt2-decode", "--precision", "int8"],
            "error: --precision: no network is measured at it, expected another one, got int8",
        ),
    ],
)
def test_usage_is_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*QUICK, *arguments]) == 2
    assert capsys.readouterr().err.splitlines() == [said]


def test_a_network_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*QUICK, "--models", "alexnet"]) == 2
    assert capsys.readouterr().err.endswith("or FILE.onnx, got alexnet\n")
    assert main([*QUICK, "--models", "absent.onnx"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_without_a_checkout_networks_are_refused_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(checkout, "__file__", str(tmp_path / "site-packages" / "tfmbs" / "tools" / "bench" / "x.py"))
    with pytest.raises(TfmbsError, match="reference networks are examples and not installed, expected a checkout"):
        checkout.example("models.catalogue")


def test_a_wrong_output_is_seen(
    small_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = programs.ours

    def off(subject: networks.Subject, precision: str) -> programs.Contender:
        right = ours(subject, precision)

        def start(threads: int) -> networks.Step:
            step = right.start(threads)
            return networks.Step(lambda: [-array for array in step.run()], step.stats)

        return programs.Contender("tfmbs", start, ours=True)

    monkeypatch.setattr(measure_models, "ours", off)
    few = ["--models", str(small_file), "--precision", "fp32", "--peers", "none", "--threads", "1,2"]
    assert main([*QUICK, *few]) == 1
    captured = capsys.readouterr()
    assert "WRONG" in captured.out
    said = f"error: {small_file} at fp32: outputs, expected those of torch, got a cosine of -1.000000\n"
    assert captured.err == said


def test_a_peer_that_fails_is_named(
    small_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(subject: networks.Subject, precision: str) -> Iterator[Any]:
        raise ValueError("no such op\nmore")

    def absent(subject: networks.Subject, precision: str) -> Iterator[Any]:
        raise ModuleNotFoundError("No module named 'iree'", name="iree")

    monkeypatch.setitem(programs.PEERS, "onnxruntime", fails)
    monkeypatch.setitem(programs.PEERS, "iree", absent)
    assert main([*QUICK, "--models", str(small_file), "--precision", "fp32"]) == 0
    said = capsys.readouterr().out
    assert f"missing: onnxruntime, {small_file} at fp32: does not work here: no such op\n" in said
    assert "missing: iree: not installed (iree): pip install 'tfmbs[bench]'\n" in said


def test_closeness_of_outputs() -> None:
    a = np.array([1.0, 2.0, 2.0])
    assert networks.closeness([a], [a]) == (pytest.approx(1.0), 0.0)
    assert networks.closeness([a * [1, 1, -1]], [a]) == (pytest.approx(1 / 9), 2.0)
    assert networks.closeness([a * np.nan], [a]) == (0.0, np.inf)
    assert networks.closeness([a * 0], [a * 0]) == (1.0, 0.0)
