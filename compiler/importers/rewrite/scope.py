"""What is known of the values of a graph while it is walked: types, small constants, names that are taken."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, TypeProto, numpy_helper

from tfmbs.compiler.importers.rewrite.types import static_shape, type_of_array

MAX_KNOWN = 4096
"""Elements of the largest constant that is remembered by value: enough for any shape, index or small mask."""

MOST_NAMES = 20_000
"""Values of a model from which on nothing is written out any more that can be a loop."""


@dataclass
class Names:
    """Names of values, none given twice in one model."""

    taken: set[str]
    next_number: dict[str, int] = field(default_factory=dict)

    @property
    def has_room(self) -> bool:
        """Whether loops may still be written out: nested ones would multiply without an end."""
        return len(self.taken) < MOST_NAMES

    def fresh(self, name: str) -> str:
        """A name like `name` that nothing in the model has."""
        result, number = name, self.next_number.get(name, 0)
        while result in self.taken:
            number += 1
            result = f"{name}_{number}"
        self.next_number[name] = number
        self.taken.add(result)
        return result


@dataclass
class Scope:
    """One graph of a model: its values over those of the graphs around it.

    `declared` are the types that the model records. They are promises for its `outputs` and hints for inner values.
    `sequences` are the tensors in sequences, by name; `absent` are the optionals that hold nothing. `sized`: the model
    is imported at several sizes, so nothing becomes a constant that grows with one.
    """

    where: str
    opsets: Mapping[str, int]
    names: Names
    declared: dict[str, TypeProto]
    outputs: frozenset[str]
    types: ChainMap[str, TypeProto] = field(default_factory=ChainMap)
    known: ChainMap[str, np.ndarray] = field(default_factory=ChainMap)
    sequences: ChainMap[str, list[str]] = field(default_factory=ChainMap)
    absent: set[str] = field(default_factory=set)
    sized: bool = False
    nodes: list[NodeProto] = field(default_factory=list)

    @property
    def opset(self) -> int:
        """Version of the default domain."""
        return self.opsets[""]

    def inner(self, declared: Mapping[str, TypeProto]) -> Scope:
        """The scope of a graph inside of this one, which declares types of its own."""
        outer = (self.where, self.opsets, self.names, {**self.declared, **declared}, self.outputs)
        within = (self.types.new_child(), self.known.new_child(), self.sequences.new_child())
        return Scope(*outer, *within, self.absent, self.sized)

    def shape(self, name: str) -> tuple[int, ...] | None:
        """Static shape of the tensor of that name, None where it is not known."""
        return static_shape(self.types.get(name))

    def remember(self, name: str, tensor: TensorProto) -> None:
        """Notes the value of a constant that is small."""
        if prod(tensor.dims) <= MAX_KNOWN and tensor.data_type != TensorProto.STRING:
            self.known[name] = numpy_helper.to_array(tensor)

    def constant(self, name: str, array: np.ndarray, origin: str) -> NodeProto:
        """A node that makes the value `name`, called like the node `origin`; its type and value are noted."""
        self.types[name] = type_of_array(array)
        self.known[name] = array
        value = numpy_helper.from_array(array, name)
        return onnx.helper.make_node("Constant", [], [name], name=origin, value=value)
