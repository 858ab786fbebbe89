"""The cheapest choice of one option for each layer whose losses add up to no more than is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

STEPS = 4000
"""Parts that the allowance is counted in; each loss is rounded up to whole parts."""


@dataclass(frozen=True)
class Option:
    """What a layer may become: `loss` is at least 0, and so is `cost`."""

    precision: str
    loss: float
    cost: float


def cheapest(layers: Sequence[Sequence[Option]], allowance: float) -> list[int] | None:
    """The index of the chosen option of each layer, None where even the least losses exceed the allowance.

    Exact but for the rounding of losses: the multiple-choice knapsack problem by dynamic programming over the
    allowance (Kellerer, Pferschy and Pisinger, "Knapsack problems", 2004, §11.5).
    """
    least = np.zeros(STEPS + 1)
    choices = []
    for options in layers:
        costs = np.full((len(options), STEPS + 1), np.inf)
        for row, option in zip(costs, options, strict=True):
            steps = _steps(option.loss, allowance)
            if steps is not None:
                row[steps:] = least[: STEPS + 1 - steps] + option.cost
        choices.append(np.argmin(costs, axis=0))
        least = costs.min(axis=0)
    if not np.isfinite(least[-1]):
        return None
    found, left = [], STEPS
    for options, chosen in zip(reversed(layers), reversed(choices), strict=True):
        index = int(chosen[left])
        found.append(index)
        left -= _steps(options[index].loss, allowance) or 0
    return found[::-1]


def _steps(loss: float, allowance: float) -> int | None:
    """A loss in parts of the allowance, None where it is more than all of it."""
    if loss <= 0:
        return 0
    if loss > allowance:
        return None
    return min(STEPS, int(np.ceil(loss / allowance * STEPS)))
