"""What a calibration found, as a small text file that compilations of the same graph take instead of samples.

    tfmbs-calibration 1
    graph DIGEST
    input LOW HIGH NAME…

A line for each product with constant weights, in the order of the graph; LOW and HIGH are f32 values with as many
digits as it takes to read them back. Lines that begin with ``#`` and empty ones do not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfmbs.compiler.graph_digest import graph_digest
from tfmbs.compiler.numbered_lines import numbered_lines
from tfmbs.dialect.attributes import INPUT_RANGE
from tfmbs.dialect.mlir import ir
from tfmbs.passes.graph.kernels import kernel_name, ops_where
from tfmbs.passes.tfmbs_quantize import constant_weights
from tfmbs.passes.tfmbs_telemetry import layer_name
from tfmbs.runtime.abi.errors import TfmbsError

FIRST_LINE = "tfmbs-calibration 1"
_FIELDS = 4


@dataclass(frozen=True)
class Calibrated:
    """The range of a product's input, and the product's name."""

    low: float
    high: float
    name: str


@dataclass(frozen=True)
class Calibration:
    """The ranges of the products of a graph, in its order."""

    graph: str
    inputs: tuple[Calibrated, ...]

    @classmethod
    def of(cls, module: Any) -> Calibration:
        """What `calibrate` found for a graph-level module."""
        inputs = []
        for op in _products(module):
            low, high = op.attributes[INPUT_RANGE]
            inputs.append(Calibrated(low, high, layer_name(op) or kernel_name(op)))
        return cls(graph_digest(module), tuple(inputs))

    def text(self) -> str:
        """The file."""
        lines = (f"input {np.float32(i.low)!s} {np.float32(i.high)!s} {i.name}" for i in self.inputs)
        return "".join(f"{line}\n" for line in (FIRST_LINE, f"graph {self.graph}", *lines))

    def apply(self, module: Any) -> None:
        """Gives every product of a graph the range of its input.

        Raises:
            TfmbsError: ``quantize``, the calibration is of another graph.
        """
        digest, products = graph_digest(module), _products(module)
        if digest != self.graph or len(products) != len(self.inputs):
            raise TfmbsError("quantize", "calibration", "it belongs to another graph", self.graph, digest)
        with module.context:
            for op, found in zip(products, self.inputs, strict=True):
                op.attributes[INPUT_RANGE] = ir.DenseF32ArrayAttr.get([found.low, found.high])


def _products(module: Any) -> list[Any]:
    return list(ops_where(module, lambda op: constant_weights(op) is not None))


def read_calibration(path: Path) -> Calibration:
    """The calibration in a file.

    Raises:
        TfmbsError: ``io``, it cannot be read; ``quantize`` with file and line, it is no calibration.
    """
    lines = numbered_lines(path, "calibration", FIRST_LINE)
    number, line = lines[0] if lines else (2, "nothing")
    key, _, digest = line.partition(" ")
    if key != "graph" or not digest:
        raise TfmbsError("quantize", f"{path}:{number}", "line of a calibration", "graph DIGEST", line)
    return Calibration(digest, tuple(_input(line, f"{path}:{number}") for number, line in lines[1:]))


def _input(line: str, where: str) -> Calibrated:
    parts = line.split(" ", _FIELDS - 1)
    if len(parts) != _FIELDS or parts[0] != "input":
        raise TfmbsError("quantize", where, "line of a calibration", "input LOW HIGH NAME", line)
    try:
        low, high = (float(np.float32(part)) for part in parts[1:3])
    except ValueError as error:
        raise TfmbsError("quantize", where, "range of an input", "two numbers", " ".join(parts[1:3])) from error
    if not (np.isfinite([low, high]).all() and low <= high):
        raise TfmbsError("quantize", where, "range of an input", "two finite numbers in order", f"{low} {high}")
    return Calibrated(low, high, parts[3])
