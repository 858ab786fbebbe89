"""The key and value cache of a decoder: buffers that a step updates in place."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class KeyValueCache(nn.Module):
    """Keys and values of up to `length` positions, for one sequence."""

    def __init__(self, heads: int, length: int, width: int) -> None:
        super().__init__()
        self.keys: Tensor
        self.values: Tensor
        self.register_buffer("keys", torch.zeros(1, heads, length, width), persistent=False)
        self.register_buffer("values", torch.zeros(1, heads, length, width), persistent=False)

    def update(self, positions: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Stores keys and values (1, heads, t, width) at `positions` (t,), i64; all that are in the cache then."""
        self.keys[:, :, positions] = keys
        self.values[:, :, positions] = values
        return self.keys, self.values

    def mask(self, positions: Tensor) -> Tensor:
        """(t, length), bool: which positions of the cache a token at each of `positions` (t,) attends to."""
        slots = torch.arange(self.keys.shape[2], device=positions.device)
        return slots[None, :] <= positions[:, None]

    def clear(self) -> None:
        """Forgets everything, as a context's `reset` does."""
        self.keys.zero_()
        self.values.zero_()
