"""Arithmetic on integers that torch-mlir does in floats, which do not hold all of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_ATEN = torch.ops.aten


def neg(x: Tensor) -> Any:
    """-x, of integers modulo their width."""
    return x * -1 if _is_whole(x) else NotImplemented


def floor_divide(x: Tensor, y: Tensor | int) -> Any:
    """The quotient rounded down: the truncated one, less one where the remainder has another sign than `y`."""
    if not _is_whole(x) or not _is_whole(y):
        return NotImplemented
    quotient = torch.div(x, y, rounding_mode="trunc")
    rest = x - quotient * y
    negative = y < 0
    other = (rest > 0) if negative is True else (rest < 0) if negative is False else (rest < 0).ne(negative)
    return torch.where(rest.ne(0) & other, quotient - 1, quotient)


def div_mode(x: Tensor, y: Tensor | int, *, rounding_mode: str | None = None) -> Any:
    """A division that is rounded down."""
    return floor_divide(x, y) if rounding_mode == "floor" else NotImplemented


def pow_scalar(x: Tensor, exponent: float) -> Any:
    """x multiplied with itself, by squares; torch takes no negative exponents of integers."""
    if not _is_whole(x) or not isinstance(exponent, int) or exponent < 0:
        return NotImplemented
    result = torch.ones_like(x)
    while exponent:
        if exponent & 1:
            result = result * x
        exponent >>= 1
        if exponent:
            x = x * x
    return result


def pow_tensor(x: Tensor, exponent: Tensor) -> Any:
    """As `pow_scalar`, bit by bit; with a negative exponent only 1 and -1 have a power that is not 0."""
    if not _is_whole(x) or not _is_whole(exponent):
        return NotImplemented
    dtype = torch.result_type(x, exponent)
    base, rest = (tensor.to(dtype) for tensor in (x, exponent))
    result = torch.ones_like(base * rest)
    odd = rest.bitwise_and(1).ne(0)
    inverse = torch.where(base.eq(1) | (base.eq(-1) & ~odd), 1, torch.where(base.eq(-1), -1, 0))
    for _ in range(torch.iinfo(dtype).bits - 1):
        result = torch.where(rest.bitwise_and(1).ne(0), result * base, result)
        rest, base = rest >> 1, base * base
    return torch.where(exponent < 0, inverse.to(dtype), result)


def scalar_pow(x: float, exponent: Tensor) -> Any:
    """A number to the power of integers."""
    if not isinstance(x, int) or not _is_whole(exponent):
        return NotImplemented
    return pow_tensor(torch.full((), x, dtype=exponent.dtype), exponent)


def _is_whole(x: Tensor | float) -> bool:
    if isinstance(x, Tensor):
        return not x.is_floating_point() and not x.is_complex() and x.dtype is not torch.bool
    return isinstance(x, int)
