"""Cross-layer equalization: no bit changes in f32, channels get the ranges of the formula, and integers get nearer."""

from typing import Any

import numpy as np
import pytest

import tfmbs
from tests.models.graphs import Build, add, elementwise, graph, normal, weights
from tests.models.zoo import build, node
from tfmbs.compiler.driver import Driver
from tfmbs.compiler.jit import Reference
from tfmbs.dialect import graph as ops
from tfmbs.dialect.mlir import arith, ir
from tfmbs.passes.graph.kernels import constant_elements, ops_of, right
from tfmbs.runtime.abi.errors import TfmbsError

UNEVEN = np.exp2(np.random.default_rng(9).integers(-5, 6, 12)).astype(np.float32)
W, B, V = normal(12, 24, seed=1) * UNEVEN[:, None], normal(12, seed=2) * UNEVEN, normal(5, 12, seed=3) / UNEVEN
U = normal(9, 5, seed=4) * 16


def relu(value: Any, shape: tuple[int, ...]) -> Any:
    zero = arith.ConstantOp(ir.F32Type.get(), 0.0).result
    return elementwise(lambda x: arith.MaximumFOp(x, zero).result, shape, tuple(range(len(shape))))(value)


def linear(x: Any) -> Any:
    hidden = ops.matmul(x, weights(W)).result
    hidden = elementwise(add, (6, 12), (0, 1), (1,))(hidden, weights(B))
    return ops.matmul(ops.matmul(relu(hidden, (6, 12)), weights(V)).result, weights(U)).result


def grouped(x: Any) -> Any:
    shape = (2, 12, 8, 8)
    hidden = ops.conv2d(x, weights(normal(12, 3, 3, 3, seed=5) * UNEVEN[:, None, None, None]), pads=(1, 1, 1, 1))
    hidden = elementwise(add, shape, (0, 1, 2, 3), (1,))(hidden.result, weights(B))
    hidden = ops.pool(relu(hidden, shape), "max", (2, 2), strides=(2, 2)).result
    return ops.conv2d(hidden, weights(normal(8, 3, 3, 3, seed=6)), groups=4).result


def equalized(inputs: tuple[int, ...], network: Build) -> Any:
    module = graph({"x": (inputs, "f32")}, network)
    Driver().run_text(module, "builtin.module(tfmbs-equalize-channels)")
    return module


def products(module: Any) -> list[Any]:
    return [constant_elements(right(op)) for op in ops_of(module, ops.MatmulOp, ops.Conv2dOp)]


@pytest.mark.parametrize(("shape", "network"), [((6, 24), linear), ((2, 3, 8, 8), grouped)], ids=["linear", "grouped"])
def test_no_bit_changes_in_f32(shape: tuple[int, ...], network: Build) -> None:
    x = normal(*shape, seed=7)
    module = equalized(shape, network)
    kept = graph({"x": (shape, "f32")}, network)
    assert any(not np.array_equal(old, new) for old, new in zip(products(kept), products(module), strict=True))
    before, after = (Reference(each).run({"x": x})["y0"] for each in (kept, module))
    assert before.tobytes() == after.tobytes()


def test_ranges_of_channels_meet() -> None:
    """√(r¹ · r²) on both sides, to the rounding of s: they differ by a factor of at most 2. All pairs of a chain."""
    first, second, third = products(equalized((6, 24), linear))
    for made, read in ((first, second), (second, third)):
        apart = np.log2(np.abs(made).max(axis=1) / np.abs(read).max(axis=0))
        assert np.abs(apart).max() <= 1
    assert np.abs(np.log2(np.abs(W).max(axis=1) / np.abs(V).max(axis=0))).max() > 4


def test_channels_of_groups_are_scaled_by_their_own_weights() -> None:
    first, second = products(equalized((2, 3, 8, 8), grouped))
    made = np.abs(first).max(axis=(1, 2, 3))
    read = np.concatenate([np.abs(second[2 * group : 2 * group + 2]).max(axis=(0, 2, 3)) for group in range(4)])
    assert np.abs(np.log2(made / read)).max() <= 1


def test_what_others_read_stays() -> None:
    def shared(x: Any) -> list[Any]:
        hidden = ops.matmul(x, weights(W)).result
        return [ops.matmul(hidden, weights(V)).result, hidden]

    np.testing.assert_array_equal(products(equalized((6, 24), shared))[0], W)


def test_weights_on_a_grid_stay_there() -> None:
    trits = np.random.default_rng(8).integers(-1, 2, (5, 12)).astype(np.float32)

    def trained(x: Any) -> Any:
        return ops.matmul(ops.matmul(x, weights(W)).result, weights(trits)).result

    np.testing.assert_array_equal(products(equalized((6, 24), trained))[1], trits)


def test_calibration_before_is_refused() -> None:
    module = graph({"x": ((6, 24), "f32")}, linear)
    first, *_ = ops_of(module, ops.MatmulOp)
    with module.context, ir.Location.unknown():
        first.attributes["tfmbs.input_range"] = ir.DenseF32ArrayAttr.get([-1.0, 1.0])
    with pytest.raises(TfmbsError, match=r"tfmbs\.input_range, expected no calibration before channels are equalized"):
        Driver().run_text(module, "builtin.module(tfmbs-equalize-channels)")


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_integers_of_uneven_channels_are_nearer(precision: str) -> None:
    nodes = [node("Gemm", "x w b", "h", transB=1), node("Relu", "h", "r"), node("Gemm", "r v", "y", transB=1)]
    model = build(nodes, (6, 24), w=W, b=B, v=V)
    x = normal(6, 24, seed=7)
    exact = np.maximum(x.astype(np.float64) @ W.T + B, 0) @ V.T.astype(np.float64)
    errors = []
    for channels in ("kept", "equalized"):
        knobs = {"channels": channels, "group_size": "channel"}
        compiled = tfmbs.compile(model, precision=precision, calibration={"x": x}, quantization=knobs)
        (y,) = compiled.context().run({"x": x}).values()
        errors.append(((y - exact) ** 2).mean())
    assert errors[1] < 0.5 * errors[0]
