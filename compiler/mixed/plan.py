"""The plan of a mixed-precision compilation: a precision for each layer, as a small text file that can be replayed.

    tfmbs-plan 1
    graph DIGEST
    target NAME
    group-size default
    rounding gptq
    activations int8
    budget 0.995
    predicted 0.99612
    measured 0.99587
    layer PRECISION LOSS PICOJOULES BYTES NAME…

A line for each layer, in the order of the graph. LOSS is what the network loses where this layer alone has the
precision. Lines that begin with ``#`` and empty ones do not count.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tfmbs.compiler.graph_digest import graph_digest
from tfmbs.compiler.numbered_lines import numbered_lines
from tfmbs.compiler.quantization import Quantization
from tfmbs.dialect.attributes import PRECISION
from tfmbs.dialect.mlir import ir
from tfmbs.passes.graph.choices import LADDER
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.passes.tfmbs_quantize import constant_weights
from tfmbs.runtime.abi.errors import TfmbsError

FIRST_LINE = "tfmbs-plan 1"
_LAYER_FIELDS = 5


@dataclass(frozen=True)
class Entry:
    """A layer of a plan."""

    precision: str
    loss: float
    cost: float
    bytes: int
    name: str

    def line(self) -> str:
        """The entry as a line of the file."""
        return f"layer {self.precision} {self.loss:.6g} {self.cost:.6g} {self.bytes} {self.name}"


@dataclass(frozen=True)
class Plan:
    """What was chosen, for which graph, and how near the outputs stay: `predicted` from the layers one by one,
    `measured` on the quantized network; both are the mean cosine to the outputs in f32.
    """

    graph: str
    target: str
    group_size: str
    rounding: str
    activations: str
    budget: float
    predicted: float
    measured: float
    layers: tuple[Entry, ...]

    def text(self) -> str:
        """The plan as a file."""
        named = [f"{_key(name)} {_shown(getattr(self, name))}" for name in _HEAD]
        return "".join(f"{line}\n" for line in (FIRST_LINE, *named, *(entry.line() for entry in self.layers)))

    def check(self, target: str, knobs: Quantization) -> None:
        """Raises TfmbsError ``quantize`` where the plan was made for another target or with other knobs."""
        for name, asked in (("target", target), *((name, getattr(knobs, name)) for name in _KNOBS)):
            if getattr(self, name) != asked:
                made = getattr(self, name)
                raise TfmbsError("quantize", "plan", f"it was made for another {name.replace('_', ' ')}", made, asked)

    def apply(self, module: Any) -> None:
        """Gives every layer of a graph its precision.

        Raises:
            TfmbsError: ``quantize``, the plan is for another graph.
        """
        digest = graph_digest(module)
        products = ops_where(module, lambda op: constant_weights(op) is not None)
        if digest != self.graph or len(products) != len(self.layers):
            raise TfmbsError("quantize", "plan", "it belongs to another graph", self.graph, digest)
        with module.context:
            for op, entry in zip(products, self.layers, strict=True):
                op.attributes[PRECISION] = ir.StringAttr.get(entry.precision)


_HEAD = [field.name for field in fields(Plan) if field.name != "layers"]
_KNOBS = ("group_size", "rounding", "activations")  # another migration or mask makes another graph, or other weights
_NUMBERS = ("budget", "predicted", "measured")


def _key(name: str) -> str:
    return name.replace("_", "-")


def _shown(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def read_plan(path: Path) -> Plan:
    """The plan in a file.

    Raises:
        TfmbsError: ``io``, it cannot be read; ``quantize`` with file and line, it is no plan.
    """
    lines = numbered_lines(path, "plan", FIRST_LINE)
    head, layers = lines[: len(_HEAD)], lines[len(_HEAD) :]
    values: dict[str, Any] = {}
    for name, (number, line) in zip(_HEAD, head, strict=False):
        key, _, value = line.partition(" ")
        if key != _key(name) or not value:
            raise TfmbsError("quantize", f"{path}:{number}", "line of a plan", f"{_key(name)} VALUE", line)
        values[name] = _number(value, f"{path}:{number}") if name in _NUMBERS else value
    if len(values) < len(_HEAD):
        raise TfmbsError("quantize", path, "end of the plan", _key(_HEAD[len(values)]), "nothing")
    return Plan(**values, layers=tuple(_entry(line, f"{path}:{number}") for number, line in layers))


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise TfmbsError("quantize", where, "number in a plan", "a number", text) from error


def _entry(line: str, where: str) -> Entry:
    parts = line.split(" ", _LAYER_FIELDS)
    if len(parts) != _LAYER_FIELDS + 1 or parts[0] != "layer" or parts[1] not in LADDER or not parts[4].isdecimal():
        raise TfmbsError("quantize", where, "line of a plan", "layer PRECISION LOSS PICOJOULES BYTES NAME", line)
    return Entry(parts[1], _number(parts[2], where), _number(parts[3], where), int(parts[4]), parts[5])
