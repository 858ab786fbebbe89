"""An ONNX model as the subject of a verification."""

from __future__ import annotations

from dataclasses import dataclass, replace

import onnx

from tfmbs.compiler.compilation import Compilation, Options
from tfmbs.compiler.importers.layers import Layer
from tfmbs.compiler.importers.onnx_graph import cut_out, layers_of, named, static_values, tapped
from tfmbs.compiler.verify.references import run_reference
from tfmbs.compiler.verify.subject import Array, Arrays, Execute


@dataclass(frozen=True)
class OnnxPart:
    """A part of an ONNX model; see `Part`."""

    reference: str
    model: onnx.ModelProto
    value: str
    inputs: Arrays
    nodes: tuple[str, ...]
    suffix: str = ".onnx"

    def expected(self) -> Array:
        """See `Part`."""
        return run_reference(self.reference, self.model, self.inputs)[self.value]

    def ours(self, options: Options, execute: Execute) -> Array:
        """See `Part`."""
        image = Compilation.of(self.model, replace(options, dims={}), where="cut-out model").image()
        return execute(image, self.inputs)[self.value]

    def to_bytes(self) -> bytes:
        """See `Part`."""
        content: bytes = self.model.SerializeToString()
        return content


class OnnxSubject:
    """A model with its inputs; see `Subject`. `reference` is one of `references.REFERENCES`."""

    def __init__(self, model: onnx.ModelProto, inputs: Arrays, reference: str = "onnxruntime", where: str = "model"):
        self.reference = reference
        self._model = named(model)
        self._exposed = tapped(self._model)
        self._inputs, self._where = inputs, where
        self.layers = layers_of(self._model)
        self.outputs = [value.name for value in self._model.graph.output]
        self.static = static_values(self._model.graph)

    def values(self) -> Arrays:
        """See `Subject`."""
        return {**run_reference(self.reference, self._exposed, self._inputs), **self._inputs}

    def ours(self, options: Options, execute: Execute, expected: Arrays) -> Arrays:
        """See `Subject`."""
        known = (self._inputs, {name: expected[name] for name in self.outputs})
        compilation = Compilation.of(self._model, replace(options, known=known), where=self._where)
        return execute(compilation.image(), self._inputs)

    def tapped(self, options: Options, execute: Execute) -> Arrays:
        """See `Subject`."""
        where = f"{self._where}, with every value as an output"
        return execute(Compilation.of(self._exposed, options, where=where).image(), self._inputs)

    def cut_out(self, layer: Layer, depth: int, values: Arrays) -> OnnxPart:
        """See `Subject`."""
        part = cut_out(self._model, layer, depth, values)
        return OnnxPart(self.reference, part.model, layer.value, part.inputs, part.nodes)
