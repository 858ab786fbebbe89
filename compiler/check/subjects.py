"""Which kind of model is checked, by the package that its class comes from."""

from __future__ import annotations

from tfmbs.compiler.check.subject import Subject
from tfmbs.runtime.abi.errors import TfmbsError


def subject_of(model: object, where: str) -> Subject:
    """The subject of a check.

    Raises:
        TfmbsError: ``unsupported``, for a model that is neither an `onnx.ModelProto` nor an `ExportedProgram`.
    """
    packages = {kind.__module__.partition(".")[0] for kind in type(model).__mro__}
    if "onnx" in packages:
        from tfmbs.compiler.check.onnx_subject import OnnxSubject

        return OnnxSubject(model, where)
    if "torch" in packages:
        from torch.export import ExportedProgram

        from tfmbs.compiler.check.torch_subject import TorchSubject

        if isinstance(model, ExportedProgram):
            return TorchSubject(model, where)
    expected = "an onnx.ModelProto or a torch.export.ExportedProgram"
    raise TfmbsError("unsupported", where, "kind of model", expected, type(model).__qualname__)
