"""Reads ONNX files: as one message, or for compilation, with large weights read apart, once and where they stay."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from tfmbs.compiler.importers.external_data import embed_external_data
from tfmbs.compiler.importers.onnx_wire import Cut, IrregularError, cut
from tfmbs.compiler.importers.weights import is_weight
from tfmbs.dialect.resources import Array
from tfmbs.runtime.abi.errors import TfmbsError

Read = TypeVar("Read")

_LARGE_BYTES = 1 << 16


@dataclass(frozen=True)
class OnnxFile:
    """A model, but for the raw data of some initializers of its main graph: bytes by the number of the initializer."""

    model: onnx.ModelProto
    data: Mapping[int, Array] = field(default_factory=dict)


def load_onnx(path: Path) -> onnx.ModelProto:
    """Reads a model and all its external data.

    Raises:
        TfmbsError: `io`, `onnx.parse` or `onnx.external-data`.
    """
    model = _parsed(_read(path, lambda file: file.read()), path)
    embed_external_data(model, path.parent, str(path))
    return model


def read_onnx(path: Path) -> OnnxFile:
    """Reads a model and all its external data; weights are read apart. Raises as `load_onnx`."""

    def read(file: BufferedReader) -> tuple[onnx.ModelProto, dict[int, Array]]:
        found = _cut(file)
        if found is None:
            file.seek(0)
            return _parsed(file.read(), path), {}
        model, data = _parsed(found.light, path), {}
        for index, (offset, length) in found.data.items():
            tensor = model.graph.initializer[index]
            array = _bytes_at(file, offset, length, path)
            if is_weight(tensor):
                data[index] = array
            else:
                tensor.raw_data = array.tobytes()
        return model, data

    model, data = _read(path, read)
    embed_external_data(model, path.parent, str(path))
    return OnnxFile(model, data)


def _read(path: Path, read: Callable[[BufferedReader], Read]) -> Read:
    try:
        with path.open("rb") as file:
            return read(file)
    except OSError as error:
        raise TfmbsError("io", path, "cannot read the model", got=error.strerror) from error
    except ValueError as error:
        raise TfmbsError("io", path, "it names no file", got=error) from error


def _cut(file: BufferedReader) -> Cut | None:
    """Where the file has large data; None for what is to be parsed as a whole."""
    try:
        return cut(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)), _LARGE_BYTES)
    except (IrregularError, OSError, ValueError):  # the last two: an empty file, or one that cannot be mapped
        return None


def _bytes_at(file: BufferedReader, offset: int, length: int, path: Path) -> Array:
    array = np.empty(length, np.uint8)
    file.seek(offset)
    if (got := file.readinto(array.data)) != length:
        raise TfmbsError("onnx.parse", path, "the model changed while it was read", f"{length} bytes", got)
    array.setflags(write=False)
    return array


def _parsed(data: bytes, path: Path) -> onnx.ModelProto:
    if not data:
        raise TfmbsError("onnx.parse", path, "the model", "an ONNX protobuf", "an empty file")
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as error:
        raise TfmbsError("onnx.parse", path, "the model", "an ONNX protobuf", "other or truncated bytes") from error
    if not model.graph.node and not model.graph.output:
        raise TfmbsError("onnx.parse", path, "the model", "an ONNX protobuf with a graph", "none")
    return model
