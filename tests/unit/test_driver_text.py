"""The texts around the driver: pipelines, options of passes, reproducers, expected diagnostics."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmbs.compiler.diagnostics import Diagnostic, Diagnostics, from_error
from tfmbs.compiler.expectations import mismatches
from tfmbs.compiler.pipeline_text import Placed, format_pipeline, parse_pipeline
from tfmbs.compiler.pipelines import LEVELS, PIPELINES, PRECISIONS, pipeline, sequences
from tfmbs.compiler.plan import Step, pipeline_of, resolve
from tfmbs.compiler.reproducer import format_reproducer, read_reproducer
from tfmbs.compiler.source import Source, parse
from tfmbs.dialect.location import Place
from tfmbs.dialect.mlir import context
from tfmbs.passes.registry import Pass, all_passes, find
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.files import save
from tfmbs.tools.opt_arguments import IMPLIED, SWITCHES, VALUES


@dataclass(frozen=True)
class Sample(Pass):
    """A pass with an option of every type."""

    fast: bool = False
    max_operands: int = 8
    threshold: float = 0.7
    target: str = "kpu-16x16"
    mode: Literal["exact", "portable"] = "exact"
    tiles: tuple[int, ...] = (1, 2)
    keep: tuple[str, ...] = ()


NAME = Sample.pass_name()

samples = st.builds(
    Sample,
    fast=st.booleans(),
    max_operands=st.integers(),
    threshold=st.floats(allow_nan=False),
    target=st.text(),
    mode=st.sampled_from(["exact", "portable"]),
    tiles=st.lists(st.integers()).map(tuple),
    keep=st.lists(st.text()).map(tuple),
)


@given(samples)
def test_options_print_and_read_back(sample: Sample) -> None:
    assert Sample.from_text(sample.options_text()) == sample


@given(samples)
def test_pipelines_with_any_options_print_and_read_back(sample: Sample) -> None:
    placed = (
        Placed(("builtin.module",), "cse"),
        Placed(("builtin.module", "func.func"), NAME, sample.options_text()),
        Placed(("builtin.module", "func.func"), "cse"),
        Placed(("builtin.module", "gpu.module", "gpu.func"), "cse"),
    )
    assert parse_pipeline(format_pipeline(placed)) == placed


@pytest.mark.parametrize(("text", "expected"), [
    ("", Sample()),
    ("fast", Sample(fast=True)),
    ("fast=1 max-operands=0x10", Sample(fast=True, max_operands=16)),
    ("  target='a b'   keep=x,{y z},'u,v' ", Sample(target="a b", keep=("x", "y z", "u,v"))),
    ("target={a=1 b={c}} tiles={3,4}", Sample(target="a=1 b={c}", tiles=(3, 4))),
    ("tiles={} keep= target=", Sample(tiles=(), target="")),
    (r'target="a\"b\\c"', Sample(target='a"b\\c')),
])  # fmt: skip
def test_options_in_every_spelling(text: str, expected: Sample) -> None:
    assert Sample.from_text(text) == expected


@pytest.mark.parametrize(("text", "message"), [
    ("max-operand=2", "no option 'max-operand', expected max-operands"),
    ("max_operands=2", "no option 'max_operands', expected max-operands"),
    ("max-operands=two", "option 'max-operands', expected an integer, got 'two'"),
    ("max-operands", "option 'max-operands' needs a value, expected an integer, got none"),
    ("fast=yes", "option 'fast', expected true or false, got 'yes'"),
    ("mode=loose", "option 'mode', expected one of exact, portable, got 'loose'"),
    ("tiles=1,x", "option 'tiles', expected a comma-separated list of integers, got '1,x'"),
    ("fast fast", "option 'fast' is given twice"),
    ("target={a", "unbalanced { in 'target={a'"),
    ("target='a", "unbalanced ' in 'target='a'"),
])  # fmt: skip
def test_wrong_options_are_named(text: str, message: str) -> None:
    with pytest.raises(TfmbsError) as caught:
        Sample.from_text(text)
    assert caught.value.code == "pass.unknown"
    assert str(caught.value) == f"error: pass {NAME}: {message}"


def test_an_option_of_an_impossible_type_is_a_mistake_of_the_pass() -> None:
    @dataclass(frozen=True)
    class Wrong(Pass):
        sizes: dict[str, int] | None = None

    with pytest.raises(TypeError, match="options of passes cannot have type"):
        Wrong.option_types()


@pytest.mark.parametrize(("text", "message"), [
    ("", "pipeline column 1: expected the name of a pass or an anchor"),
    ("cse", "outermost anchor, expected 'builtin.module(...)'"),
    ("func.func(cse)", "outermost anchor, expected 'builtin.module(...)'"),
    ("builtin.module(cse),cse", "outermost anchor, expected 'builtin.module(...)'"),
    ("builtin.module(cse,)", "pipeline column 20: expected the name of a pass or an anchor"),
    ("builtin.module(cse))", "pipeline column 20: unexpected text behind the pipeline"),
    ("builtin.module(cse{a=1)", "pipeline column 19: unbalanced braces"),
    ("builtin.module(" * 100, "pipeline column"),
    ("builtin.module(" * 100_000, "pipeline column"),
])  # fmt: skip
def test_wrong_pipelines_are_refused(text: str, message: str) -> None:
    with pytest.raises(TfmbsError) as caught:
        parse_pipeline(text)
    assert caught.value.code == "pass.unknown"
    assert message in str(caught.value)


@given(st.text(alphabet="ab.(){},='\" \\\n"))
def test_any_text_is_a_pipeline_or_refused(text: str) -> None:
    with suppress(TfmbsError):
        placed = parse_pipeline(f"builtin.module({text})")
        assert parse_pipeline(format_pipeline(placed)) == placed


def test_passes_are_found_by_name_and_libraries_are_none() -> None:
    names = [found.pass_name() for found in all_passes()]
    assert names == sorted(set(names))
    assert "convert-torch-to-tfmbs" in names
    assert find("registry") is None
    assert find("no-such-pass") is None


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_named_pipeline_is_well_formed(precision: str) -> None:
    for stage in (*LEVELS, "linalg"):
        placed = parse_pipeline(pipeline(precision, "a target.toml", stage))
        assert all("$" not in found.options for found in placed)
    assert set(sequences(precision, "fabric")) | set(sequences(precision, "linalg")) <= set(PIPELINES)


def test_every_named_pipeline_resolves() -> None:
    fresh = context()
    for precision in PRECISIONS:
        for stage in ("fabric", "linalg"):
            steps = resolve(pipeline(precision, "kpu-16x16", stage), fresh)
            assert parse_pipeline(pipeline_of(steps)) == tuple(step.placed for step in steps)


def test_stages_lead_from_level_to_level() -> None:
    assert list(sequences("fp32", "torch")) == []
    assert list(sequences("int8", "fabric")) == ["import", "quantize", "optimise", "kernel", "fabric"]
    assert list(sequences("int8", "fabric", "tfmbs")) == ["kernel", "fabric"]
    assert list(sequences("fp32", "linalg", "kernel")) == ["linalg"]
    for arguments in (("fp64", "tfmbs"), ("fp32", "nowhere"), ("fp32", "tfmbs", "kernel")):
        with pytest.raises(TfmbsError) as caught:
            list(sequences(*arguments))
        assert caught.value.code == "usage"


@given(st.text(), st.booleans())
def test_reproducers_read_back(option: str, verify_each: bool) -> None:
    step = Step(Placed(("builtin.module",), "p", Sample(target=option).options_text()))
    for ir_text in ("module {\n}\n", "module {\n}\n\n{-#\n  dialect_resources: {\n    builtin: {}\n  }\n#-}\n"):
        text = format_reproducer(ir_text, [step], verify_each)
        found = read_reproducer(text)
        assert found is not None
        assert parse_pipeline(found.pipeline) == (step.placed,)
        assert found.verify_each == verify_each
    assert read_reproducer("module {}") is None


def diagnostic(line: int, message: str, severity: str = "error") -> Diagnostic:
    return Diagnostic(severity, Place("x.mlir", line, 3), message)


@pytest.mark.parametrize(("text", "reported", "problems"), [
    ("// expected-error@+1 {{bad}}\nop", [diagnostic(2, "a bad op")], []),
    ("op // expected-error {{bad}}", [diagnostic(1, "a bad op")], []),
    ("// expected-error@below {{b}}\n// expected-error@below {{a}}\nop\n// expected-error @above {{c}}",
     [diagnostic(3, "a"), diagnostic(3, "b"), diagnostic(3, "c")], []),
    ("// expected-error-re {{[a-z] {{[0-9]+}}}}", [diagnostic(1, "x [a-z] 12")], []),
    ("// expected-error@unknown {{lost}}", [Diagnostic("error", Place("pass p"), "lost")], []),
    ("// expected-remark {{r}}", [diagnostic(1, "r", "remark")], []),
    ("op", [diagnostic(1, "a")], ["error: x.mlir:1: unexpected error: a"]),
    ("// expected-error {{a}}", [diagnostic(1, "a"), diagnostic(1, "a")], ["error: x.mlir:1: unexpected error: a"]),
    ("// expected-error {{a}}", [], ['error: x.mlir:1: expected error "a" was not produced']),
    ("// expected-warning {{a}}", [diagnostic(1, "a")],
     ["error: x.mlir:1: unexpected error: a", 'error: x.mlir:1: expected warning "a" was not produced']),
    ("\n// expected-error {{a}}", [diagnostic(1, "a")],
     ["error: x.mlir:1: unexpected error: a", 'error: x.mlir:2: expected error "a" was not produced']),
])  # fmt: skip
def test_expected_diagnostics(text: str, reported: list[Diagnostic], problems: list[str]) -> None:
    assert [str(problem) for problem in mismatches("x.mlir", text, reported)] == problems


def test_notes_may_be_expected_but_need_not_be() -> None:
    noted = Diagnostic("error", Place("x.mlir", 1), "bad", (diagnostic(1, "because", "note"),))
    assert mismatches("x.mlir", "op // expected-error {{bad}}", [noted]) == []
    text = "// expected-error@below {{bad}}\nop\n// expected-note@above {{because}}"
    noted = Diagnostic("error", Place("x.mlir", 2), "bad", (diagnostic(2, "because", "note"),))
    assert mismatches("x.mlir", text, [noted]) == []


def test_errors_become_diagnostics_at_their_place() -> None:
    assert from_error(TfmbsError("pass", "a:b.mlir:7", "w")).place == Place("a:b.mlir", 7)
    assert from_error(TfmbsError("pass", "a.mlir:7:3", "w")).place == Place("a.mlir", 7, 3)
    assert from_error(TfmbsError("pass", "node conv", "w")).place == Place("node conv")


def test_parts_keep_their_line_numbers() -> None:
    parts = list(Source("x", b"a\n// ----- cut\nb\n// -----\n").split("// -----"))
    assert [part.content for part in parts] == [b"a\n", b"\n\nb\n", b"\n\n\n\n"]


def test_files_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "out"
    save(file, b"one")
    save(file, b"two")
    assert file.read_bytes() == b"two"
    with pytest.raises(TfmbsError, match="nowhere/out: cannot be written"):
        save(tmp_path / "nowhere" / "out", b"three")
    save(Path("/dev/null"), b"gone")
    assert [found.name for found in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(("content", "message"), [
    (b"", "error: x.mlir: the input is empty"),
    (b" \n\t", "error: x.mlir: the input is empty"),
    (b"\xff\xfe\x00", "error: x.mlir: byte at offset, expected UTF-8 text, got byte 0"),
    (b"\n\x01", "error: x.mlir:2: unexpected character"),
    (b"ML\xefR", "error: x.mlir: attempting to parse a byte at the end of the bytecode"),
    (b"ML\xefR" + bytes(range(255, 0, -1)) * 4, "error: x.mlir: "),
    (b"func.func private @f() attributes {a = " + b"[" * 200_000 + b"]" * 200_000 + b"}",
     "error: x.mlir: MLIR's parser crashed with SIGSEGV, as it does on very deep nesting"),
])  # fmt: skip
def test_what_is_no_mlir_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(TfmbsError) as caught:
        parse(Source("x.mlir", content), context(), Diagnostics())
    assert caught.value.code == "ir.parse"
    assert str(caught.value).startswith(message)


def test_every_flag_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "tfmbs-opt.md").read_text()
    assert [flag for flag in (*SWITCHES, *VALUES, *IMPLIED) if f"`--{flag}" not in page] == []
