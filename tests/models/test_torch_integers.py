"""Arithmetic on integers of PyTorch is exact up to the ends of their types, whatever torch-mlir makes of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import tfmbs

Op = Callable[[Tensor, Tensor], Tensor]

OPS: dict[str, Op] = {
    "neg": lambda x, y: -x,
    "abs": lambda x, y: x.abs(),
    "sign": lambda x, y: x.sign(),
    "add": lambda x, y: x + y,
    "add_alpha": lambda x, y: torch.add(x, y, alpha=3),
    "add_scalar": lambda x, y: x + 7,
    "sub": lambda x, y: x - y,
    "rsub": lambda x, y: 5 - x,
    "mul": lambda x, y: x * y,
    "square": lambda x, y: x.square(),
    "mul_scalar": lambda x, y: x * -3,
    "floor_divide": lambda x, y: x // y,
    "floor_divide_scalar": lambda x, y: x // 7,
    "floor_divide_negative": lambda x, y: x // -7,
    "trunc_divide": lambda x, y: torch.div(x, y, rounding_mode="trunc"),
    "trunc_divide_scalar": lambda x, y: torch.div(x, -7, rounding_mode="trunc"),
    "remainder": lambda x, y: x % y,
    "remainder_scalar": lambda x, y: x % 7,
    "remainder_negative": lambda x, y: x % -7,
    "fmod": torch.fmod,
    "fmod_scalar": lambda x, y: torch.fmod(x, 7),
    "pow": lambda x, y: x**3,
    "clamp": lambda x, y: x.clamp(-(1 << 29), (1 << 30) - 1),
    "clamp_tensor": lambda x, y: torch.clamp(x, y, y + 5),
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "relu": lambda x, y: torch.relu(x),
    "lt": lambda x, y: (x < y).long(),
    "eq": lambda x, y: (x == x.flip(0)).long(),
    "gt_scalar": lambda x, y: (x > (1 << 30) - 2).long(),
    "where": lambda x, y: torch.where(x > y, x, y),
    "bitwise_and": lambda x, y: x & y,
    "bitwise_xor": lambda x, y: x ^ y,
    "bitwise_not": lambda x, y: ~x,
    "shift_left": lambda x, y: x << 3,
    "shift_right": lambda x, y: x >> 5,
    "sum": lambda x, y: x.sum(),
    "prod": lambda x, y: x.prod(),
    "cumsum": lambda x, y: x.cumsum(0),
    "amax": lambda x, y: x.amax(),
    "min": lambda x, y: x.min(),
    "argmax": lambda x, y: x.argmax(),
    "sort": lambda x, y: x.sort().values,
    "matmul": lambda x, y: x.reshape(4, -1) @ y.reshape(4, -1).T,
    "addcmul": lambda x, y: torch.addcmul(x, x, y),
    "masked_fill": lambda x, y: x.masked_fill(x < 0, (1 << 30) - 3),
    "full": lambda x, y: x + torch.full_like(x, (1 << 30) - 5),
    "extrapolated": lambda x, y: x + (y - x) * 2,
    "index": lambda x, y: x[y.remainder(16).abs()],
    "index_select": lambda x, y: x.index_select(0, y.remainder(16).abs()),
    "embedding": lambda x, y: nn.functional.embedding(y.remainder(4).abs(), x.reshape(8, 4)),
    "scatter_add": lambda x, y: torch.zeros_like(x).scatter_add(0, y.remainder(16).abs().long(), x),
}
"""Of two vectors of one type; `y` holds no zero."""

POWERS: dict[str, Op] = {
    "pow_tensor": lambda x, y: torch.pow(x, y >> 3),
    "scalar_pow": lambda x, y: torch.pow(3, y.remainder(50)),
}
"""With exponents of run time."""


class All(nn.Module):
    """Every op, by its name."""

    def __init__(self, ops: dict[str, Op]) -> None:
        super().__init__()
        self.ops = ops

    def forward(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        return {name: op(x, y) for name, op in self.ops.items()}


def vectors(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Numbers of all magnitudes and both signs, the ends of the type and the first that no f32 or f64 holds."""
    limits = torch.iinfo(dtype)
    draw = torch.Generator().manual_seed(7)
    shifts = torch.arange(32) * (limits.bits - 1) // 32
    x = torch.randint(limits.min, limits.max, (32,), generator=draw, dtype=dtype) >> shifts.to(dtype)
    special = [limits.max, limits.min + 1, limits.max - 1, *((1 << 24) + 1, -(1 << 24) - 1)[: limits.bits // 16]]
    x[: len(special)] = torch.tensor(special, dtype=dtype)
    y = x.flip(0).roll(3)
    return x, torch.where(y == 0, torch.ones_like(y), y)


@pytest.mark.parametrize("ops", [OPS, POWERS], ids=["ops", "powers"])
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32], ids=str)
def test_integers_are_exact(dtype: torch.dtype, ops: dict[str, Op]) -> None:
    x, y = vectors(dtype)
    module = All(ops)
    program = tfmbs.compile(module, example_inputs=(torch.zeros_like(x), torch.ones_like(y)))
    ours, expected = program(x.numpy(), y.numpy()), module(x, y)
    assert list(ours) == list(expected)
    for name, tensor in expected.items():
        assert ours[name].dtype == tensor.numpy().dtype, name
        np.testing.assert_array_equal(ours[name], tensor.numpy(), err_msg=name)
