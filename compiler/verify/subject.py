"""What a verification needs of a model, whatever it was written for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

import numpy.typing as npt

from tfmbs.compiler.compilation import Options
from tfmbs.compiler.importers.layers import Layer
from tfmbs.runtime.abi.image import Image

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]
Execute = Callable[[Image, Arrays], Arrays]
"""Runs a binary of ours on inputs by name."""


class Part(Protocol):
    """Part of a model as a model of its own, whose one output is the value of a layer.

    `nodes` are the names of its nodes, `inputs` what to run it on, `suffix` that of a file that holds it.
    """

    @property
    def nodes(self) -> tuple[str, ...]: ...
    @property
    def inputs(self) -> Arrays: ...
    @property
    def suffix(self) -> str: ...

    def expected(self) -> Array:
        """What the reference computes. Raises TfmbsError ``reference``."""

    def ours(self, options: Options, execute: Execute) -> Array:
        """What we compute. Raises TfmbsError as the compiler."""

    def to_bytes(self) -> bytes:
        """The content of its file."""


class Subject(Protocol):
    """A model with inputs to run it on and a reference that runs it.

    Attributes:
        reference: name of the reference.
        layers: a layer for each value that is computed, in order.
        outputs: the values that are the model's outputs, in order.
        static: values that do not depend on what the inputs hold.
    """

    @property
    def reference(self) -> str: ...
    @property
    def layers(self) -> Sequence[Layer]: ...
    @property
    def outputs(self) -> Sequence[str]: ...
    @property
    def static(self) -> Collection[str]: ...

    def values(self) -> Arrays:
        """Outputs, inputs, and values of layers as the reference computes them. Raises TfmbsError ``reference``."""

    def ours(self, options: Options, execute: Execute, expected: Arrays) -> Arrays:
        """The outputs, from the program that a user gets. Raises TfmbsError as the compiler.

        `expected` are those of the reference: where passes are checked numerically, the first is held to them.
        """

    def tapped(self, options: Options, execute: Execute) -> Arrays:
        """Outputs and values of layers, from a program that has them all as outputs. Raises TfmbsError."""

    def cut_out(self, layer: Layer, depth: int, values: Arrays) -> Part:
        """The node of `layer` and those up to `depth` steps before it, to be run on these `values`."""
