"""The pass `tfmbs-gptq` and what `tfmbs-quantize` makes of its weights; second moments against torch's patches."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.models.graphs import graph, normal, weights
from tfmbs.compiler.driver import Driver
from tfmbs.compiler.jit import Reference
from tfmbs.dialect import graph as ops
from tfmbs.dialect.mlir import ir
from tfmbs.passes.graph.kernels import constant_elements, ops_of, ops_where, right
from tfmbs.passes.graph.moments import second_moment, set_moment
from tfmbs.runtime.abi.errors import TfmbsError


def run(module: Any, *passes: str) -> Any:
    Driver().run_text(module, f"builtin.module({','.join(passes)})")
    return module


def correlated(*shape: int, seed: int = 0) -> np.ndarray:
    """Values of which neighbours along the last axis have most in common."""
    x = np.cumsum(normal(*shape, seed=seed), axis=-1) / 4 + normal(*shape, seed=seed + 9) / 8
    return np.asarray(x, np.float32)


def products(module: Any) -> list[Any]:
    return ops_where(module, lambda op: "telemetry" in op.operation.attributes or hasattr(op, "has_epilogue"))


def linear(array: np.ndarray, x: np.ndarray) -> Any:
    module = graph({"x": (x.shape, "f32")}, lambda x: ops.matmul(x, weights(array)).result)
    with_moments(module, x)
    return module


def with_moments(module: Any, x: np.ndarray) -> None:
    with module.context, ir.Location.unknown():
        for op in products(module):
            set_moment(op, second_moment(op, x))


def error(module: Any, x: np.ndarray, expected: np.ndarray) -> float:
    (result,) = Reference(module, optimization=0).run({"x": x}).values()
    return float(((result - expected) ** 2).mean() / (expected**2).mean())


@pytest.mark.parametrize("precision", ["int4", "ternary"])
@pytest.mark.parametrize("group", ["channel", "32", "64"])
def test_linear_layers_are_nearer_than_without(precision: str, group: str) -> None:
    array, x = normal(24, 64, seed=1), correlated(200, 64, seed=2)
    expected = x.astype(np.float64) @ array.T.astype(np.float64)
    options = f"{{precision={precision} group-size={group}}}"
    rounded = run(linear(array, x), f"tfmbs-gptq{options}", f"tfmbs-quantize{options}")
    nearest = run(linear(array, x), f"tfmbs-quantize{options}")
    assert isinstance(products(rounded)[0], ops.GroupMatmulOp if group == "32" else ops.MatmulOp)
    assert error(rounded, x, expected) < 0.6 * error(nearest, x, expected)


def test_stored_weights_are_those_of_the_grid_and_nothing_is_left_behind() -> None:
    array, x = normal(6, 64, seed=1), correlated(50, 64, seed=2)
    module = run(linear(array, x), "tfmbs-gptq{precision=int4}")
    (op,) = products(module)
    on_grid = constant_elements(right(op))
    assert sorted(set(op.attributes) & {"tfmbs.second_moment", "tfmbs.weight_scales"}) == ["tfmbs.weight_scales"]
    before = Reference(module).run({"x": x})["y0"]
    run(module, "tfmbs-quantize{precision=int4}")
    (op,) = products(module)
    assert not [name for name in op.attributes if name.startswith("tfmbs.")]
    scales, stored = constant_elements(op.scales), constant_elements(right(op)).reshape(6, 2, 32)
    np.testing.assert_array_equal((stored.astype(np.float32) * scales[:, :, None]).reshape(6, 64), on_grid)
    assert Reference(module).run({"x": x})["y0"].tobytes() == before.tobytes()


@pytest.mark.parametrize("groups", [1, 2])
def test_moments_of_convolutions_are_those_of_patches(groups: int) -> None:
    x, array = normal(2, 4, 7, 6, seed=3), normal(6, 4 // groups, 3, 2, seed=4)
    window = {"strides": (2, 1), "dilations": (1, 2), "pads": (1, 0, 2, 1)}
    module = graph({"x": (x.shape, "f32")}, lambda x: ops.conv2d(x, weights(array), groups=groups, **window).result)
    (op,) = ops_of(module, ops.Conv2dOp)
    padded = torch.nn.functional.pad(torch.from_numpy(x).double(), (0, 1, 1, 2))
    for g, moment in enumerate(second_moment(op, x)):
        part = padded[:, g * 4 // groups : (g + 1) * 4 // groups]
        patches = torch.nn.functional.unfold(part, (3, 2), dilation=(1, 2), stride=(2, 1))
        rows = patches.transpose(1, 2).reshape(-1, patches.shape[1]).numpy()
        np.testing.assert_allclose(moment, rows.T @ rows, rtol=1e-12, atol=1e-12)


def test_convolutions_are_nearer_than_without() -> None:
    array, x = normal(8, 2, 3, 3, seed=1), correlated(2, 4, 9, 9, seed=2)

    def network() -> Any:
        module = graph({"x": (x.shape, "f32")}, lambda x: ops.conv2d(x, weights(array), groups=2).result)
        with_moments(module, x)
        return module

    expected = Reference(network()).run({"x": x})["y0"].astype(np.float64)
    for precision in ("int4", "ternary"):
        rounded = run(network(), f"tfmbs-gptq{{precision={precision}}}", f"tfmbs-quantize{{precision={precision}}}")
        nearest = run(network(), f"tfmbs-quantize{{precision={precision}}}")
        assert error(rounded, x, expected) < 0.7 * error(nearest, x, expected)


def test_other_precisions_keep_their_weights() -> None:
    array, x = normal(4, 8, seed=1), correlated(9, 8)
    module = run(linear(array, x), "tfmbs-gptq{precision=int8}")
    (op,) = products(module)
    np.testing.assert_array_equal(constant_elements(right(op)), array)
    assert not [name for name in op.attributes if name.startswith("tfmbs.")]


def test_a_moment_of_another_size_is_refused() -> None:
    module = linear(normal(4, 8), correlated(9, 8))
    with module.context, ir.Location.unknown():
        set_moment(products(module)[0], np.eye(7)[None])
    with pytest.raises(TfmbsError, match=r"tfmbs\.second_moment, expected f32 of \(1, 8, 8\), got float32 of"):
        run(module, "tfmbs-gptq{precision=int4}")
