"""ONNX to the torch level, through torch-mlir's importer and passes; they run guarded: a crash is an error of ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import onnx
from onnx import ValueInfoProto

from tfmbs.compiler.guard import run_guarded
from tfmbs.compiler.importers.messages import first_line
from tfmbs.compiler.importers.narrow import element_name, store_as_bytes
from tfmbs.compiler.importers.onnx_dims import check_dims, graph_inputs
from tfmbs.compiler.importers.onnx_model import parts_of, prepare_parts
from tfmbs.compiler.importers.torch_level import ENTRY, KEPT_TORCH_OPS
from tfmbs.compiler.importers.weights import Parts, with_weights
from tfmbs.dialect.attributes import NAME
from tfmbs.dialect.elements import element_attributes
from tfmbs.dialect.mlir import ir, onnx_importer
from tfmbs.dialect.resources import Array, resource_attr
from tfmbs.runtime.abi.errors import TfmbsError

TO_TORCH = (
    "builtin.module(convert-onnx-to-linalg,"
    f"torch-onnx-to-torch-backend-pipeline{{backend-legal-ops={','.join(KEPT_TORCH_OPS)}}},tfmbs-annotate)"
)

# What torch-mlir's importer raises besides its own error, for element types and data that it does not know.
_FOREIGN_ERRORS = (ArithmeticError, AttributeError, LookupError, NotImplementedError, TypeError, ValueError)


def import_onnx(
    model: onnx.ModelProto,
    *,
    dims: Mapping[str, int] | None = None,
    context: Any,
    where: str = "model",
    raw: bool = False,
) -> Any:
    """The model as a module at torch level, with one function `main` whose arguments and results carry `tfmbs.name`.

    Args:
        model: not changed. Its external data must be embedded (`load_onnx`).
        dims: sizes of the symbolic dimensions by name; each must exist, none may stay unbound.
        context: the MLIR context of the result, from `tfmbs.dialect.mlir.context`.
        where: how errors call the model.
        raw: stop before `to_torch`: the model's ops as torch-mlir's importer writes them.

    Raises:
        TfmbsError: codes `onnx.*`, `pass`, `pass.crash`.
    """
    return import_parts(parts_of(model, where), dims=dims, context=context, where=where, raw=raw)


def import_parts(
    parts: Parts,
    *,
    dims: Mapping[str, int] | None = None,
    entries: Mapping[str, Mapping[str, int]] | None = None,
    context: Any,
    where: str = "model",
    raw: bool = False,
) -> Any:
    """As `import_onnx`, of the parts of a model. Constants share the memory of the arrays.

    `entries` are entry points by name, each with sizes of its own beside `dims`: one function for each, which share the
    weights.

    Raises:
        TfmbsError: codes `onnx.*`, `pass`, `pass.crash`.
    """
    resources: dict[tuple[str, str], Any] = {}
    result = None
    common = {} if dims is None else dims
    check_dims(common)
    for name, sizes in (entries or {ENTRY: {}}).items():
        module = _import_entry(parts, {**common, **sizes}, name, resources, context, where)
        if result is None:
            result = module
        else:
            result.body.append(module.body.operations[0].detach_from_parent())
    assert result is not None
    if not raw:
        to_torch(result)
    return result


def _import_entry(
    parts: Parts, dims: Mapping[str, int], name: str, resources: dict[tuple[str, str], Any], context: Any, where: str
) -> Any:
    """A module with the one function `name`; `resources` are the constants of the entry points before it."""
    prepared = with_weights(prepare_parts(parts, dims, where), parts, data=False)
    inputs, outputs = (_ends(values) for values in (graph_inputs(prepared.graph), prepared.graph.output))
    store_as_bytes(prepared)
    importer = onnx_importer()
    with context, ir.Location.unknown():
        try:
            module = importer.ModelInfo(prepared)
            result = module.create_module(context=context)
            attributes = _attributes(importer, parts.arrays, resources, context)
            importer.NodeImporter.define_function(module.main_graph, result.operation, attributes).import_all()
        except (importer.OnnxImportError, *_FOREIGN_ERRORS) as error:
            what, got = "torch-mlir's importer refuses the model", first_line(error)
            raise TfmbsError("onnx.unsupported", where, what, got=got) from error
        _describe_entry(result, name, inputs, outputs)
    return result


def _attributes(importer: Any, arrays: Mapping[str, Array], resources: dict[tuple[str, str], Any], context: Any) -> Any:
    """torch-mlir's maker of attributes; for tensors without data of their own it takes the array of that name, once."""

    class Attributes(importer.ContextCache):  # type: ignore[misc]  # torch-mlir's importer is loaded late
        def tensor_proto_to_attr(self, tensor: onnx.TensorProto) -> Any:
            array = None if tensor.HasField("raw_data") else arrays.get(tensor.name)
            if array is None:
                return super().tensor_proto_to_attr(tensor)
            type_ = self.tensor_proto_to_builtin_type(tensor)
            key = tensor.name, str(type_)
            if key not in resources:
                resources[key] = resource_attr(array, tensor.name, type_.element_type, array.shape)
            return resources[key]

    return Attributes(context)


def to_torch(module: Any) -> None:
    """Brings what the importer wrote to the torch level, in place. Raises TfmbsError `pass`, `pass.crash`."""
    run_guarded(module, TO_TORCH)
    for function in module.body.operations:
        for key in [key for key in function.attributes if key.startswith("torch.onnx_meta")]:
            del function.attributes[key]


def _ends(values: Iterable[ValueInfoProto]) -> list[tuple[str, str | None]]:
    """Name, and element type where a builtin type will not tell it, of inputs or outputs."""
    return [(value.name, element_name(value.type)) for value in values]


def _describe_entry(module: Any, name: str, *ends: list[tuple[str, str | None]]) -> None:
    """Calls the function `name` and writes what `_ends` gives of inputs and outputs on arguments and results."""
    function = module.body.operations[0]
    function.attributes["sym_name"] = ir.StringAttr.get(name)
    for key, values in zip(("arg_attrs", "res_attrs"), ends, strict=True):
        elements = element_attributes(element for _, element in values)
        groups = [{NAME: ir.StringAttr.get(end), **rest} for (end, _), rest in zip(values, elements, strict=True)]
        function.attributes[key] = ir.ArrayAttr.get([ir.DictAttr.get(group) for group in groups])
