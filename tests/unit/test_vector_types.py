"""Element types of vector code: a target that lacks one makes the compiler refuse, and the loader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto

import tfmbs
from tests.models.zoo import build, node
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.target_file import TARGETS

LACKING = "f64"


@pytest.fixture
def target(tmp_path: Path) -> str:
    """A target file without f64."""
    text = (TARGETS / "kpu-16x16.toml").read_text(encoding="utf-8")
    assert f', "{LACKING}"' in text
    path = tmp_path / "narrow.toml"
    path.write_text(text.replace(f', "{LACKING}"', "").replace('"kpu-16x16"', '"narrow"'), encoding="utf-8")
    return str(path)


def _model(element: int) -> ModelProto:
    """x, converted to an element type, doubled, and back."""
    two = np.array(2, {TensorProto.DOUBLE: np.float64, TensorProto.FLOAT16: np.float16}[element])
    nodes = [
        node("Cast", "x", "a", to=element),
        node("Mul", "a two", "b"),
        node("Cast", "b", "y", to=TensorProto.FLOAT),
    ]
    return build(nodes, (8,), two=two)


def test_code_of_a_type_that_the_target_lacks_is_refused_by_node_and_type(target: str) -> None:
    with pytest.raises(TfmbsError) as caught:
        tfmbs.compile(_model(TensorProto.DOUBLE), target=target)
    assert caught.value.code == "unsupported"
    assert str(caught.value).startswith(
        "error: cast_a: linalg.generic: element type of vector code for narrow, expected"
    )
    assert str(caught.value).endswith("got f64")


def test_code_of_other_types_runs_there(target: str) -> None:
    program = tfmbs.compile(_model(TensorProto.FLOAT16), target=target)
    x = np.arange(8, dtype=np.float32)
    np.testing.assert_array_equal(program.run({"x": x})["y"], 2 * x)


def test_a_binary_for_a_target_that_lacks_its_types_is_refused() -> None:
    image = tfmbs.compile(_model(TensorProto.DOUBLE)).image
    types = [name for name in image.target["vector"]["types"] if name != LACKING]
    narrow = image.target | {"vector": image.target["vector"] | {"types": types}}
    changed = Image(**{**vars(Image.from_buffer(image.to_bytes())), "target": narrow, "file": None})
    with pytest.raises(
        TfmbsError, match=r"PROGRAM\[0\].first_word.*: element type of vector code of kpu-16x16, .* got f64"
    ):
        Image.from_buffer(changed.to_bytes())
