"""The error type, its one-line text, and what the tools make of it."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmbs.runtime.abi.errors import CODES, TfmbsError
from tfmbs.tools.main import tool


def test_text_names_location_expected_and_got() -> None:
    error = TfmbsError("input.shape", "input 'x'", "wrong shape", "1x64", "1x63")
    assert str(error) == "error: input 'x': wrong shape, expected 1x64, got 1x63"
    assert (error.code, error.location) == ("input.shape", "input 'x'")


def test_text_leaves_out_what_is_not_known() -> None:
    assert str(TfmbsError("io", "m.tfb", "no such file")) == "error: m.tfb: no such file"
    assert str(TfmbsError("io", "m.tfb", "no such file", got=0)) == "error: m.tfb: no such file, got 0"


@given(st.text(), st.text(), st.text())
def test_text_is_one_printable_line_whatever_the_names(where: str, what: str, got: str) -> None:
    text = str(TfmbsError("io", where, what, got=got))
    assert text.isprintable()
    assert len(text.splitlines()) == 1


def test_an_unknown_code_is_a_bug() -> None:
    with pytest.raises(ValueError, match=re.escape("'no.such' is not in the table")):
        TfmbsError("no.such", "here", "what")


def test_codes_are_lower_case_words() -> None:
    assert all(re.fullmatch(r"[a-z]+([.-][a-z]+)*", code) for code in CODES)


def test_survives_pickling() -> None:
    error = TfmbsError("record", "0x40", "bad kind", "1 to 9", 10, "details")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.code, copy.details) == (str(error), error.code, error.details)


def raising(error: BaseException) -> Callable[[Sequence[str]], int]:
    def main(arguments: Sequence[str]) -> int:
        raise error

    main.__module__ = "test_errors"
    return main


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (TfmbsError("siw", "word 3", "unknown opcode", details="more"), 1, "error: word 3: unknown opcode\nmore\n"),
        (TfmbsError("usage", "--dim", "not NAME=N"), 2, "error: --dim: not NAME=N\n"),
        (FileNotFoundError(2, "No such file or directory", "a.onnx"), 1, "error: a.onnx: no such file or directory\n"),
        (
            ModuleNotFoundError("no", name="torch_mlir.ir"),
            1,
            "error: test_errors: needs torch_mlir: pip install 'tfmbs[compiler]'\n",
        ),
        (OSError("disk on fire"), 1, "error: system: disk on fire\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_a_tool_reports_user_errors(
    error: BaseException, code: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool(raising(error))([]) == code
    assert capsys.readouterr().err == text


@pytest.mark.parametrize("bug", [ZeroDivisionError(), ModuleNotFoundError("no", name="tfmbs.nothing")])
def test_a_tool_does_not_hide_bugs(bug: Exception) -> None:
    with pytest.raises(type(bug)):
        tool(raising(bug))([])


def test_a_tool_reads_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["tool", "a", "b"])
    seen: list[str] = []
    assert tool(lambda arguments: seen.extend(arguments) or 0)() == 0
    assert seen == ["a", "b"]


def test_a_closed_pipe_is_no_traceback(tmp_path: Path) -> None:
    script = tmp_path / "chatty.py"
    script.write_text(
        "import sys\nfrom tfmbs.tools.main import tool\n"
        "@tool\ndef main(arguments):\n    print('line\\n' * 1_000_000)\n    return 0\nsys.exit(main())\n"
    )
    reader, writer = os.pipe()
    with subprocess.Popen([sys.executable, script], stdout=writer, stderr=subprocess.PIPE, text=True) as process:
        os.close(writer)
        os.close(reader)
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.returncode == 1
