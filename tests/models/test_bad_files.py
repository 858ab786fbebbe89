"""Files and arguments that the five tools refuse: one clear line, the exit code, and no file written or changed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.conformance.builder import Builder
from tfmbs.runtime.abi.target_file import TARGETS
from tfmbs.runtime.abi.types import DType
from tfmbs.tools import assemble, objdump, opt
from tfmbs.tools import compile as compile_tool
from tfmbs.tools import run as run_tool

TOOLS: dict[str, Callable[..., int]] = {
    "compile": compile_tool.main,
    "run": run_tool.main,
    "opt": opt.main,
    "objdump": objdump.main,
    "as": assemble.main,
}
LINE = re.compile(r"error: [^:].*: .+")
DEEP = "(" * 100_000


def onnx_bytes(op: str = "Gemm", shape: tuple[int | str, ...] = ("n", 3)) -> bytes:
    """A model from x to y with one node, whose second input is w."""
    graph = helper.make_graph(
        [helper.make_node(op, ["x", "w"], ["y"], name="node_7")],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(np.eye(3, dtype=np.float32), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return bytes(model.SerializeToString())


def external(location: str, **entries: object) -> bytes:
    """A model whose weights are at `location`."""
    model = onnx.load_from_string(onnx_bytes())
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    return bytes(model.SerializeToString())


def binary() -> bytes:
    """y = x, 2×3 f32."""
    builder = Builder()
    builder.copy(builder.input("x", (2, 3), DType.F32), builder.output("y", (2, 3), DType.F32))
    return bytes(builder.image().to_bytes())


def npz(path: Path, **arrays: Any) -> None:
    np.savez(path, **arrays)


def target(old: str, new: str) -> str:
    text = (TARGETS / "kpu-16x16.toml").read_text()
    assert old in text
    return text.replace(old, new, 1)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with good and bad files of every kind, and outputs that exist already."""
    inside = tmp_path / "in"
    inside.mkdir()
    monkeypatch.chdir(inside)
    model, good = onnx_bytes(), binary()
    newer = bytearray(good)
    newer[8] = 77  # the major version
    x = np.ones((2, 3), np.float32)
    contents: dict[str, bytes | str] = {
        "m.onnx": model, "empty.onnx": b"", "short.onnx": model[:-9], "random.onnx": os.urandom(500),
        "unknown.onnx": onnx_bytes("Frobnicate"), "cumsum.onnx": onnx_bytes("Greater"),
        "m.tfb": good, "empty.tfb": b"", "short.tfb": good[:-1], "newer.tfb": bytes(newer), "random.tfb": b"\x89TFB",
        "m.pt2": b"x", "m.pt": b"x", "bad.mlir": "func.func @f() {\n  return\n}\nnonsense", "deep.mlir": DEEP,
        "empty.mlir": "", "latin.mlir": b"\xff\xfe", "torch.mlir": 'func.func @f() {\n  "torch.op"() : () -> ()\n}',
        "graph.mlir": "func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {\n  return %x : tensor<2xf32>\n}",
        "key.toml": target("[", "colour = 1\n["), "broken.toml": "name = ", "text.toml": b"\xff",
        "minus.toml": re.sub(r"rows = \d+", "rows = -1", target("[", "[")),
        "bad.s": "nonsense", "empty.s": "", "latin.s": b"\xff", "good.out": "as it was",
        "secret.bin": b"\0" * 99, "sub/w.bin": b"\0" * 36,
        "up.onnx": external("../w.bin"), "absolute.onnx": external("/etc/passwd"), "nul.onnx": external("w\0"),
        "symlink.onnx": external("link.bin"), "hardlink.onnx": external("hard.bin"),
        "end.onnx": external("sub/w.bin", offset=1, length=36), "none.onnx": external("none.bin"),
    }  # fmt: skip
    (inside / "sub").mkdir()
    for name, content in contents.items():
        (inside / name).write_bytes(content.encode() if isinstance(content, str) else content)
    (tmp_path / "w.bin").write_bytes(b"\0" * 36)
    (inside / "link.bin").symlink_to(tmp_path / "w.bin")
    os.link(tmp_path / "w.bin", inside / "hard.bin")
    for name, array in {"x": x, "shape": x[:1], "f64": x.astype(np.float64), "i32": x.astype(np.int32)}.items():
        np.save(inside / f"{name}.npy", array)
    np.save(inside / "pickle.npy", np.array([{}], object), allow_pickle=True)
    (inside / "short.npy").write_bytes((inside / "x.npy").read_bytes()[:-1])
    npz(inside / "names.npz", z=x)
    npz(inside / "shapes.npz", x=np.ones((2, 4), np.float32))
    npz(inside / "dtype.npz", x=np.ones((2, 3), np.int64))
    npz(inside / "nan.npz", x=np.full((2, 3), np.nan, np.float32))
    npz(inside / "none.npz")
    npz(inside / "norows.npz", x=np.ones((0, 3), np.float32))
    npz(inside / "pickle.npz", x=np.array([{}], object))
    return inside


INT8 = "compile m.onnx --dim n=2 --precision int8 --calibrate"
RUN = "run m.tfb --output y=good.out --input"
REFUSED: dict[str, str] = {
    "compile empty.onnx": "error: empty.onnx: the model, expected an ONNX protobuf, got an empty file",
    "compile short.onnx": "error: short.onnx: the model, expected an ONNX protobuf, got other or truncated bytes",
    "compile random.onnx": "error: random.onnx: the model, expected an ONNX protobuf",
    "compile sub": "error: sub: cannot read the model, got Is a directory",
    "compile none/m.onnx": "error: none/m.onnx: cannot read the model, got No such file or directory",
    "compile unknown.onnx --dim n=2": "error: unknown.onnx: node 'node_7' (Frobnicate): unknown op Frobnicate",
    "compile m.pt2": "expected a .pt2 file of torch.export.save, got File is not a zip file",
    "compile m.pt": "m.pt: kind of model: a pickle can run any code, expected .pt2 of torch.export.save",
    "compile up.onnx --dim n=2": "tensor 'w': external data location, expected a path without '..'",
    "compile absolute.onnx --dim n=2": "tensor 'w': external data location, expected a relative path",
    "compile nul.onnx --dim n=2": "tensor 'w': external data location, expected a relative path",
    "compile symlink.onnx --dim n=2": "tensor 'w': external data file 'link.bin', expected a regular file, no links",
    "compile hardlink.onnx --dim n=2": "a file with one name (hard links are refused), got 'hard.bin'",
    "compile end.onnx --dim n=2": "external data range, expected inside its file of 36 bytes, got 36 bytes at 1",
    "compile none.onnx --dim n=2": "tensor 'w': external data file 'none.bin', expected a regular file",
    "compile m.onnx": "symbolic dimension 'n' is not bound, expected --dim n=N, got no value",
    "compile m.onnx --dim n=2 --dim q=3": "no symbolic input dimension 'q', expected one of: n",
    "compile m.onnx --dim n=99999999999999": "shape of 'x', expected at most 4294967296 elements",
    "compile m.onnx --dim n=2 -o none/m.tfb": "error: none/m.tfb: cannot be written: No such file or directory",
    "compile m.onnx --dim n=2 -o sub": "error: sub: cannot be written: Is a directory",
    "compile m.onnx --dim n=2 --report none/r.html -o good.out": "error: none/r.html: cannot be written: No such file",
    "compile m.onnx --dim n=2 --save-temps m.tfb -o good.out": "error: m.tfb: file exists",
    "compile m.onnx --dim n=2 --target key.toml": "error: key.toml",
    "compile m.onnx --dim n=2 --target minus.toml": "error: minus.toml",
    "compile m.onnx --dim n=2 --target broken.toml": "error: broken.toml: no TOML",
    "compile m.onnx --dim n=2 --target text.toml": "error: text.toml: no TOML",
    "compile m.onnx --dim n=2 --target none.toml": "error: none.toml: file cannot be read",
    f"{INT8} names.npz": "error: samples: missing input, expected x, got z",
    f"{INT8} shapes.npz": "error: x: shape of the samples",
    f"{INT8} dtype.npz": "error: x: element type, expected float32, got int64",
    f"{INT8} nan.npz": "error: node_7: 'tfmbs.matmul' op input on the samples, expected finite values, got nan",
    f"{INT8} none.npz": "error: samples: missing input, expected x, got none",
    f"{INT8} norows.npz": "error: x: shape of the samples",
    f"{INT8} pickle.npz": "error: pickle.npz: samples, expected an .npz file of plain arrays",
    f"{INT8} m.onnx": "error: m.onnx: samples, expected an .npz file of plain arrays",
    f"{INT8} x.npy": "error: x.npy: samples, expected an .npz file of plain arrays",
    f"{INT8} sub": "error: sub: cannot read the samples",
    "compile bad.mlir": "error: bad.mlir:4",
    "compile deep.mlir": "error: deep.mlir",
    "compile empty.mlir": "error: empty.mlir: the input is empty",
    "compile latin.mlir": "error: latin.mlir: byte at offset, expected UTF-8 text",
    "compile torch.mlir --compile-from torch": "error: torch.mlir:2",
    "compile graph.mlir --compile-from kernel": "at the kernel level, expected one it admits",
    "compile graph.mlir --compile-from fabric": "op at the fabric level, expected one it admits, got func.func",
    "run empty.tfb": "error: empty.tfb",
    "run short.tfb": "error: short.tfb",
    "run random.tfb": "error: random.tfb",
    "run newer.tfb": "error: newer.tfb",
    "run m.onnx": "error: m.onnx",
    "run sub": "error: sub",
    f"{RUN} z=x.npy": "error: z: no such input, expected x, got z",
    f"{RUN} x=shape.npy": "error: x: shape, expected 2×3, got 1×3",
    f"{RUN} x=f64.npy": "error: x: element type, expected float32, got float64",
    f"{RUN} x=i32.npy": "error: x: element type, expected float32, got int32",
    f"{RUN} x=pickle.npy": "error: pickle.npy: cannot be read as .npy",
    f"{RUN} x=short.npy": "error: short.npy: cannot be read as .npy",
    f"{RUN} x=sub": "error: sub: is a directory",
    f"{RUN} x=x.npy --device fpga": "error: fpga: the FPGA driver is not part of this version",
    f"{RUN} x=x.npy --device gpu": "error: gpu: no such device, expected emulator/kpu/fpga, got gpu",
    f"{RUN} x=x.npy --stats none/s.json": "error: none/s.json",
    "run m.tfb --input x=x.npy --output y=sub": "error: sub: cannot be written",
    "objdump newer.tfb": "error: newer.tfb",
    "objdump short.tfb": "error: short.tfb",
    "objdump none.tfb": "error: none.tfb",
    "as bad.s -o good.out": "error: bad.s:1",
    "as empty.s -o good.out": "error: empty.s",
    "as latin.s -o good.out": "error: latin.s: text, expected UTF-8",
    "as none.s -o good.out": "error: none.s: no such file or directory",
    "opt bad.mlir -o good.out": "error: bad.mlir:4",
    "opt none.mlir": "error: none.mlir: no such file or directory",
    "opt sub": "error: sub: is a directory",
    "opt graph.mlir --nonsense": "error: pass nonsense: no such pass",
    "opt graph.mlir --pass-pipeline=builtin.module(nonsense)": "error: pass nonsense: no such pass",
    "opt graph.mlir -o none/out.mlir": "error: none/out.mlir: cannot be written: No such file",
}
USAGE = (
    "compile", "compile m.onnx --dim n", "compile m.onnx --dim n=0", "compile m.onnx --dim n=-1",
    "compile m.onnx --dim =2", "compile graph.mlir --dim n=2",
    "compile m.onnx --dim n=2 --dim n=3", "compile m.onnx --dim n=2 --precision int9",
    "compile m.onnx --dim n=2 --compile-to nowhere", "compile m.onnx --nonsense", "compile graph.mlir --compile-from x",
    "compile m.onnx --dim n=2 -o m.onnx", "run", "run m.tfb --threads many", "run m.tfb --input x",
    "opt graph.mlir --canonicalize --pass-pipeline=builtin.module(cse)",
    "run m.tfb --input x=x.npy --output q=q.npy", "objdump", "objdump m.tfb --section NONE", "as bad.s",
)  # fmt: skip


def state(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refusal(command: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """Exit code and lines on standard error of a command that must write nothing else."""
    tool, *arguments = command.split()
    before = state(folder)
    try:
        code = TOOLS[tool](arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    out, error = capfd.readouterr()
    assert out == ""
    assert state(folder) == before
    return code, error.splitlines()


@pytest.mark.parametrize("command", REFUSED)
def test_refused_in_one_line(command: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, lines = refusal(command, folder, capfd)
    assert code == 1
    assert LINE.fullmatch(lines[0])
    assert REFUSED[command] in lines[0]
    assert not any(line.startswith(("error:", "Traceback")) for line in lines[1:])


@pytest.mark.parametrize("command", USAGE)
def test_usage_errors_exit_with_2(command: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, lines = refusal(command, folder, capfd)
    assert code == 2
    assert "error: " in lines[-1]
    assert lines[0].startswith(("error: ", "usage: "))


def test_the_good_files_are_good(folder: Path) -> None:
    """What the refusals above differ from in one thing."""
    npz(folder / "good.npz", x=np.eye(3, dtype=np.float32)[:2])
    for command in (
        "compile m.onnx --dim n=2 -o good.out",
        f"{INT8} good.npz -o good.out",
        "compile graph.mlir -o good.out",
        f"{RUN} x=x.npy",
        "objdump m.tfb --headers",
        "opt graph.mlir -o good.out",
    ):
        tool, *arguments = command.split()
        assert TOOLS[tool](arguments) == 0, command
