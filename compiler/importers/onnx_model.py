"""An ONNX model made ready for import: checked, symbolic dimensions bound, opset converted, rewritten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import onnx
import onnx.inliner

from tfmbs.compiler.importers.matmul_nbits import expand_nbits
from tfmbs.compiler.importers.messages import first_line
from tfmbs.compiler.importers.microsoft import expand_microsoft
from tfmbs.compiler.importers.onnx_blame import blamed
from tfmbs.compiler.importers.onnx_dims import bind_dims
from tfmbs.compiler.importers.onnx_opset import convert_opset
from tfmbs.compiler.importers.onnx_rules import (
    at_node,
    at_value,
    check_graph,
    check_sizes,
    check_tensors,
    check_text,
)
from tfmbs.compiler.importers.rewrite.model import rewrite
from tfmbs.compiler.importers.weights import NO_DATA, Parts, split, with_weights
from tfmbs.dialect.resources import Array
from tfmbs.runtime.abi.errors import TfmbsError

_CHECKER_ERRORS = (onnx.checker.ValidationError, ValueError)
_INFERENCE_ERRORS = (onnx.shape_inference.InferenceError, *_CHECKER_ERRORS)


def prepare(model: onnx.ModelProto, dims: Mapping[str, int], where: str = "model") -> onnx.ModelProto:
    """A checked copy of the model with static shapes everywhere, at an opset of at least `onnx_opset.OPSET`.

    Raises:
        TfmbsError: codes `onnx.invalid`, `onnx.unsupported`, `onnx.dim`, `resource-limit`.
    """
    parts = parts_of(model, where)
    return with_weights(prepare_parts(parts, dims, where), parts, data=True)


def parts_of(model: onnx.ModelProto, where: str = "model", data: Mapping[int, Array] = NO_DATA) -> Parts:
    """The parts of a model whose ops are known and whose tensors hold what they should. `data` is raw data that its
    initializers do not have themselves, by their numbers.

    Raises:
        TfmbsError: codes `onnx.invalid`, `onnx.unsupported`, `onnx.external-data`.
    """
    if not isinstance(model, onnx.ModelProto):
        raise TfmbsError("unsupported", where, "kind of model", "an onnx.ModelProto", type(model).__qualname__)
    check_text(model, where)
    check_tensors(model, where, {index: array.size for index, array in data.items()})
    parts = expand_nbits(split(model, data))
    expand_microsoft(parts.model)
    _refuse_unknown_ops(parts.model, where)
    return parts


def prepare_parts(parts: Parts, dims: Mapping[str, int], where: str) -> onnx.ModelProto:
    """As `prepare`, with large initializers still among the inputs: `with_weights` brings them back.

    Raises:
        TfmbsError: codes `onnx.invalid`, `onnx.unsupported`, `onnx.dim`, `resource-limit`.
    """
    result = onnx.ModelProto()
    result.CopyFrom(parts.model)
    if result.functions:
        result = _inlined(result, where)
    check_graph(result.graph, where)
    declared = bind_dims(result, dims, where)
    result = _infer_shapes(result, where)
    _refuse_unknown_outputs(result.graph, where)
    try:
        onnx.checker.check_model(result)
    except _CHECKER_ERRORS as error:
        at = blamed(result, onnx.checker.check_model, _CHECKER_ERRORS, where)
        raise TfmbsError("onnx.invalid", at, "the model is not valid ONNX", got=first_line(error)) from error
    return rewrite(convert_opset(result, where), declared, where, sized=parts.sized)


def _inlined(model: onnx.ModelProto, where: str) -> onnx.ModelProto:
    """The model without functions of its own; those written for another opset are converted to the model's."""
    try:
        result = onnx.inliner.inline_local_functions(model, convert_version=True)
    except (RuntimeError, ValueError) as error:
        raise TfmbsError("onnx.unsupported", where, "functions that onnx inlines", got=first_line(error)) from error
    del result.functions[:]
    _refuse_unknown_ops(result, where)
    return result


def _infer_shapes(model: onnx.ModelProto, where: str) -> onnx.ModelProto:
    """The model, its shapes consistent, with those of outputs that say nothing of themselves.

    Onnx looks into the bodies of operators without a rule of their own, and stumbles over defaults of their attributes:
    it is not believed there; the walk over the model comes to the same nodes again.
    Values are propagated only where an output depends on them, and after sizes were checked: onnx walks through every
    element of a vector for that, also of one that a few bytes claim.
    """
    strict = all(_has_rule(node, model) for node in _all_nodes(model.graph))
    values = False

    def infer(part: onnx.ModelProto) -> onnx.ModelProto:
        return onnx.shape_inference.infer_shapes(part, strict_mode=strict, data_prop=values)

    try:
        inferred = infer(model)
        check_sizes(inferred.graph, where)
        if not all(value.type.tensor_type.HasField("shape") for value in inferred.graph.output):
            values = True
            inferred = infer(model)
            check_sizes(inferred.graph, where)
    except _INFERENCE_ERRORS as error:
        at = blamed(model, infer, _INFERENCE_ERRORS, where)
        raise TfmbsError("onnx.invalid", at, "shapes cannot be inferred", got=first_line(error)) from error
    del inferred.graph.value_info[:]
    return inferred


def _has_rule(node: onnx.NodeProto, model: onnx.ModelProto) -> bool:
    domain = "" if node.domain == "ai.onnx" else node.domain
    versions = {"" if entry.domain == "ai.onnx" else entry.domain: entry.version for entry in model.opset_import}
    schema = onnx.defs.get_schema(node.op_type, versions[domain], domain)
    return bool(schema.has_type_and_shape_inference_function)


def _all_nodes(graph: onnx.GraphProto) -> Iterable[onnx.NodeProto]:
    pending = [graph]
    while pending:
        for node in pending.pop().node:
            yield node
            for attribute in node.attribute:
                pending.extend(attribute.graphs)
                if attribute.HasField("g"):
                    pending.append(attribute.g)


def _refuse_unknown_ops(model: onnx.ModelProto, where: str) -> None:
    versions = {entry.domain: entry.version for entry in model.opset_import}
    if len(versions) != len(model.opset_import):
        raise TfmbsError("onnx.invalid", where, "opset imports", "one for each domain", "several for the same one")
    newest = onnx.defs.onnx_opset_version()
    if versions.get("", 0) > newest:
        raise TfmbsError("onnx.unsupported", where, "opset", f"at most {newest}", versions[""])
    functions = {(f.domain, f.name) for f in model.functions}
    for node in _all_nodes(model.graph):
        domain = "" if node.domain == "ai.onnx" else node.domain
        known = (domain, node.op_type) in functions or (
            domain in versions and onnx.defs.has(node.op_type, versions[domain], domain)
        )
        if not known:
            name = f"{domain}.{node.op_type}" if domain else node.op_type
            imported = ", ".join(f"{d or 'ai.onnx'} {v}" for d, v in versions.items()) or "none"
            raise TfmbsError(
                "onnx.unsupported", at_node(node, where), f"unknown op {name}",
                f"an op of the imported opsets ({imported})", help=_help_for(domain, node.op_type, versions),
            )  # fmt: skip


def _help_for(domain: str, op: str, versions: Mapping[str, int]) -> str:
    """What would help where the opsets of a model do not have an op."""
    if domain == "" and onnx.defs.has(op):
        since = onnx.defs.get_schema(op).since_version
        if since > versions.get("", 0):
            return f"opset {since}, which has that op: export again, or use onnx.version_converter"
    elif domain == "com.microsoft":
        return "export without onnxruntime's graph optimizations: that is one of its own fused ops"
    elif domain:
        return f"write {domain}.{op} as a function of the model, of standard ops"
    return ""


def _refuse_unknown_outputs(graph: onnx.GraphProto, where: str) -> None:
    for value in graph.output:
        if value.type.HasField("tensor_type") and not value.type.tensor_type.HasField("shape"):
            at = at_value("output", value.name, where)
            raise TfmbsError("onnx.unsupported", at, "shape", "one that onnx can infer", "none")
