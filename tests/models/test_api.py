"""The Python API as a user meets it: every value a caller can give works or is a TfmbsError with code and location."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto

import tfmbs
from tests.models.zoo import build, node
from tfmbs.compiler.api import lower
from tfmbs.runtime.abi.errors import CODES, TfmbsError

X = np.arange(6, dtype=np.float32).reshape(2, 3) - 3
WEIGHTS = np.array([[1, 2, 0], [0, 1, -1], [2, 0, 1]], np.float32)
EXPECTED = X @ WEIGHTS  # exact: small integers


def product(rows: int | str = 2) -> onnx.ModelProto:
    """y = x · w."""
    return build([node("MatMul", "x w", "y")], (rows, 3), w=WEIGHTS)


@pytest.fixture(scope="module")
def program() -> tfmbs.Program:
    return tfmbs.compile(product())


def refusal(act: Callable[[], object]) -> TfmbsError:
    with pytest.raises(TfmbsError) as caught:
        act()
    error = caught.value
    assert error.code in CODES
    assert error.location
    assert "\n" not in str(error)
    return error


def unaligned() -> Any:
    return np.frombuffer(b"\0" + X.tobytes(), np.uint8)[1:].view(np.float32).reshape(2, 3)


def frozen() -> Any:
    array = X.copy()
    array.setflags(write=False)
    return array


TAKEN: dict[str, Callable[[], Any]] = {
    "fortran": lambda: np.asfortranarray(X),
    "strided": lambda: np.repeat(X, 2, axis=1)[:, ::2],
    "reversed": lambda: np.ascontiguousarray(X[::-1])[::-1],
    "read only": frozen,
    "unaligned": unaligned,
    "buffer": lambda: memoryview(X),
    "subclass": lambda: X.view(np.matrix),
}


@pytest.mark.parametrize("name", TAKEN)
def test_any_layout_of_the_right_array_is_taken(program: tfmbs.Program, name: str) -> None:
    given = TAKEN[name]()
    np.testing.assert_array_equal(program.run({"x": given})["y"], EXPECTED)
    np.testing.assert_array_equal(program(given)["y"], EXPECTED)


WRONG: dict[str, tuple[Any, str]] = {
    "list": (X.tolist(), "input.dtype"),
    "f64": (X.astype(np.float64), "input.dtype"),
    "i32": (X.astype(np.int32), "input.dtype"),
    "big endian": (X.astype(">f4"), "input.dtype"),
    "bf16": (X.astype(ml_dtypes.bfloat16), "input.dtype"),
    "complex": (X.astype(np.complex64), "input.dtype"),
    "record": (np.zeros((2, 3), [("a", "f4")]), "input.dtype"),
    "dates": (np.zeros((2, 3), "M8[s]"), "input.dtype"),
    "text": ("abc", "input.dtype"),
    "nothing": (None, "input.dtype"),
    "objects": (np.full((2, 3), None), "input.dtype"),
    "ragged": ([[1.0], [2.0, 3.0]], "input.dtype"),
    "scalar": (np.float32(1), "input.shape"),
    "transposed": (X.T, "input.shape"),
    "no rows": (X[:0], "input.shape"),
}


@pytest.mark.parametrize("name", WRONG)
def test_another_array_is_refused(program: tfmbs.Program, name: str) -> None:
    value, code = WRONG[name]
    error = refusal(lambda: program.run({"x": value}))
    assert (error.code, error.location) == (code, "x")


CALLS: dict[str, tuple[Callable[[tfmbs.Program], object], str]] = {
    "missing": (lambda p: p.run({}), "input.name"),
    "extra": (lambda p: p.run({"x": X, "q": X}), "input.name"),
    "no mapping": (lambda p: p.run([X]), "input.name"),
    "nothing": (lambda p: p.run(None), "input.name"),
    "other key": (lambda p: p.run({1: X}), "input.name"),
    "no arrays": (lambda p: p(), "input.name"),
    "two arrays": (lambda p: p(X, X), "input.name"),
    "entry": (lambda p: p.run({"x": X}, entry="q"), "input.name"),
    "device": (lambda p: p.run({"x": X}, device="fpga"), "device"),
    "no device": (lambda p: p.run({"x": X}, device=None), "device"),
    "list of devices": (lambda p: p.context(device=["emulator"]), "device"),
    "no threads": (lambda p: p.context(threads=0), "usage"),
    "half a thread": (lambda p: p.context(threads=1.5), "usage"),
    "threads as text": (lambda p: p.context(threads="2"), "usage"),
    "stats before a run": (lambda p: p.context().stats, "device"),
    "save to a folder": (lambda p: p.save("/"), "io"),
    "save nowhere": (lambda p: p.save("/none/m.tfb"), "io"),
    "save to nothing": (lambda p: p.save(None), "io"),
    "save to no name": (lambda p: p.save(""), "io"),
    "save to NUL": (lambda p: p.save("a\0b"), "io"),
    "load a number": (lambda _: tfmbs.load(3), "io"),
    "load NUL": (lambda _: tfmbs.load("a\0b"), "io"),
    "load a device": (lambda _: tfmbs.load("/dev/null"), "container.magic"),
    "target": (lambda _: tfmbs.compile(product(), target=None), "target"),
    "precision": (lambda _: tfmbs.compile(product(), precision=8), "usage"),
    "dims as list": (lambda _: tfmbs.compile(product("n"), dims=["n"]), "onnx.dim"),
    "dims as text": (lambda _: tfmbs.compile(product("n"), dims={"n": "2"}), "onnx.dim"),
    "dims as float": (lambda _: tfmbs.compile(product("n"), dims={"n": 2.0}), "onnx.dim"),
    "dims as bool": (lambda _: tfmbs.compile(product("n"), dims={"n": True}), "onnx.dim"),
    "dims too large": (lambda _: tfmbs.compile(product("n"), dims={"n": 1 << 70}), "onnx.dim"),
    "dims below one": (lambda _: tfmbs.compile(product("n"), dims={"n": 0}), "onnx.dim"),
    "dims unbound": (lambda _: tfmbs.compile(product("n")), "onnx.dim"),
    "bytes": (lambda _: tfmbs.compile(product().SerializeToString()), "unsupported"),
    "graph": (lambda _: tfmbs.compile(product().graph), "unsupported"),
    "path with NUL": (lambda _: tfmbs.compile("a\0b.onnx"), "io"),
    "IR path with NUL": (lambda _: tfmbs.compile("a\0b.mlir"), "io"),
    "long path": (lambda _: tfmbs.compile(Path("a" * 5000 + ".onnx")), "io"),
    "stage": (lambda _: lower(product(), 3), "usage"),
}


@pytest.mark.parametrize("name", CALLS)
def test_impossible_calls_are_refused(program: tfmbs.Program, name: str) -> None:
    act, code = CALLS[name]
    assert refusal(lambda: act(program)).code == code


SAMPLES: dict[str, tuple[Any, str]] = {
    "number": (3, "input.name"),
    "none at all": ([], "quantize"),
    "arrays without names": ([X], "input.name"),
    "nothing": ([None], "input.name"),
    "f64": ([{"x": X.astype(np.float64)}], "input.dtype"),
    "ragged": ([{"x": [[1.0], [2.0, 3.0]]}], "input.dtype"),
    "odd rows": ([{"x": X[:1]}], "input.shape"),
    "not a number": ([{"x": np.full((2, 3), np.nan, np.float32)}], "quantize"),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_impossible_samples_are_refused(name: str) -> None:
    samples, code = SAMPLES[name]
    assert refusal(lambda: tfmbs.compile(product(), precision="int8", calibration=samples)).code == code


def test_samples_may_be_produced_once() -> None:
    once = tfmbs.compile(product(), precision="int8", calibration=({"x": X} for _ in range(2)))
    assert bytes(once.image.to_bytes()) == bytes(
        tfmbs.compile(product(), precision="int8", calibration={"x": X}).image.to_bytes()
    )


def test_saved_program_is_the_compiled_one(program: tfmbs.Program, tmp_path: Path) -> None:
    path = tmp_path / "ü m.tfb"
    path.write_bytes(b"an older file")
    program.save(path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    np.testing.assert_array_equal(tfmbs.load(str(path)).run({"x": X})["y"], EXPECTED)


def test_a_device_file_is_written_not_replaced(program: tfmbs.Program, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as reader:
        content = reader.submit(pipe.read_bytes)
        program.save(pipe)
        assert content.result(30) == bytes(program.image.to_bytes())
    assert pipe.is_fifo()


def test_threads_share_a_program(program: tfmbs.Program) -> None:
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda i: program.run({"x": X + i})["y"], range(40)))
    for i, result in enumerate(results):
        np.testing.assert_array_equal(result, (X + np.float32(i)) @ WEIGHTS)


def test_threads_compile_at_once(program: tfmbs.Program) -> None:
    with ThreadPoolExecutor(3) as threads:
        compiled = list(threads.map(lambda _: bytes(tfmbs.compile(product()).image.to_bytes()), range(3)))
    assert set(compiled) == {bytes(program.image.to_bytes())}


def test_results_are_the_callers(program: tfmbs.Program) -> None:
    """Neither a later run nor a change of the input reaches an array that was returned."""
    given, context = X.copy(), program.context(threads=2)
    first = context.run({"x": given})["y"]
    given += 1
    second = context.run({"x": given})["y"]
    np.testing.assert_array_equal(first, EXPECTED)
    np.testing.assert_array_equal(second, (X + 1) @ WEIGHTS)
    assert first.flags.writeable


def test_external_data_of_a_path_is_read_and_of_a_message_refused(tmp_path: Path) -> None:
    model = product()
    tensor = model.graph.initializer[0]
    (tmp_path / "w.bin").write_bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="w.bin")
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    np.testing.assert_array_equal(tfmbs.compile(tmp_path / "m.onnx").run({"x": X})["y"], EXPECTED)
    assert refusal(lambda: tfmbs.compile(model)).code == "onnx.external-data"


def test_the_model_of_the_caller_stays_as_it_is() -> None:
    model = product("n")
    before = model.SerializeToString(deterministic=True)
    tfmbs.compile(model, dims={"n": np.int64(2)})
    assert model.SerializeToString(deterministic=True) == before
