"""External tensor data of an ONNX model, read only from regular files inside the model's own folder.

A model from a stranger must not reach other files: `..`, absolute paths, links of any kind on the way, hard links, NUL
bytes and ranges past the end of the file are refused (the holes of CVE-2022-25882, CVE-2024-27318 and their kin).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import onnx
from onnx import TensorProto

from tfmbs.runtime.abi.errors import At, TfmbsError

_KEYS = frozenset({"location", "offset", "length", "checksum"})


def embed_external_data(model: onnx.ModelProto, folder: Path, where: str) -> None:
    """Moves every external tensor of `model` into the model itself.

    Raises:
        TfmbsError: code `onnx.external-data`, naming the tensor.
    """
    for tensor in all_tensors(model):
        if tensor.data_location == TensorProto.EXTERNAL:
            tensor.raw_data = _read(tensor, folder, At(tensor.name, "tensor", f"{where}: tensor '{tensor.name}'"))
            tensor.data_location = TensorProto.DEFAULT
            del tensor.external_data[:]


def all_tensors(model: onnx.ModelProto) -> Iterator[TensorProto]:
    """Every tensor of a model: first the initializers of its graph, then those of nested graphs and of attributes,
    also in functions.
    """
    graphs = [model.graph]
    nodes = [node for function in model.functions for node in function.node]
    while graphs or nodes:
        if graphs:
            graph = graphs.pop()
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
            nodes.extend(graph.node)
            continue
        for attribute in nodes.pop().attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            graphs.extend(attribute.graphs)
            if attribute.HasField("g"):
                graphs.append(attribute.g)


def tensor_bytes(tensor: TensorProto) -> int:
    """Bytes of raw data that the tensor's shape and type ask for. Raises ValueError for a type without a fixed size."""
    elements = 1
    for dim in tensor.dims:
        if dim < 0:
            raise ValueError(f"dimension {dim}")
        elements *= dim
    bits = _BITS.get(tensor.data_type)
    if bits is None:
        raise ValueError(f"element type {tensor.data_type}")
    return (elements * bits + 7) // 8


def _bits() -> dict[int, int]:
    widths = {
        8: "BOOL INT8 UINT8 FLOAT8E4M3FN FLOAT8E4M3FNUZ FLOAT8E5M2 FLOAT8E5M2FNUZ FLOAT8E8M0",
        16: "INT16 UINT16 FLOAT16 BFLOAT16",
        32: "INT32 UINT32 FLOAT",
        64: "INT64 UINT64 DOUBLE COMPLEX64",
        128: "COMPLEX128",
        4: "INT4 UINT4 FLOAT4E2M1",
        2: "INT2 UINT2",
    }
    return {getattr(TensorProto, name): bits for bits, names in widths.items() for name in names.split()}


_BITS = _bits()


def _refuse(where: At, what: str, expected: object = None, got: object = None) -> TfmbsError:
    return TfmbsError("onnx.external-data", where, what, expected, got)


def _read(tensor: TensorProto, folder: Path, where: At) -> bytes:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    if len(entries) != len(tensor.external_data) or not set(entries) <= _KEYS:
        raise _refuse(
            where, "external data keys", f"each of {', '.join(sorted(_KEYS))} at most once", ", ".join(entries)
        )
    try:
        needed = tensor_bytes(tensor)
    except ValueError as error:
        raise _refuse(where, "external data of a tensor without a size", got=str(error)) from error
    offset = _number(entries, "offset", 0, where)
    length = _number(entries, "length", needed, where)
    if length != needed:
        raise _refuse(where, "external data length", f"{needed} bytes for its shape", length)
    descriptor = _open_inside(folder, entries.get("location", ""), where)
    with os.fdopen(descriptor, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if not (offset <= size and length <= size - offset):
            raise _refuse(
                where, "external data range", f"inside its file of {size} bytes", f"{length} bytes at {offset}"
            )
        file.seek(offset)
        data = file.read(length)
    if len(data) != length:
        raise _refuse(where, "external data changed while it was read", f"{length} bytes", len(data))
    return data


def _number(entries: dict[str, str], key: str, default: int, where: At) -> int:
    text = entries.get(key)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise _refuse(where, f"external data {key}", "a number of bytes", repr(text[:40]))
    return int(text)


def _open_inside(folder: Path, location: str, where: At) -> int:
    """Opens `location` step by step from `folder`, following no link; returns the descriptor of a regular file."""
    if not location or "\0" in location or "\\" in location or PurePosixPath(location).is_absolute():
        raise _refuse(where, "external data location", "a relative path in the model's folder", repr(location))
    parts = PurePosixPath(location).parts
    if ".." in parts:
        raise _refuse(where, "external data location", "a path without '..'", repr(location))
    current = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for i, part in enumerate(parts):
            last = i == len(parts) - 1
            flags = os.O_RDONLY | os.O_NOFOLLOW | (os.O_NONBLOCK if last else os.O_DIRECTORY)
            following = os.open(part, flags, dir_fd=current)
            os.close(current)
            current = following
        status = os.fstat(current)
        if not stat.S_ISREG(status.st_mode):
            raise _refuse(where, "external data location", "a regular file", repr(location))
        if status.st_nlink != 1:
            raise _refuse(
                where, "external data location", "a file with one name (hard links are refused)", repr(location)
            )
    except OSError as error:
        os.close(current)
        raise _refuse(where, f"external data file {location!r}", "a regular file, no links", error.strerror) from error
    except TfmbsError:
        os.close(current)
        raise
    return current
