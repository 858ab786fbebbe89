"""An ONNX model made ready for import: read, checked, symbolic dimensions bound, opset converted, shapes inferred."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnx.inliner
import onnx.version_converter
from google.protobuf.message import DecodeError
from onnx import ValueInfoProto

from tfmbs.compiler.importers.external_data import embed_external_data
from tfmbs.compiler.importers.onnx_rules import (
    check_graph,
    check_sizes,
    check_tensors,
    check_text,
    first_line,
    node_label,
)
from tfmbs.runtime.abi.errors import TfmbsError

OPSET = 21
"""The opset models are converted to when theirs is older: the newest that torch-mlir covers well."""


def load_onnx(path: Path) -> onnx.ModelProto:
    """Reads a model and all its external data.

    Raises:
        TfmbsError: `io`, `onnx.parse` or `onnx.external-data`.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TfmbsError("io", path, "cannot read the model", got=error.strerror) from error
    except ValueError as error:
        raise TfmbsError("io", path, "it names no file", got=error) from error
    if not data:
        raise TfmbsError("onnx.parse", path, "the model", "an ONNX protobuf", "an empty file")
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as error:
        raise TfmbsError("onnx.parse", path, "the model", "an ONNX protobuf", "other or truncated bytes") from error
    if not model.graph.node and not model.graph.output:
        raise TfmbsError("onnx.parse", path, "the model", "an ONNX protobuf with a graph", "none")
    embed_external_data(model, path.parent, str(path))
    return model


def prepare(model: onnx.ModelProto, dims: Mapping[str, int], where: str = "model") -> onnx.ModelProto:
    """A checked copy of the model with static shapes everywhere, at an opset of at least `OPSET`.

    Raises:
        TfmbsError: codes `onnx.invalid`, `onnx.unsupported`, `onnx.dim`.
    """
    result = _copy(model, where)
    _refuse_unknown_ops(result, where)
    if result.functions:
        result = onnx.inliner.inline_local_functions(result)
    check_tensors(result, where)
    check_graph(result.graph, where)
    _bind_dims(result, dims, where)
    result = _infer_shapes(result, where)
    _refuse_unknown_outputs(result.graph, where)
    try:
        onnx.checker.check_model(result)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise TfmbsError("onnx.invalid", where, "the model is not valid ONNX", got=first_line(error)) from error
    converted = _convert_opset(result, where)
    if converted is not result:
        result = _infer_shapes(converted, where)
    _refuse_dynamic_shapes(result, where)
    _name_nodes(result.graph)
    return result


def _copy(model: onnx.ModelProto, where: str) -> onnx.ModelProto:
    if not isinstance(model, onnx.ModelProto):
        raise TfmbsError("unsupported", where, "kind of model", "an onnx.ModelProto", type(model).__qualname__)
    check_text(model, where)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    return result


def _infer_shapes(model: onnx.ModelProto, where: str) -> onnx.ModelProto:
    """The model with the shapes of all its values.

    Values are propagated only where shapes depend on them, and after sizes were checked: onnx walks through every
    element of a vector for that, also of one that a few bytes claim.
    """
    try:
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        check_sizes(inferred.graph, where)
        if next(_dynamic(inferred.graph), None):
            inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
            check_sizes(inferred.graph, where)
    except (onnx.shape_inference.InferenceError, ValueError) as error:
        raise TfmbsError("onnx.invalid", where, "shapes cannot be inferred", got=first_line(error)) from error
    return inferred


def _name_nodes(graph: onnx.GraphProto) -> None:
    """Names become locations and layer names: a node without one is called by its op and position."""
    for index, node in enumerate(graph.node):
        if not node.name:
            node.name = f"{node.op_type}_{index}"


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
                "onnx.unsupported", f"{where}: {node_label(node)}", f"unknown op {name}",
                f"an op of the imported opsets ({imported})",
            )  # fmt: skip


def graph_inputs(graph: onnx.GraphProto) -> list[ValueInfoProto]:
    """Inputs that a caller must give: those without an initializer."""
    constants = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in constants]


def _bind_dims(model: onnx.ModelProto, dims: Mapping[str, int], where: str) -> None:
    _check_sizes_given(dims)
    unbound: set[str] = set()
    symbolic: set[str] = set()
    for value in graph_inputs(model.graph):
        at = f"{where}: input '{value.name}'"
        if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
            raise TfmbsError("onnx.unsupported", at, "type", "a tensor with a rank", "other")
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if name := dim.dim_param:
                symbolic.add(name)
                if name not in dims:
                    unbound.add(name)
                    continue
                dim.dim_value = dims[name]
            elif not dim.HasField("dim_value"):
                raise TfmbsError("onnx.dim", at, f"axis {axis} has neither a size nor a name")
            if dim.dim_value < 1:
                raise TfmbsError("onnx.dim", at, f"size of axis {axis}", "at least 1", dim.dim_value)
    if unbound:
        options = " ".join(f"--dim {name}=N" for name in sorted(unbound))
        raise TfmbsError("onnx.dim", where, f"symbolic dimension '{min(unbound)}' is not bound", options, "no value")
    if unknown := set(dims) - symbolic:
        known = ", ".join(sorted(symbolic)) or "none"
        raise TfmbsError("onnx.dim", where, f"no symbolic input dimension '{min(unknown)}'", f"one of: {known}")
    _forget_shapes(model.graph)


def _check_sizes_given(dims: Mapping[str, object]) -> None:
    if not isinstance(dims, Mapping):
        raise TfmbsError("onnx.dim", "dims", "kind of value", "a mapping of names to sizes", type(dims).__qualname__)
    for name, size in dims.items():
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or not 1 <= size < 1 << 63:
            raise TfmbsError("onnx.dim", f"dims: '{name}'", "size", "an integer, at least 1", repr(size))


def _forget_shapes(graph: onnx.GraphProto) -> None:
    """Drops what the model records of inner and symbolic shapes: stale now, shape inference finds them again."""
    del graph.value_info[:]
    for value in graph.output:
        if value.type.HasField("tensor_type"):
            for dim in value.type.tensor_type.shape.dim:
                if dim.dim_param:
                    dim.ClearField("dim_param")


def _convert_opset(model: onnx.ModelProto, where: str) -> onnx.ModelProto:
    version = next((e.version for e in model.opset_import if e.domain in ("", "ai.onnx")), OPSET)
    if version >= OPSET:
        return model
    try:
        return onnx.version_converter.convert_version(model, OPSET)
    except (RuntimeError, onnx.version_converter.ConvertError, IndexError) as error:
        raise TfmbsError(
            "onnx.unsupported", where, f"opset {version} cannot be converted to {OPSET}", got=first_line(error)
        ) from error


def _refuse_unknown_outputs(graph: onnx.GraphProto, where: str) -> None:
    for value in graph.output:
        if value.type.HasField("tensor_type") and not value.type.tensor_type.HasField("shape"):
            at = f"{where}: output '{value.name}'"
            raise TfmbsError("onnx.unsupported", at, "shape", "one that onnx can infer", "none")


def _refuse_dynamic_shapes(model: onnx.ModelProto, where: str) -> None:
    for node, name in _dynamic(model.graph):
        raise TfmbsError(
            "onnx.unsupported", f"{where}: {node_label(node)}", f"shape of '{name}'",
            "known at compile time", "depends on values",
        )  # fmt: skip


def _dynamic(graph: onnx.GraphProto) -> Iterator[tuple[onnx.NodeProto, str]]:
    """Nodes with an output that is a tensor without a static shape, and the output's name."""
    known = {v.name: v for v in (*graph.value_info, *graph.output, *graph.input)}
    for node in graph.node:
        for name in filter(None, node.output):
            value = known.get(name)
            if value is None or not value.type.HasField("tensor_type"):
                continue
            tensor = value.type.tensor_type
            if not tensor.HasField("shape") or any(not d.HasField("dim_value") for d in tensor.shape.dim):
                yield node, name
