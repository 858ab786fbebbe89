"""Forms of elementwise ops, and sorts, that torch-mlir has no lowering of."""

from __future__ import annotations

import torch
from torch import Tensor

_ATEN = torch.ops.aten


def fmod_scalar(x: Tensor, divisor: float) -> Tensor:
    """The remainder with the dividend's sign, in the type that both have in common."""
    dtype = torch.result_type(x, divisor)
    result: Tensor = _ATEN.fmod.Tensor(x.to(dtype), torch.full((), divisor, dtype=dtype))
    return result


def sort_stable(
    x: Tensor, *, stable: bool | None = None, dim: int = -1, descending: bool = False
) -> tuple[Tensor, Tensor]:
    """The sort is stable in any case: equal elements keep their order."""
    del stable
    result: tuple[Tensor, Tensor] = _ATEN.sort.default(x, dim, descending)
    return result
