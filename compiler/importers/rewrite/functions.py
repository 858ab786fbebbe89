"""Operators replaced by the function bodies that ONNX itself defines for them."""

from __future__ import annotations

from collections.abc import Callable

import onnx
from onnx import AttributeProto, FunctionProto, NodeProto, TypeProto
from onnx.defs import OpSchema

from tfmbs.compiler.importers.onnx_rules import at_node
from tfmbs.compiler.importers.rewrite.renaming import renamed, subgraphs
from tfmbs.compiler.importers.rewrite.scope import Scope
from tfmbs.runtime.abi.errors import TfmbsError

Condition = Callable[[NodeProto, Scope], bool]


def _always(node: NodeProto, scope: Scope) -> bool:
    return True


PREVIEW = "ai.onnx.preview"

INLINED: dict[tuple[str, str], Condition] = {
    ("", "AffineGrid"): _always,
    ("", "Attention"): _always,
    ("", "CastLike"): _always,
    ("", "CausalConvWithState"): _always,
    ("", "LinearAttention"): _always,
    ("", "RMSNormalization"): _always,
    ("", "RotaryEmbedding"): _always,
    ("", "SequenceMap"): _always,
    ("", "Softsign"): _always,
    ("", "SwiGLU"): _always,
    ("", "Swish"): _always,
    (PREVIEW, "FlexAttention"): _always,
}
"""Operators that torch-mlir lacks or gets wrong, and on what condition."""


def inline_body(node: NodeProto, scope: Scope) -> list[NodeProto] | None:
    """The body of the node's operator, its names made fresh, where the table asks for it."""
    condition = INLINED.get((node.domain, node.op_type))
    if condition is None or not condition(node, scope):
        return None
    schema = onnx.defs.get_schema(node.op_type, scope.opsets[node.domain], node.domain)
    body = _body(schema, node, scope)
    if body is None:
        return None
    names = _interface(body, node, scope)
    nodes = renamed(_with_attributes(body, schema, node), names, scope.names.fresh)
    for index, inner in enumerate(nodes):
        inner.name = f"{node.name}.{inner.op_type}_{index}"
    return nodes


def _body(schema: OpSchema, node: NodeProto, scope: Scope) -> FunctionProto | None:
    """The newest body that was written for the model's opset or an older one."""
    plain = _newest(schema.function_opset_versions, scope.opsets[node.domain])
    if plain is not None:
        return FunctionProto.FromString(schema.get_function_with_opset_version(plain))
    dependent = _newest(schema.context_dependent_function_opset_versions, scope.opsets[node.domain])
    if dependent is None:
        return None
    types = [(scope.types[name] if name else TypeProto()).SerializeToString() for name in node.input]
    data = schema.get_context_dependent_function_with_opset_version(dependent, node.SerializeToString(), types)
    if not data:
        at = at_node(node, scope.where)
        raise TfmbsError("onnx.unsupported", at, "operands", "ones that ONNX's function body is defined for")
    return FunctionProto.FromString(data)


def _newest(versions: list[int], opset: int) -> int | None:
    return max((version for version in versions if version <= opset), default=None)


def _interface(body: FunctionProto, node: NodeProto, scope: Scope) -> dict[str, str]:
    """What the body's inputs and outputs are called at the node; an input that is left out has the empty name."""
    names = dict.fromkeys(body.input, "")
    names.update(zip(body.input, node.input, strict=False))
    for formal, actual in zip(body.output, node.output, strict=False):
        if actual:
            names[formal] = actual
    return names


def _with_attributes(body: FunctionProto, schema: OpSchema, node: NodeProto) -> list[NodeProto]:
    """Copies of the body's nodes, whose references to attributes of the function are replaced by values."""
    values = {name: formal.default_value for name, formal in schema.attributes.items() if formal.default_value.type}
    values |= {attribute.name: attribute for attribute in body.attribute_proto}
    values |= {attribute.name: attribute for attribute in node.attribute}
    result = []
    for inner in body.node:
        copy = NodeProto()
        copy.CopyFrom(inner)
        _bind_attributes(copy, values)
        result.append(copy)
    return result


def _bind_attributes(node: NodeProto, values: dict[str, AttributeProto]) -> None:
    bound = []
    for attribute in node.attribute:
        if attribute.ref_attr_name and attribute.ref_attr_name not in values:
            continue
        value = AttributeProto()
        value.CopyFrom(values[attribute.ref_attr_name] if attribute.ref_attr_name else attribute)
        value.name = attribute.name
        bound.append(value)
    del node.attribute[:]
    node.attribute.extend(bound)
    for graph in subgraphs(node):
        for inner in graph.node:
            _bind_attributes(inner, values)
