"""ONNX files read with their weights apart: the same model and the same bytes as onnx reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from tfmbs.compiler.importers.onnx_file import load_onnx, read_onnx
from tfmbs.compiler.importers.onnx_model import parts_of
from tfmbs.compiler.importers.onnx_opset import OPSET
from tfmbs.compiler.importers.onnx_wire import IrregularError, cut
from tfmbs.runtime.abi.errors import TfmbsError

LARGE = (160, 128)  # 80 KiB of f32


def tensor(name: str, shape: tuple[int, ...] = LARGE, kind: int = TensorProto.FLOAT) -> TensorProto:
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    return numpy_helper.from_array(np.random.default_rng(len(name)).integers(-9, 9, shape).astype(dtype), name)


def model(*tensors: TensorProto) -> ModelProto:
    names = [tensor.name for tensor in tensors]
    nodes = [helper.make_node("Identity", [name], [f"out_{name}"]) for name in names]
    outputs = [helper.make_tensor_value_info(f"out_{t.name}", t.data_type, t.dims) for t in tensors]
    graph = helper.make_graph(nodes, "g", [], outputs, list(tensors))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="p" * 200)


def written(folder: Path, data: bytes) -> Path:
    path = folder / "m.onnx"
    path.write_bytes(data)
    return path


def whole(path: Path) -> ModelProto:
    """What `read_onnx` reads, with the data put back."""
    file = read_onnx(path)
    for index, data in file.data.items():
        assert not file.model.graph.initializer[index].HasField("raw_data")
        file.model.graph.initializer[index].raw_data = data.tobytes()
    return file.model


def test_only_weights_are_read_apart(tmp_path: Path) -> None:
    given = model(
        tensor("small", (3, 3)),
        tensor("f32"),
        tensor("fp8", (320, 256), TensorProto.FLOAT8E4M3FN),
        tensor("bf16", (320, 256), TensorProto.BFLOAT16),
    )
    path = written(tmp_path, given.SerializeToString())
    assert sorted(read_onnx(path).data) == [1, 3]
    assert whole(path) == given == load_onnx(path)


def test_arrays_are_aligned_and_are_the_weights(tmp_path: Path) -> None:
    given = model(tensor("a"), tensor("bf16", (320, 256), TensorProto.BFLOAT16))
    file = read_onnx(written(tmp_path, given.SerializeToString()))
    parts, expected = parts_of(file.model, "m", file.data), parts_of(given)
    for name, array in expected.arrays.items():
        assert parts.arrays[name].flags.aligned
        assert parts.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(parts.arrays[name], array)
    assert parts.model == expected.model


@settings(max_examples=100)
@given(st.data())
def test_any_cut_of_any_message_is_what_a_parser_reads(data: st.DataObject) -> None:
    """Changed, cut and joined bytes: left to the parser of the whole, or cut into what it reads, too."""
    content = bytearray(model(tensor("a", (5, 5)), tensor("b", (64,)), tensor("c", (7,))).SerializeToString())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    try:
        found = cut(memoryview(bytes(content)), 64)
    except IrregularError:
        return
    try:
        expected = ModelProto.FromString(bytes(content))
    except DecodeError:
        with pytest.raises(DecodeError):
            ModelProto.FromString(found.light)
        return
    got = ModelProto.FromString(found.light)
    for index, (offset, length) in found.data.items():
        got.graph.initializer[index].raw_data = bytes(content[offset : offset + length])
    assert got.SerializeToString(deterministic=True) == expected.SerializeToString(deterministic=True)


def twice(message: ModelProto) -> bytes:
    """Two graphs, which a parser merges."""
    return message.SerializeToString() + ModelProto(graph=message.graph).SerializeToString()


def test_a_graph_in_two_halves_is_for_the_parser(tmp_path: Path) -> None:
    content = twice(model(tensor("a")))
    with pytest.raises(IrregularError):
        cut(memoryview(content), 64)
    file = read_onnx(written(tmp_path, content))
    assert not file.data
    assert len(file.model.graph.initializer) == 2


@pytest.mark.parametrize("length", [LARGE[0] * LARGE[1] * 4 - 1, LARGE[0] * LARGE[1] * 4 + 4])
def test_data_apart_of_the_wrong_size_is_refused(tmp_path: Path, length: int) -> None:
    wrong = model(tensor("a"))
    wrong.graph.initializer[0].raw_data = bytes(length)
    file = read_onnx(written(tmp_path, wrong.SerializeToString()))
    with pytest.raises(TfmbsError, match=rf"tensor 'a': data.*expected {LARGE[0] * LARGE[1] * 4} bytes, got {length}"):
        parts_of(file.model, "m", file.data)


def test_varints_of_every_length() -> None:
    for size in (64, 127, 128, 16383, 16384, 1 << 21):
        given = model(TensorProto(name="a", data_type=TensorProto.INT8, dims=[size], raw_data=bytes(size)))
        content = given.SerializeToString()
        found = cut(memoryview(content), 64)
        (span,) = found.data.values()
        assert span[1] == size
        got = ModelProto.FromString(found.light)
        got.graph.initializer[0].raw_data = content[span[0] : span[0] + size]
        assert got == given
