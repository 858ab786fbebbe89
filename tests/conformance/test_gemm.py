"""GEMM and GEMV: every type pair, packing, stride and size, against the written order of sums, by bytes."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.conformance.arithmetic import dot
from tests.conformance.builder import DTYPE_OF_NUMPY, Builder
from tests.conformance.data import PAIRS, operands, packings
from tests.conformance.devices import DeviceUnderTest
from tfmbs.runtime.abi.abreast import ABREAST
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.records import Kind
from tfmbs.runtime.abi.types import DType, Packing

FORMS = [(pair, packing) for pair in PAIRS for packing in packings(pair)]
SIZES = [(1, 1, 1), (1, 33, 7), (5, 37, 19), (13, 16, 64), (2, 513, 9), (3, 1030, 4), (33, 31, 1)]


def accumulator(lhs: np.ndarray[Any, Any]) -> DType:
    return DType.F32 if lhs.dtype == np.float32 else DType.I32


@cache
def dense_case(pair: str, packing: Packing, sizes: tuple[int, int, int], zero: int) -> tuple[Image, Any, Any]:
    m, n, k = sizes
    lhs, rhs = operands(pair, (m, k), (n, k), seed=m * n + k)
    builder = Builder()
    x = builder.input("x", lhs.shape, DTYPE_OF_NUMPY[lhs.dtype.name])
    out = builder.output("y", (m, n), accumulator(lhs))
    builder.gemm(x, builder.constant(rhs, packing), out, m=m, n=n, k=k, lhs_zero=zero)
    shifted = lhs if zero == 0 else lhs.astype(np.int32) - zero
    return builder.image(), lhs, dot(shifted[:, None], rhs[None])


@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: "×".join(map(str, sizes)))
@pytest.mark.parametrize(("pair", "packing"), FORMS)
def test_dense(device: DeviceUnderTest, pair: str, packing: Packing, sizes: tuple[int, int, int]) -> None:
    image, lhs, expected = dense_case(pair, packing, sizes, 0)
    assert device.run(image, {"x": lhs})["y"].tobytes() == expected.tobytes()


@pytest.mark.parametrize("zero", [-128, -3, 127])
@pytest.mark.parametrize(("pair", "packing"), [form for form in FORMS if form[0].startswith("i8")])
def test_zero_point(device: DeviceUnderTest, pair: str, packing: Packing, zero: int) -> None:
    image, lhs, expected = dense_case(pair, packing, (5, 37, 19), zero)
    assert device.run(image, {"x": lhs})["y"].tobytes() == expected.tobytes()


def test_integer_extremes(device: DeviceUnderTest) -> None:
    """The largest magnitudes: 9-bit left elements, −128 weights, and an accumulator near 2³¹."""
    k = 60_000
    lhs, rhs = np.full((2, k), -128, np.int8), np.full((3, k), -128, np.int8)
    lhs[1] = 127
    builder = Builder()
    x = builder.input("x", lhs.shape, DType.I8)
    builder.gemm(x, builder.constant(rhs), builder.output("y", (2, 3), DType.I32), m=2, n=3, k=k, lhs_zero=127)
    expected = dot((lhs.astype(np.int32) - 127)[:, None], rhs[None])
    assert expected[0, 0] == 255 * 128 * k
    assert device.run(builder.image(), {"x": lhs})["y"].tobytes() == expected.tobytes()


@pytest.mark.parametrize("pair", ["f32-f32", "i8-i8"])
@pytest.mark.parametrize("is_shared", [False, True], ids=["own-rhs", "shared-rhs"])
@pytest.mark.parametrize("layout", ["nk", "kn"])
def test_batch_with_computed_rhs(device: DeviceUnderTest, pair: str, layout: str, *, is_shared: bool) -> None:
    """Both operands are inputs; rhs lies as n×k or as k×n."""
    batch, m, n, k = 3, 4, 18, 11
    lhs, rhs = operands(pair, (batch, m, k), (1 if is_shared else batch, n, k), seed=5)
    stored = rhs if layout == "nk" else np.ascontiguousarray(rhs.transpose(0, 2, 1))
    builder = Builder()
    x = builder.input("x", lhs.shape, DTYPE_OF_NUMPY[lhs.dtype.name])
    w = builder.input("w", stored.shape, DTYPE_OF_NUMPY[rhs.dtype.name])
    strides = {"rhs_n_stride": k, "rhs_k_stride": 1} if layout == "nk" else {"rhs_n_stride": 1, "rhs_k_stride": n}
    out = builder.output("y", (batch, m, n), accumulator(lhs))
    builder.gemm(x, w, out, batch=batch, m=m, n=n, k=k, rhs_batch_stride=0 if is_shared else n * k, **strides)
    expected = dot(lhs[:, :, None], rhs[:, None])
    assert device.run(builder.image(), {"x": lhs, "w": stored})["y"].tobytes() == expected.tobytes()


@pytest.mark.parametrize("pair", ["f32-f32", "i8-i8"])
def test_strided_lhs(device: DeviceUnderTest, pair: str) -> None:
    """Heads of an attention: lhs is m×batch×k in memory."""
    batch, m, n, k = 2, 9, 5, 6
    lhs, rhs = operands(pair, (m, batch, k), (n, k), seed=6)
    builder = Builder()
    x = builder.input("x", lhs.shape, DTYPE_OF_NUMPY[lhs.dtype.name])
    out = builder.output("y", (batch, m, n), accumulator(lhs))
    strides = {"lhs_batch_stride": k, "lhs_m_stride": batch * k, "lhs_k_stride": 1}
    builder.gemm(x, builder.constant(rhs), out, batch=batch, m=m, n=n, k=k, **strides)
    expected = dot(np.ascontiguousarray(lhs.transpose(1, 0, 2))[:, :, None], rhs)
    assert device.run(builder.image(), {"x": lhs})["y"].tobytes() == expected.tobytes()


def test_transposed_lhs(device: DeviceUnderTest) -> None:
    m, n, k = 7, 40, 10
    lhs, rhs = operands("f32-f32", (k, m), (n, k), seed=8)
    builder = Builder()
    x = builder.input("x", lhs.shape, DType.F32)
    out = builder.output("y", (m, n), DType.F32)
    builder.gemm(x, builder.constant(rhs), out, m=m, n=n, k=k, lhs_m_stride=1, lhs_k_stride=m)
    expected = dot(lhs.T[:, None], rhs[None])
    assert device.run(builder.image(), {"x": lhs})["y"].tobytes() == expected.tobytes()


@cache
def blocks_case(sizes: tuple[int, int, int, int]) -> tuple[Image, Any, Any]:
    batch, m, n, k = sizes
    lhs, rhs = operands("f32-f32", (batch, m, k), (n, k), seed=11)
    builder = Builder()
    x, out = builder.input("x", lhs.shape, DType.F32), builder.output("y", (batch, m, n), DType.F32)
    builder.gemm(x, builder.constant(rhs), out, batch=batch, m=m, n=n, k=k)
    return builder.image(), lhs, dot(lhs[:, :, None], rhs)


@pytest.mark.parametrize("sizes", [(1, 521, 150, 390), (2, 70, 160, 401), (1, 9, 300, 385), (1, 3, 224, 600)], ids=str)
def test_blocks_of_floats(device: DeviceUnderTest, sizes: tuple[int, int, int, int]) -> None:
    """More rows, columns and steps than stay in a cache together."""
    image, lhs, expected = blocks_case(sizes)
    assert device.run(image, {"x": lhs})["y"].tobytes() == expected.tobytes()


@pytest.mark.parametrize("n", [5, ABREAST])
@pytest.mark.parametrize(("pair", "packing"), [form for form in FORMS if form[1] is not Packing.DENSE])
def test_batch_of_packed_rhs(device: DeviceUnderTest, pair: str, packing: Packing, n: int) -> None:
    """Rows of a packed tensor are all dimensions but the first: the products share one row order."""
    batch, m, k = 2, 3, 7
    lhs, rhs = operands(pair, (batch, m, k), (batch * n, k), seed=9)
    builder = Builder()
    x = builder.input("x", lhs.shape, DTYPE_OF_NUMPY[lhs.dtype.name])
    out = builder.output("y", (batch, m, n), accumulator(lhs))
    builder.gemm(x, builder.constant(rhs, packing), out, batch=batch, m=m, n=n, k=k, rhs_batch_stride=n * k)
    expected = dot(lhs[:, :, None], rhs.reshape(batch, 1, n, k))
    if device.l1_bytes and packing is Packing.A5 and n % ABREAST:
        with pytest.raises(TfmbsError, match="products that share rows abreast of packing A5"):
            device.run(builder.image(), {"x": lhs})
        return
    assert device.run(builder.image(), {"x": lhs})["y"].tobytes() == expected.tobytes()


def test_gemv_is_a_gemm_of_one_row(device: DeviceUnderTest) -> None:
    n, k = 70, 23
    lhs, rhs = operands("f32-trit", (1, k), (n, k), seed=10)
    builder = Builder()
    x, out = builder.input("x", lhs.shape, DType.F32), builder.output("y", (1, n), DType.F32)
    sizes = {"batch": 1, "m": 1, "n": n, "k": k, "lhs_m_stride": k, "lhs_k_stride": 1}
    geometry = {**sizes, "rhs_n_stride": k, "rhs_k_stride": 1}
    weights = builder.constant(rhs, Packing.PT5)
    builder.launch(Kind.GEMV, lhs=x, rhs=weights, out=out, geometry=geometry, schedule=builder.schedule())
    expected = dot(lhs[:, None], rhs[None])
    assert device.run(builder.image(), {"x": lhs})["y"].tobytes() == expected.tobytes()


def test_special_values(device: DeviceUnderTest) -> None:
    """Infinities, NaNs with payloads and overflow end in the canonical NaN or an infinity."""
    lhs = np.array([[np.inf, 1, 0], [np.inf, -np.inf, 1], [3e38, 3e38, 0], [np.nan, 1, 1], [0, 0, 0]], np.float32)
    lhs.view(np.uint32)[3, 0] = 0xFFC01234
    rhs = np.array([[1, 1, 1], [0, 1, 1], [-1, -1, -0.0], [1, 1, np.inf]], np.float32)
    builder = Builder()
    x, out = builder.input("x", lhs.shape, DType.F32), builder.output("y", (5, 4), DType.F32)
    builder.gemm(x, builder.constant(rhs), out, m=5, n=4, k=3)
    expected = dot(lhs[:, None], rhs[None])
    assert set(expected[np.isnan(expected)].view(np.uint32).tolist()) == {0x7FC00000}
    assert device.run(builder.image(), {"x": lhs})["y"].tobytes() == expected.tobytes()


def test_invalid_trit_code_is_refused(device: DeviceUnderTest) -> None:
    """Lazily verified files reach the device unchecked: it checks the codes when it first reads them."""
    image, lhs, _ = dense_case("f32-trit", Packing.PT5, (5, 37, 19), 0)
    data = bytearray(image.weights)
    data[1] = 243
    with pytest.raises(TfmbsError, match="is no code of its packing") as caught:
        device.run(Image(**{**vars(image), "weights": bytes(data)}), {"x": lhs})
    assert caught.value.code == "record"
