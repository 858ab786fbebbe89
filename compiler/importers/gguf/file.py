"""Tensors of a GGUF file, mapped and read one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import quants
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from tfmbs.compiler.importers.decoder.weights import F32, TRITS, Grouped, Matrix
from tfmbs.compiler.importers.gguf.blocks import FORMATS, split_rows
from tfmbs.compiler.importers.gguf.header import TensorInfo, read_header
from tfmbs.dialect.shapes import Shape
from tfmbs.runtime.abi.errors import TfmbsError

Kind = GGMLQuantizationType
LOADED = (Kind.F32, Kind.F16, Kind.BF16, Kind.Q8_0, Kind.Q4_0, Kind.Q4_K, Kind.Q6_K, Kind.TQ1_0, Kind.TQ2_0)
"""The types of tensors that are read; a file may hold others, which are refused where they are needed."""

_CHUNK_BYTES = 1 << 22  # of packed rows that are taken apart at a time


@dataclass(frozen=True)
class GgufFile:
    """A file of weights (`decoder.weights.Weights`) with metadata by key."""

    name: str
    data: npt.NDArray[np.uint8]
    metadata: Mapping[str, Any]
    tensors: Mapping[str, TensorInfo]

    def names(self) -> Iterable[str]:
        """Names of all tensors."""
        return self.tensors

    def shape(self, name: str) -> Shape:
        """Sizes of a tensor, outermost first."""
        return self.tensors[name].shape

    def rows(self, name: str) -> npt.NDArray[np.uint8]:
        """The bytes of a tensor (rows, bytes of a row), a view of the file. Raises TfmbsError ``gguf.unsupported``."""
        info = self.tensors[name]
        if info.kind not in LOADED:
            expected = ", ".join(kind.name for kind in LOADED)
            raise TfmbsError("gguf.unsupported", f"{self.name}: tensor '{name}'", "type", expected, info.kind.name)
        block, block_bytes = GGML_QUANT_SIZES[info.kind]
        return self.data[info.offset : info.offset + info.size].reshape(-1, info.shape[-1] // block * block_bytes)

    def real(self, name: str) -> F32:
        """A tensor in f32, as the gguf package dequantizes it; read only. Raises TfmbsError ``gguf.unsupported``."""
        rows, info = self.rows(name), self.tensors[name]
        values = np.empty((len(rows), info.shape[-1]), np.float32)
        for part in _chunks(rows):
            values[part] = quants.dequantize(np.ascontiguousarray(rows[part]), info.kind)
        result: F32 = _read_only(values.reshape(info.shape))
        return result

    def matrix(self, name: str) -> Matrix:
        """A matrix: integers and scales where they are exact, f16 as it is, else f32; of trits with scales merged.

        Raises:
            TfmbsError: ``gguf.unsupported``; ``gguf.parse`` for a code that is no trit.
        """
        rows, info = self.rows(name), self.tensors[name]
        if info.kind is Kind.F16:
            halves: Matrix = _read_only(np.array(rows).view(np.float16))
            return halves
        if info.kind not in FORMATS:
            return self.real(name)
        form, columns = FORMATS[info.kind], info.shape[-1]
        stored = np.empty((len(rows), columns), np.int8)
        scales = np.empty((len(rows), columns // form.group), np.float32)
        for part in _chunks(rows):
            where = f"{self.name}: tensor '{name}'"
            stored[part], scales[part] = split_rows(np.ascontiguousarray(rows[part]), info.kind, where)
        grouped = Grouped(_read_only(stored), _read_only(scales), form.bits)
        return grouped.merged() if form.bits == TRITS else grouped


def open_gguf(path: Path) -> GgufFile:
    """The file, mapped, its header checked. Raises TfmbsError ``io``, and as `read_header`."""
    try:
        size = path.stat().st_size
        data: npt.NDArray[np.uint8] = np.memmap(path, np.uint8, mode="r") if size else np.empty(0, np.uint8)
    except OSError as error:
        raise TfmbsError("io", path, "cannot read the model", got=error.strerror) from error
    header = read_header(data.data, str(path))
    return GgufFile(str(path), data, header.metadata, header.tensors)


def _chunks(rows: npt.NDArray[np.uint8]) -> Iterable[slice]:
    step = max(1, _CHUNK_BYTES // rows.shape[1])
    return (slice(first, first + step) for first in range(0, len(rows), step))


def _read_only(array: Any) -> Any:
    array.setflags(write=False)
    return array
