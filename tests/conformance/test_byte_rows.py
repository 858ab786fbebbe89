"""GROUP_GEMM of a few rows of i8 activations with i8 weights, which kernels read as the file has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.arithmetic import canonical
from tests.conformance.builder import DTYPE_OF_NUMPY, END, Builder, d
from tests.conformance.data import bytes_i8, floats
from tests.conformance.devices import DeviceUnderTest
from tests.conformance.test_epilogue import by_channel
from tests.conformance.test_groups import expected_of
from tests.native import examples
from tfmbs.runtime import _native
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.records import Activations
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.devices.emulator import Emulator

Array = np.ndarray[Any, np.dtype[Any]]
SETS = (*_native.instruction_sets(), *_native.modelled_sets())
LENGTHS = (16, 32, 64, 128, 192, 576)
"""Parts of a vector, vectors, and several of them."""


def image_of(lhs: Array, rhs: Array, scales: Array, zero: int = 0, bias: Array | None = None) -> Image:
    """Weights are the last constant: nothing lies behind them."""
    n = len(scales)
    absmax = lhs.dtype == np.float32
    builder = Builder()
    x = builder.input("x", lhs.shape, DTYPE_OF_NUMPY[lhs.dtype.name])
    out = builder.output("y", (len(lhs), n), DType.F32)
    by = builder.constant(scales)
    options: dict[str, Any] = {}
    if bias is not None:
        words = [by_channel(DType.F32, 1, 0), d("ADD", DType.F32, vd=0, va=0, vb=1), END]
        options = {"args": [builder.constant(bias)], "epilogue": builder.epilogue(words, 1)}
    builder.groups(
        x, builder.constant(rhs), by, out, m=len(lhs), n=n, k=lhs.shape[1], group=rhs.shape[1], lhs_zero=zero,
        activations=Activations.ABSMAX if absmax else Activations.STORED, **options,
    )  # fmt: skip
    return builder.image()


@given(m=st.integers(1, 3), n=st.integers(1, 20), length=st.sampled_from(LENGTHS), data=st.data())
@settings(max_examples=examples(40))
def test_random_rows(device: DeviceUnderTest, m: int, n: int, length: int, data: st.DataObject) -> None:
    """Any number of rows and groups; all bytes at their ends, too, where pairs of products exceed an i16."""
    rng = np.random.default_rng(data.draw(st.integers(0, 99), "seed"))
    count = data.draw(st.integers(1, 9), "count")
    rhs, scales = bytes_i8(rng, (n * count, length)), floats(rng, (n, count))
    lhs = bytes_i8(rng, (m, count * length))
    if data.draw(st.booleans(), "extreme"):
        lhs[:], rhs[:] = -128, data.draw(st.sampled_from([-128, 127]), "end")
    if data.draw(st.booleans(), "absmax"):
        lhs = floats(rng, lhs.shape)
        lhs[0, 0] = data.draw(st.sampled_from([0.0, 1e-6, np.inf, np.nan]), "odd")
    result = device.run(image_of(lhs, rhs, scales), {"x": lhs})["y"]
    assert result.tobytes() == expected_of(lhs, rhs, scales, 0, lhs.dtype == np.float32).tobytes()


@pytest.mark.parametrize("n", [511, 513, 1031])
@pytest.mark.parametrize("m", [1, 2])
def test_units_of_rows(device: DeviceUnderTest, m: int, n: int) -> None:
    """Rows that one unit, or one part of a unit, has too many; with an epilogue."""
    rng = np.random.default_rng(n)
    lhs, rhs, scales, bias = floats(rng, (m, 96)), bytes_i8(rng, (3 * n, 32)), floats(rng, (n, 3)), floats(rng, (n,))
    with np.errstate(all="ignore"):
        expected = canonical(expected_of(lhs, rhs, scales, 0, True) + bias)
    assert device.run(image_of(lhs, rhs, scales, bias=bias), {"x": lhs})["y"].tobytes() == expected.tobytes()


@pytest.mark.parametrize(("place", "length"), [(0, 16), (8, 16), (1, 32), (5, 32), (8, 32), (4, 64), (8, 64)])
@pytest.mark.parametrize("odd", [np.inf, -np.inf, np.nan, -0.0, 1e-45])
def test_odd_scales(device: DeviceUnderTest, place: int, length: int, odd: float) -> None:
    """Of one group each, in steps of several groups and in what is left of them; a product of −0 leaves +0.

    The last rows are those that are multiplied by themselves.
    """
    rng = np.random.default_rng(place)
    lhs, rhs, scales = bytes_i8(rng, (1, 9 * length)), bytes_i8(rng, (6 * 9, length)), floats(rng, (6, 9))
    scales[:, place] = odd
    scales[3], rhs[27:36] = -1e-45, 0
    scales[4], lhs[0, :length] = -np.float32(0), 1
    result = device.run(image_of(lhs, rhs, scales), {"x": lhs})["y"]
    assert result.tobytes() == expected_of(lhs, rhs, scales, 0, False).tobytes()


@pytest.mark.parametrize("isa", SETS)
def test_weights_are_not_copied(isa: str) -> None:
    """For a few rows of activations without a zero point they take no memory; for more, and with one, they do."""
    rng = np.random.default_rng(0)
    rhs, scales = bytes_i8(rng, (40 * 3, 32)), floats(rng, (40, 3))

    def packed(m: int, zero: int) -> int:
        image = image_of(bytes_i8(rng, (m, 96)), rhs, scales, zero)
        return Emulator(image, isa).whole.native.packed

    assert packed(1, 0) == packed(2, 0) == 0
    assert packed(3, 0) >= rhs.size
    assert packed(1, 1) >= rhs.size


@pytest.mark.parametrize("isa", SETS)
def test_what_is_counted(isa: str) -> None:
    """Products of weights that are zero are not active."""
    rng = np.random.default_rng(1)
    lhs, rhs, scales = floats(rng, (2, 64)), bytes_i8(rng, (14, 32)), floats(rng, (7, 2))
    rhs[rng.random(rhs.shape) < 0.3] = 0
    context = Emulator(image_of(lhs, rhs, scales), isa).context()
    context.run("main", {"x": lhs})
    (launch,) = context.stats.launches
    assert (launch.total_ops, launch.active_ops) == (2 * 7 * 64, 2 * np.count_nonzero(rhs))
