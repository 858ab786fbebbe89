"""Reading ONNX models: what is refused, and with which words; what preparation makes of the rest."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from tfmbs.compiler.importers.onnx import import_onnx
from tfmbs.compiler.importers.onnx_file import load_onnx
from tfmbs.compiler.importers.onnx_model import prepare
from tfmbs.compiler.importers.onnx_opset import OPSET
from tfmbs.dialect.mlir import context
from tfmbs.runtime.abi.errors import TfmbsError

WEIGHTS = np.arange(12, dtype=np.float32).reshape(4, 3)


def model(
    *nodes: onnx.NodeProto, shape: tuple[Any, ...] = (2, 4), opset: int = OPSET, **arrays: Any
) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def product(**changes: Any) -> onnx.ModelProto:
    return model(helper.make_node("MatMul", ["x", "w"], ["y"], name="product"), w=WEIGHTS, **changes)


def refusal(call: Any) -> TfmbsError:
    with pytest.raises(TfmbsError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("data", [b"", b"\x08", b"not a model", b"\0" * 100, os.urandom(4096)])
def test_bytes_that_are_no_model(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    assert refusal(lambda: prepare(load_onnx(path), {})).code in {"onnx.parse", "onnx.invalid"}


def test_missing_file(tmp_path: Path) -> None:
    assert refusal(lambda: load_onnx(tmp_path / "none.onnx")).code == "io"


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_truncated_model(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    whole = product().SerializeToString()
    path = tmp_path_factory.mktemp("cut") / "m.onnx"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    # A protobuf cut between two fields is a shorter message: that may lose the opset at the end, but no node or weight.
    try:
        prepared = prepare(load_onnx(path), {})
    except TfmbsError as error:
        code = error.code
    else:
        code = "onnx." if len(prepared.graph.node) == len(prepared.graph.initializer) == 1 else "nothing was refused"
    assert code.startswith("onnx.")


def test_unknown_op_is_named_with_its_node() -> None:
    bad = model(helper.make_node("Frobnicate", ["x"], ["y"], name="node_7"))
    error = refusal(lambda: prepare(bad, {}))
    assert error.code == "onnx.unsupported"
    where, what = str(error).split("): ")
    assert where == "error: model: node 'node_7' (Frobnicate"
    assert what == "unknown op Frobnicate, expected an op of the imported opsets (ai.onnx 21)"


def test_unknown_domain_and_unnamed_node() -> None:
    bad = model(helper.make_node("Gelu", ["x"], ["y"], domain="com.example"))
    assert "node producing 'y' (Gelu)" in str(refusal(lambda: prepare(bad, {})))


def test_unbound_dimension_says_how_to_bind_it() -> None:
    error = refusal(lambda: prepare(product(shape=("batch", 4)), {}))
    assert (error.code, error.what) == ("onnx.dim", "symbolic dimension 'batch' is not bound")
    assert "--dim batch=N" in str(error)


@pytest.mark.parametrize(("dims", "message"), [({"batch": 0}, "at least 1"), ({"batch": 1, "seq": 2}, "'seq'")])
def test_impossible_bindings(dims: dict[str, int], message: str) -> None:
    assert message in str(refusal(lambda: prepare(product(shape=("batch", 4)), dims)))


def test_bound_dimension_reaches_every_shape() -> None:
    prepared = prepare(product(shape=("batch", 4)), {"batch": 5})
    sizes = [d.dim_value for d in prepared.graph.output[0].type.tensor_type.shape.dim]
    assert sizes == [5, 3]


def test_old_opset_is_converted() -> None:
    prepared = prepare(model(helper.make_node("Relu", ["x"], ["y"]), opset=9), {})
    assert prepared.opset_import[0].version == OPSET


def test_slopes_of_old_opsets_are_one_per_channel() -> None:
    """Onnx's converter leaves a vector of slopes as it is, which means the last axis from opset 7 on."""
    node = helper.make_node("PRelu", ["x", "s"], ["y"])
    old = prepare(model(node, shape=(2, 3, 4, 5), opset=6, s=np.ones(3, np.float32)), {})
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in old.graph.value_info}
    (slopes,) = (node.input[1] for node in old.graph.node if node.op_type == "PRelu")
    constants = {
        node.output[0]: list(node.attribute[0].t.dims) for node in old.graph.node if node.op_type == "Constant"
    }
    assert (shapes | constants)[slopes] == [3, 1, 1]


def test_value_dependent_shape_is_refused() -> None:
    bad = model(
        helper.make_node("NonZero", ["x"], ["z"], name="where"),
        helper.make_node("Cast", ["z"], ["y"], to=TensorProto.FLOAT),
    )
    assert "node 'where' (NonZero)" in str(refusal(lambda: prepare(bad, {})))


def test_entry_carries_the_names() -> None:
    module = import_onnx(product(), context=context())
    text = str(module)
    assert '@main(%arg0: !torch.vtensor<[2,4],f32> {tfmbs.name = "x"' in text
    assert '{tfmbs.name = "y"}' in text


def external(folder: Path, location: str, **entries: Any) -> Path:
    """A model file whose weights are external data at `location`."""
    outside = product()
    tensor = outside.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    path = folder / "m.onnx"
    path.write_bytes(outside.SerializeToString())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "models"
    (inside / "sub").mkdir(parents=True)
    for place in (inside / "w.bin", inside / "sub" / "w.bin", tmp_path / "secret.bin"):
        place.write_bytes(b"\0" * 8 + WEIGHTS.tobytes())
    return inside


@pytest.mark.parametrize("location", ["w.bin", "sub/w.bin", "./w.bin"])
def test_external_data_inside_the_folder(folder: Path, location: str) -> None:
    loaded = load_onnx(external(folder, location, offset=8, length=48))
    np.testing.assert_array_equal(numpy_helper.to_array(loaded.graph.initializer[0]), WEIGHTS)


@pytest.mark.parametrize(
    "location", ["../secret.bin", "sub/../../secret.bin", "/etc/passwd", "w.bin\0", "", "sub", "none.bin"]
)
def test_external_data_outside_is_refused(folder: Path, location: str) -> None:
    error = refusal(lambda: load_onnx(external(folder, location)))
    assert error.code == "onnx.external-data"
    assert "tensor 'w'" in str(error)


def test_links_are_refused(folder: Path) -> None:
    (folder / "symbolic.bin").symlink_to(folder.parent / "secret.bin")
    (folder / "parent").symlink_to(folder.parent, target_is_directory=True)
    os.link(folder.parent / "secret.bin", folder / "hard.bin")
    for location in ("symbolic.bin", "parent/secret.bin", "hard.bin"):
        assert refusal(lambda at=location: load_onnx(external(folder, at))).code == "onnx.external-data"


@pytest.mark.parametrize(
    "entries",
    [
        {"offset": 9, "length": 48},
        {"offset": 1 << 62, "length": 48},
        {"offset": 0, "length": 47},
        {"offset": "-1", "length": 48},
        {"offset": "8x", "length": 48},
        {"length": "9" * 30},
        {"basepath": "/"},
    ],
)
def test_impossible_ranges_are_refused(folder: Path, entries: dict[str, Any]) -> None:
    assert refusal(lambda: load_onnx(external(folder, "w.bin", **entries))).code == "onnx.external-data"


def test_raw_data_of_the_wrong_size() -> None:
    bad = product()
    bad.graph.initializer[0].raw_data = b"\0" * 44
    assert "expected 48, got 44" in str(refusal(lambda: prepare(bad, {}))).replace(" bytes", "")
