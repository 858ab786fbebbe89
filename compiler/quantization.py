"""How a compilation quantizes, besides its precision: the knobs, their values, and what refuses others."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfmbs.compiler.calibration.observers import OBSERVERS
from tfmbs.passes.graph.choices import DEFAULT, Settings
from tfmbs.runtime.abi.errors import TfmbsError

ROUNDINGS = ("nearest", "gptq")
ACTIVATIONS = ("int8", "dynamic", "bf16")
BIASES = ("kept", "corrected")
CHANNELS = ("kept", "equalized")
ZERO_POINTS = ("asymmetric", "symmetric")


@dataclass(frozen=True)
class Quantization:
    """The knobs. Each field is an option of the command line and a key of the API's `quantization`.

    Attributes:
        group_size: weights of a linear layer that have a scale of their own in int4 and ternary: a number, or
            ``channel``; by default 32 in int4 and the channel in ternary.
        rounding: of int4 and ternary weights: ``nearest``, or ``gptq`` by what layers see on the samples.
        activations: beside integer weights: ``int8`` by the range of the samples (without any, they stay f32 beside
            int4 and ternary), ``dynamic``, int8 by the largest magnitude of each row of a linear layer's input, or
            ``bf16`` beside int4 and ternary.
        migration: how much of the size of outlying channels moves from the inputs of linear layers into their weights,
            0…1, None for nothing (SmoothQuant's alpha; 0.5 is usual); needs samples.
        mask: name of an input of the model that is not zero for rows (tokens) that count; padding does not in
            calibration then.
        observer: which range of an input i8 stands for: all values (``minmax``), 99.99 % of them (``percentile``), or
            that with the least squared error (``mse``) or loss of information (``entropy``).
        zero_point: of i8 activations: ``asymmetric``, where the range wants it, or ``symmetric``, 0.
        biases: ``kept``, or ``corrected`` by what rounded weights change in the mean of the samples; rounding to
            nearest only.
        channels: between two layers with only biases, ReLU and pooling between them: ``kept``, or ``equalized``, by
            scales that make weights on both sides of like size.
        ranges: a file with the ranges of a calibration that was made before, instead of samples.
        accuracy_budget: of precision ``mixed``: the least mean cosine between outputs on the samples and those in f32.
        plan: of precision ``mixed``: a file with a plan that was made before, instead of a budget.
    """

    group_size: str = DEFAULT
    rounding: str = "nearest"
    activations: str = "int8"
    migration: float | None = None
    mask: str | None = None
    observer: str = "minmax"
    zero_point: str = "asymmetric"
    biases: str = "kept"
    channels: str = "kept"
    ranges: str | None = None
    accuracy_budget: float | None = None
    plan: str | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any] | Quantization | None) -> Quantization:
        """The knobs by name, others at their defaults. Raises TfmbsError ``usage`` for a name or value that is none."""
        if isinstance(given, Quantization):
            return given
        values = {} if given is None else dict(given)
        known = [field.name for field in dataclasses.fields(cls)]
        for name in values:
            if name not in known:
                raise TfmbsError("usage", "quantization", "unknown option", f"one of {', '.join(known)}", repr(name))
        if "group_size" in values:
            values["group_size"] = str(values["group_size"])
        for name in ("accuracy_budget", "migration"):
            if values.get(name) is not None:
                values[name] = _number(name, values[name])
        return cls(**values)

    def __post_init__(self) -> None:
        Settings("", self.group_size).check("quantization")
        _check("rounding", self.rounding, ROUNDINGS)
        _check("activations", self.activations, ACTIVATIONS)
        _check("observer", self.observer, tuple(OBSERVERS))
        _check("biases", self.biases, BIASES)
        _check("channels", self.channels, CHANNELS)
        if self.biases == "corrected" and self.rounding == "gptq":
            raise TfmbsError("usage", "biases corrected", "rounding", ROUNDINGS[0], self.rounding)
        _check("zero_point", self.zero_point, ZERO_POINTS)
        if self.migration is not None and (self.observer, self.zero_point) != ("minmax", ZERO_POINTS[0]):
            asked = f"{self.observer}, {self.zero_point}"
            raise TfmbsError("usage", "migration", "ranges of what it moves", "minmax, asymmetric", asked)
        if self.migration is not None and not 0 <= self.migration <= 1:
            raise TfmbsError("usage", "quantization", "migration", "a number from 0 to 1", self.migration)
        if self.accuracy_budget is not None and not 0 < self.accuracy_budget <= 1:
            expected = "a cosine above 0, at most 1"
            raise TfmbsError("usage", "quantization", "accuracy_budget", expected, self.accuracy_budget)

    @property
    def settings(self) -> dict[str, str]:
        """The options of the pipelines: values of ``$group_size`` and the others, by name."""
        return {"group_size": self.group_size, "activations": self.activations}


def _number(what: str, given: object) -> float:
    if isinstance(given, int | float):
        return float(given)
    raise TfmbsError("usage", "quantization", what, "a number", repr(given))


def _check(what: str, given: str, known: tuple[str, ...]) -> None:
    if given not in known:
        raise TfmbsError("usage", "quantization", what, f"one of {', '.join(known)}", repr(given))


DEFAULTS = Quantization()
