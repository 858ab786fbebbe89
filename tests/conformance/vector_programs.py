"""Runs vector programs on a device and in the model, on the same windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.conformance.builder import DTYPE_OF_NUMPY, Builder, Fields
from tests.conformance.devices import DeviceUnderTest
from tests.conformance.siw_model import Machine
from tfmbs.runtime.abi.types import DTYPES, DType

Array = NDArray[Any]
NO_TYPES: Mapping[int, DType] = {}


def compare_with_model(
    device: DeviceUnderTest,
    words: Sequence[Fields],
    inputs: Sequence[Array],
    *outputs: Array,
    types: Mapping[int, DType] = NO_TYPES,
) -> None:
    """Runs a program on windows (the inputs, then outputs like `outputs`), here and in the model; by bytes.

    The outputs start as they are given, which first launches write. `types` are element types of windows, by number,
    where these are not those of their arrays, as for BF16.
    """
    builder = Builder()
    windows = [builder.input(f"x{i}", x.shape, _type(x)) for i, x in enumerate(inputs)]
    for i, output in enumerate(outputs):
        windows.append(builder.output(f"y{i}", output.shape, _type(output)))
        builder.copy(builder.constant(output), windows[-1])
    arrays = [*inputs, *(output.copy() for output in outputs)]
    views = [builder.view(w, arrays[i].shape, types[i]) if i in types else w for i, w in enumerate(windows)]
    builder.vector(words, views)
    Machine([array.reshape(-1) for array in arrays]).run(words)
    results = device.run(builder.image(), {f"x{i}": x for i, x in enumerate(inputs)})
    for i, expected in enumerate(arrays[len(inputs) :]):
        assert results[f"y{i}"].tobytes() == expected.tobytes(), f"y{i}"


def _type(array: Array) -> DType:
    return DTYPE_OF_NUMPY[array.dtype.name]


def array_type(dtype: DType) -> np.dtype[Any]:
    """The numpy type that holds elements of a type; of BF16, their bits."""
    return np.dtype(DTYPES[dtype].numpy or np.uint16)


def patterns(dtype: DType, size: int, seed: int = 1) -> Array:
    """Elements of any bits."""
    rng = np.random.default_rng(seed)
    if dtype is DType.BOOL:
        return rng.integers(0, 2, size).astype(bool)
    return rng.integers(0, 256, size * DTYPES[dtype].bits // 8).astype(np.uint8).view(array_type(dtype))
