"""A short run of the fuzzer of models; `make onnx-mutants` is the long one. And the structures that break parsers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest

import tfmbs
from tests.fuzz import onnx_mutants
from tests.fuzz.onnx_mutants import Ran, outcomes, same
from tests.fuzz.onnx_mutations import mutant, sources
from tests.models.test_hostile_models import nested
from tfmbs.compiler.importers.onnx_file import load_onnx
from tfmbs.runtime.abi.errors import TfmbsError

COUNT = 40
EXPECTED = ("refused: onnx.parse", "refused: onnx.invalid", "refused: onnx.unsupported", "computed as onnxruntime")


def test_mutants_are_refused_or_computed_as_onnxruntime_does() -> None:
    found = outcomes(range(COUNT), jobs=2)
    assert not [f"{seed}: {outcome}" for seed, outcome in found.items() if outcome.startswith("BUG")]
    counts = Counter(found.values())
    # The mutations must reach every stage, else they test nothing.
    for expected in EXPECTED:
        assert counts[expected], f"no mutant had the outcome {expected!r}: {counts}"


def test_mutants_are_reproducible() -> None:
    assert mutant(7) == mutant(7)
    assert mutant(7) not in sources()


def wrong(seed: int) -> Ran:
    """What must not be, by number."""
    if seed == 0:
        return Ran(bug="builtins.KeyError: 'x'")
    x = np.zeros((1,), np.float32)
    return Ran(inputs={"x": x}, outputs={"y": x + 1})


def test_what_must_not_be_is_reported(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    zero = {"y": np.zeros((1,), np.float32)}
    monkeypatch.setattr(onnx_mutants, "run", lambda seed: wrong(2 * seed))
    monkeypatch.setattr(onnx_mutants, "expected", lambda item: zero)
    assert onnx_mutants.main(["--count", "2"]) == 1
    out, error = capsys.readouterr()
    assert out.splitlines()[-1].split() == ["2", "mutants,", "2", "bugs"]
    assert error.splitlines() == [
        "mutant 0: BUG: builtins.KeyError: 'x'",
        "mutant 1: BUG: another result than onnxruntime and onnx",
    ]


def test_what_counts_as_the_same_result() -> None:
    y = {"y": np.array([1, np.nan, np.inf, 1e6], np.float32)}
    near = {"y": y["y"] + np.array([50, 0, 0, 0], np.float32)}
    assert same(y, near)  # 5e-5 of the largest
    assert not same(y, {"y": near["y"] + np.array([200, 0, 0, 0], np.float32)})
    assert not same(y, {"y": np.array([1, 1, np.inf, 1e6], np.float32)})
    assert not same(y, {"y": y["y"].astype(np.float64)})
    assert not same({"y": np.array([1])}, {"y": np.array([2])})
    assert not same(y, None)


def length(value: int) -> bytes:
    """A protobuf varint."""
    result = bytearray()
    while value > 0x7F:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*result, value])


def field(number: int, content: bytes) -> bytes:
    return length(number << 3 | 2) + length(len(content)) + content


def nested_bytes(depth: int) -> bytes:
    """A model with an If in an If in …, written by hand: protobuf itself refuses to."""
    content = b""
    for level in reversed(range(depth)):
        node = field(4, b"If") + field(3, f"if_{level}".encode()) + field(2, b"y") + field(1, b"c")
        attribute = field(1, b"then_branch") + length(20 << 3) + length(5) + field(6, content)
        content = field(1, node + field(5, attribute))
    return length(1 << 3) + length(10) + field(7, content) + field(8, length(2 << 3) + length(21))


@pytest.mark.parametrize("depth", [200, 10_000])
def test_deep_nesting_in_a_file_is_refused(depth: int, tmp_path: Path) -> None:
    (tmp_path / "deep.onnx").write_bytes(nested_bytes(depth))
    with pytest.raises(TfmbsError) as caught:
        tfmbs.compile(load_onnx(tmp_path / "deep.onnx"))
    assert caught.value.code == "onnx.parse"


def test_the_nesting_is_what_is_refused(tmp_path: Path) -> None:
    """One that is not deep parses, and is refused for what it lacks."""
    (tmp_path / "flat.onnx").write_bytes(nested_bytes(3))
    model = load_onnx(tmp_path / "flat.onnx")
    assert model.graph.node[0].attribute[0].g.node[0].name == "if_1"


def test_deep_nesting_in_memory_is_refused() -> None:
    with pytest.raises(TfmbsError, match="depth of nesting, expected at most 100 messages"):
        tfmbs.compile(nested(10_000))


def test_nodes_of_one_name_are_computed() -> None:
    """Names of nodes need not differ in ONNX: only those of values."""
    model = onnx.load_model_from_string(sources()[-2])
    for each in model.graph.node:
        each.name = "same"
    tfmbs.compile(model)
