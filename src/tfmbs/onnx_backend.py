"""ONNX's backend interface (`onnx.backend.base`): a model or node in, arrays out, computed by a fabric binary.

`prepare` compiles: it sees the model, never the inputs. Arrays have the element types that onnx gives them, those of
`ml_dtypes` among them (bfloat16, fp8, int4, …), where a program itself gives bits.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.backend.base import Backend, BackendRep, namedtupledict

from tfmbs.compiler.api import compile
from tfmbs.compiler.importers.onnx_dims import graph_inputs
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.devices.base import Array
from tfmbs.runtime.extensions import extended
from tfmbs.runtime.program import Program

DEVICE = "CPU"
"""The one device: the emulator, on this processor."""

_OPTIONS = frozenset(inspect.signature(compile).parameters) - {"model"}


class TfmbsRep(BackendRep):  # type: ignore[misc]  # onnx has no type information
    """A compiled model."""

    def __init__(self, model: onnx.ModelProto, program: Program) -> None:
        self.program = program
        self._inputs = [value.name for value in graph_inputs(model.graph)]
        self._outputs = output_types(model)

    def run(self, inputs: Any, **options: Any) -> tuple[Any, ...]:
        """Runs once and returns the outputs as a tuple, which is also indexed by their names.

        Args:
            inputs: arrays or `onnx.TensorProto` in the order of the model's inputs that have no initializer, or by
                name; or a single one for a single input.
            options: none is known.

        Raises:
            TfmbsError: `input.name`, `input.shape`, `input.dtype`, `usage`; what the device refuses.
        """
        _refuse_options(options, frozenset())
        results = self.program.run(self._by_name(inputs))
        arrays = [extended(results[name], dtype) for name, dtype in self._outputs.items()]
        outputs: tuple[Any, ...] = namedtupledict("Outputs", list(self._outputs))(*arrays)
        return outputs

    def _by_name(self, inputs: Any) -> dict[str, Array]:
        if isinstance(inputs, np.ndarray | onnx.TensorProto):
            inputs = [inputs]
        if not isinstance(inputs, Mapping):
            if len(inputs) != len(self._inputs):
                expected = f"{len(self._inputs)} ({', '.join(self._inputs)})"
                raise TfmbsError("input.name", "inputs", "number of arrays", expected, len(inputs))
            inputs = dict(zip(self._inputs, inputs, strict=True))
        return {name: _array(value) for name, value in inputs.items()}


class TfmbsBackend(Backend):  # type: ignore[misc]  # onnx has no type information
    """Compiles models and nodes to fabric binaries; what is not supported is refused with TfmbsError."""

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether `device`, as onnx spells it (``CPU``, ``CUDA:1``), is the emulator."""
        return device in (DEVICE, f"{DEVICE}:0")

    @classmethod
    def is_compatible(cls, model: onnx.ModelProto, device: str = DEVICE, **options: Any) -> bool:
        """Whether `prepare` would take the model: it is compiled to find out."""
        try:
            cls.prepare(model, device, **options)
        except TfmbsError:
            return False
        return True

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = DEVICE, **options: Any) -> TfmbsRep:
        """Compiles a model. The options are those of `tfmbs.compile`: `target`, `precision`, `dims`, ….

        Raises:
            TfmbsError: ``device``, ``usage``; what the compiler refuses, with the name of the model's node.
        """
        if not cls.supports_device(device):
            raise TfmbsError("device", "onnx_backend", "no such device", DEVICE, device)
        _refuse_options(options, _OPTIONS)
        return TfmbsRep(model, compile(model, **options))

    @classmethod
    def run_model(cls, model: onnx.ModelProto, inputs: Any, device: str = DEVICE, **options: Any) -> tuple[Any, ...]:
        """Compiles and runs once. Raises TfmbsError as `prepare` and `TfmbsRep.run`."""
        return cls.prepare(model, device, **options).run(inputs)

    @classmethod
    def run_node(
        cls,
        node: onnx.NodeProto,
        inputs: Any,
        device: str = DEVICE,
        outputs_info: Sequence[tuple[Any, tuple[int, ...]]] | None = None,
        **options: Any,
    ) -> tuple[Any, ...]:
        """Compiles a model of one node for inputs of these shapes and element types, and runs it once.

        Args:
            node: the node; inputs that it leaves out (``""``) take no array.
            inputs: one array for each input that has a name.
            device: as in `prepare`.
            outputs_info: element type and shape of each output, where they are known; onnx infers them otherwise.
            options: `opset_version` (by default the newest), and those of `prepare`.

        Raises:
            TfmbsError: as `prepare` and `TfmbsRep.run`; ``usage`` for another number of inputs.
        """
        arrays = [_array(value) for value in inputs]
        opset = options.pop("opset_version", onnx.defs.onnx_opset_version())
        model = node_model(node, arrays, outputs_info, opset)
        return cls.run_model(model, arrays, device, **options)


prepare = TfmbsBackend.prepare
run_model = TfmbsBackend.run_model
run_node = TfmbsBackend.run_node
supports_device = TfmbsBackend.supports_device
is_compatible = TfmbsBackend.is_compatible


def node_model(
    node: onnx.NodeProto, arrays: Sequence[Array], outputs: Sequence[tuple[Any, tuple[int, ...]]] | None, opset: int
) -> onnx.ModelProto:
    """A model of one node, whose inputs have the types of `arrays`.

    Raises:
        TfmbsError: ``usage``, the node has another number of named inputs or outputs.
    """
    given = [name for name in node.input if name]
    made = [name for name in node.output if name]
    for what, names, values in (("inputs", given, arrays), ("outputs", made, made if outputs is None else outputs)):
        if len(names) != len(values):
            raise TfmbsError("usage", f"node {node.op_type}", f"number of {what}", len(names), len(values))
    infos = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in zip(given, arrays, strict=True)
    ]
    if outputs is None:
        results = [onnx.ValueInfoProto(name=name) for name in made]
    else:
        results = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
            for name, (dtype, shape) in zip(made, outputs, strict=True)
        ]
    graph = helper.make_graph([node], node.op_type, infos, results)
    imports = [helper.make_opsetid(node.domain, opset)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=onnx.IR_VERSION)
    if outputs is None:
        try:
            return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        except onnx.shape_inference.InferenceError as error:
            raise TfmbsError("onnx.invalid", f"node {node.op_type}", "its outputs cannot be inferred") from error
    return model


def output_types(model: onnx.ModelProto) -> dict[str, np.dtype[Any]]:
    """The element types of a model's outputs by name, as arrays of onnx have them.

    Raises:
        TfmbsError: ``onnx.unsupported``, an output that does not say its type.
    """
    for value in model.graph.output:
        if not value.type.tensor_type.elem_type:
            raise TfmbsError(
                "onnx.unsupported", f"output '{value.name}'", "element type", "one that is declared", "none"
            )
    return {
        value.name: np.dtype(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
        for value in model.graph.output
    }


def _array(value: Any) -> Array:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


def _refuse_options(options: Mapping[str, Any], known: frozenset[str]) -> None:
    if unknown := sorted(set(options) - known):
        raise TfmbsError("usage", "onnx_backend", "unknown option", ", ".join(sorted(known)) or "none", unknown[0])
