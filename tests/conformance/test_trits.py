"""Products of i8 with rows of trits, by bytes: few and many rows, ragged sizes, extreme values, long reductions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.conformance.builder import Builder
from tests.conformance.data import floats
from tests.conformance.devices import DeviceUnderTest
from tests.conformance.test_groups import expected_of
from tests.native import examples
from tfmbs.runtime.abi.records import Activations
from tfmbs.runtime.abi.types import DType, Packing

Array = NDArray[Any]
DEPTHS = st.one_of(st.integers(250, 330), st.sampled_from([639, 640, 641, 6912]))
COLUMNS = st.one_of(st.integers(1, 30), st.sampled_from([63, 64, 65, 150, 451]))
FEW_AND_MANY = st.one_of(st.integers(1, 9), st.sampled_from([15, 16, 17, 33, 130, 300]))


def trits(rng: np.random.Generator, shape: tuple[int, ...], *, extreme: bool) -> Array:
    """Any trits, or rows of one of -1 and 1."""
    drawn = rng.choice([-1, 1], (*shape[:-1], 1)) if extreme else rng.integers(-1, 2, shape)
    return np.ascontiguousarray(np.broadcast_to(drawn, shape), np.int8)


def activations(rng: np.random.Generator, shape: tuple[int, ...], *, extreme: bool) -> Array:
    """Any i8, or rows of one of its ends."""
    drawn = rng.choice([-128, 127], (*shape[:-1], 1)) if extreme else rng.integers(-128, 128, shape)
    return np.ascontiguousarray(np.broadcast_to(drawn, shape), np.int8)


def sums(lhs: Array, rhs: Array, zero: int) -> Array:
    """Exact, in i64 by way of f64, which holds them."""
    exact = (lhs.astype(np.float64) - zero) @ rhs.astype(np.float64).T
    assert np.abs(exact).max() < 2**31
    return exact.astype(np.int32)


def product(lhs: Array, rhs: Array, zero: int, packing: Packing, *, across: bool = False) -> Builder:
    """A GEMM of (batch, m, k) by (n, k); `across`: the elements of a row of lhs lie m apart."""
    batch, m, k = lhs.shape
    builder = Builder()
    x = builder.input("x", (batch, k, m) if across else lhs.shape, DType.I8)
    out = builder.output("y", (batch, m, len(rhs)), DType.I32)
    strides = {"lhs_m_stride": 1, "lhs_k_stride": m} if across else {}
    builder.gemm(
        x, builder.constant(rhs, packing), out, batch=batch, m=m, n=len(rhs), k=k, rhs_batch_stride=0, lhs_zero=zero,
        **strides,
    )  # fmt: skip
    return builder


@given(m=FEW_AND_MANY, n=COLUMNS, k=DEPTHS, data=st.data())
@settings(max_examples=examples(12))
def test_gemm(device: DeviceUnderTest, m: int, n: int, k: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 99), "seed"))
    extreme, across = data.draw(st.booleans(), "extreme"), data.draw(st.booleans(), "across")
    zero = data.draw(st.sampled_from([0, -128, 127]), "zero")
    packing = data.draw(st.sampled_from([Packing.PT5, Packing.T2, Packing.I8, Packing.R5, Packing.A5]), "packing")
    lhs, rhs = activations(rng, (1, m, k), extreme=extreme), trits(rng, (n, k), extreme=extreme)
    image = product(lhs, rhs, zero, packing, across=across).image()
    stored = np.ascontiguousarray(lhs.transpose(0, 2, 1)) if across else lhs
    assert device.run(image, {"x": stored})["y"].tobytes() == sums(lhs[0], rhs, zero).tobytes()


@pytest.mark.parametrize(("m", "n"), [(1, 451), (2, 771), (3, 1730), (9, 451)])
def test_any_trits_with_the_ends_of_i8(device: DeviceUnderTest, m: int, n: int) -> None:
    """All sums of five ends with any five trits, in rows of all places of a line, and of groups that pass together."""
    rng = np.random.default_rng(m)
    lhs = rng.choice(np.array([-128, 127], np.int8), (1, m, 350))
    rhs = trits(rng, (n, 350), extreme=False)
    result = device.run(product(lhs, rhs, 0, Packing.A5).image(), {"x": lhs})["y"]
    assert result.tobytes() == sums(lhs[0], rhs, 0).tobytes()


def test_tables_that_no_cache_holds(device: DeviceUnderTest) -> None:
    """Of two rows, which are multiplied as others then."""
    rng = np.random.default_rng(3)
    lhs, rhs = activations(rng, (1, 2, 17_000), extreme=False), trits(rng, (770, 17_000), extreme=False)
    result = device.run(product(lhs, rhs, 5, Packing.A5).image(), {"x": lhs})["y"]
    assert result.tobytes() == sums(lhs[0], rhs, 5).tobytes()


def test_batches_share_rows(device: DeviceUnderTest) -> None:
    rng = np.random.default_rng(1)
    lhs, rhs = activations(rng, (3, 5, 321), extreme=False), trits(rng, (66, 321), extreme=False)
    result = device.run(product(lhs, rhs, 3, Packing.PT5).image(), {"x": lhs})["y"]
    assert result.tobytes() == sums(lhs.reshape(15, 321), rhs, 3).tobytes()


def test_many_of_both(device: DeviceUnderTest) -> None:
    """More rows and columns than a unit of work has, neither a multiple of a block."""
    rng = np.random.default_rng(2)
    lhs, rhs = activations(rng, (1, 170, 650), extreme=False), trits(rng, (530, 650), extreme=False)
    result = device.run(product(lhs, rhs, -7, Packing.PT5).image(), {"x": lhs})["y"]
    assert result.tobytes() == sums(lhs[0], rhs, -7).tobytes()


@pytest.mark.parametrize("m", range(1, 19))
def test_each_number_of_a_few_rows(device: DeviceUnderTest, m: int) -> None:
    """Strips that are full and one that is not; first any values, then the largest sums."""
    rng = np.random.default_rng(m)
    for extreme in (False, True):
        lhs, rhs = activations(rng, (1, m, 1000), extreme=extreme), trits(rng, (81, 1000), extreme=extreme)
        result = device.run(product(lhs, rhs, 0, Packing.PT5).image(), {"x": lhs})["y"]
        assert result.tobytes() == sums(lhs[0], rhs, 0).tobytes()


@pytest.mark.parametrize("packing", [Packing.PT5, Packing.A5])
@pytest.mark.parametrize("m", [1, 5, 8, 16, 17])
@pytest.mark.parametrize("ends", [(-128, 1), (127, -1), (127, 1), (-128, -1)])
def test_sums_beyond_those_of_one_residue(
    device: DeviceUnderTest, m: int, ends: tuple[int, int], packing: Packing
) -> None:
    """256 times the sum of so many products of a digit and an i8 does not fit 32 bits."""
    k = 70_000
    lhs, rhs = np.full((1, m, k), ends[0], np.int8), np.full((5, k), ends[1], np.int8)
    result = device.run(product(lhs, rhs, 0, packing).image(), {"x": lhs})["y"]
    assert result.tobytes() == np.full((m, 5), k * ends[0] * ends[1], np.int32).tobytes()


@given(m=FEW_AND_MANY, n=COLUMNS, k=DEPTHS, data=st.data())
@settings(max_examples=examples(8))
def test_one_scale_for_each_row(device: DeviceUnderTest, m: int, n: int, k: int, data: st.DataObject) -> None:
    """GROUP_GEMM with one group: the form of BitNet's layers."""
    rng = np.random.default_rng(data.draw(st.integers(0, 99), "seed"))
    absmax, extreme = data.draw(st.booleans(), "absmax"), data.draw(st.booleans(), "extreme")
    packing = data.draw(st.sampled_from([Packing.PT5, Packing.A5]), "packing")
    zero = 0 if absmax else data.draw(st.sampled_from([0, 127]), "zero")
    lhs = floats(rng, (m, k)) if absmax else activations(rng, (m, k), extreme=extreme)
    rhs, scales = trits(rng, (n, k), extreme=extreme), floats(rng, (n, 1))
    builder = Builder()
    x = builder.input("x", lhs.shape, DType.F32 if absmax else DType.I8)
    builder.groups(
        x, builder.constant(rhs, packing), builder.constant(scales), builder.output("y", (m, n), DType.F32),
        m=m, n=n, k=k, group=k, lhs_zero=zero, activations=Activations.ABSMAX if absmax else Activations.STORED,
    )  # fmt: skip
    expected = expected_of(lhs, rhs, scales, zero, absmax)
    assert device.run(builder.image(), {"x": lhs})["y"].tobytes() == expected.tobytes()
