"""`tfmbs-to-linalg{numerics=exact}` under the JIT, op by op, against numpy models of docs/numerics.md, by bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tfmbs.compiler.jit import Reference
from tfmbs.dialect.mlir import context, ir
from tfmbs.runtime.abi.packing import pack_rows
from tfmbs.runtime.abi.special import CANONICAL_NAN
from tfmbs.runtime.abi.special_model import canonical, evaluate, fma
from tfmbs.runtime.abi.types import Packing

F32 = NDArray[np.float32]
SEGMENTS = "operandSegmentSizes = array<i32: {}>"
AWKWARD = np.array([0.0, -0.0, 1e-45, -1e-40, 3e38, -3e38, np.inf, -np.inf, np.nan], np.float32)


@pytest.fixture(autouse=True)
def _context() -> Iterator[None]:
    with context(), ir.Location.unknown():
        yield


def run(text: str, *arrays: NDArray[Any]) -> list[NDArray[Any]]:
    reference = Reference(ir.Module.parse(text))
    outputs = reference.run({slot.name: array for slot, array in zip(reference.inputs, arrays, strict=True)})
    return [outputs[slot.name] for slot in reference.outputs]


def segments(used: int, fixed: int = 2) -> str:
    return SEGMENTS.format(", ".join(["1"] * used + ["0"] * (fixed + 8 - used)))


def normal(rng: np.random.Generator, *shape: int, awkward: bool = False) -> F32:
    x = (rng.standard_normal(shape) * np.exp2(rng.integers(-3, 4, shape))).astype(np.float32)
    if awkward:
        x.flat[rng.choice(x.size, x.size // 8, replace=False)] = rng.choice(AWKWARD, x.size // 8)
    return x


def assert_bits(got: NDArray[Any], expected: NDArray[Any]) -> None:
    assert got.dtype == expected.dtype
    assert got.shape == expected.shape
    unsigned = np.dtype(f"u{got.dtype.itemsize}")
    np.testing.assert_array_equal(got.view(unsigned), np.ascontiguousarray(expected).view(unsigned))


def matmul(lhs: F32, rhs: F32) -> F32:
    """Ascending k, fused, from +0.0; rhs is N×K."""
    acc = np.zeros((*lhs.shape[:-1], rhs.shape[-2]), np.float32)
    for k in range(lhs.shape[-1]):
        acc = fma(lhs[..., :, k, None], rhs[..., None, :, k], acc)
    return canonical(acc)


def add16(x: F32) -> F32:
    """The fabric's sum over the last axis: 16 partials, folded; the init value +0.0 is added last."""
    partial = np.zeros((*x.shape[:-1], 16), np.float32)
    for i in range(x.shape[-1]):
        partial[..., i % 16] += x[..., i]
    for half in (8, 4, 2, 1):
        partial = partial[..., :half] + partial[..., half : 2 * half]
    return np.float32(0.0) + partial[..., 0]


def conv2d(
    x: F32, w: F32, strides: tuple[int, int], dilations: tuple[int, int], pads: tuple[int, int, int, int], groups: int
) -> F32:
    """k runs over channel, kernel row, kernel column; taps outside the image are skipped."""
    batch, _, height, width = x.shape
    outs, ins, kh, kw = w.shape
    oh = (height + pads[0] + pads[2] - dilations[0] * (kh - 1) - 1) // strides[0] + 1
    ow = (width + pads[1] + pads[3] - dilations[1] * (kw - 1) - 1) // strides[1] + 1
    out = np.zeros((batch, outs, oh, ow), np.float32)
    for n, o, i, j in np.ndindex(*out.shape):
        for c, u, v in np.ndindex(ins, kh, kw):
            row, column = i * strides[0] + u * dilations[0] - pads[0], j * strides[1] + v * dilations[1] - pads[1]
            if 0 <= row < height and 0 <= column < width:
                channel = o // (outs // groups) * ins + c
                out[n, o, i, j] = fma(x[n, channel, row, column], w[o, c, u, v], out[n, o, i, j])
    return canonical(out)


@pytest.mark.parametrize("awkward", [False, True])
def test_matmul_is_fused_and_ascending(awkward: bool) -> None:
    rng = np.random.default_rng(1)
    lhs, rhs = normal(rng, 5, 37, awkward=awkward), normal(rng, 7, 37, awkward=awkward)
    (got,) = run(
        f"""func.func @f(%a: tensor<5x37xf32>, %b: tensor<7x37xf32>) -> tensor<5x7xf32> {{
          %0 = "tfmbs.matmul"(%a, %b) ({{}}) {{roles = [], {segments(2)}}}
              : (tensor<5x37xf32>, tensor<7x37xf32>) -> tensor<5x7xf32>
          return %0 : tensor<5x7xf32>
        }}""",
        lhs,
        rhs,
    )
    assert_bits(got, matmul(lhs, rhs))


@pytest.mark.parametrize("layout", ["nk", "kn"])
def test_batch_matmul_in_both_layouts(layout: str) -> None:
    rng = np.random.default_rng(2)
    lhs, rhs = normal(rng, 3, 4, 19), normal(rng, 3, 6, 19)
    stored = rhs if layout == "nk" else np.ascontiguousarray(rhs.swapaxes(1, 2))
    type_ = "3x6x19" if layout == "nk" else "3x19x6"
    (got,) = run(
        f"""func.func @f(%a: tensor<3x4x19xf32>, %b: tensor<{type_}xf32>) -> tensor<3x4x6xf32> {{
          %0 = "tfmbs.batch_matmul"(%a, %b) ({{}}) {{rhs_layout = "{layout}", roles = [], {segments(2)}}}
              : (tensor<3x4x19xf32>, tensor<{type_}xf32>) -> tensor<3x4x6xf32>
          return %0 : tensor<3x4x6xf32>
        }}""",
        lhs,
        stored,
    )
    assert_bits(got, matmul(lhs, rhs))


def test_epilogue_roles() -> None:
    rng = np.random.default_rng(3)
    lhs, rhs, bias, residual = normal(rng, 4, 9), normal(rng, 6, 9), normal(rng, 6), normal(rng, 4, 6)
    gain = np.array([0.3], np.float32)
    (got,) = run(
        f"""func.func @f(%a: tensor<4x9xf32>, %b: tensor<6x9xf32>, %c: tensor<6xf32>, %d: tensor<4x6xf32>,
                         %e: tensor<1xf32>) -> tensor<4x6xf32> {{
          %0 = "tfmbs.matmul"(%a, %b, %c, %d, %e) ({{
          ^bb0(%acc: f32, %bias: f32, %residual: f32, %gain: f32):
            %1 = arith.addf %acc, %bias : f32
            %2 = arith.mulf %1, %gain : f32
            %3 = arith.addf %2, %residual : f32
            "tfmbs.yield"(%3) : (f32) -> ()
          }}) {{roles = ["channel", "element", "scalar"], {segments(5)}}}
              : (tensor<4x9xf32>, tensor<6x9xf32>, tensor<6xf32>, tensor<4x6xf32>, tensor<1xf32>) -> tensor<4x6xf32>
          return %0 : tensor<4x6xf32>
        }}""",
        lhs,
        rhs,
        bias,
        residual,
        gain,
    )
    assert_bits(got, (matmul(lhs, rhs) + bias) * gain + residual)


def test_fused_gemv_is_its_gemvs() -> None:
    rng = np.random.default_rng(4)
    lhs, first, second = normal(rng, 1, 21), normal(rng, 3, 21), normal(rng, 5, 21)
    got = run(
        f"""func.func @f(%a: tensor<1x21xf32>, %b: tensor<3x21xf32>, %c: tensor<5x21xf32>)
            -> (tensor<1x3xf32>, tensor<1x5xf32>) {{
          %0, %1 = "tfmbs.fused_gemv"(%a, %b, %c) ({{}}) {{roles = [], orders = array<i64: 1, 0>,
              {segments(3, fixed=1)}, resultSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0>}}
              : (tensor<1x21xf32>, tensor<3x21xf32>, tensor<5x21xf32>) -> (tensor<1x3xf32>, tensor<1x5xf32>)
          return %0, %1 : tensor<1x3xf32>, tensor<1x5xf32>
        }}""",
        lhs,
        first,
        second,
    )
    assert_bits(got[0], matmul(lhs, first))
    assert_bits(got[1], matmul(lhs, second))


def test_fused_gemv_reads_its_epilogue_in_launch_order() -> None:
    rng = np.random.default_rng(5)
    lhs, first, second, bias = normal(rng, 1, 21), normal(rng, 3, 21), normal(rng, 5, 21), normal(rng, 8)
    got = run(
        f"""func.func @f(%a: tensor<1x21xf32>, %b: tensor<3x21xf32>, %c: tensor<5x21xf32>, %d: tensor<8xf32>)
            -> (tensor<1x3xf32>, tensor<1x5xf32>) {{
          %0, %1 = "tfmbs.fused_gemv"(%a, %b, %c, %d) ({{
          ^bb0(%acc: f32, %bias: f32):
            %s = arith.addf %acc, %bias : f32
            "tfmbs.yield"(%s) : (f32) -> ()
          }}) {{roles = ["channel"], orders = array<i64: 1, 0>, {segments(4, fixed=1)},
              resultSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0>}}
              : (tensor<1x21xf32>, tensor<3x21xf32>, tensor<5x21xf32>, tensor<8xf32>)
              -> (tensor<1x3xf32>, tensor<1x5xf32>)
          return %0, %1 : tensor<1x3xf32>, tensor<1x5xf32>
        }}""",
        lhs,
        first,
        second,
        bias,
    )
    assert_bits(got[0], matmul(lhs, first) + bias[5:])
    assert_bits(got[1], matmul(lhs, second) + bias[:5])


CONVOLUTIONS = [
    ((1, 1), (1, 1), (0, 0, 0, 0), 1),
    ((1, 1), (1, 1), (1, 1, 1, 1), 1),
    ((2, 1), (1, 2), (2, 0, 1, 3), 1),
    ((1, 2), (2, 1), (1, 2, 0, 1), 2),
    ((1, 1), (1, 1), (1, 1, 1, 1), 4),
]


def conv_text(shapes: tuple[str, str, str], geometry: Any) -> str:
    strides, dilations, pads, groups = geometry
    x, w, y = (f"tensor<{shape}>" for shape in shapes)
    return f"""func.func @f(%x: {x}, %w: {w}) -> {y} {{
      %0 = "tfmbs.conv2d"(%x, %w) ({{}}) {{strides = array<i64: {strides[0]}, {strides[1]}>,
          dilations = array<i64: {dilations[0]}, {dilations[1]}>, pads = array<i64: {str(pads)[1:-1]}>,
          groups = {groups} : i64, roles = [], {segments(2)}}} : ({x}, {w}) -> {y}
      return %0 : {y}
    }}"""


@pytest.mark.parametrize("geometry", CONVOLUTIONS, ids=str)
def test_convolution_skips_padded_taps(geometry: Any) -> None:
    rng = np.random.default_rng(5)
    groups = geometry[3]
    # Infinite and NaN weights: a padded tap that is multiplied instead of skipped gives a NaN.
    x, w = normal(rng, 2, 4, 6, 7), normal(rng, 4, 4 // groups, 3, 2, awkward=True)
    expected = conv2d(x, w, *geometry)
    y = "x".join(map(str, expected.shape))
    (got,) = run(conv_text(("2x4x6x7xf32", f"4x{4 // groups}x3x2xf32", f"{y}xf32"), geometry), x, w)
    assert_bits(got, expected)


@pytest.mark.parametrize("geometry", CONVOLUTIONS, ids=str)
def test_integer_convolution_subtracts_the_zero_point(geometry: Any) -> None:
    rng = np.random.default_rng(6)
    groups = geometry[3]
    x, w = (rng.integers(-128, 128, s).astype(np.int8) for s in ((1, 4, 6, 7), (4, 4 // groups, 3, 2)))
    exact = conv2d((x.astype(np.float32) + 5), w.astype(np.float32), *geometry)
    y = "x".join(map(str, exact.shape))
    types = (
        "1x4x6x7x!quant.uniform<i8:f32, 0.5:-5>",
        f"4x{4 // groups}x3x2x!quant.uniform<i8:f32, 0.25>",
        f"{y}xi32",
    )
    (got,) = run(conv_text(types, geometry), x, w)
    assert_bits(got, exact.astype(np.int32))


@pytest.mark.parametrize("packing", [Packing.I8, Packing.PT5, Packing.T2, Packing.R5, Packing.A5])
@pytest.mark.parametrize("lhs_type", ["f32", "!quant.uniform<i8:f32, 0.5:3>"])
def test_ternary_product(packing: Packing, lhs_type: str) -> None:
    rng = np.random.default_rng(7)
    trits = rng.integers(-1, 2, (6, 23)).astype(np.int8)
    name = packing.name.lower()
    if lhs_type == "f32":
        lhs: NDArray[Any] = normal(rng, 4, 23, awkward=True)
        expected: NDArray[Any] = matmul(lhs, trits.astype(np.float32))
    else:
        lhs = rng.integers(-128, 128, (4, 23)).astype(np.int8)
        expected = (lhs.astype(np.int32) - 3) @ trits.astype(np.int32).T
    (got,) = run(
        f"""func.func @f(%a: tensor<4x23x{lhs_type}>, %b: tensor<6x23x!tfmbs.ternary<"{name}">>)
            -> tensor<4x6x{"f32" if lhs_type == "f32" else "i32"}> {{
          %0 = "tfmbs.matmul"(%a, %b) ({{}}) {{roles = [], {segments(2)}}}
              : (tensor<4x23x{lhs_type}>, tensor<6x23x!tfmbs.ternary<"{name}">>)
              -> tensor<4x6x{"f32" if lhs_type == "f32" else "i32"}>
          return %0 : tensor<4x6x{"f32" if lhs_type == "f32" else "i32"}>
        }}""",
        lhs,
        pack_rows(trits, packing).view(np.int8),
    )
    assert_bits(got, expected)


def quantize(x: F32, scale: float, zero_point: int, low: int = -128) -> NDArray[np.int8]:
    with np.errstate(all="ignore"):
        shifted = np.rint(x / np.float32(scale)) + np.float32(zero_point)
    return np.where(np.isnan(shifted), 0, np.clip(shifted, low, 127)).astype(np.int8)


def test_quantize_and_dequantize() -> None:
    rng = np.random.default_rng(8)
    x = np.concatenate([normal(rng, 200) * 40, AWKWARD, np.arange(-8, 8, dtype=np.float32) * 0.25 + 0.125])
    n = x.size
    q = f"tensor<{n}x!quant.uniform<i8:f32, 0.25:-7>>"
    stored, back = run(
        f"""func.func @f(%x: tensor<{n}xf32>) -> ({q}, tensor<{n}xf32>) {{
          %0 = "tfmbs.quantize"(%x) : (tensor<{n}xf32>) -> {q}
          %1 = "tfmbs.dequantize"(%0) {{axis = 0 : i64}} : ({q}) -> tensor<{n}xf32>
          return %0, %1 : {q}, tensor<{n}xf32>
        }}""",
        x,
    )
    assert_bits(stored, quantize(x, 0.25, -7))
    assert_bits(back, (stored.astype(np.float32) + 7) * np.float32(0.25))


def test_requantize_per_channel() -> None:
    rng = np.random.default_rng(9)
    acc = rng.integers(-(2**31), 2**31, (5, 40)).astype(np.int32)
    scale = np.array([1e-7, 3.3e-8, 5e-10, 1.0, 0.0], np.float32)
    q = "tensor<5x40x!quant.uniform<i8:f32, 0.25:4>>"
    got, real = run(
        f"""func.func @f(%a: tensor<5x40xi32>, %s: tensor<5xf32>) -> ({q}, tensor<5x40xf32>) {{
          %0 = "tfmbs.requantize"(%a, %s) {{axis = 0 : i64, low = 4 : i64}} : (tensor<5x40xi32>, tensor<5xf32>) -> {q}
          %1 = "tfmbs.dequantize"(%a, %s) {{axis = 0 : i64}} : (tensor<5x40xi32>, tensor<5xf32>) -> tensor<5x40xf32>
          return %0, %1 : {q}, tensor<5x40xf32>
        }}""",
        acc,
        scale,
    )
    exact = acc.astype(np.float32) * scale[:, None]
    assert_bits(got, quantize(exact, 1.0, 4, low=4))
    assert_bits(real, exact)


@pytest.mark.parametrize(("kind", "include"), [("max", False), ("avg", False), ("avg", True)])
def test_pooling(kind: str, include: bool) -> None:
    rng = np.random.default_rng(10)
    x = normal(rng, 1, 3, 7, 6, awkward=True)
    (got,) = run(
        f"""func.func @f(%x: tensor<1x3x7x6xf32>) -> tensor<1x3x4x5xf32> {{
          %0 = "tfmbs.pool"(%x) {{kind = "{kind}", kernel = array<i64: 3, 2>, strides = array<i64: 2, 1>,
              dilations = array<i64: 1, 2>, pads = array<i64: 1, 1, 1, 0>, count_include_pad = {str(include).lower()}}}
              : (tensor<1x3x7x6xf32>) -> tensor<1x3x4x5xf32>
          return %0 : tensor<1x3x4x5xf32>
        }}""",
        x,
    )
    expected = np.zeros((1, 3, 4, 5), np.float32)
    for n, c, i, j in np.ndindex(*expected.shape):
        taps = [(i * 2 + u - 1, j + v * 2 - 1) for u in range(3) for v in range(2)]
        values = [x[n, c, r, s] for r, s in taps if 0 <= r < 7 and 0 <= s < 6]
        with np.errstate(all="ignore"):
            if kind == "max":
                largest = np.max(values)
                if largest == 0 and any(v == 0 and not np.signbit(v) for v in values):
                    largest = np.float32(0.0)
                expected[n, c, i, j] = largest
            else:
                total = np.float32(0.0)
                for value in values:
                    total = total + value
                expected[n, c, i, j] = total / np.float32(6 if include else len(values))
    assert_bits(got, canonical(expected))


def test_softmax() -> None:
    x = normal(np.random.default_rng(11), 3, 37, 2)
    (got,) = run(
        """func.func @f(%x: tensor<3x37x2xf32>) -> tensor<3x37x2xf32> {
          %0 = "tfmbs.softmax"(%x) {axis = 1 : i64} : (tensor<3x37x2xf32>) -> tensor<3x37x2xf32>
          return %0 : tensor<3x37x2xf32>
        }""",
        x,
    )
    rows = x.swapaxes(1, 2)
    powers = evaluate("exp", rows - rows.max(axis=-1, keepdims=True))
    assert_bits(got, (powers / add16(powers)[..., None]).swapaxes(1, 2))


def test_layer_norm_over_two_axes() -> None:
    rng = np.random.default_rng(12)
    x, gamma, beta = normal(rng, 4, 5, 9), normal(rng, 5, 9), normal(rng, 5, 9)
    (got,) = run(
        """func.func @f(%x: tensor<4x5x9xf32>, %g: tensor<5x9xf32>, %b: tensor<5x9xf32>) -> tensor<4x5x9xf32> {
          %0 = "tfmbs.layer_norm"(%x, %g, %b) {axis = 1 : i64, epsilon = 1.0e-5 : f32}
              : (tensor<4x5x9xf32>, tensor<5x9xf32>, tensor<5x9xf32>) -> tensor<4x5x9xf32>
          return %0 : tensor<4x5x9xf32>
        }""",
        x,
        gamma,
        beta,
    )
    n = np.float32(45)
    rows = x.reshape(4, 45)
    centered = rows - (add16(rows) / n)[:, None]
    factor = evaluate("rsqrt", add16(centered * centered) / n + np.float32(1e-5))
    expected = centered * factor[:, None] * gamma.reshape(45) + beta.reshape(45)
    assert_bits(got, expected.reshape(4, 5, 9))


@pytest.mark.parametrize("n", [1, 15, 16, 17, 100])
def test_sums_beside_tfmbs_keep_sixteen_partials(n: int) -> None:
    x = normal(np.random.default_rng(13), 4, n) * np.float32(1e3)
    init = np.array([0.1, -0.0, 1e8, np.nan], np.float32)
    (got,) = run(
        f"""func.func @f(%x: tensor<4x{n}xf32>, %init: tensor<4xf32>) -> tensor<4xf32> {{
          %0 = linalg.generic {{indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>],
              iterator_types = ["parallel", "reduction"]}} ins(%x : tensor<4x{n}xf32>) outs(%init : tensor<4xf32>) {{
          ^bb0(%e: f32, %sum: f32):
            %1 = arith.addf %e, %sum : f32
            linalg.yield %1 : f32
          }} -> tensor<4xf32>
          return %0 : tensor<4xf32>
        }}""",
        x,
        init,
    )
    assert_bits(got, canonical(init + add16(x)))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_sums_over_any_dimensions(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    reduced = data.draw(st.sets(st.integers(0, len(sizes) - 1), min_size=1))
    kept = [axis for axis in range(len(sizes)) if axis not in reduced]
    x = normal(np.random.default_rng(data.draw(st.integers(0, 99))), *sizes)
    source, target = ("x".join([*map(str, part), "f32"]) for part in (sizes, [sizes[axis] for axis in kept]))
    dims = ", ".join(f"d{axis}" for axis in range(len(sizes)))
    kinds = ", ".join('"reduction"' if axis in reduced else '"parallel"' for axis in range(len(sizes)))
    (got,) = run(
        f"""func.func @f(%x: tensor<{source}>, %init: tensor<{target}>) -> tensor<{target}> {{
          %0 = linalg.generic {{indexing_maps = [affine_map<({dims}) -> ({dims})>,
              affine_map<({dims}) -> ({", ".join(f"d{axis}" for axis in kept)})>], iterator_types = [{kinds}]}}
              ins(%x : tensor<{source}>) outs(%init : tensor<{target}>) {{
          ^bb0(%e: f32, %sum: f32):
            %s = arith.mulf %e, %e : f32
            %1 = arith.addf %sum, %s : f32
            linalg.yield %1 : f32
          }} -> tensor<{target}>
          return %0 : tensor<{target}>
        }}""",
        x,
        np.zeros([sizes[axis] for axis in kept], np.float32),
    )
    rows = x.transpose(*kept, *sorted(reduced)).reshape(*(sizes[axis] for axis in kept), -1)
    assert_bits(got, add16(rows * rows))


def unary(op: str, source: str, target: str, x: NDArray[Any]) -> NDArray[Any]:
    n = x.size
    (got,) = run(
        f"""func.func @f(%x: tensor<{n}x{source}>) -> tensor<{n}x{target}> {{
          %e = tensor.empty() : tensor<{n}x{target}>
          %0 = linalg.generic {{indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>],
              iterator_types = ["parallel"]}} ins(%x : tensor<{n}x{source}>) outs(%e : tensor<{n}x{target}>) {{
          ^bb0(%a: {source}, %o: {target}):
            %r = {op}
            linalg.yield %r : {target}
          }} -> tensor<{n}x{target}>
          return %0 : tensor<{n}x{target}>
        }}""",
        x,
    )
    return got


@pytest.mark.parametrize("name", ["exp", "log", "tanh", "erf", "rsqrt", "sin", "cos"])
def test_special_functions_have_the_model_s_bits(name: str) -> None:
    x = np.arange(0, 2**32, 1_000_003, dtype=np.uint64).astype(np.uint32).view(np.float32)
    assert_bits(unary(f"math.{name} %a : f32", "f32", "f32", x), evaluate(name, x))


@pytest.mark.parametrize("target", ["i8", "i16", "i32"])
def test_float_to_integer_saturates(target: str) -> None:
    dtype = np.dtype(f"int{target[1:]}")
    low, high = float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    edges = np.array([low, high, 0, 1e30, -1e30], np.float32)
    x = np.concatenate([AWKWARD, edges, *(edges + np.float32(d) for d in (-1.5, -0.75, 0.75, 1.5))])
    got = unary(f"arith.fptosi %a : f32 to {target}", "f32", target, x)
    exact = np.trunc(np.nan_to_num(x.astype(np.float64), nan=0.0))
    assert_bits(got, np.clip(exact, low, np.iinfo(dtype).max).astype(dtype))


INTEGERS = np.array([0, 1, -1, 2, 7, -8, 31, 32, 33, 2**31 - 1, -(2**31)], np.int32)


def binary(op: str, element: str, values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The results of `op` for every pair of values, and the pairs."""
    a, b = (grid.ravel() for grid in np.meshgrid(values, values))
    n = a.size
    (got,) = run(
        f"""func.func @f(%x: tensor<{n}x{element}>, %y: tensor<{n}x{element}>) -> tensor<{n}x{element}> {{
          %0 = linalg.generic {{indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>,
              affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}}
              ins(%x, %y : tensor<{n}x{element}>, tensor<{n}x{element}>) outs(%x : tensor<{n}x{element}>) {{
          ^bb0(%a: {element}, %b: {element}, %o: {element}):
            %r = {op} %a, %b : {element}
            linalg.yield %r : {element}
          }} -> tensor<{n}x{element}>
          return %0 : tensor<{n}x{element}>
        }}""",
        a,
        b,
    )
    return got, a, b


def binary_integers(op: str) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64]]:
    got, a, b = binary(op, "i32", INTEGERS)
    return got, a.astype(np.int64), b.astype(np.int64)


def wrapped(x: NDArray[np.int64]) -> NDArray[np.int32]:
    return x.astype(np.uint64).astype(np.uint32).view(np.int32)


def test_division_by_zero_and_overflow() -> None:
    got, a, b = binary_integers("arith.divsi")
    safe = np.where(b == 0, 1, b)
    quotient = np.where(b == 0, 0, np.abs(a) // np.abs(safe) * np.sign(a) * np.sign(safe))
    assert_bits(got, wrapped(quotient))
    assert_bits(binary_integers("arith.remsi")[0], wrapped(a - quotient * b))


@pytest.mark.parametrize("op", ["shli", "shrsi", "shrui"])
def test_shift_counts_beyond_the_width(op: str) -> None:
    got, a, b = binary_integers(f"arith.{op}")
    count = np.where((b < 0) | (b > 31), 32, b)
    expected = {"shli": a << count, "shrsi": a >> count, "shrui": (a & 0xFFFFFFFF) >> count}[op]
    assert_bits(got, wrapped(expected))


@pytest.mark.parametrize("payload", [0x7FC00001, 0xFFC00000, 0x7F800123])
def test_arithmetic_gives_the_canonical_nan_and_moves_keep_bits(payload: int) -> None:
    x = np.array([payload], np.uint32).view(np.float32)
    for op in (
        "arith.addf %a, %a",
        "arith.mulf %a, %a",
        "arith.maximumf %a, %a",
        "math.fma %a, %a, %a",
        "math.ceil %a",
    ):
        assert int(unary(f"{op} : f32", "f32", "f32", x).view(np.uint32)[0]) == CANONICAL_NAN
    assert int(unary("arith.negf %a : f32", "f32", "f32", x).view(np.uint32)[0]) == payload ^ 0x80000000
    assert int(unary("math.absf %a : f32", "f32", "f32", x).view(np.uint32)[0]) == payload & 0x7FFFFFFF


@pytest.mark.parametrize("name", ["minimumf", "maximumf", "minnumf", "maxnumf"])
def test_minima_and_maxima_of_zeros_and_nan(name: str) -> None:
    got, a, b = binary(f"arith.{name}", "f32", np.concatenate([AWKWARD, np.array([1.0, -2.0], np.float32)]))
    is_least, is_number = name.startswith("min"), "num" in name
    expected = (np.minimum if is_least else np.maximum)(a, b)
    zeros = (a == 0) & (b == 0)
    negative = np.signbit(a) | np.signbit(b) if is_least else np.signbit(a) & np.signbit(b)
    expected = np.where(zeros, np.where(negative, np.float32(-0.0), np.float32(0.0)), canonical(expected))
    if is_number:
        expected = np.where(np.isnan(a), b, np.where(np.isnan(b), a, expected))
    assert_bits(got, expected)
