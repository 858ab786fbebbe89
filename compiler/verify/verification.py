"""Runs a model through us and through a reference, finds the first layer that is too far off, and cuts it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tfmbs.compiler.compilation import Options
from tfmbs.compiler.importers.layers import Layer
from tfmbs.compiler.trial import Run
from tfmbs.compiler.verify.figures import Figures, is_float, measure
from tfmbs.compiler.verify.products import Product, ProductWatcher
from tfmbs.compiler.verify.subject import Array, Arrays, Execute, Part, Subject
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image

TOLERANCES: Mapping[str, float] = {"fp32": 1e-4, "bf16": 0.02, "int8": 0.1, "int4": 0.25, "ternary": 0.5, "mixed": 0.5}
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

    part: Part
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
        precision: what the model was compiled at.
        products: what quantization did to the products with constant weights; none of models of
            integers, and where all have floats as inputs only if they are to be drawn.
    """

    reference: str
    tolerance: float
    outputs: tuple[Row, ...]
    layers: tuple[Row, ...]
    skipped: tuple[Layer, ...]
    same_bytes: bool
    first: Row | None = None
    repeat: Repeat | None = None
    precision: str = "fp32"
    products: tuple[Product, ...] = ()


@dataclass(frozen=True)
class Verifier:
    """Compares a subject with its reference; `execute` runs a binary of ours.

    `tolerance` bounds max|ours − reference| of floats relative to max|reference| of the same value; integers and
    booleans must be equal. `draws` has products looked at also where all of them have floats as inputs.
    """

    options: Options
    execute: Execute
    tolerance: float = TOLERANCES["fp32"]
    draws: bool = False

    def verify(self, subject: Subject) -> Verification:
        """Compares the model's outputs, then each layer's, and cuts out the first one that is off.

        Raises:
            TfmbsError: what the compiler refuses, also of the model with all values as outputs; ``reference``.
        """
        expected = subject.values()
        watcher = ProductWatcher()
        watched = replace(self.options, observers=[*self.options.observers, watcher])
        plain = subject.ours(watched, self.execute, expected)
        self.options.progress("products")
        products = watcher.products(expected, self._start, self.draws)
        by_value = {layer.value: layer for layer in subject.layers}
        outputs = tuple(
            self._row(by_value.get(name, Layer(name, "output", name)), plain[name], expected)
            for name in subject.outputs
        )
        self.options.progress("layers")
        taps = subject.tapped(self._unchecked, self.execute)
        compared = [layer for layer in subject.layers if layer.value in taps and layer.value not in subject.static]
        rows = tuple(self._row(layer, taps[layer.value], expected) for layer in compared)
        first = next((row for row in (*rows, *outputs) if row.bad), None)
        return Verification(
            subject.reference,
            self.tolerance,
            outputs,
            rows,
            tuple(layer for layer in subject.layers if layer not in compared),
            all(plain[name].tobytes() == taps[name].tobytes() for name in subject.outputs),
            first,
            self._repeat(subject, first, expected) if first and first.layer in subject.layers else None,
            self.options.precision,
            products,
        )

    def _start(self, image: Image) -> Run:
        def run(inputs: Mapping[str, npt.ArrayLike]) -> Arrays:
            return self.execute(image, {name: np.asarray(array) for name, array in inputs.items()})

        return run

    def _row(self, layer: Layer, ours: Array, expected: Mapping[str, Array]) -> Row:
        reference = expected[layer.value]
        figures = measure(ours, reference, f"{layer.node} ({layer.op}): '{layer.value}'")
        return Row(layer, figures, figures.exceeds(self.tolerance if is_float(reference) else 0.0))

    @property
    def _unchecked(self) -> Options:
        """The options for programs that only serve to find a layer: the passes were checked on the model itself."""
        return replace(self.options, verify_numerically=False)

    def _repeat(self, subject: Subject, first: Row, values: Arrays) -> Repeat:
        """The smallest cut-out around the first bad layer that shows the error; the last one tried if none does."""
        self.options.progress("cut out")
        result, nodes = None, -1
        for depth in _DEPTHS:
            part = subject.cut_out(first.layer, depth, values)
            if len(part.nodes) == nodes:
                break
            nodes = len(part.nodes)
            result = self._try(part, first.layer)
            if result.bad:
                break
        assert result is not None
        return result

    def _try(self, part: Part, layer: Layer) -> Repeat:
        try:
            expected = part.expected()
            samples = None if self.options.calibration is None else [part.inputs]
            ours = part.ours(replace(self._unchecked, calibration=samples), self.execute)
        except TfmbsError as error:
            return Repeat(part, None, False, str(error).removeprefix("error: "))
        row = self._row(layer, ours, {layer.value: expected})
        return Repeat(part, row.figures, row.bad)
