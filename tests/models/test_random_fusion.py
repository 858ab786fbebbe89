"""Random elementwise code behind random products: optimised and on the emulator it gives the bytes of linalg."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.models.graphs import Inputs, add, assert_same_bytes, elementwise, graph, mul, normal, weights
from tfmbs.dialect import graph as ops
from tfmbs.dialect.mlir import arith
from tfmbs.passes.linalg import scalar

Build = Callable[..., Any]


def _maximum(a: Any, b: Any) -> Any:
    return arith.MaximumFOp(a, b).result


def _leaky(a: Any, b: Any) -> Any:
    return scalar.select(scalar.compare("ogt", a, b), a, arith.MulFOp(a, scalar.f32(0.125)).result)


BODIES = (add, mul, _maximum, _leaky)
PRODUCTS: dict[str, tuple[tuple[int, ...], tuple[int, ...], Build, int]] = {
    # input shape, result shape, product, channel axis
    "matmul": ((5, 7), (5, 6), lambda x: ops.matmul(x, weights(normal(6, 7))).result, 1),
    "gemv": ((1, 7), (1, 6), lambda x: ops.matmul(x, weights(normal(6, 7))).result, 1),
    "conv2d": (
        (1, 2, 5, 4),
        (1, 3, 5, 4),
        lambda x: ops.conv2d(x, weights(normal(3, 2, 3, 3)), pads=(1, 1, 1, 1)).result,
        1,
    ),
    "batch_matmul": ((2, 3, 4), (2, 3, 5), lambda x: ops.batch_matmul(x, weights(normal(2, 5, 4))).result, 2),
}


def random_graph(kind: str, seed: int) -> Any:
    """A product with one to five elementwise ops behind it, which read arguments, constants and earlier results."""
    rng = np.random.default_rng(seed)
    source, shape, product, channel = PRODUCTS[kind]
    axes = tuple(range(len(shape)))
    others: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
        "element": (shape, axes),
        "channel": ((shape[channel],), (channel,)),
        "first": ((shape[0],), (0,)),
        "two": (shape[-2:], axes[-2:]),
    }
    inputs: Inputs = {"x": (source, "f32")} | {name: (size, "f32") for name, (size, _) in others.items()}
    steps = [
        (BODIES[rng.integers(len(BODIES))], str(rng.choice([*others, "constant", "splat", "earlier"])))
        for _ in range(rng.integers(1, 6))
    ]

    def build(x: Any, *arguments: Any) -> Any:
        named = dict(zip(others, arguments, strict=True))
        values = [product(x)]
        for body, name in steps:
            if name == "constant":
                operand, read = weights(normal(shape[channel], seed=seed)), (channel,)
            elif name == "splat":
                operand, read = weights(np.full(shape, 0.5, np.float32)), axes
            elif name == "earlier":
                operand, read = values[rng.integers(len(values))], axes
            else:
                operand, read = named[name], others[name][1]
            pair = [(values[-1], axes), (operand, read)]
            if rng.integers(2):
                pair.reverse()
            values.append(elementwise(body, shape, *(mapped for _, mapped in pair))(*(value for value, _ in pair)))
        return values[-1]

    return graph(inputs, build)


@pytest.mark.parametrize("kind", PRODUCTS)
@pytest.mark.parametrize("seed", range(4))
def test_fused_code_keeps_every_bit(kind: str, seed: int) -> None:
    assert_same_bytes(random_graph(kind, seed))
