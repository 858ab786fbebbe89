"""Runs a model through us and through a reference, finds the first layer that is too far off, and cuts it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt
import onnx

from tfmbs.compiler.compilation import Compilation, Options
from tfmbs.compiler.importers.onnx_graph import Cutout, Layer, cut_out, layers_of, named, static_values, tapped
from tfmbs.compiler.samples import Arrays
from tfmbs.compiler.verify.figures import Figures, is_float, measure
from tfmbs.compiler.verify.references import run_reference
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image

Array = npt.NDArray[Any]
Execute = Callable[[Image, Arrays], Mapping[str, Array]]

TOLERANCES: Mapping[str, float] = {"fp32": 1e-4, "int8": 0.1, "int4": 0.25, "ternary": 0.5}
"""By precision: how far a layer of floats may be off where nobody says, relative to its largest element. Ternary
weights that were not trained as such change every value: no figure fits all models."""

_DEPTHS = (0, 1, 2, 4, 8, 16, 32, 64)
"""How many steps before the first bad layer the cut-out model begins, until it shows the error alone."""


@dataclass(frozen=True)
class Row:
    """A line of the error table."""

    layer: Layer
    figures: Figures
    bad: bool


@dataclass(frozen=True)
class Repeat:
    """The first bad layer as a model of its own: what it gives there, and whether the error is there too."""

    cutout: Cutout
    figures: Figures | None
    bad: bool
    refused: str = ""


@dataclass(frozen=True)
class Verification:
    """What a comparison found.

    Attributes:
        outputs: the model's outputs, from the program that a user gets.
        layers: every value between, from a program that has them as further outputs.
        skipped: layers that have no tensor to compare, or one that does not depend on the inputs.
        same_bytes: whether both programs give the same bytes for the model's own outputs: taps keep what is between
            layers from being fused away, so that the two may differ.
        first: the first layer over the tolerance; a layer of `outputs` where none of `layers` is.
    """

    reference: str
    tolerance: float
    outputs: tuple[Row, ...]
    layers: tuple[Row, ...]
    skipped: tuple[Layer, ...]
    same_bytes: bool
    first: Row | None = None
    repeat: Repeat | None = None


@dataclass(frozen=True)
class Verifier:
    """Compares with the reference of that name; `execute` runs a binary of ours.

    `tolerance` bounds max|ours − reference| of floats relative to max|reference| of the same value; integers and
    booleans must be equal.
    """

    options: Options
    execute: Execute
    reference: str = "onnxruntime"
    tolerance: float = TOLERANCES["fp32"]

    def verify(self, model: onnx.ModelProto, inputs: Arrays, where: str = "model") -> Verification:
        """Compares the model's outputs, then each layer's, and cuts out the first one that is off.

        Raises:
            TfmbsError: what the compiler refuses, also of the model with all values as outputs; ``reference``.
        """
        model = named(model)
        exposed, static = tapped(model), static_values(model.graph)
        expected = run_reference(self.reference, exposed, inputs)
        names = [value.name for value in model.graph.output]
        known = (inputs, {name: expected[name] for name in names})
        plain = self._ours(model, inputs, where, replace(self.options, known=known))
        layers = layers_of(model)
        by_value = {layer.value: layer for layer in layers}
        outputs = tuple(
            self._row(by_value.get(name, Layer(name, "output", name)), plain[name], expected) for name in names
        )
        self.options.progress("layers")
        taps = self._ours(exposed, inputs, f"{where}, with every value as an output", self._unchecked)
        compared = [layer for layer in layers if layer.value in taps and layer.value not in static]
        rows = tuple(self._row(layer, taps[layer.value], expected) for layer in compared)
        first = next((row for row in (*rows, *outputs) if row.bad), None)
        return Verification(
            self.reference,
            self.tolerance,
            outputs,
            rows,
            tuple(layer for layer in layers if layer not in compared),
            all(plain[name].tobytes() == taps[name].tobytes() for name in names),
            first,
            self._repeat(model, first, {**expected, **inputs}) if first and first.layer in layers else None,
        )

    def _row(self, layer: Layer, ours: Array, expected: Mapping[str, Array]) -> Row:
        reference = expected[layer.value]
        figures = measure(ours, reference, f"{layer.node} ({layer.op}): '{layer.value}'")
        return Row(layer, figures, figures.exceeds(self.tolerance if is_float(reference) else 0.0))

    @property
    def _unchecked(self) -> Options:
        """The options for programs that only serve to find a layer: the passes were checked on the model itself."""
        return replace(self.options, verify_numerically=False)

    def _ours(self, model: onnx.ModelProto, inputs: Arrays, where: str, options: Options) -> Mapping[str, Array]:
        return self.execute(Compilation.of(model, options, where=where).image(), inputs)

    def _repeat(self, model: onnx.ModelProto, first: Row, values: Mapping[str, Array]) -> Repeat:
        """The smallest cut-out around the first bad layer that shows the error; the last one tried if none does."""
        self.options.progress("cut out")
        result, nodes = None, -1
        for depth in _DEPTHS:
            cutout = cut_out(model, first.layer, depth, values)
            if len(cutout.nodes) == nodes:
                break
            nodes = len(cutout.nodes)
            result = self._try(cutout, first.layer)
            if result.bad:
                break
        assert result is not None
        return result

    def _try(self, cutout: Cutout, layer: Layer) -> Repeat:
        try:
            expected = run_reference(self.reference, cutout.model, cutout.inputs)
            samples = None if self.options.calibration is None else [cutout.inputs]
            options = replace(self._unchecked, calibration=samples, dims={})
            ours = self._ours(cutout.model, cutout.inputs, "cut-out model", options)
        except TfmbsError as error:
            return Repeat(cutout, None, False, str(error).removeprefix("error: "))
        row = self._row(layer, ours[layer.value], expected)
        return Repeat(cutout, row.figures, row.bad)
