"""Nodes written one after the other, each result with a fresh name: what decompositions are made with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, helper, numpy_helper

from tfmbs.compiler.importers.rewrite.scope import Scope


class Builder:
    """Collects `nodes` that stand for one node of the model; values are called by their names."""

    def __init__(self, origin: NodeProto, scope: Scope) -> None:
        self.origin, self.scope = origin, scope
        self.nodes: list[NodeProto] = []

    def __call__(self, op: str, *inputs: str, **attributes: Any) -> str:
        """The single result of an operator."""
        return self.many(op, 1, *inputs, **attributes)[0]

    def many(self, op: str, results: int, *inputs: str, **attributes: Any) -> list[str]:
        """The results of an operator that has several."""
        label = f"{self.origin.name}.{op}"
        names = [self.fresh(op) for _ in range(results)]
        given = {key: value for key, value in attributes.items() if value is not None}
        while inputs and not inputs[-1]:
            inputs = inputs[:-1]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=label, **given))
        return names

    def fresh(self, name: str) -> str:
        """A name for a value, after the node and `name`."""
        return self.scope.names.fresh(f"{self.origin.name}.{name}")

    def tensor(self, array: np.ndarray) -> str:
        """A constant."""
        name = self.fresh("constant")
        self.nodes.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array, name)))
        return name

    def ints(self, *values: int) -> str:
        """A constant vector of i64."""
        return self.tensor(np.array(values, np.int64))

    def number(self, value: float, element: int) -> str:
        """A constant scalar of `element`, a `TensorProto.DataType`."""
        name = self.fresh("number")
        tensor = helper.make_tensor(name, element, [], [value])
        self.nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        return name

    def zeros(self, shape: Sequence[int], element: int) -> str:
        """A constant of zeros."""
        value = helper.make_tensor("value", element, [1], [0])
        return self("ConstantOfShape", self.ints(*shape), value=value)

    def reshape(self, value: str, *shape: int) -> str:
        """The value in another shape."""
        return self("Reshape", value, self.ints(*shape))

    def part(self, value: str, axis: int, index: int) -> str:
        """The slice at `index` of `axis`, without that axis."""
        cut = self("Slice", value, self.ints(index), self.ints(index + 1), self.ints(axis))
        return self("Squeeze", cut, self.ints(axis))

    def give(self, value: str, result: str) -> None:
        """Makes `value` the result of that name; an empty name is one that nobody wants."""
        if result:
            self.nodes.append(helper.make_node("Identity", [value], [result], name=f"{self.origin.name}.{result}"))


def attribute(node: NodeProto, name: str, default: Any = None) -> Any:
    """The value of an attribute: number, list, tensor or graph; strings as str."""
    for item in node.attribute:
        if item.name == name:
            value = helper.get_attribute_value(item)
            if item.type == AttributeProto.STRING:
                return value.decode()
            return [text.decode() for text in value] if item.type == AttributeProto.STRINGS else value
    return default


def operand(node: NodeProto, index: int) -> str:
    """Name of an input, empty where it is left out."""
    return str(node.input[index]) if index < len(node.input) else ""


def result(node: NodeProto, index: int) -> str:
    """Name of an output, empty where it is left out."""
    return str(node.output[index]) if index < len(node.output) else ""


def untyped_graph(name: str, nodes: Sequence[NodeProto], inputs: Sequence[str], outputs: Sequence[str]) -> GraphProto:
    """A graph for an attribute of a node; its values are typed when it is walked."""
    undefined = TensorProto.UNDEFINED
    return helper.make_graph(
        list(nodes), name,
        [helper.make_tensor_value_info(value, undefined, None) for value in inputs],
        [helper.make_tensor_value_info(value, undefined, None) for value in outputs],
    )  # fmt: skip
