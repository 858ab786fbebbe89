"""Small graphs compiled and run on the emulator against their meaning through linalg, byte for byte."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.models.graphs import Build, Inputs, add, assert_same_bytes, elementwise, graph, mul, normal, weights
from tfmbs.dialect import graph as ops
from tfmbs.dialect.graph import yield_
from tfmbs.dialect.mlir import arith, ir, tensor
from tfmbs.dialect.resources import resource_attr
from tfmbs.dialect.types import int4, int4_per_axis, quantized, quantized_per_axis, ternary
from tfmbs.passes.linalg import structured
from tfmbs.passes.linalg.scalar import compare, f32, select
from tfmbs.runtime.abi.packing import pack_rows
from tfmbs.runtime.abi.types import Packing


def relu(a: Any) -> Any:
    return select(compare("ugt", a, f32(0.0)), a, f32(0.0))


def with_epilogue(op: Any, body: Build) -> Any:
    """The result of a product whose epilogue is `body`."""
    block = op.begin_epilogue()
    with ir.InsertionPoint(block):
        yield_(body(*block.arguments))
    return op.result


def i8(*shape: int, low: int = -127, high: int = 127, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(low, high + 1, shape).astype(np.int8)


def stored(array: Any, element: Any, shape: tuple[int, ...] | None = None) -> Any:
    """A constant of quantized or ternary elements."""
    return ops.constant(resource_attr(array, "w"), shape or array.shape, element).result


def transposed(x: Any, order: tuple[int, ...]) -> Any:
    shape = tuple(x.type.shape[d] for d in order)
    inverse = [order.index(d) for d in range(len(order))]
    return structured.elementwise(
        [(x, structured.mapping(len(order), inverse))], shape, x.type.element_type, lambda a: a
    )


def roles(acc: Any, channel: Any, element: Any, scalar: Any) -> Any:
    """An epilogue that uses an operand of each role."""
    return relu(add(mul(add(acc, channel), scalar), element))


def epilogue_operands(n: int, residual: Any) -> dict[str, Any]:
    operands = [weights(normal(n, seed=1)), residual, weights(normal(1, seed=2))]
    return {"operands": operands, "roles": ["channel", "element", "scalar"]}


X23: Inputs = {"x": ((2, 3), "f32")}

LONG_ROWS: Inputs = {"q": ((1, 2, 3, 8), "f32"), "k": ((1, 2, 40, 8), "f32"), "v": ((1, 2, 40, 5), "f32")}


def nibbles(element: Any, *shape: int) -> Any:
    """A constant of 4-bit integers, rows in pairs."""
    array = i8(*shape, low=-8, high=7, seed=6)
    packed = pack_rows(array.reshape(shape[0], -1), Packing.NIBBLES).view(np.int8)
    return stored(packed, element, shape)


def group_rows(kind: str, rows: int, group: int) -> Any:
    """Weights of groups: 4-bit integers, bytes, or trits in a packing."""
    if kind == "i4":
        return nibbles(int4(), rows, group)
    if kind == "i8":
        return stored(i8(rows, group, seed=6), quantized(1.0))
    trits = pack_rows(i8(rows, group, low=-1, high=1, seed=6), Packing.PT5).view(np.int8)
    return stored(trits, ternary(Packing.PT5), (rows, group))


def by_groups(x: Any, kind: str, activations: str = "stored", **rest: Any) -> Any:
    """A product of 14 channels and three groups of 11."""
    return ops.group_matmul(x, group_rows(kind, 42, 11), weights(normal(14, 3, seed=8)), activations, **rest)


GROUPS: dict[str, tuple[Inputs, Build]] = {
    **{
        f"group_matmul_{kind}_{mode}": (
            {"x": ((5, 33), "f32")},
            lambda x, kind=kind, mode=mode: by_groups(x, kind, mode).result,
        )
        for kind in ("i4", "i8", "pt5")
        for mode in ("stored", "absmax")
    },
    **{
        f"group_matmul_{kind}_quantized": (
            {"x": ((5, 33), "f32")},
            lambda x, kind=kind: by_groups(ops.quantize(x, quantized(0.02, -5)).result, kind).result,
        )
        for kind in ("i4", "i8", "pt5")
    },
    "group_matmul_epilogue": (
        {"x": ((5, 33), "f32"), "r": ((5, 14), "f32")},
        lambda x, r: with_epilogue(by_groups(x, "i4", "absmax", **epilogue_operands(14, r)), roles),
    ),
    "matmul_i4": (
        {"x": ((4, 33), "f32")},
        lambda x: ops.matmul(x, nibbles(int4_per_axis([0.5] * 20), 20, 33)).result,
    ),
    "matmul_i4_quantized": (
        {"x": ((4, 33), "f32")},
        lambda x: (
            ops.matmul(ops.quantize(x, quantized(0.02, -5)).result, nibbles(int4_per_axis([0.5] * 20), 20, 33)).result
        ),
    ),
    "conv2d_i4_quantized": (
        {"x": ((1, 3, 6, 5), "f32")},
        lambda x: (
            ops.conv2d(
                ops.quantize(x, quantized(0.02, -5)).result,
                nibbles(int4_per_axis([0.5] * 4), 4, 3, 3, 3),
                pads=(1, 1, 1, 1),
            ).result
        ),
    ),
}


def lstm(x: Any, direction: str, gates: str = "iofc", keep_cell: bool = False, **further: Any) -> Any:
    """A recurrence over states of 5 elements."""
    ways = 2 if direction == "both" else 1
    given, recurrent = weights(normal(ways, 20, 6, seed=2) / 2), weights(normal(ways, 20, 5, seed=3) / 2)
    return ops.lstm(x, given, recurrent, further, keep_cell, direction=direction, gates=gates).result


PRODUCTS: dict[str, tuple[Inputs, Build]] = {
    **GROUPS,
    "matmul": ({"x": ((4, 33), "f32")}, lambda x: ops.matmul(x, weights(normal(20, 33))).result),
    "matmul_epilogue": (
        {"x": ((4, 33), "f32"), "r": ((4, 20), "f32")},
        lambda x, r: with_epilogue(ops.matmul(x, weights(normal(20, 33)), **epilogue_operands(20, r)), roles),
    ),
    "matmul_more_than_a_vector": (
        {"x": ((1, 8), "f32")},
        lambda x: with_epilogue(
            ops.matmul(x, weights(normal(1100, 8)), operands=[weights(normal(1100))], roles=["channel"]), add
        ),
    ),
    "gemv": ({"x": ((1, 33), "f32")}, lambda x: ops.gemv(x, weights(normal(20, 33))).result),
    "fused_gemv": (
        {"x": ((1, 33), "f32")},
        lambda x: list(ops.fused_gemv(x, [weights(normal(20, 33)), weights(normal(7, 33))], [1, 0]).operation.results),
    ),
    "batch_matmul_nk": (
        {"x": ((3, 4, 33), "f32"), "y": ((3, 5, 33), "f32")},
        lambda x, y: ops.batch_matmul(x, y).result,
    ),
    "batch_matmul_kn": (
        {"x": ((3, 4, 33), "f32"), "y": ((3, 33, 5), "f32"), "r": ((3, 4, 5), "f32")},
        lambda x, y, r: with_epilogue(ops.batch_matmul(x, y, "kn", **epilogue_operands(5, r)), roles),
    ),
    "batch_matmul_of_transposed": (
        {"x": ((4, 3, 8), "f32"), "y": ((5, 3, 8), "f32")},
        lambda x, y: ops.batch_matmul(transposed(x, (1, 0, 2)), transposed(y, (1, 0, 2))).result,
    ),
    "conv2d_groups": (
        {"x": ((2, 4, 9, 8), "f32")},
        lambda x: ops.conv2d(x, weights(normal(6, 2, 3, 3)), strides=(2, 1), pads=(1, 1, 0, 2), groups=2).result,
    ),
    "conv2d_dilated": (
        {"x": ((1, 2, 9, 11), "f32")},
        lambda x: ops.conv2d(x, weights(normal(3, 2, 2, 3)), dilations=(3, 2), pads=(0, 2, 1, 0)).result,
    ),
    "conv2d_epilogue": (
        {"x": ((2, 4, 9, 8), "f32"), "r": ((2, 6, 9, 8), "f32")},
        lambda x, r: with_epilogue(
            ops.conv2d(x, weights(normal(6, 4, 3, 3)), pads=(1, 1, 1, 1), **epilogue_operands(6, r)), roles
        ),
    ),
    "conv3d_groups": (
        {"x": ((2, 4, 5, 6, 7), "f32")},
        lambda x: (
            ops.conv3d(x, weights(normal(6, 2, 3, 2, 3)), strides=(2, 1, 1), pads=(1, 0, 1, 0, 1, 2), groups=2).result
        ),
    ),
    "conv3d_dilated": (
        {"x": ((1, 2, 7, 5, 6), "f32")},
        lambda x: ops.conv3d(x, weights(normal(3, 2, 2, 3, 2)), dilations=(3, 1, 2), pads=(0, 1, 1, 2, 0, 0)).result,
    ),
    "conv3d_epilogue": (
        {"x": ((2, 4, 3, 4, 5), "f32"), "r": ((2, 6, 3, 4, 5), "f32")},
        lambda x, r: with_epilogue(
            ops.conv3d(x, weights(normal(6, 4, 3, 3, 3)), pads=(1,) * 6, **epilogue_operands(6, r)), roles
        ),
    ),
    "attention_causal": (
        {"q": ((2, 6, 7, 8), "f32"), "k": ((2, 3, 9, 8), "f32"), "v": ((2, 3, 9, 5), "f32")},
        lambda q, k, v: ops.attention(q, k, v, scale=0.375, causal=True, offset=2).result,
    ),
    "attention_chosen": (
        {
            "q": ((1, 2, 3, 8), "f32"),
            "k": ((1, 2, 40, 8), "f32"),
            "v": ((1, 2, 40, 5), "f32"),
            "m": ((1, 1, 3, 40), "i1"),
        },
        lambda q, k, v, m: ops.attention(q, k, v, m, mask_mode="select", fill=-3.0, clear=True).result,
    ),
    "attention_added": (
        {
            "q": ((1, 2, 3, 8), "f32"),
            "k": ((1, 2, 40, 8), "f32"),
            "v": ((1, 2, 40, 5), "f32"),
            "m": ((1, 2, 1, 40), "f32"),
        },
        lambda q, k, v, m: ops.attention(q, k, v, m, mask_mode="add_shown", scale=0.5, clear=True).result,
    ),
    "lstm": (
        {"x": ((4, 3, 6), "f32")},
        lambda x: lstm(x, "forward", bias=weights(normal(1, 20, seed=4))),
    ),
    "lstm_reverse_with_cell": (
        {"x": ((4, 1, 6), "f32"), "h": ((1, 1, 5), "f32"), "c": ((1, 1, 5), "f32")},
        lambda x, h, c: lstm(x, "reverse", keep_cell=True, hidden=h, cell=c),
    ),
    "lstm_both_as_pytorch": (
        {"x": ((3, 2, 6), "f32")},
        lambda x: lstm(
            x, "both", "ifco", bias=weights(normal(2, 20, seed=4)), recurrent_bias=weights(normal(2, 20, seed=5))
        ),
    ),
    "lstm_long": ({"x": ((70, 2, 6), "f32")}, lambda x: lstm(x, "both", keep_cell=True)),
    "max_pool": (
        {"x": ((2, 4, 9, 8), "f32")},
        lambda x: ops.pool(x, "max", (3, 2), strides=(2, 1), pads=(1, 1, 1, 0)).result,
    ),
    "avg_pool": (
        {"x": ((2, 4, 9, 8), "f32")},
        lambda x: ops.pool(x, "avg", (3, 2), strides=(2, 1), pads=(1, 1, 1, 0)).result,
    ),
    "avg_pool_padded": (
        {"x": ((2, 4, 9, 8), "f32")},
        lambda x: ops.pool(x, "avg", (3, 2), strides=(2, 1), pads=(1, 1, 1, 0), count_include_pad=True).result,
    ),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products(name: str) -> None:
    inputs, build = PRODUCTS[name]
    assert_same_bytes(graph(inputs, build), optimise=False)


def quantized_matmul(x: Any) -> list[Any]:
    """int8: per-channel weights, requantization with a fused ReLU, real accumulators."""
    row = quantized_per_axis([0.01] * 20)
    accumulators = ops.matmul(ops.quantize(x, quantized(0.05, 3)).result, stored(i8(20, 33), row)).result
    scale = weights(np.linspace(0.0005, 0.002, 20).astype(np.float32))
    narrow = ops.requantize(accumulators, scale, quantized(0.1, -4), axis=1, low=-4).result
    return [ops.dequantize(accumulators, scale, axis=1).result, ops.dequantize(narrow).result]


def quantized_conv(x: Any) -> Any:
    stored_x = ops.quantize(x, quantized(0.05, -7)).result
    filters = stored(i8(6, 2, 3, 3), quantized_per_axis([0.01] * 6))
    accumulators = ops.conv2d(stored_x, filters, pads=(1, 1, 1, 1), groups=2).result
    narrow = ops.requantize(accumulators, weights(np.full(6, 0.001, np.float32)), quantized(0.1, 5), axis=1).result
    return ops.dequantize(ops.pool(narrow, "max", (2, 2), strides=(2, 2)).result).result


def packed(packing: Packing) -> Any:
    trits = i8(20, 33, low=-1, high=1)
    data = trits if packing is Packing.I8 else pack_rows(trits, packing).reshape(20, -1).view(np.int8)
    return stored(data, ternary(packing), (20, 33))


LOW_PRECISION: dict[str, tuple[Inputs, Build]] = {
    "int8_matmul": ({"x": ((4, 33), "f32")}, quantized_matmul),
    "int8_conv2d": ({"x": ((2, 4, 9, 8), "f32")}, quantized_conv),
    **{
        f"ternary_{packing.name.lower()}": (
            {"x": ((4, 33), "f32")},
            lambda x, packing=packing: ops.matmul(x, packed(packing)).result,
        )
        for packing in (Packing.I8, Packing.PT5, Packing.T2)
    },
    "int8_by_ternary": (
        {"x": ((4, 33), "f32")},
        lambda x: (
            ops.dequantize(
                ops.matmul(ops.quantize(x, quantized(0.05, 3)).result, packed(Packing.PT5)).result,
                weights(np.full(1, 0.5, np.float32)),
            ).result
        ),
    ),
    "ternary_conv3d": (
        {"x": ((1, 4, 4, 5, 3), "f32")},
        lambda x: ops.conv3d(x, stored(i8(6, 4, 2, 3, 3, low=-1, high=1), ternary("i8")), pads=(1,) * 6).result,
    ),
    "ternary_conv2d": (
        {"x": ((2, 4, 9, 8), "f32")},
        lambda x: ops.conv2d(x, stored(i8(6, 4, 3, 3, low=-1, high=1), ternary("i8"))).result,
    ),
}


@pytest.mark.parametrize("optimise", [False, True])
@pytest.mark.parametrize("name", LOW_PRECISION)
def test_low_precision(name: str, optimise: bool) -> None:
    inputs, build = LOW_PRECISION[name]
    assert_same_bytes(graph(inputs, build), optimise=optimise)


def attention(q: Any, k: Any, v: Any) -> Any:
    """One head of attention: products, scale, softmax, all the ops of a transformer block but the norm."""
    scores = ops.batch_matmul(q, k).result
    scaled = elementwise(lambda s: mul(s, f32(0.25)), tuple(scores.type.shape), (0, 1, 2))(scores)
    return ops.batch_matmul(ops.softmax(scaled, 2).result, v, "kn").result


def normalized(x: Any) -> Any:
    return ops.layer_norm(x, weights(normal(64)), weights(normal(64, seed=1)), 2, 1e-5).result


def mlp(x: Any) -> Any:
    """Two layers as an importer leaves them, with bias, ReLU and residual behind the products."""
    hidden = ops.matmul(x, weights(normal(24, 16))).result
    hidden = elementwise(lambda a, b: relu(add(a, b)), (5, 24), (0, 1), (1,))(hidden, weights(normal(24)))
    out = ops.matmul(hidden, weights(normal(16, 24))).result
    return elementwise(lambda a, b, r: add(r, add(a, b)), (5, 16), (0, 1), (1,), (0, 1))(out, weights(normal(16)), x)


NETWORKS: dict[str, tuple[Inputs, Build]] = {
    "softmax": ({"x": ((4, 37), "f32")}, lambda x: ops.softmax(x, 1).result),
    "softmax_of_columns": ({"x": ((7, 600), "f32")}, lambda x: ops.softmax(x, 0).result),
    "layer_norm": ({"x": ((4, 5, 64), "f32")}, normalized),
    "layer_norm_of_two_axes": (
        {"x": ((4, 5, 6), "f32")},
        lambda x: ops.layer_norm(x, weights(normal(5, 6)), weights(normal(5, 6)), 1, 1e-5).result,
    ),
    "attention": ({"q": ((2, 7, 8), "f32"), "k": ((2, 9, 8), "f32"), "v": ((2, 9, 4), "f32")}, attention),
    "mlp": ({"x": ((5, 16), "f32")}, mlp),
}


@pytest.mark.parametrize("optimise", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str, optimise: bool) -> None:
    inputs, build = NETWORKS[name]
    assert_same_bytes(graph(inputs, build), optimise=optimise)


def slice_of(x: Any, offsets: list[int], sizes: list[int], steps: list[int], shape: tuple[int, ...]) -> Any:
    type_ = ir.RankedTensorType.get(list(shape), x.type.element_type)
    return tensor.ExtractSliceOp(type_, x, [], [], [], offsets, sizes, steps).result


def inserted(part: Any, x: Any, offsets: list[int], sizes: list[int], steps: list[int]) -> Any:
    return tensor.InsertSliceOp(part, x, [], [], [], offsets, sizes, steps).result


def concatenated(axis: int, shape: tuple[int, ...], *parts: Any) -> Any:
    return tensor.ConcatOp(ir.RankedTensorType.get(list(shape), parts[0].type.element_type), axis, parts).result


def sums_of_one_init(x: Any) -> list[Any]:
    """Two reductions in one loop that start from the same tensor."""
    zero = structured.filled((4,), x.type.element_type, 0)

    def body(a: Any, total: Any, squares: Any) -> list[Any]:
        return [arith.AddIOp(total, a).result, arith.AddIOp(squares, arith.MulIOp(a, a).result).result]

    outs = [(zero, structured.mapping(2, [0]))] * 2
    return list(structured.generic([(x, structured.identity(2))], outs, ["parallel", "reduction"], body).results)


MOVEMENT: dict[str, tuple[Inputs, Build]] = {
    "argument": (X23, lambda x: x),
    "argument_twice": (X23, lambda x: [x, x]),
    "result_twice": (X23, lambda x: [y := elementwise(add, (2, 3), (0, 1), (0, 1))(x, x), y]),
    "constant": (X23, lambda x: weights(normal(5))),
    "transpose": ({"x": ((3, 40, 7), "f32")}, lambda x: transposed(x, (2, 0, 1))),
    "transpose_long": ({"x": ((30, 600), "f32")}, lambda x: transposed(x, (1, 0))),
    "transpose_i8": ({"x": ((30, 6), "i8")}, lambda x: transposed(x, (1, 0))),
    "concat_rows": (
        {"x": ((3, 4), "f32"), "y": ((1, 4), "f32")},
        lambda x, y: concatenated(0, (4, 4), x, y),
    ),
    "concat_columns": (
        {"x": ((3, 4), "f32"), "y": ((3, 5), "f32")},
        lambda x, y: concatenated(1, (3, 9), x, y),
    ),
    "concat_i64": (
        {"x": ((3,), "i64"), "y": ((5,), "i64")},
        lambda x, y: concatenated(0, (8,), x, y),
    ),
    "slice": ({"x": ((4, 8), "f32")}, lambda x: slice_of(x, [1, 2], [2, 3], [2, 1], (2, 3))),
    "slice_drops_a_dimension": ({"x": ((4, 8), "f32")}, lambda x: slice_of(x, [2, 1], [1, 3], [1, 2], (3,))),
    "product_of_a_slice": (
        {"x": ((4, 8), "f32")},
        lambda x: ops.matmul(slice_of(x, [1, 1], [2, 3], [2, 2], (2, 3)), weights(normal(5, 3))).result,
    ),
    "insert_into_argument": (
        {"x": ((4, 8), "f32"), "s": ((2, 3), "f32")},
        lambda x, s: inserted(s, x, [1, 2], [2, 3], [1, 2]),
    ),
    "insert_keeps_the_init": (
        {"x": ((4, 8), "f32"), "s": ((2, 3), "f32")},
        lambda x, s: [inserted(s, t := transposed(transposed(x, (1, 0)), (1, 0)), [1, 2], [2, 3], [1, 2]), t],
    ),
    "two_results_of_one_init": ({"x": ((4, 30), "i32")}, sums_of_one_init),
    "insert_part_of_itself": (
        {"x": ((4, 8), "f32")},
        lambda x: inserted(
            slice_of(t := transposed(transposed(x, (1, 0)), (1, 0)), [0, 0], [3, 8], [1, 1], (3, 8)),
            t,
            [1, 0],
            [3, 8],
            [1, 1],
        ),
    ),
}


@pytest.mark.parametrize("name", MOVEMENT)
def test_movement(name: str) -> None:
    inputs, build = MOVEMENT[name]
    assert_same_bytes(graph(inputs, build), optimise=False)
