"""GROUP_GEMM: weights with a scale for each group of the reduction, against the written order of sums, by bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.conformance.arithmetic import canonical, dot, fma
from tests.conformance.builder import DTYPE_OF_NUMPY, END, Builder, d
from tests.conformance.data import floats, operands, packings
from tests.conformance.devices import DeviceUnderTest
from tests.conformance.test_epilogue import by_channel
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.records import Activations
from tfmbs.runtime.abi.types import DType, Packing

Array = np.ndarray[Any, np.dtype[Any]]
FORMS = [
    (pair, packing)
    for pair in ("f32-i8", "f32-i4", "f32-trit", "i8-i8", "i8-i4", "i8-trit")
    for packing in packings(pair)
]
SIZES = [  # m, n, k, group
    (1, 1, 1, 1), (5, 37, 96, 32), (13, 70, 21, 7), (3, 300, 256, 128), (70, 5, 64, 64),
    (45, 70, 202, 101), (33, 37, 301, 301),
]  # fmt: skip


def by_groups(lhs: Array, rhs: Array, scales: Array) -> Array:
    """Sums of stored integers, group after group."""
    n, count = scales.shape
    parts = dot(lhs.reshape(len(lhs), 1, count, -1), rhs.reshape(1, n, count, -1)).astype(np.float32)
    out = np.zeros((len(lhs), n), np.float32)
    for group in range(count):
        out = fma(parts[:, :, group], scales[None, :, group], out)
    return out


def expected_of(lhs: Array, rhs: Array, scales: Array, zero: int, absmax: bool) -> Array:
    n, count = scales.shape
    if lhs.dtype == np.int8:
        return canonical(by_groups(lhs.astype(np.int32) - zero, rhs, scales))
    if not absmax:
        with np.errstate(all="ignore"):
            real = rhs.reshape(n, count, -1).astype(np.float32) * scales[:, :, None]
        return dot(lhs[:, None], real.reshape(1, n, -1))
    with np.errstate(all="ignore"):
        most = np.fmax.reduce(np.abs(lhs), axis=1, initial=np.float32(0))
        factor = np.float32(127) / np.maximum(most, np.float32(1e-5))
        stored = np.clip(np.rint(np.nan_to_num(lhs * factor[:, None], posinf=np.inf, neginf=-np.inf)), -128, 127)
        return canonical(by_groups(stored.astype(np.int32), rhs, scales) / factor[:, None])


def case(
    pair: str, packing: Packing, sizes: tuple[int, int, int, int], zero: int = 0, absmax: bool = False, **odd: Any
) -> tuple[Image, Array, Array]:
    m, n, k, group = sizes
    lhs, rhs = operands(pair, (m, k), (n * (k // group), group), seed=m * n + k)
    scales = odd.get("scales", floats(np.random.default_rng(k), (n, k // group)))
    lhs = odd.get("lhs", lhs)
    builder = Builder()
    x = builder.input("x", lhs.shape, DTYPE_OF_NUMPY[lhs.dtype.name])
    out = builder.output("y", (m, n), DType.F32)
    activations = Activations.ABSMAX if absmax else Activations.STORED
    builder.groups(
        x, builder.constant(rhs, packing), builder.constant(scales), out,
        m=m, n=n, k=k, group=group, lhs_zero=zero, activations=activations,
    )  # fmt: skip
    return builder.image(), lhs, expected_of(lhs, rhs, scales, zero, absmax)


@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: "×".join(map(str, sizes)))
@pytest.mark.parametrize(("pair", "packing"), FORMS)
def test_stored(device: DeviceUnderTest, pair: str, packing: Packing, sizes: tuple[int, int, int, int]) -> None:
    image, lhs, expected = case(pair, packing, sizes)
    assert device.run(image, {"x": lhs})["y"].tobytes() == expected.tobytes()


@pytest.mark.parametrize("sizes", [(5, 37, 96, 32), (45, 70, 202, 101), (33, 37, 301, 301)], ids=str)
@pytest.mark.parametrize("zero", [-128, -3, 127])
@pytest.mark.parametrize(("pair", "packing"), [form for form in FORMS if form[0].startswith("i8")])
def test_zero_point(
    device: DeviceUnderTest, pair: str, packing: Packing, zero: int, sizes: tuple[int, int, int, int]
) -> None:
    image, lhs, expected = case(pair, packing, sizes, zero)
    assert device.run(image, {"x": lhs})["y"].tobytes() == expected.tobytes()


@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: "×".join(map(str, sizes)))
@pytest.mark.parametrize(("pair", "packing"), [form for form in FORMS if form[0].startswith("f32")])
def test_absmax(device: DeviceUnderTest, pair: str, packing: Packing, sizes: tuple[int, int, int, int]) -> None:
    image, lhs, expected = case(pair, packing, sizes, absmax=True)
    assert device.run(image, {"x": lhs})["y"].tobytes() == expected.tobytes()


def test_absmax_of_odd_rows(device: DeviceUnderTest) -> None:
    """Rows of zeros, of tiny numbers, with ties, with an infinity and with a NaN."""
    rng = np.random.default_rng(3)
    lhs = rng.standard_normal((6, 64)).astype(np.float32)
    lhs[0], lhs[1] = 0, lhs[1] * 1e-7
    lhs[2] = np.arange(64) - 31.5
    lhs[2, 0] = 127
    lhs[3, 5], lhs[4, 7], lhs[5] = np.inf, np.nan, np.nan
    image, lhs, expected = case("f32-i4", Packing.NIBBLES, (6, 20, 64, 32), absmax=True, lhs=lhs)
    assert device.run(image, {"x": lhs})["y"].tobytes() == expected.tobytes()


@pytest.mark.parametrize("smallest", [2.0**-102, 1.1 * 2.0**-103, 1.1 * 2.0**-125, 2.0**-149, 0.0])
@pytest.mark.parametrize("sizes", [(1, 70, 96, 32), (3, 37, 70, 7), (13, 70, 21, 7), (70, 40, 66, 33)], ids=str)
def test_scales(device: DeviceUnderTest, smallest: float, sizes: tuple[int, int, int, int]) -> None:
    """Scales of every size down to one whose products are not normal, with an infinity and a NaN among them."""
    m, n, k, group = sizes
    rng = np.random.default_rng(int(k))
    exponents = rng.integers(-102, 120, (n, k // group))
    scales = np.ldexp(rng.uniform(1, 2, exponents.shape) * rng.choice([-1, 1], exponents.shape), exponents)
    scales = scales.astype(np.float32)
    scales[::5] = smallest
    scales[n // 2, 0], scales[n // 3, -1] = np.inf, np.nan
    lhs = np.ldexp(rng.uniform(-1, 1, (m, k)), rng.integers(-90, 90, (m, k))).astype(np.float32)
    image, lhs, expected = case("f32-i8", Packing.DENSE, sizes, lhs=lhs, scales=scales)
    assert device.run(image, {"x": lhs})["y"].tobytes() == expected.tobytes()


def test_epilogue(device: DeviceUnderTest) -> None:
    m, n, k, group = 9, 300, 64, 32
    lhs, rhs = operands("i8-i4", (m, k), (n * 2, group), seed=4)
    rng = np.random.default_rng(5)
    scales, bias = floats(rng, (n, 2)), floats(rng, (n,))
    builder = Builder()
    x, out = builder.input("x", lhs.shape, DType.I8), builder.output("y", (m, n), DType.F32)
    window = builder.constant(bias)
    words = [by_channel(DType.F32, 1, 0), d("ADD", DType.F32, vd=0, va=0, vb=1), END]
    weights = builder.constant(rhs, Packing.NIBBLES)
    program = builder.epilogue(words, 1)
    builder.groups(
        x, weights, builder.constant(scales), out, m=m, n=n, k=k, group=group, epilogue=program, args=[window]
    )
    expected = canonical(canonical(by_groups(lhs.astype(np.int32), rhs, scales)) + bias)
    assert device.run(builder.image(), {"x": lhs})["y"].tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"group": 5}, "group"),
        ({"group": 16}, "shape of rhs"),
        ({"n": 5}, "elements of out"),
        ({"lhs_m_stride": 65}, "last element of lhs"),
        ({"lhs_zero": 3}, "lhs_zero"),
        ({"scales": 0}, "shape of scales"),
        ({"activations": 2}, "activations"),
    ],
    ids=str,
)
def test_refused(change: dict[str, int], message: str) -> None:
    image, _, _ = case("f32-i4", Packing.NIBBLES, (3, 6, 64, 32))
    image.group_geometries[0] |= change
    with pytest.raises(TfmbsError, match=message):
        Image.from_buffer(image.to_bytes())
