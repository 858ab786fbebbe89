"""Products of random sizes, layouts and extreme values against the written order of sums, by bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.conformance.arithmetic import dot
from tests.conformance.builder import DTYPE_OF_NUMPY, Builder
from tests.conformance.data import floats
from tests.conformance.devices import DeviceUnderTest
from tests.conformance.test_groups import expected_of
from tests.native import examples
from tfmbs.runtime.abi.records import Activations
from tfmbs.runtime.abi.types import DType, Packing

Array = NDArray[Any]
EXAMPLES = examples(30)
SIZES = st.one_of(st.integers(1, 41), st.sampled_from([64, 300]))  # around the rows of tiles and the columns of panels
# The last one of f32 and the last one of i8 are more than stays in a cache while rows pass.
DEPTHS = st.one_of(st.integers(1, 40), st.sampled_from([255, 256, 257, 1030, 4200]))


def integers(rng: np.random.Generator, shape: tuple[int, ...], low: int, high: int, *, extreme: bool) -> Array:
    """All of i8 from `low` to `high`, or rows of one of these two, whose products all add up."""
    drawn = rng.choice([low, high], (*shape[:-1], 1)) if extreme else rng.integers(low, high + 1, shape)
    return np.ascontiguousarray(np.broadcast_to(drawn, shape), np.int8)


@given(m=SIZES, n=st.integers(1, 100), k=DEPTHS, batch=st.integers(1, 2), data=st.data())
@settings(max_examples=EXAMPLES)
def test_gemm(device: DeviceUnderTest, m: int, n: int, k: int, batch: int, data: st.DataObject) -> None:
    """Either operand lies along k or across it; rhs is constant or computed, shared by a batch or not."""
    rng = np.random.default_rng(data.draw(st.integers(0, 99), "seed"))
    real, extreme = data.draw(st.booleans(), "real"), data.draw(st.booleans(), "extreme")
    constant, shared, across = (data.draw(st.booleans(), name) for name in ("constant", "shared", "across"))
    products = 1 if shared else batch
    if real:
        lhs, rhs = floats(rng, (batch, m, k)), floats(rng, (products, n, k))
    else:
        lhs = integers(rng, (batch, m, k), -128, 127, extreme=extreme)
        rhs = integers(rng, (products, n, k), -128, 127, extreme=extreme)
    zero = 0 if real else data.draw(st.sampled_from([0, -128, 127, 5]), "zero")
    stored = np.ascontiguousarray(rhs.transpose(0, 2, 1)) if across else rhs
    builder = Builder()
    dtype = DTYPE_OF_NUMPY[lhs.dtype.name]
    x = builder.input("x", lhs.shape, dtype)
    inputs = {"x": lhs}
    if constant:
        w = builder.constant(stored)
    else:
        w = builder.input("w", stored.shape, dtype)
        inputs["w"] = stored
    out = builder.output("y", (batch, m, n), DType.F32 if real else DType.I32)
    strides = {"rhs_n_stride": 1, "rhs_k_stride": n} if across else {"rhs_n_stride": k, "rhs_k_stride": 1}
    builder.gemm(
        x, w, out, batch=batch, m=m, n=n, k=k, rhs_batch_stride=0 if shared else n * k, lhs_zero=zero, **strides
    )  # fmt: skip
    expected = dot((lhs if real else lhs.astype(np.int32) - zero)[:, :, None], rhs[:, None])
    assert device.run(builder.image(), inputs)["y"].tobytes() == expected.tobytes()


@given(m=SIZES, n=st.integers(1, 70), count=st.integers(1, 4), data=st.data())
@settings(max_examples=EXAMPLES)
def test_groups(device: DeviceUnderTest, m: int, n: int, count: int, data: st.DataObject) -> None:
    """Weights of 4 or 8 bits with activations that are f32, i8 with a zero point, or made i8 by row."""
    rng = np.random.default_rng(data.draw(st.integers(0, 99), "seed"))
    group = data.draw(st.one_of(st.integers(1, 70), st.sampled_from([128, 255, 300])), "group")
    form = data.draw(st.sampled_from(["real", "stored", "absmax"]), "form")
    extreme, is_i8 = data.draw(st.booleans(), "extreme"), data.draw(st.booleans(), "is_i8")
    k = count * group
    stored = form == "stored"
    zero = data.draw(st.sampled_from([0, -128, 127]), "zero") if stored else 0
    lhs = integers(rng, (m, k), -128, 127, extreme=extreme) if stored else floats(rng, (m, k))
    if form == "absmax":
        odd = data.draw(st.sampled_from([0.0, 1e-6, 3e38, np.inf, np.nan]), "odd")
        lhs[rng.integers(m), rng.integers(k)] = odd
    low, high, packing = (-128, 127, Packing.DENSE) if is_i8 else (-8, 7, Packing.NIBBLES)
    rhs, scales = integers(rng, (n * count, group), low, high, extreme=extreme), floats(rng, (n, count))
    builder = Builder()
    x = builder.input("x", lhs.shape, DTYPE_OF_NUMPY[lhs.dtype.name])
    builder.groups(
        x, builder.constant(rhs, packing), builder.constant(scales), builder.output("y", (m, n), DType.F32),
        m=m, n=n, k=k, group=group, lhs_zero=zero,
        activations=Activations.ABSMAX if form == "absmax" else Activations.STORED,
    )  # fmt: skip
    expected = expected_of(lhs, rhs, scales, zero, form == "absmax")
    assert device.run(builder.image(), {"x": lhs})["y"].tobytes() == expected.tobytes()
