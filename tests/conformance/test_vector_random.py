"""Random vector programs on every device and in the model: all registers and windows, by bytes."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conformance.builder import DTYPE_OF_NUMPY, Builder
from tests.conformance.devices import DeviceUnderTest
from tests.conformance.random_programs import ELEMENTS, INPUTS, OUTPUTS, SENT, STREAM_ELEMENTS, Generator
from tests.conformance.siw_model import Machine
from tests.conformance.test_vector_compute import PATTERNS, PATTERNS64
from tests.conformance.vector_programs import array_type, patterns
from tests.native import examples
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.types import DType

Array = NDArray[Any]


def sources(seed: int) -> list[Array]:
    """Windows of patterns: what is hard about numbers, small integers, and any bits."""
    rng = np.random.default_rng(seed)

    def mixed(hard: Array, plain: Array) -> Array:
        return np.where(rng.random(ELEMENTS) < 0.5, plain, rng.choice(hard, ELEMENTS))

    f32 = mixed(PATTERNS, rng.standard_normal(ELEMENTS).astype(np.float32).view(np.uint32)).view(np.float32)
    i64 = mixed(PATTERNS64, rng.integers(-1, 3, ELEMENTS).view(np.uint64)).view(np.int64)
    others = [patterns(dtype, STREAM_ELEMENTS if dtype is INPUTS[-1] else ELEMENTS, seed) for dtype in INPUTS[2:]]
    return [f32, i64, *others]


@cache
def case(seed: int, pool: int, length: int) -> tuple[Image, dict[str, Array], dict[str, bytes]]:
    words = Generator(seed, pool).program(length)
    given = {f"x{i}": x for i, x in enumerate(sources(seed))}
    sizes = [STREAM_ELEMENTS if dtype is SENT else ELEMENTS for dtype in OUTPUTS]
    results = {f"y{i}": np.zeros(sizes[i], array_type(dtype)) for i, dtype in enumerate(OUTPUTS)}
    builder, windows = Builder(), []
    for (name, array), dtype in zip([*given.items(), *results.items()], [*INPUTS, *OUTPUTS], strict=True):
        kind = DTYPE_OF_NUMPY[array.dtype.name]
        tensor = (builder.input if name in given else builder.output)(name, array.shape, kind)
        if name in results:
            builder.copy(builder.constant(array), tensor)
        windows.append(builder.view(tensor, array.shape, dtype) if dtype is DType.BF16 else tensor)
    builder.vector(words, windows)
    image = builder.image()
    Machine([*given.values(), *results.values()]).run(words)
    return image, given, {name: array.tobytes() for name, array in results.items()}


def check(device: DeviceUnderTest, seed: int, pool: int, length: int) -> None:
    image, given, expected = case(seed, pool, length)
    got = {name: array.tobytes() for name, array in device.run(image, given).items()}
    assert [name for name in expected if got[name] != expected[name]] == []


@pytest.mark.parametrize("seed", range(examples(25)))
def test_random_program(device: DeviceUnderTest, seed: int) -> None:
    check(device, seed, pool=24, length=60)


@pytest.mark.parametrize("seed", range(examples(25)))
def test_slots_that_touch_the_same_registers(device: DeviceUnderTest, seed: int) -> None:
    """Six registers in all: what one slot writes, another reads, in circles, and as halves of a pair."""
    check(device, 1000 + seed, pool=6, length=60)
