"""One ONNX node as the lowerings see it: operands as builtin tensors, attributes, constants, and refusals by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfmbs.dialect.location import Place, place
from tfmbs.dialect.mlir import arith, ir
from tfmbs.dialect.resources import Array, numpy_dtype_of, read_elements, resource_attr
from tfmbs.dialect.shapes import Shape
from tfmbs.passes.linalg.scalar import bits_constant
from tfmbs.passes.linalg.scalar import constant as scalar_constant
from tfmbs.passes.onnx.elements import Element, TensorType, tensor_type_of
from tfmbs.runtime.abi.errors import TfmbsError

OPERATOR, PREFIX = "torch.operator", "onnx."
OPERAND_ELEMENTS, RESULT_ELEMENTS = "operand_elements", "result_elements"
"""Attributes of a node with narrow elements: the `Element` name of each operand or result, empty for what is none."""

Value = Any


class Node:
    """A ``torch.operator "onnx.…"``. Lowerings build at the current insertion point, which stands before the op.

    Operands and results are numbered as in ONNX's description of the operator. Sizes are static: the pass leaves ops
    alone whose types say less (lists, optionals, unknown sizes).
    """

    def __init__(self, operation: Any) -> None:
        self.operation = operation
        self._operands = list(operation.operands)
        self._inputs = self._types(self._operands, OPERAND_ELEMENTS)
        self._outputs = self._types(list(operation.results), RESULT_ELEMENTS)

    def _types(self, values: Sequence[Value], attribute: str) -> list[TensorType | None]:
        """Types of operands or results; what their bytes stand for is told by an attribute."""
        types = [tensor_type_of(value) for value in values]
        given = self.attribute(attribute)
        if given is None:
            return types
        names = [str(name.value) for name in given]
        return [
            TensorType(type_.shape, Element(name)) if type_ is not None and name else type_
            for type_, name in zip(types, names, strict=True)
        ]

    @property
    def elements(self) -> list[Element]:
        """Element types of all tensors among operands and results."""
        return [type_.element for type_ in (*self._inputs, *self._outputs) if type_ is not None]

    @property
    def op(self) -> str:
        """ONNX's name of the operator."""
        return str(self.operation.attributes["name"].value).removeprefix(PREFIX)

    @property
    def where(self) -> Place:
        """The node's own name, as errors call it."""
        return place(self.operation.location)

    @property
    def opset(self) -> int:
        """The opset of ONNX's own domain that the model imports, after conversion; 0 where it imports none."""
        parent = self.operation.parent
        while parent is not None and parent.name != "func.func":
            parent = parent.parent
        key = "torch.onnx_meta.opset_version"
        return parent.attributes[key].value if parent is not None and key in parent.attributes else 0

    @property
    def is_static(self) -> bool:
        """Whether every operand that is there, and every result, is a tensor of static shape and real elements."""
        absent = [str(value.type) == "!torch.none" for value in self._operands]
        return all(type_ or none for type_, none in zip(self._inputs, absent, strict=True)) and all(self._outputs)

    def refuse(self, what: str, expected: object = None, got: object = None) -> TfmbsError:
        """The error for a node that can not be compiled: ``onnx.unsupported`` at the node's name, to be raised."""
        return TfmbsError("onnx.unsupported", self.where, f"{self.op}: {what}", expected, got)

    # Operands

    def __len__(self) -> int:
        """Number of operands that are written, absent ones in between counted."""
        return len(self._operands)

    def has(self, index: int) -> bool:
        """Whether an optional operand is given."""
        return index < len(self._inputs) and self._inputs[index] is not None

    def shape(self, index: int) -> Shape:
        """Shape of an operand."""
        return self._input(index).shape

    def element(self, index: int) -> Element:
        """Element type of an operand, with its sign."""
        return self._input(index).element

    def tensor(self, index: int) -> Value:
        """An operand as a builtin tensor (integers signless); a constant becomes an `arith.constant`."""
        value = self._operands[index]
        given = self.constant(index)
        if given is not None:
            return self.literal(given, self.element(index))
        self._input(index)
        return to_builtin(value)

    def constant(self, index: int) -> Array | None:
        """Elements of an operand that is a constant of the model (bf16 as float32), None for any other or none."""
        if not self.has(index):
            return None
        owner = self._operands[index].owner
        operation = owner.operation if isinstance(owner, ir.Operation | ir.OpView) else None
        if operation is None or not is_op(operation, "Constant"):
            return None
        return constant_value(operation)

    def producer(self, index: int) -> Node | None:
        """The node that an operand is a result of, as long as it has not been converted; None for any other operand."""
        owner = self._operands[index].owner if self.has(index) else None
        operation = owner.operation if isinstance(owner, ir.Operation | ir.OpView) else None
        return Node(operation) if operation is not None and operation.name == OPERATOR else None

    def label(self, index: int) -> str:
        """The name of a constant operand, as the model calls it."""
        return place(self._operands[index].owner.location).name

    def _input(self, index: int) -> TensorType:
        found = self._inputs[index]
        if found is None:
            raise self.refuse(f"operand {index}", "a tensor", "none")
        return found

    # Results

    @property
    def results(self) -> int:
        """Number of results that are written, also those nobody uses."""
        return len(self._outputs)

    def result_shape(self, index: int = 0) -> Shape:
        """Static shape of a result, as the model declares it or as it was inferred."""
        return self._output(index).shape

    def result_element(self, index: int = 0) -> Element:
        """Element type of a result, with its sign."""
        return self._output(index).element

    def is_used(self, index: int) -> bool:
        """Whether an optional result is written and used."""
        return index < self.results and any(True for _ in self.operation.results[index].uses)

    def _output(self, index: int) -> TensorType:
        found = self._outputs[index]
        if found is None:
            raise self.refuse(f"result {index}", "a tensor of static shape", self.operation.results[index].type)
        return found

    # Attributes

    def attribute(self, name: str) -> Any:
        """The MLIR attribute that an ONNX attribute became, or None."""
        return self.operation.attributes.get(f"torch.onnx.{name}")

    def integer(self, name: str, default: int = 0) -> int:
        """An attribute of type INT."""
        given = self.attribute(name)
        return default if given is None else int(given.value)

    def number(self, name: str, default: float = 0.0) -> float:
        """An attribute of type FLOAT: the f32 that the model holds, exactly."""
        given = self.attribute(name)
        return default if given is None else float(given.value)

    def string(self, name: str, default: str = "") -> str:
        """An attribute of type STRING."""
        given = self.attribute(name)
        return default if given is None else str(given.value)

    def integers(self, name: str) -> tuple[int, ...] | None:
        """An attribute of type INTS, None where it is absent."""
        given = self.attribute(name)
        return None if given is None else tuple(int(item.value) for item in given)

    def numbers(self, name: str) -> tuple[float, ...] | None:
        """An attribute of type FLOATS, None where it is absent."""
        given = self.attribute(name)
        return None if given is None else tuple(float(item.value) for item in given)

    # Constants

    def literal(self, array: Array, element: Element) -> Value:
        """An `arith.constant` of ONNX elements `element`; `array` may be of any type that holds its values."""
        type_ = element.mlir
        stored = _stored(np.asarray(array), type_)
        attribute = resource_attr(stored, self.where.name, type_, np.asarray(array).shape)
        return arith.ConstantOp(attribute.type, attribute).result

    def scalar(self, value: float, element: Element) -> Value:
        """A scalar constant of ONNX elements `element`; integers by their bits."""
        return scalar_constant(element.mlir, value) if element.is_float else bits_constant(element.mlir, int(value))


def is_op(operation: Any, name: str) -> bool:
    """Whether an operation is the ONNX operator of this name."""
    return bool(operation.name == OPERATOR and operation.attributes["name"].value == f"{PREFIX}{name}")


def constant_value(operation: Any) -> Array | None:
    """Elements of an ONNX Constant that is a dense tensor or a number or list of numbers; None for any other kind."""
    attributes = operation.attributes
    for name, dtype in (("value_float", np.float32), ("value_int", np.int64)):
        if f"torch.onnx.{name}" in attributes:
            return np.array(attributes[f"torch.onnx.{name}"].value, dtype)
        if f"torch.onnx.{name}s" in attributes:
            return np.array([item.value for item in attributes[f"torch.onnx.{name}s"]], dtype)
    if "torch.onnx.value" not in attributes:
        return None
    return read_elements(attributes["torch.onnx.value"])


def builtin_type(type_: TensorType) -> Any:
    """The builtin tensor type that stands for a torch value tensor."""
    return ir.RankedTensorType.get(type_.shape, type_.element.mlir)


def to_builtin(value: Value) -> Value:
    """A torch value tensor of static shape and real elements as a builtin tensor."""
    owner, type_ = value.owner, tensor_type_of(value)
    if isinstance(owner, ir.Operation | ir.OpView) and owner.operation.name == "torch_c.from_builtin_tensor":
        return owner.operation.operands[0]
    if type_ is None:
        raise TypeError(f"{value.type} is not a tensor of static shape")
    return _cast("torch_c.to_builtin_tensor", value, builtin_type(type_))


def from_builtin(value: Value, like: Any) -> Value:
    """A builtin tensor as the torch value tensor type `like`."""
    return _cast("torch_c.from_builtin_tensor", value, like)


def _cast(name: str, value: Value, target: Any) -> Value:
    return ir.Operation.create(name, results=[target], operands=[value]).results[0]


def _stored(array: Array, type_: Any) -> Array:
    """`array` in the numpy type of stored elements: bf16 by its bits (an f32 that holds a bf16 exactly)."""
    if isinstance(type_, ir.BF16Type):
        wide = np.ascontiguousarray(array, np.float32).view(np.uint32)
        bits: Array = (wide >> np.uint32(16)).astype(np.uint16).reshape(array.shape)
        return bits
    stored: Array = np.ascontiguousarray(array).astype(numpy_dtype_of(type_)).reshape(array.shape)
    return stored


Results = Value | Sequence[Value | None]
"""What a lowering gives: a builtin tensor for each result, None for one that `Node.is_used` denies."""
