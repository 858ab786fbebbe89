"""The walk over a graph's nodes: each is replaced, folded, or typed and kept.

A node comes when everything that it reads has a type, so that a replacement may depend on shapes and small constants.
What replaces it is walked in its place.
"""

from __future__ import annotations

from collections.abc import Iterable

import onnx
from onnx import NodeProto, TypeProto, numpy_helper

from tfmbs.compiler.importers.messages import first_line
from tfmbs.compiler.importers.onnx_rules import at_node, check_type_sizes
from tfmbs.compiler.importers.rewrite.control import keep_control, take_branch
from tfmbs.compiler.importers.rewrite.fold import fold
from tfmbs.compiler.importers.rewrite.functions import inline_body
from tfmbs.compiler.importers.rewrite.grids import write_out_affine_grid
from tfmbs.compiler.importers.rewrite.hints import hint_backwards
from tfmbs.compiler.importers.rewrite.literals import literal
from tfmbs.compiler.importers.rewrite.loops import LOOP_CONDITION, LOOP_COUNTER, settle_loop, write_out_loop
from tfmbs.compiler.importers.rewrite.normalizations import write_out_normalization
from tfmbs.compiler.importers.rewrite.pads import write_out_cropping_pad
from tfmbs.compiler.importers.rewrite.pools import write_out_ceil_pool
from tfmbs.compiler.importers.rewrite.recurrent import write_out_recurrence
from tfmbs.compiler.importers.rewrite.renaming import subgraphs, used_names
from tfmbs.compiler.importers.rewrite.scans import body_types, write_out_scan
from tfmbs.compiler.importers.rewrite.scope import Scope
from tfmbs.compiler.importers.rewrite.sequences import resolve_sequence
from tfmbs.compiler.importers.rewrite.shape_operands import settle_shape_operand
from tfmbs.compiler.importers.rewrite.types import filled
from tfmbs.compiler.importers.rewrite.vectors import write_out_vector_product
from tfmbs.runtime.abi.errors import At, TfmbsError

REPLACEMENTS = (
    take_branch,
    write_out_normalization,
    write_out_ceil_pool,
    write_out_vector_product,
    write_out_affine_grid,
    write_out_cropping_pad,
    inline_body,
    write_out_recurrence,
    resolve_sequence,
    write_out_loop,
    write_out_scan,
)
"""What may replace a node, in order: each gives the nodes that stand for it, or None where it has nothing to say."""


def walk(nodes: Iterable[NodeProto], scope: Scope) -> None:
    """Walks over `nodes` in their order; `scope.nodes` gets what stands for them.

    Raises:
        TfmbsError: ``onnx.invalid``, ``onnx.unsupported`` or ``resource-limit``, naming the node.
    """
    pending = list(nodes)[::-1]
    while pending:
        node = pending.pop()
        for replace in REPLACEMENTS:
            replacement = replace(node, scope)
            if replacement is not None:
                hint_backwards(replacement, scope.declared)
                pending.extend(reversed(replacement))
                break
        else:
            _keep(node, scope)


def _keep(node: NodeProto, scope: Scope) -> None:
    if node.op_type == "Constant" and node.domain == "":
        _keep_constant(node, scope)
        return
    if any(True for _ in subgraphs(node)):
        node = keep_control(node, _graph_inputs(node, scope), scope, walk)
    if node.op_type == "Loop":
        node = settle_loop(node, scope)
    types = _output_types(node, scope)
    values = fold(node, types, scope)
    if values is not None:
        for name, value in zip(node.output, values, strict=True):
            if name:
                scope.nodes.append(scope.constant(name, value, node.name))
        return
    scope.types.update(types)
    scope.nodes.append(settle_shape_operand(node, scope))


def _graph_inputs(node: NodeProto, scope: Scope) -> list[TypeProto | None]:
    """Types of the inputs of a node's graphs, as far as they follow from its operands."""
    if node.op_type == "Scan":
        return body_types(node, scope)
    if node.op_type == "Loop":
        return [LOOP_COUNTER, LOOP_CONDITION, *(scope.types.get(name) for name in node.input[2:])]
    return []


def _keep_constant(node: NodeProto, scope: Scope) -> None:
    types = _output_types(node, scope)
    scope.types.update(types)
    scope.nodes.append(node)
    value = literal(node)
    if value is not None:
        scope.remember(node.output[0], value)


def _output_types(node: NodeProto, scope: Scope) -> dict[str, TypeProto]:
    """The types of a node's outputs: what onnx infers, completed by what the model declares."""
    at = at_node(node, scope.where)
    result: dict[str, TypeProto] = {}
    for name, type_ in _inferred(node, scope, at).items():
        try:
            result[name] = filled(type_, scope.declared.get(name))
        except ValueError as error:
            if name in scope.outputs:
                raise TfmbsError("onnx.invalid", at, f"type of '{name}'", got=error) from error
            result[name] = type_  # a stale record of an inner value, which nobody is promised
        check_type_sizes(result[name], name, at)
    return result


def _inferred(node: NodeProto, scope: Scope, at: At) -> dict[str, TypeProto]:
    schema = onnx.defs.get_schema(node.op_type, scope.opsets[node.domain], node.domain)
    if not schema.has_type_and_shape_inference_function:
        return {name: scope.declared[name] for name in node.output if name in scope.declared}
    names = used_names(node)
    types = {name: scope.types[name] for name in names if name in scope.types}
    data = {name: numpy_helper.from_array(scope.known[name], name) for name in node.input if name in scope.known}
    opsets = [onnx.helper.make_opsetid(domain, version) for domain, version in scope.opsets.items()]
    try:
        return dict(onnx.shape_inference.infer_node_outputs(schema, node, types, data, opset_imports=opsets))
    except KeyError as error:
        raise TfmbsError("onnx.unsupported", at, f"type of input {error}", "one that onnx can infer", "none") from error
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        raise TfmbsError("onnx.invalid", at, "shapes cannot be inferred", got=first_line(error)) from error
