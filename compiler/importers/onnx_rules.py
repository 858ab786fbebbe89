"""Rules that a model must keep before foreign code walks through it: graph structure, tensors and sizes."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import ceil, prod
from typing import Any

import onnx
from onnx import TensorProto, TypeProto, ValueInfoProto

from tfmbs.compiler.importers.external_data import all_tensors, tensor_bytes
from tfmbs.compiler.importers.onnx_operators import why_refused
from tfmbs.runtime.abi.errors import At, TfmbsError
from tfmbs.runtime.abi.limits import MAX_REGION_BYTES

_REFUSED = {
    getattr(TensorProto, name): name.lower()
    for name in ("STRING", "COMPLEX64", "COMPLEX128", "FLOAT6E2M3", "FLOAT6E3M2")
    if hasattr(TensorProto, name)
}
_DEEPEST = 100  # protobuf's own limit for what it parses


def node_label(node: onnx.NodeProto) -> str:
    """How errors call a node: its name and op, or its first output where it has no name."""
    if node.name or not node.output:
        return f"node '{node.name}' ({node.op_type})"
    return f"node producing '{node.output[0]}' ({node.op_type})"


NO_DATA = "fold constants in the exporter, or declare the shape in the model: sizes must not depend on data"
"""What would help where something must be known at compile time."""


def at_node(node: onnx.NodeProto, where: str) -> At:
    """A node of the model `where` as the subject of an error; one without a name is called by its first output."""
    return At(node.name or "".join(node.output[:1]), "node", f"{where}: {node_label(node)}")


def at_value(kind: str, name: str, where: str) -> At:
    """A tensor, input or output of the model `where` as the subject of an error."""
    return At(name, kind, f"{where}: {kind} '{name}'")


def check_text(model: onnx.ModelProto, where: str) -> None:
    """Every string is text, which protobuf does not check, and messages nest as deep as it can read, no deeper.

    Raises:
        TfmbsError: ``onnx.parse``.
    """
    pending: list[tuple[Any, int]] = [(model, 1)]
    while pending:
        message, depth = pending.pop()
        if depth > _DEEPEST:
            raise TfmbsError("onnx.parse", where, "depth of nesting", f"at most {_DEEPEST} messages", "more")
        for field, value in message.ListFields():
            values = value if field.is_repeated else [value]
            if field.type == field.TYPE_MESSAGE:
                pending.extend((inner, depth + 1) for inner in values)
            elif field.type == field.TYPE_STRING or isinstance(message, onnx.AttributeProto):
                for text in values:
                    if isinstance(text, bytes) and not _is_text(text, field):
                        raise TfmbsError("onnx.parse", where, f"text of field '{field.name}'", "UTF-8", repr(text[:40]))


def _is_text(value: bytes, field: Any) -> bool:
    """Protobuf gives a string as bytes where it is not UTF-8; attributes hold their strings as bytes anyway."""
    if field.type == field.TYPE_STRING:
        return False
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def check_graph(graph: onnx.GraphProto, where: str) -> None:
    """Nodes come after what they use, outputs exist and have names of their own, ends have elements that a device has.

    Raises:
        TfmbsError: ``onnx.invalid`` or ``onnx.unsupported``, naming the node or value.
    """
    if not graph.output:
        raise TfmbsError("onnx.invalid", where, "number of outputs", "at least 1", 0)
    known = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        _check_count(node, where)
        if reason := why_refused(node):
            raise TfmbsError("onnx.unsupported", at_node(node, where), *reason)
        for name in filter(None, node.input):
            if name not in known:
                at = at_node(node, where)
                raise TfmbsError("onnx.invalid", at, f"input '{name}'", "a value that is computed before", "none")
        known.update(node.output)
    names: set[str] = set()
    for value in graph.output:
        at = at_value("output", value.name, where)
        if value.name not in known:
            raise TfmbsError("onnx.invalid", at, "origin", "a node, an input or an initializer", "none")
        if value.name in names:
            raise TfmbsError("onnx.unsupported", at, "a value that is an output twice")
        names.add(value.name)
    for role, values in (("input", graph.input), ("output", graph.output)):
        for value in values:
            _check_elements(value, at_value(role, value.name, where))


def _check_count(node: onnx.NodeProto, where: str) -> None:
    """Onnx makes room for as many outputs as an attribute claims."""
    for attribute in node.attribute:
        if attribute.name == "num_outputs" and attribute.i != len(node.output):
            at = at_node(node, where)
            raise TfmbsError("onnx.invalid", at, "num_outputs", f"{len(node.output)}, as there are", attribute.i)


def _check_elements(value: ValueInfoProto, at: At) -> None:
    element = value.type.tensor_type.elem_type
    if element in _REFUSED:
        raise TfmbsError("onnx.unsupported", at, "element type", "a real number or bool", _REFUSED[element])


def check_tensors(model: onnx.ModelProto, where: str, apart: Mapping[int, int]) -> None:
    """Every tensor holds its data, as much of it as its shape asks for. `apart` are bytes of raw data that initializers
    of the main graph do not hold themselves, by their numbers.

    Raises:
        TfmbsError: ``onnx.external-data``, ``onnx.invalid`` or ``onnx.unsupported``, naming the tensor.
    """
    for sparse in model.graph.sparse_initializer:
        raise TfmbsError("onnx.unsupported", at_value("tensor", sparse.values.name, where), "a sparse initializer")
    for index, tensor in enumerate(all_tensors(model)):
        check_tensor(tensor, where, apart.get(index))


def check_tensor(tensor: TensorProto, where: str, apart: int | None = None) -> None:
    """The tensor holds its data, as much of it as its shape asks for, or has so many bytes apart. Raises as
    `check_tensors`.
    """
    at = at_value("tensor", tensor.name, where)
    if tensor.data_location == TensorProto.EXTERNAL:
        raise TfmbsError("onnx.external-data", at, "external data was not loaded")
    if tensor.data_type == TensorProto.STRING:
        return
    try:
        needed = tensor_bytes(tensor)
    except ValueError as error:
        raise TfmbsError("onnx.invalid", at, str(error)) from error
    if apart is not None or tensor.HasField("raw_data"):
        got = len(tensor.raw_data) if apart is None else apart
        if got != needed:
            raise TfmbsError("onnx.invalid", at, "data", f"{needed} bytes", got)
    else:
        _check_typed_data(tensor, at)


_TYPED_FIELDS = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data")
_PER_ELEMENT = dict.fromkeys((TensorProto.COMPLEX64, TensorProto.COMPLEX128), Fraction(2)) | dict.fromkeys(
    (TensorProto.INT4, TensorProto.UINT4, TensorProto.FLOAT4E2M1), Fraction(1, 2)
)
_PER_ELEMENT |= dict.fromkeys((TensorProto.INT2, TensorProto.UINT2), Fraction(1, 4))


def _check_typed_data(tensor: TensorProto, at: At) -> None:
    """The typed fields together hold one value for each element, two for complex ones, a half for those of 4 bits."""
    needed = ceil(prod(tensor.dims) * _PER_ELEMENT.get(tensor.data_type, 1))
    got = sum(len(getattr(tensor, field)) for field in _TYPED_FIELDS)
    if got != needed:
        raise TfmbsError("onnx.invalid", at, "data", f"{needed} values", got)


def check_sizes(graph: onnx.GraphProto, where: str) -> None:
    """No known size of a value is negative, and no value is larger than a device could hold.

    Raises:
        TfmbsError: ``onnx.invalid`` or ``resource-limit``, naming the node or value.
    """
    origin = {name: at_node(node, where) for node in graph.node for name in node.output}
    for value in (*graph.input, *graph.value_info, *graph.output):
        check_type_sizes(value.type, value.name, origin.get(value.name, f"{where}: graph"))


def check_type_sizes(type_: TypeProto, name: str, at: object) -> None:
    """The rule of `check_sizes` for one value."""
    if not type_.HasField("tensor_type"):
        return
    sizes = [dim.dim_value for dim in type_.tensor_type.shape.dim if dim.HasField("dim_value")]
    if min(sizes, default=0) < 0:
        raise TfmbsError("onnx.invalid", at, f"shape of '{name}'", "no negative size", _shape(sizes))
    if prod(sizes) > MAX_REGION_BYTES:
        expected = f"at most {MAX_REGION_BYTES} elements"
        raise TfmbsError("resource-limit", at, f"shape of '{name}'", expected, _shape(sizes))


def _shape(sizes: list[int]) -> str:
    return "×".join(map(str, sizes))
