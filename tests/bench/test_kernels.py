"""`tfmbs-bench kernels` on small shapes: what it writes, what it refuses, and that it sees a wrong result."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.bench.schema import validate
from tfmbs.runtime import _native
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.tools.bench import kernels as command
from tfmbs.tools.bench import measure, ours, peers
from tfmbs.tools.bench.kernel import Calls, Kernel
from tfmbs.tools.bench.main import COMMANDS, main
from tfmbs.tools.bench.problem import TYPES, Problem, Shape, bf16, drawn, extreme

ROOT = Path(__file__).parents[2]
SMALL = ["kernels", "--shapes", "26x64,20x96", "--batch", "1,3", "--rotate", "1", "--rounds", "1"]


@pytest.fixture(autouse=True)
def _small_extremes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "EXTREME_SHAPES", (Shape(4, 512),))
    monkeypatch.setattr(measure, "SAMPLE_SECONDS", 1e-4)
    monkeypatch.setattr("tfmbs.tools.bench.machine.BURST", 1e-4)


def test_all_types_beside_all_peers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, plot = tmp_path / "k.json", tmp_path / "k.svg"
    assert main([*SMALL, "--shapes", "26x64", "--threads", "1", "--json", str(out), "--plot", str(plot)]) == 0
    value = json.loads(out.read_text())
    validate(value, json.loads((ROOT / "docs" / "tfmbs-bench-kernels.schema.json").read_text()))
    cells = value["cells"]
    assert {cell["type"] for cell in cells} == set(TYPES)
    # One token from memory and from the caches, three from the caches.
    assert len([cell for cell in cells if cell["kernel"] == "tfmbs"]) == len(TYPES) * 3
    assert all(cell["right"] for cell in cells)
    assert value["wrong"] == []
    named = {cell["kernel"].split()[0] for cell in cells} | set(value["missing"])
    assert named == {"tfmbs", *peers.PEERS}
    assert {"onnxruntime", "torch", "numpy"}.isdisjoint(value["missing"])
    for cell in cells:
        assert cell["operations"] == 2 * cell["rows"] * cell["columns"] * cell["tokens"]
        assert cell["operations_per_second"] * cell["median_seconds"] == pytest.approx(cell["operations"])
        share = cell["weight_bytes_per_second"] / cell["read_stream_bytes_per_second"]
        assert cell["read_stream_share"] == pytest.approx(share)
        assert cell["best_seconds"] <= cell["median_seconds"]
        assert cell["copies"] == (26 if cell["residence"] == "dram" else 1)
    picture = ET.fromstring(plot.read_text())
    titles = [title.text or "" for title in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert len(titles) == len(cells) + len(TYPES)  # a mark for each cell, and the legend
    assert "http" not in plot.read_text().replace("http://www.w3.org/2000/svg", "")  # nothing from elsewhere
    table = capsys.readouterr().out
    assert table.count("\n") > len(cells)
    assert "exact" in table
    assert "WRONG" not in table


def test_json_on_standard_output_is_all_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--types", "int8", "--batch", "3", "--threads", "1,2", "--peers", "none", "--json", "-"]
    assert main([*SMALL, *few]) == 0
    value = json.loads(capsys.readouterr().out)
    found = [(cell["rows"], cell["columns"], cell["threads"]) for cell in value["cells"]]
    assert found == [(26, 64, 1), (26, 64, 2), (20, 96, 1), (20, 96, 2)]


def test_every_instruction_set_is_its_own_kernel(capsys: pytest.CaptureFixture[str]) -> None:
    sets = _native.instruction_sets()
    few = [
        "--types",
        "ternary",
        "--batch",
        "3",
        "--shapes",
        "26x64",
        "--threads",
        "1",
        "--peers",
        "none",
        "--clock",
        "cpu",
    ]
    assert main([*SMALL, *few, "--isa", ",".join(sets), "--json", "-"]) == 0
    cells = json.loads(capsys.readouterr().out)["cells"]
    assert [cell["isa"] for cell in cells] == sets
    assert all(cell["right"] for cell in cells)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--shapes", "12"], "error: --shapes: value, expected NxK, like 2560x6912, got 12"),
        (["--shapes", "8x64,8x64"], "error: --shapes: a value given twice, got 8x64"),
        (["--shapes", "8x0"], "error: --shapes: value, expected NxK, like 2560x6912, got 8x0"),
        (["--shapes", "8x33"], "error: --shapes: columns of int4, expected a multiple of 32, got 8x33"),
        (["--batch", "1,x"], "error: --batch: value, expected numbers of at least 1, got x"),
        (["--batch", ""], "error: --batch: value, expected numbers of at least 1, got nothing"),
        (["--types", "int3"], "error: --types: value, expected some of ternary,int8,int4,f32,bf16, got int3"),
        (["--threads", "0"], "error: --threads: value, expected numbers from 1 to 256, got 0"),
        (["--threads", "257"], "error: --threads: value, expected numbers from 1 to 256, got 257"),
        (["--isa", "z80"], f"error: --isa: value, expected some of {','.join(_native.instruction_sets())}, got z80"),
        (["--peers", "mkl"], "error: --peers: value, expected some of onnxruntime,torch,numpy,litespark, got mkl"),
        (["--rounds", "0"], "error: --rounds: number of rounds, expected at least 1, got 0"),
        (["--rotate", "0"], "error: --rotate: megabytes, expected at least 1, got 0"),
        (["--clock", "cpu"], "error: --clock: time of processors is for one thread, expected --threads 1, got 1,2"),
        (["--plot", "a.png"], "error: --plot: kind of picture, expected .svg, got a.png"),
    ],
)
def test_usage_is_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, *arguments]) == 2
    assert capsys.readouterr().err.splitlines() == [said]


def test_a_file_that_cannot_be_written_is_refused_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "cells", lambda *_: pytest.fail("it was measured"))
    path = tmp_path / "no" / "k.json"
    assert main([*SMALL, "--json", str(path)]) == 1
    assert capsys.readouterr().err.splitlines() == [f"error: {path}: cannot be written: its folder does not exist"]


def test_no_command_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([])
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    said = capsys.readouterr().out
    assert all(name in said for name in COMMANDS)


def test_a_peer_that_is_missing_or_broken_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent() -> list[Kernel]:
        raise ModuleNotFoundError("No module named 'litespark_inference'", name="litespark_inference")

    def broken() -> list[Kernel]:
        raise OSError("libgomp.so.1: cannot open shared object file\nmore")

    monkeypatch.setitem(peers.PEERS, "litespark", absent)
    monkeypatch.setitem(peers.PEERS, "numpy", broken)
    few = ["--types", "f32", "--batch", "3", "--shapes", "26x64", "--threads", "1", "--peers", "numpy,litespark"]
    assert main([*SMALL, *few]) == 0
    said = capsys.readouterr().out
    assert "missing: litespark: not installed (litespark_inference): pip install 'tfmbs[bench]'\n" in said
    assert "missing: numpy: does not work here: libgomp.so.1: cannot open shared object file\n" in said


def altered(change: Callable[[Any], Any], *, is_ours: bool) -> Kernel:
    """A product of integers by numpy whose results are changed."""

    def prepare(problem: Problem, copies: int) -> Calls:
        def multiply(weights: Any) -> Any:
            return change(problem.tokens.astype(np.int64) @ weights.astype(np.int64).T)

        weights = [problem.copy(number)[0] for number in range(copies)]
        return Calls(weights, multiply, 8.0, lambda threads: None)

    return Kernel("altered", {"int8": 8.0, "ternary": 8.0}, prepare, ours=is_ours, isa=None)


def off_by_one(outputs: Any) -> Any:
    outputs[-1, 13:14] += 1  # of the checked rows the second, where there is one
    return outputs


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_wrong_integer_is_seen(
    is_ours: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kernel = altered(off_by_one, is_ours=is_ours)
    monkeypatch.setattr(peers, "present", lambda names: ([kernel], {}))
    few = ["--types", "int8", "--batch", "3", "--shapes", "26x64", "--threads", "1"]
    assert main([*SMALL, *few]) == (1 if is_ours else 0)
    captured = capsys.readouterr()
    assert "WRONG 1" in captured.out
    assert captured.err.count("error:") == (1 if is_ours else 0)


def test_an_overflow_at_the_extremes_is_seen() -> None:
    narrow = altered(lambda outputs: outputs.astype(np.int16), is_ours=False)
    wrong = list(measure.wrong_at_extremes([narrow], TYPES["ternary"], [1]))
    assert [one.kernel for one in wrong] == ["altered"]
    assert "WRONG for ternary, 4x512, n=1" in str(wrong[0])
    right = altered(lambda outputs: outputs.astype(np.int32), is_ours=True)
    assert list(measure.wrong_at_extremes([right], TYPES["ternary"], [1])) == []


@pytest.mark.parametrize("tokens", [1, 5])
def test_our_integers_are_exact_beyond_the_limits_of_tricks(tokens: int) -> None:
    kernel = ours.ours(_native.instruction_sets()[-1], alone=True)
    for kind in (TYPES["ternary"], TYPES["int8"]):
        problem = extreme(kind, Shape(27, 40_000), tokens)
        (outputs,) = kernel.prepare(problem, 1).start(2)()
        assert problem.worst(outputs, 0) == 0.0


def test_copies_have_rows_of_their_own() -> None:
    problem = drawn(TYPES["int4"], Shape(39, 64), 2)
    for number in (0, 5):
        stored, scales = problem.copy(number)
        assert scales is not None
        weights = stored * np.repeat(scales, 32, axis=1)
        outputs = problem.tokens.astype(np.float64) @ weights.astype(np.float64).T
        assert problem.worst(outputs, number) < 1e-7
        assert problem.worst(outputs, number + 1) > 1e-2


def test_no_number_is_no_result() -> None:
    problem = drawn(TYPES["f32"], Shape(14, 32), 1)
    outputs = np.full((1, 14), np.nan)
    assert problem.worst(outputs, 0) == np.inf
    cell = next(measure.cells([nan_kernel()], problem, "cache", [1], 1, 1))
    assert not cell.right
    assert cell.to_json()["worst_error"] is None


def nan_kernel() -> Kernel:
    kernel = altered(lambda outputs: outputs * np.nan, is_ours=True)
    return replace(kernel, bits={"f32": 32.0}, isa=_native.instruction_sets()[0])


def test_bf16_rounds_to_nearest_even() -> None:
    bits = np.array([0x3F800000, 0x3F808000, 0x3F818000, 0x3F808001, 0xBF80FFFF], np.uint32)
    expected = [0x3F800000, 0x3F800000, 0x3F820000, 0x3F810000, 0xBF810000]
    assert bf16(bits.view(np.float32)).view(np.uint32).tolist() == expected


def test_a_failed_picture_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(cells: Sequence[Any], machine: str) -> str:
        raise TfmbsError("io", "picture", "fails")

    monkeypatch.setattr("tfmbs.tools.bench.roofline.roofline", fails)
    few = ["--types", "int8", "--batch", "3", "--threads", "1", "--peers", "none", "--plot", str(tmp_path / "k.svg")]
    assert main([*SMALL, *few]) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_shapes_of_the_issue_are_the_default() -> None:
    assert command.SHAPES.split(",")[-1] == "4096x14336"
