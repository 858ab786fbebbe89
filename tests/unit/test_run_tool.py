"""`tfmbs-run`: outputs, stats, trace and report; one clear line and exit 1 for what is refused, 2 for usage."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.conformance.builder import Builder
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.types import DType
from tfmbs.tools.run import main, npy_bytes, read_npy, summary

X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    builder = Builder()
    x, out = builder.input("x", (2, 3), DType.F32), builder.output("y=z", (2, 3), DType.F32)
    builder.gemm(x, builder.constant(np.eye(3, dtype=np.float32)), out, m=2, n=3, k=3)
    builder.image().save(tmp_path / "m.tfb")
    np.save(tmp_path / "x.npy", X)
    return tmp_path


def run(folder: Path, *arguments: str) -> int:
    return main([str(folder / "m.tfb"), *(a.replace("FOLDER", str(folder)) for a in arguments)])


def test_summary_without_outputs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "--input", "x=FOLDER/x.npy") == 0
    assert capsys.readouterr().out == "y=z: float32 2×3 [0, 1, 2, 3, 4, 5]\n"


def test_writes_what_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    builder = Builder()
    x = builder.input("x", (2, 3), DType.F32)
    builder.copy(x, builder.output("y", (2, 3), DType.F32))
    builder.image().save(tmp_path / "m.tfb")
    np.save(tmp_path / "x.npy", X)
    files = [f"--{name}=FOLDER/{name}" for name in ("stats", "trace", "report")]
    assert run(tmp_path, "--input", "x=FOLDER/x.npy", "--output", "y=FOLDER/a=b.npy", "--threads", "2", *files) == 0
    assert capsys.readouterr().out == ""
    assert np.load(tmp_path / "a=b.npy").tobytes() == X.tobytes()
    assert json.loads((tmp_path / "stats").read_text())["device"] == "emulator"
    assert len(json.loads((tmp_path / "trace").read_text())["traceEvents"]) == 2
    assert (tmp_path / "report").read_text().startswith("<!DOCTYPE html>")


REFUSED = {
    "no-input": ([], 1, "error: x: an input is missing"),
    "unknown-input": (["--input", "w=FOLDER/x.npy"], 1, "error: w: no such input"),
    "no-file": (["--input", "x=FOLDER/none.npy"], 1, "no such file or directory"),
    "not-npy": (["--input", "x=FOLDER/m.tfb"], 1, "no .npy file"),
    "device": (["--input", "x=FOLDER/x.npy", "--device", "fpga"], 1, "error: fpga: the FPGA driver is not part"),
    "output-folder": (["--input", "x=FOLDER/x.npy", "--stats", "FOLDER/none/s.json"], 1, "cannot be written"),
    "unknown-output": (["--output", "q=FOLDER/q.npy"], 2, "error: --output: no such output, expected y=z, got q"),
    "no-name": (["--input", "FOLDER/x.npy"], 2, "error: --input: argument, expected NAME=FILE.npy"),
    "twice": (["--input", "x=a", "--input", "x=b"], 2, "error: --input: a name given twice, got x"),
    "threads": (["--input", "x=FOLDER/x.npy", "--threads", "0"], 2, "error: threads: number of threads"),
    "profile": (["--input", "x=FOLDER/x.npy", "--energy-profile", "free"], 1, "error: --energy-profile: energy"),
    "energy": (["--input", "x=FOLDER/x.npy", "--energy-profile", "kpu-16nm"], 1, "error: emulator: energy of a device"),
    "entry": (["--entry", "other"], 1, "error: entry: no such entry point, expected main, got other"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_line(folder: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    arguments, code, text = REFUSED[name]
    assert run(folder, *arguments) == code
    captured = capsys.readouterr()
    assert text in captured.err
    assert (captured.err.count("\n"), captured.out) == (1, "")
    assert sorted(path.name for path in folder.iterdir()) == ["m.tfb", "x.npy"]


@pytest.mark.parametrize(
    "content",
    [b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00\xff\xff", npy_bytes(X)[:-1], npy_bytes(X).replace(b"(2, 3)", b"(2,-3)"),
     npy_bytes(X).replace(b"<f4", b"|O "), npy_bytes(X).replace(b"(2, 3), }          ", b"(999999999999999,) }")],
    ids=["empty", "magic-only", "header-cut", "data-cut", "negative", "object", "huge"],
)  # fmt: skip
def test_bad_npy_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(content)
    with pytest.raises(TfmbsError) as caught:
        read_npy(path)
    assert caught.value.code == "io"


def test_object_arrays_are_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(TfmbsError, match="cannot be read as"):
        read_npy(tmp_path / "x.npy")


def test_summary_of_many_and_of_scalars() -> None:
    assert summary("n", np.arange(10)) == "n: int64 10 [0, 1, 2, 3, 4, 5, 6, 7, …]"
    assert summary("p", np.array(True)) == "p: bool scalar [True]"
