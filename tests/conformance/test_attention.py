"""ATTENTION: masks, shared heads, strides and sizes, against the written steps, by bytes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conformance.arithmetic import canonical, dot, maximum
from tests.conformance.builder import Builder
from tests.conformance.devices import DeviceUnderTest
from tfmbs.runtime.abi.records import MaskMode
from tfmbs.runtime.abi.special_model import evaluate
from tfmbs.runtime.abi.types import DType

Array = NDArray[Any]
LOWEST = np.finfo(np.float32).min


@dataclass(frozen=True)
class Attention:
    """Sizes b, groups, shared heads, queries m, keys n, widths d and e; how scores are masked."""

    sizes: tuple[int, int, int, int, int, int, int]
    scale: float = 1.0
    mode: MaskMode = MaskMode.NONE
    mask: tuple[int, int, int, int] = (1, 1, 1, 1)
    fill: float = -np.inf
    causal: bool = False
    offset: int = 0
    clear: bool = False


def total(x: Array) -> Array:
    """The sum of the last axis in 16 partial sums."""
    x = np.concatenate([x, np.zeros((*x.shape[:-1], -x.shape[-1] % 16), np.float32)], -1)
    parts = np.zeros((*x.shape[:-1], 16), np.float32)
    with np.errstate(all="ignore"):
        for i in range(0, x.shape[-1], 16):
            parts = parts + x[..., i : i + 16]
        for half in (8, 4, 2, 1):
            parts = parts[..., :half] + parts[..., half : 2 * half]
    return canonical(parts[..., 0])


def attend(q: Array, k: Array, v: Array, mask: Array | None, a: Attention) -> Array:
    """The steps of docs/numerics.md, each rounded to f32."""
    shared = a.sizes[2]
    k, v = np.repeat(k, shared, 1), np.repeat(v, shared, 1)
    with np.errstate(all="ignore"):
        scores = canonical(dot(q[:, :, :, None], k[:, :, None]) * np.float32(a.scale))
        shown = np.ones(scores.shape, bool)
        if a.mode in (MaskMode.ADD, MaskMode.ADD_SHOWN):
            assert mask is not None
            scores = canonical(scores + mask)
        if a.mode is MaskMode.ADD_SHOWN:
            shown &= scores != -np.inf
        if a.mode is MaskMode.SELECT:
            assert mask is not None
            shown &= mask != 0
        if a.causal:
            rows, columns = np.arange(scores.shape[2])[:, None], np.arange(scores.shape[3])[None]
            shown &= columns <= rows + a.offset
        scores = np.where(shown, scores, np.float32(a.fill))
        top = np.full(scores.shape[:-1], -np.inf, np.float32)
        for j in range(scores.shape[-1]):
            top = maximum(top, scores[..., j])
        powers = canonical(evaluate("exp", canonical(scores - top[..., None])))
        weights = canonical(powers / total(powers)[..., None])
        if a.clear:
            weights = np.where(shown, weights, np.float32(0))
        return np.ascontiguousarray(dot(weights[:, :, :, None], np.swapaxes(v, 2, 3)[:, :, None]))


LONG = (1, 2, 1, 9, 37, 16, 32)
CASES = {
    "one": Attention((1, 1, 1, 1, 1, 1, 1)),
    "plain": Attention((2, 3, 1, 5, 7, 8, 8), scale=0.25),
    "odd-sizes": Attention((1, 2, 1, 3, 50, 19, 33), scale=0.3),
    "many-rows": Attention((1, 1, 1, 41, 70, 24, 64), scale=0.125),
    "one-row": Attention((1, 2, 1, 1, 200, 64, 64), scale=0.125),
    "one-row-of-shared-heads": Attention((2, 2, 4, 1, 67, 16, 48), scale=0.125),
    "shared-heads": Attention((1, 2, 3, 5, 19, 8, 12), scale=0.5),
    "more-shared-heads-than-a-tile": Attention((1, 1, 11, 1, 40, 8, 40)),
    "causal": Attention((1, 2, 1, 40, 40, 16, 32), scale=0.25, causal=True),
    "causal-offset": Attention((1, 1, 2, 5, 30, 16, 8), causal=True, offset=17),
    "causal-before-the-first": Attention((1, 1, 1, 4, 9, 4, 4), causal=True, offset=-2),
    "causal-lowest-clear": Attention((1, 1, 1, 4, 9, 4, 4), causal=True, offset=-2, fill=LOWEST, clear=True),
    "causal-many-tiles": Attention((1, 2, 3, 45, 210, 8, 72), scale=0.25, causal=True, offset=165),
    "select-many-tiles": Attention((1, 1, 4, 40, 97, 8, 64), mode=MaskMode.SELECT, mask=(1, 1, 40, 97), clear=True),
    "add": Attention(LONG, mode=MaskMode.ADD, mask=(1, 1, 9, 37)),
    "add-per-key": Attention(LONG, mode=MaskMode.ADD, mask=(1, 1, 1, 37)),
    "add-per-head": Attention(LONG, mode=MaskMode.ADD, mask=(1, 2, 9, 37)),
    "add-per-query": Attention(LONG, mode=MaskMode.ADD, mask=(1, 2, 9, 1)),
    "add-shown": Attention(LONG, mode=MaskMode.ADD_SHOWN, mask=(1, 1, 9, 37), fill=LOWEST, clear=True),
    "select": Attention(LONG, mode=MaskMode.SELECT, mask=(1, 1, 9, 37), fill=LOWEST, clear=True),
    "select-infinite": Attention(LONG, mode=MaskMode.SELECT, mask=(1, 2, 9, 37)),
    "select-prefix": Attention((1, 3, 2, 1, 150, 16, 64), mode=MaskMode.SELECT, mask=(1, 1, 1, 150), clear=True),
    "select-and-causal": Attention(LONG, mode=MaskMode.SELECT, mask=(1, 1, 1, 37), fill=LOWEST, causal=True, offset=20),
}


def operands(a: Attention, seed: int) -> tuple[Array, Array, Array, Array | None]:
    rng = np.random.default_rng(seed)
    b, groups, shared, m, n, d, e = a.sizes
    shapes = ((b, groups * shared, m, d), (b, groups, n, d), (b, groups, n, e))
    q, k, v = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
    if a.mode is MaskMode.NONE:
        return q, k, v, None
    hidden = rng.random(a.mask) < 0.4
    if a.mask[3] > 100:
        hidden = np.broadcast_to(np.arange(a.mask[3]) > 21, a.mask)
    if a.mode is MaskMode.SELECT:
        return q, k, v, ~hidden
    return q, k, v, np.where(hidden, -np.inf, rng.standard_normal(a.mask)).astype(np.float32)


def run(device: DeviceUnderTest, a: Attention, arrays: tuple[Array, Array, Array, Array | None]) -> Array:
    builder = Builder()
    q, k, v, mask = arrays
    inputs = [builder.input(name, x.shape, DType.F32) for name, x in zip("qkv", (q, k, v), strict=True)]
    given = {"q": q, "k": k, "v": v}
    fields = {"scale": a.scale, "fill": a.fill, "causal": a.causal, "offset": a.offset, "clear": a.clear}
    if mask is not None:
        masked = builder.input("mask", mask.shape, DType.BOOL if mask.dtype == bool else DType.F32)
        given["mask"] = mask
        fields |= {"mask": a.mode}
    out = builder.output("y", (*q.shape[:3], v.shape[3]), DType.F32)
    extra = {} if mask is None else {"masked": masked}
    builder.attention(*inputs, out, shared=a.sizes[2], **extra, **fields)
    return device.run(builder.image(), given)["y"]


@cache
def case(name: str) -> tuple[tuple[Array, Array, Array, Array | None], Array]:
    arrays = operands(CASES[name], seed=41)
    return arrays, attend(*arrays, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_attention(device: DeviceUnderTest, name: str) -> None:
    arrays, expected = case(name)
    assert run(device, CASES[name], arrays).tobytes() == expected.tobytes()


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan], ids=str)
@pytest.mark.parametrize("at", [0, 30])
@pytest.mark.parametrize("operand", range(3))
def test_numbers_that_are_not_finite(device: DeviceUnderTest, operand: int, at: int, value: float) -> None:
    """Also in keys and values that no query sees, which a device may leave out only where that changes nothing."""
    a = Attention((1, 1, 1, 9, 40, 8, 8), scale=0.5, causal=True, offset=3)
    arrays = operands(a, seed=42)
    arrays[operand][0, 0, at % arrays[operand].shape[2], 3] = value
    assert run(device, a, arrays).tobytes() == attend(*arrays, a).tobytes()


def test_a_sum_of_minus_zero_meets_hidden_values(device: DeviceUnderTest) -> None:
    """-0 comes of underflow only; a hidden positive value then makes it +0, a negative one does not."""
    a = Attention((1, 1, 1, 1, 3, 1, 2), causal=True)
    q, k = np.zeros((1, 1, 1, 1), np.float32), np.zeros((1, 1, 3, 1), np.float32)
    a = Attention(a.sizes, causal=True, offset=1)
    v = np.float32([[[[-1e-45, -1e-45], [-1e-45, -1e-45], [1, -1]]]])
    expected = attend(q, k, v, None, a)
    assert expected.view(np.uint32).ravel().tolist() == [0, 0x80000000]
    assert run(device, a, (q, k, v, None)).tobytes() == expected.tobytes()


def test_strided_operands(device: DeviceUnderTest) -> None:
    """Queries, keys and values side by side in one matrix, as a projection leaves them; keys also transposed."""
    rng = np.random.default_rng(43)
    n, heads, d = 21, 3, 16
    x = rng.standard_normal((n, 3 * heads * d)).astype(np.float32)
    q, k, v = (x[:, i * heads * d :][:, : heads * d].reshape(1, n, heads, d).transpose(0, 2, 1, 3) for i in range(3))
    a = Attention((1, heads, 1, n, n, d, d), scale=0.25)
    expected = attend(q, k, v, None, a)
    builder = Builder()
    joined = builder.input("x", x.shape, DType.F32)
    turned = builder.input("t", (heads * d, n), DType.F32)
    row = 3 * heads * d
    parts = [builder.view(joined, (n * row - i * heads * d,), offset=4 * i * heads * d) for i in range(3)]
    common = {"batch": 1, "groups": heads, "shared": 1, "rows": n, "columns": n, "width": d, "value_width": d}
    strides = {f"{name}_stride": 1 for name in ("lhs", "rhs", "value")}
    strides |= {f"{name}_row_stride": row for name in ("lhs", "rhs", "value")}
    strides |= {"lhs_head_stride": d, "rhs_group_stride": d, "value_group_stride": d}
    y, z = (builder.output(name, (heads, n, d), DType.F32) for name in "yz")
    builder.attention_of(parts[0], parts[1], parts[2], y, {**common, **strides, "scale": 0.25})
    turned_strides = {**strides, "rhs_row_stride": 1, "rhs_stride": n, "rhs_group_stride": d * n}
    builder.attention_of(parts[0], turned, parts[2], z, {**common, **turned_strides, "scale": 0.25})
    transposed = np.ascontiguousarray(k[0].transpose(0, 2, 1).reshape(heads * d, n))
    got = device.run(builder.image(), {"x": x, "t": transposed})
    assert got["y"].tobytes() == expected.tobytes()
    assert got["z"].tobytes() == expected.tobytes()
