"""Which importer takes a model: by the suffix of its file, or the package that its class comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfmbs.dialect.mlir import context
from tfmbs.runtime.abi.errors import TfmbsError, not_installed

if TYPE_CHECKING:
    from tfmbs.compiler.compilation import Options

MODEL, EXPORTED, IR = ".onnx", ".pt2", ".mlir"
DECODERS = (".gguf", ".safetensors")
"""Suffixes of files of weights whose decoder is written here."""
PICKLES = frozenset({".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth"})
"""Suffixes of files whose reader would run code from the file."""

_FILES = f"{MODEL}, {EXPORTED}, {IR}, {' or '.join(DECODERS)}"
_OBJECTS = "a path, an onnx.ModelProto, a torch.nn.Module or a torch.export.ExportedProgram"


def import_model(model: object, options: Options, *, raw: bool, where: str) -> tuple[Any, str]:
    """The module of a model at torch level and the model's name; `raw` stops before the importer's own passes.

    Raises:
        TfmbsError: what the importer refuses; ``unsupported`` for another kind of model; ``usage``.
    """
    if isinstance(model, str | Path) and Path(model).suffix in DECODERS:
        return _of_decoder(Path(model), options), Path(model).stem
    parts, name, at = _onnx_parts(model, where)
    if parts is not None:
        return _of_onnx(parts, options, raw, at), name
    if isinstance(model, str | Path):
        from tfmbs.compiler.importers.torch_archive import load_exported

        return _of_torch(load_exported(Path(model)), options, raw, at), name
    return _of_torch(model, options, raw, at), name


def sized_importer(model: object, options: Options, where: str) -> tuple[Callable[[Mapping[str, int], str], Any], str]:
    """What imports an ONNX model, which is read once, with given sizes as one entry point; and the model's name.

    Raises:
        TfmbsError: what the importer refuses; ``usage`` for a model whose sizes are fixed.
    """
    if isinstance(model, str | Path) and Path(model).suffix == IR:
        raise TfmbsError("usage", where, "dims", f"a model that is no {IR}, whose sizes are fixed", model)
    if isinstance(model, str | Path) and Path(model).suffix in DECODERS:
        raise TfmbsError("usage", where, "dims", "numbers, no ranges, for a decoder from a file of weights", model)
    parts, name, at = _onnx_parts(model, where)
    if parts is None:
        raise TfmbsError("usage", at, "dims", "none for a PyTorch model, whose sizes are its example inputs'")
    if options.example_inputs is not None:
        raise TfmbsError("usage", at, "example_inputs", "none for an ONNX model, whose inputs have shapes")
    from tfmbs.compiler.importers.onnx import import_parts

    parts = replace(parts, sized=True)

    def import_entry(dims: Mapping[str, int], entry: str) -> Any:
        return import_parts(parts, dims=dims, entries={entry: {}}, context=context(), where=at)

    return import_entry, name


def _onnx_parts(model: object, where: str) -> tuple[Any, str, str]:
    """The parts of an ONNX model, its name, and how errors call it; no parts of a PyTorch model.

    Raises TfmbsError ``unsupported`` for another kind of model.
    """
    if isinstance(model, str | Path):
        path = Path(model)
        _check_suffix(path)
        if path.suffix == EXPORTED:
            return None, path.stem, str(path)
        from tfmbs.compiler.importers.onnx_file import read_onnx
        from tfmbs.compiler.importers.onnx_model import parts_of

        file = read_onnx(path)
        return parts_of(file.model, str(path), file.data), path.stem, str(path)
    packages = {kind.__module__.partition(".")[0] for kind in type(model).__mro__}
    if "onnx" in packages:
        from tfmbs.compiler.importers.onnx_model import parts_of

        return parts_of(model, where), where, where
    if "torch" in packages:
        return None, where, where
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    raise TfmbsError("unsupported", where, "kind of model", _OBJECTS, kind)


def _check_suffix(path: Path) -> None:
    if path.suffix in PICKLES:
        expected = f"{EXPORTED} of torch.export.save, which holds no pickled code"
        raise TfmbsError("unsupported", path, "kind of model: a pickle can run any code", expected, path.suffix)
    if path.suffix not in (MODEL, EXPORTED, "", IR):
        raise TfmbsError("unsupported", path, "kind of model", _FILES, path.suffix)


def _of_onnx(parts: Any, options: Options, raw: bool, where: str) -> Any:
    """The module of an ONNX model's parts; the model itself, where it was loaded here, is gone already."""
    from tfmbs.compiler.importers.onnx import import_parts

    if options.example_inputs is not None:
        raise TfmbsError("usage", where, "example_inputs", "none for an ONNX model, whose inputs have shapes")
    return import_parts(parts, dims=options.dims, entries=options.entries, context=context(), where=where, raw=raw)


def _of_decoder(path: Path, options: Options) -> Any:
    from tfmbs.compiler.importers.decoder_files import import_decoder

    if options.example_inputs is not None:
        raise TfmbsError("usage", path, "example_inputs", "none for a decoder, whose inputs have shapes")
    try:
        return import_decoder(
            path, dims=options.dims, entries=options.entries, target=options.target, context=context()
        )
    except ModuleNotFoundError as error:
        if missing := not_installed(error, str(path)):
            raise missing from error
        raise


def _of_torch(model: object, options: Options, raw: bool, where: str) -> Any:
    from tfmbs.compiler.importers.torch import export, import_torch

    if options.dims:
        raise TfmbsError("usage", where, "dims", "none for a PyTorch model, whose sizes are its example inputs'")
    if options.entries:
        raise TfmbsError("usage", where, "entries", "example_inputs by entry point, for a PyTorch model")
    programs = export(model, options.example_inputs, where)
    return import_torch(programs, context=context(), where=where, raw=raw)
