"""The implementations of ONNX that a model is compared with. Each runs a model on arrays by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from tfmbs.compiler.importers.messages import first_line
from tfmbs.runtime.abi.errors import TfmbsError

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]


def run_reference(name: str, model: onnx.ModelProto, inputs: Arrays) -> dict[str, Array]:
    """The outputs of `model` by name, computed by the reference `name`, a key of `REFERENCES`.

    Raises:
        TfmbsError: ``usage``, no such reference; ``install``; ``reference``, it refuses or fails at the model.
    """
    if name not in REFERENCES:
        raise TfmbsError("usage", "--reference", "reference", f"one of {', '.join(REFERENCES)}", name)
    try:
        outputs = REFERENCES[name](model, inputs)
    except (TfmbsError, ModuleNotFoundError):
        raise
    except Exception as error:  # each has dozens of types of its own, and those of numpy beside them
        raise TfmbsError("reference", name, "it does not run the model", got=first_line(error)) from error
    names = [value.name for value in model.graph.output]
    return {name: np.asarray(array) for name, array in zip(names, outputs, strict=True)}


def _onnxruntime(model: onnx.ModelProto, inputs: Arrays) -> list[Any]:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    # As written: what its optimizer fuses has no values between the nodes to compare, and rounds elsewhere.
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    settings.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), settings, ["CPUExecutionProvider"])
    outputs: list[Any] = session.run(None, dict(inputs))
    return outputs


def _onnx(model: onnx.ModelProto, inputs: Arrays) -> list[Any]:
    from onnx.reference import ReferenceEvaluator

    with np.errstate(all="ignore"):
        outputs: list[Any] = ReferenceEvaluator(model).run(None, dict(inputs))
    return outputs


REFERENCES: dict[str, Callable[[onnx.ModelProto, Arrays], list[Any]]] = {
    "onnxruntime": _onnxruntime,
    "onnx": _onnx,
}
