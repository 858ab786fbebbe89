"""The choice of a precision for each layer: measured one by one, searched, and measured together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from tfmbs.compiler.compilation import Options
from tfmbs.compiler.driver import Driver
from tfmbs.compiler.graph_digest import graph_digest
from tfmbs.compiler.jit import copy_module
from tfmbs.compiler.mixed.layers import Candidate, Layer, layers_of
from tfmbs.compiler.mixed.measure import agreement, agreement_and_error, spread
from tfmbs.compiler.mixed.plan import Entry, Plan
from tfmbs.compiler.mixed.probe import Probe, Setting
from tfmbs.compiler.mixed.search import Option, cheapest
from tfmbs.compiler.pipelines import sequence_text
from tfmbs.compiler.trial import trial
from tfmbs.dialect.attributes import PRECISION
from tfmbs.dialect.mlir import ir
from tfmbs.passes.graph.choices import MIXED
from tfmbs.passes.graph.kernels import ops_where, refusal
from tfmbs.passes.tfmbs_quantize import constant_weights
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.target_file import load_target

Array = npt.NDArray[Any]
Batch = Mapping[str, npt.ArrayLike]
Choice = tuple[int, ...]

SINGLE_SAMPLES = 8
"""Samples on which a layer is measured alone, at each precision."""
TOGETHER_SAMPLES = 32
"""Samples on which all layers are measured together, once for each of the `ROUNDS` of the search."""
ROUNDS = 10
BLAMED = 3
"""Layers that the error of an unmet budget names in its first line."""


def choose(module: Any, batches: Sequence[Batch], budget: float, options: Options) -> Plan:
    """The plan with the least cost whose network keeps a mean cosine of at least `budget` to that in f32.

    Args:
        module: the graph level in f32, calibrated; it is not changed.
        batches: inputs by name, on which layers and choices are measured; at least one.

    Losses of layers, 1 − cosine, are taken to add up; how much they may add up to is then found by measuring: the
    allowance grows while the choice keeps the budget, and shrinks while it does not. A budget is kept where the loss
    and its standard error on the samples together do, so that it is on others, too. The cheapest choice that keeps it
    in the quantized network is taken.

    Raises:
        TfmbsError: ``quantize``, no choice keeps the budget, with the layers that lose most; what the passes refuse.
    """
    search, knobs = _Search(module, batches, options), options.quantization
    limit = 1 - budget
    kept = sorted(search.keeping(limit), key=search.cost)
    for choice in (*kept, search.most_accurate):
        loss, error = search.exact_loss(choice)
        if loss + error <= limit:
            break
    else:
        raise _unmet(search, budget, loss)
    layers = []
    for item, index in zip(search.items, choice, strict=True):
        candidate = item.candidates[index]
        layers.append(Entry(candidate.precision, item.losses[index], candidate.cost, candidate.bytes, item.layer.name))
    return Plan(
        graph=graph_digest(module),
        target=options.target,
        group_size=knobs.group_size,
        rounding=knobs.rounding,
        activations=knobs.activations,
        budget=budget,
        predicted=1 - search.predicted_loss(choice),
        measured=1 - loss,
        layers=tuple(layers),
    )


@dataclass(frozen=True)
class _Item:
    """A layer with its candidates, cheapest first, and what the network loses with each of them alone."""

    layer: Layer
    candidates: list[Candidate]
    losses: list[float]

    @property
    def options(self) -> list[Option]:
        """The candidates for the search."""
        return [Option(c.precision, loss, c.cost) for c, loss in zip(self.candidates, self.losses, strict=True)]


class _Search:
    """A network and what its layers lose; choices are indices of candidates, one for each layer."""

    def __init__(self, module: Any, batches: Sequence[Batch], options: Options) -> None:
        self._module, self.target, self._knobs = module, options.target, options.quantization
        self._start = options.start_binary
        self._together = spread(batches, TOGETHER_SAMPLES)
        self._probe = Probe(module, self._start)
        layers = layers_of(module)
        self._plain = [Setting(layer.weights) for layer in layers]
        self._expected = self._outputs(self._together, self._plain)
        fabric = load_target(self.target)
        self.items = [self._item(i, layer, layer.candidates(self._knobs, fabric)) for i, layer in enumerate(layers)]

    def _outputs(self, samples: Sequence[Batch], settings: Sequence[Setting]) -> list[Mapping[str, Array]]:
        return [self._probe.run(sample, settings) for sample in samples]

    def _item(self, number: int, layer: Layer, candidates: list[Candidate]) -> _Item:
        if not candidates:
            raise refusal(layer.op, "unsupported", f"target {self.target} has no precision for it")
        samples, expected = spread(self._together, SINGLE_SAMPLES), spread(self._expected, SINGLE_SAMPLES)
        losses = []
        for candidate in candidates:
            settings = [*self._plain[:number], candidate.setting, *self._plain[number + 1 :]]
            losses.append(max(0.0, 1 - agreement(self._outputs(samples, settings), expected)))
        return _Item(layer, candidates, losses)

    @property
    def most_accurate(self) -> Choice:
        """Of each layer the candidate that loses least."""
        return tuple(item.losses.index(min(item.losses)) for item in self.items)

    def cost(self, choice: Choice) -> float:
        """Picojoules."""
        return sum(item.candidates[i].cost for item, i in zip(self.items, choice, strict=True))

    def predicted_loss(self, choice: Choice) -> float:
        """The sum of what layers lose alone."""
        return sum(item.losses[i] for item, i in zip(self.items, choice, strict=True))

    def loss(self, choice: Choice) -> float:
        """What the network loses with all layers as chosen, in the probe, and the standard error of that on top."""
        settings = [item.candidates[i].setting for item, i in zip(self.items, choice, strict=True)]
        mean, error = agreement_and_error(self._outputs(self._together, settings), self._expected)
        return 1 - mean + error

    def exact_loss(self, choice: Choice) -> tuple[float, float]:
        """What the quantized network loses, and the standard error of that."""
        copy = copy_module(self._module)
        products = ops_where(copy, lambda op: constant_weights(op) is not None)
        with copy.context:
            for op, item, index in zip(products, self.items, choice, strict=True):
                op.attributes[PRECISION] = ir.StringAttr.get(item.candidates[index].precision)
        Driver().run_text(copy, sequence_text("quantize", {"precision": MIXED, **self._knobs.settings}))
        run = trial(copy, self._start, self.target)
        mean, error = agreement_and_error([run(sample) for sample in self._together], self._expected)
        return 1 - mean, error

    def keeping(self, limit: float) -> list[Choice]:
        """Choices that lose no more than `limit` in the probe, each the cheapest for the losses that it predicts."""
        found: dict[Choice, float] = {}
        low, high, allowance = 0.0, math.inf, limit
        for _ in range(ROUNDS):
            indices = cheapest([item.options for item in self.items], allowance)
            choice = None if indices is None else tuple(indices)
            if choice is not None and choice not in found:
                found[choice] = self.loss(choice)
            if choice is None or found[choice] <= limit:
                low = allowance
            else:
                high = allowance
            allowance = 2 * low if math.isinf(high) else (low + high) / 2
        return [choice for choice, loss in found.items() if loss <= limit]


def _unmet(search: _Search, budget: float, loss: float) -> TfmbsError:
    """The error of a budget that nothing keeps; its details rank the layers by what they lose at their best."""
    worst = sorted(search.items, key=lambda item: -min(item.losses))
    lines = [f"{min(item.losses):.2e}  {item.layer.name} ({_best(item).precision})" for item in worst]
    details = "what each layer loses alone, at the precision that loses least:\n" + "\n".join(lines)
    blamed = ", ".join(item.layer.name for item in worst[:BLAMED])
    return TfmbsError(
        "quantize",
        "accuracy budget",
        f"it cannot be kept on target {search.target}; most is lost by {blamed}",
        f"at least {budget:g}",
        f"{1 - loss:.6g}",
        details=details,
    )


def _best(item: _Item) -> Candidate:
    return item.candidates[item.losses.index(min(item.losses))]
