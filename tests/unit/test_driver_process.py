"""``tfmbs-opt`` as a process of its own (the lit tests fork a warm one): streams and exit codes, and a lean start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

INPUT = "func.func @f() { return }\n"


def opt(*arguments: str, text: str = INPUT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tfmbs.tools.opt", *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("arguments", "code", "error"), [
    (["--cse"], 0, ""),
    (["--no-such-pass"], 1, "error: pass no-such-pass: no such pass\n"),
    (["nowhere.mlir"], 1, "error: nowhere.mlir: no such file or directory\n"),
    (["--pass-pipeline=builtin.module(cse)", "--cse"], 2,
     "tfmbs-opt: error: --pass-pipeline and --cse cannot be given together\n"),
    (["--verify-each=maybe"], 2, "tfmbs-opt: error: argument --verify-each: expected true or false, got 'maybe'\n"),
    (["a.mlir", "b.mlir"], 2, "tfmbs-opt: error: unexpected argument 'b.mlir'\n"),
])  # fmt: skip
def test_exit_codes(arguments: list[str], code: int, error: str) -> None:
    done = opt(*arguments)
    assert done.returncode == code
    assert done.stderr.endswith(error)
    assert bool(done.stdout) == (code == 0)


def test_a_closed_pipe_is_no_traceback() -> None:
    text = "\n".join(f"func.func @f{index}() {{ return }}" for index in range(5000))
    command = f"'{sys.executable}' -m tfmbs.tools.opt | head -1"
    done = subprocess.run(["sh", "-c", command], input=text, capture_output=True, text=True, check=False)
    assert done.stdout == "module {\n"
    assert done.stderr == ""


def test_the_tool_imports_no_front_end_and_no_jit() -> None:
    code = (
        "import sys; from tfmbs.tools.opt import main; main(['-o', '/dev/null', '--cse']);"
        "heavy = ('onnx', 'torch', 'torch_mlir.execution_engine', 'torch_mlir.dialects.torch');"
        "print([module for module in heavy if module in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], input=INPUT, capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr


def test_an_unreadable_file_is_one_line(tmp_path: Path) -> None:
    done = opt(str(tmp_path))
    assert (done.returncode, done.stderr) == (1, f"error: {tmp_path}: is a directory\n")
