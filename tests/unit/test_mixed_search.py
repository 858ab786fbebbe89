"""The search over precisions, against trying all choices."""

from itertools import product

import numpy as np
import pytest

from tfmbs.compiler.mixed.search import STEPS, Option, cheapest


def options(rng: np.random.Generator, count: int) -> list[Option]:
    losses = np.sort(rng.exponential(1, count))[::-1]
    losses[-1] = 0
    costs = rng.random(count)
    return [Option(str(i), float(losses[i]), float(costs[i])) for i in range(count)]


@pytest.mark.parametrize("seed", range(20))
def test_no_choice_is_cheaper(seed: int) -> None:
    rng = np.random.default_rng(seed)
    layers = [options(rng, 4) for _ in range(5)]
    allowance = float(rng.uniform(0.1, 6))
    found = cheapest(layers, allowance)
    assert found is not None
    assert sum(layer[i].loss for layer, i in zip(layers, found, strict=True)) <= allowance * (1 + 1e-12)
    cost = sum(layer[i].cost for layer, i in zip(layers, found, strict=True))
    # Rounding up takes at most a part of each layer away.
    tighter = allowance * (1 - len(layers) / STEPS)
    choices = product(*layers)
    assert cost <= min(sum(o.cost for o in c) for c in choices if sum(o.loss for o in c) <= tighter) + 1e-12


def test_losses_that_are_too_large_have_no_choice() -> None:
    layers = [[Option("int8", 0.5, 1.0)], [Option("int8", 0.6, 1.0), Option("fp32", 0.4, 3.0)]]
    assert cheapest(layers, 0.89) is None
    assert cheapest(layers, 0.95) == [0, 1]
    assert cheapest(layers, 1.2) == [0, 0]


def test_nothing_is_allowed() -> None:
    layers = [[Option("int8", 1e-9, 1.0), Option("fp32", 0.0, 3.0)]]
    assert cheapest(layers, 0.0) == [1]
    assert cheapest([], 0.0) == []
