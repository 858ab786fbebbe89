"""Inputs and outputs in memory of the caller: arrays, and tensors of other libraries, without copies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from tests.conformance.builder import Builder
from tfmbs.runtime import foreign
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.devices import DEVICES
from tfmbs.runtime.program import Program

torch = pytest.importorskip("torch")

F32, BF16, U16 = DType.F32, DType.BF16, DType.U16
WEIGHTS = np.arange(12, dtype=np.float32).reshape(3, 4)
X = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)


def product() -> Program:
    """y = x · Wᵀ, and z = a copy of x."""
    builder = Builder()
    x = builder.input("x", (2, 4), F32)
    builder.gemm(x, builder.constant(WEIGHTS), builder.output("y", (2, 3), F32), m=2, n=3, k=4)
    builder.copy(x, builder.output("z", (2, 4), F32))
    return Program(builder.image())


def copy_of(dtype: DType) -> Program:
    builder = Builder()
    builder.copy(builder.input("x", (2, 4), dtype), builder.output("y", (2, 4), dtype))
    return Program(builder.image())


class Described:
    """An object that is no array but says where one is."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array
        self.__array_interface__ = array.__array_interface__


class Tensor:
    """An object that offers nothing but DLPack."""

    def __init__(self, tensor: Any) -> None:
        self._tensor = tensor

    def __dlpack__(self, **options: Any) -> Any:
        return self._tensor.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._tensor.__dlpack_device__()


SOURCES: dict[str, Callable[[np.ndarray], Any]] = {
    "array": lambda array: array,
    "array interface": Described,
    "torch": torch.from_numpy,
    "DLPack": lambda array: Tensor(torch.from_numpy(array)),
    "buffer": memoryview,
}


@pytest.mark.parametrize("kind", SOURCES)
def test_inputs_are_read_where_they_are(kind: str) -> None:
    source = X.copy()
    given = SOURCES[kind](source)
    array, is_bf16 = foreign.as_array("x", given)
    assert np.shares_memory(array, source)
    assert not is_bf16
    context = product().context(threads=1)
    for _ in range(2):  # the second time it is known
        outputs = context.run({"x": given})
        assert outputs["y"].tobytes() == (X @ WEIGHTS.T).tobytes()
        assert outputs["z"].tobytes() == source.tobytes()
        source += 0  # in place: `given` sees it
    source[:] = 0
    assert not context.run({"x": given})["z"].any()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", ["array", "torch", "buffer", "array interface", "DLPack"])
def test_outputs_are_written_into_arrays_of_the_caller(kind: str, device: str) -> None:
    memory = np.full((2, 4), np.nan, np.float32)
    given = SOURCES[kind](memory)
    outputs = product().context(device, threads=1).run({"x": X}, out={"z": given})
    assert list(outputs) == ["y", "z"]
    assert memory.tobytes() == X.tobytes()
    assert np.shares_memory(outputs["z"], memory)
    assert not np.shares_memory(outputs["y"], memory)


def test_an_array_in_another_layout_is_written_too() -> None:
    context = product().context(threads=1)
    wide = np.full((2, 8), 7, np.float32)
    transposed = np.zeros((4, 2), np.float32)
    shifted = np.zeros(33, np.uint8)[1:].view(np.float32).reshape(2, 4)
    for given in (wide[:, ::2], transposed.T, shifted):
        assert context.run({"x": X}, out={"z": given})["z"] is given
        assert np.array_equal(given, X)
    assert (wide[:, 1::2] == 7).all()


@pytest.mark.parametrize("source", [ml_dtypes.bfloat16, None])
def test_bf16_is_taken_and_given_as_such(source: Any) -> None:
    values = np.arange(8, dtype=np.float32).reshape(2, 4).astype(ml_dtypes.bfloat16)
    out: Any
    if source is None:
        given, out = torch.arange(8, dtype=torch.bfloat16).reshape(2, 4), torch.zeros((2, 4), dtype=torch.bfloat16)
    else:
        given, out = values, np.zeros((2, 4), source)
    context = copy_of(BF16).context(threads=1)
    for _ in range(2):
        context.run({"x": given}, out={"y": out})
    bits = out.view(torch.uint16).numpy() if source is None else out.view(np.uint16)
    assert bits.tobytes() == values.tobytes()


def test_bits_are_not_taken_for_integers() -> None:
    context = copy_of(U16).context(threads=1)
    given = {"x": np.zeros((2, 4), np.uint16)}
    context.run(given)
    tensor = torch.zeros((2, 4), dtype=torch.bfloat16)
    for _ in range(2):
        refused(lambda: context.run({"x": tensor}), "input.dtype", "x: element type, expected uint16, got bfloat16")
        refused(
            lambda: context.run(given, out={"y": tensor}), "output", "y: element type, expected uint16, got bfloat16"
        )


def refused(call: Callable[[], object], code: str, text: str) -> None:
    with pytest.raises(TfmbsError) as caught:
        call()
    assert caught.value.code == code
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


class Elsewhere(Tensor):
    def __dlpack_device__(self) -> Any:
        return 2, 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (torch.zeros((2, 4), requires_grad=True), "x: it cannot be made an array: "),
        (Elsewhere(torch.zeros(2, 4)), "x: device type (DLPack), expected 1 (CPU), got 2"),
        (object(), "x: element type, expected float32, got object"),
    ],
)
def test_tensors_that_cannot_be_read(value: Any, text: str) -> None:
    refused(lambda: product().run({"x": value}), "input.dtype", text)


def frozen() -> np.ndarray:
    array = np.zeros((2, 4), np.float32)
    array.flags.writeable = False
    return array


MEMORY = np.zeros(24, np.float32)
REFUSED: dict[str, tuple[Any, str]] = {
    "no such output": ({"w": MEMORY}, "w: no such output, expected y/z, got w"),
    "no mapping": ([MEMORY], "out: arrays by name, expected a mapping, got list"),
    "shape": ({"z": np.zeros((4, 2), np.float32)}, "z: shape, expected 2×4, got 4×2"),
    "dtype": ({"z": np.zeros((2, 4))}, "z: element type, expected float32, got float64"),
    "byte order": ({"z": np.zeros((2, 4), ">f4")}, "z: element type, expected float32, got >f4"),
    "a list": ({"z": [[0.0] * 4] * 2}, "z: what is written into, expected an array or tensor, got list"),
    "a number": ({"z": 1.0}, "z: what is written into, expected an array or tensor, got float"),
    "read only": ({"z": frozen()}, "z: what is written into, expected a writable array, got one that is read only"),
    "overlap": (
        {"y": MEMORY[:6].reshape(2, 3), "z": MEMORY[4:12].reshape(2, 4)},
        "y: its memory is that of z as well, expected memory of its own",
    ),
    "its own input": ({"z": X}, "z: its memory is that of x as well"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_arrays_that_outputs_cannot_be_written_into(name: str) -> None:
    out, text = REFUSED[name]
    refused(lambda: product().run({"x": X}, out=out), "output", text)


def test_the_same_arrays_by_other_names_are_looked_at_again() -> None:
    """What was accepted before is told apart by names, shapes and element types."""
    builder = Builder()
    for name in ("a", "b"):
        builder.copy(builder.input(name, (2, 4), F32), builder.output(f"of {name}", (2, 4), F32))
    context = Program(builder.image()).context(threads=1)
    ones, twos = np.full((2, 4), 1, np.float32), np.full((2, 4), 2, np.float32)
    for given in ({"a": ones, "b": twos}, {"b": twos, "a": ones}, {"b": ones, "a": twos}):
        outputs = context.run(given)
        assert outputs["of a"].tobytes() == given["a"].tobytes()
        assert outputs["of b"].tobytes() == given["b"].tobytes()
    for wrong in ({"a": ones}, {"a": ones, "b": twos, "c": ones}, {"a": ones, "b": twos.astype(np.float64)}):
        with pytest.raises(TfmbsError):
            context.run(wrong)
