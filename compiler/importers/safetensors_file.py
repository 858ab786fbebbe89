"""Tensors of a safetensors file, mapped and read one by one. The package's own parser checks the header first."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from tfmbs.compiler.importers.decoder.weights import F32, Matrix
from tfmbs.dialect.shapes import Shape
from tfmbs.runtime.abi.errors import TfmbsError

_HEADER_AT = 8  # behind the header's length, a u64
_DTYPES = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16}


@dataclass(frozen=True)
class SafetensorsFile:
    """A file of weights (`decoder.weights.Weights`); `tensors` are the header's entries, `data` what is behind it."""

    name: str
    data: npt.NDArray[np.uint8]
    tensors: Mapping[str, Mapping[str, Any]]

    def names(self) -> Iterable[str]:
        """Names of all tensors."""
        return self.tensors

    def shape(self, name: str) -> Shape:
        """Sizes of a tensor, outermost first."""
        return tuple(self.tensors[name]["shape"])

    def real(self, name: str) -> F32:
        """A tensor in f32, exactly; read only. Raises TfmbsError ``unsupported`` for a type that is no float."""
        stored = self._stored(name)
        if stored.dtype == np.uint16:  # of bf16, the upper half of f32
            values: F32 = (stored.astype(np.uint32) << np.uint32(16)).view(np.float32)
        else:
            values = stored.astype(np.float32)
        values.setflags(write=False)
        return values

    def matrix(self, name: str) -> Matrix:
        """f16 as it is, else f32; read only. Raises as `real`."""
        if self.tensors[name]["dtype"] != "F16":
            return self.real(name)
        halves: npt.NDArray[np.float16] = self._stored(name)
        halves.setflags(write=False)
        return halves

    def _stored(self, name: str) -> npt.NDArray[Any]:
        entry = self.tensors[name]
        if entry["dtype"] not in _DTYPES:
            where = f"{self.name}: tensor '{name}'"
            raise TfmbsError("unsupported", where, "type", ", ".join(_DTYPES), entry["dtype"])
        first, end = entry["data_offsets"]
        stored: npt.NDArray[Any] = self.data[first:end].copy().view(_DTYPES[entry["dtype"]])
        shaped: npt.NDArray[Any] = stored.reshape(entry["shape"])
        return shaped


def open_safetensors(path: Path) -> SafetensorsFile:
    """The file, mapped. Raises TfmbsError ``io``, ``safetensors.parse``."""
    try:
        with path.open("rb") as file:  # what cannot be read is told from what is no such file
            length = int.from_bytes(file.read(_HEADER_AT), "little")
        with safe_open(path, framework="numpy"):  # counts, shapes, types, offsets, and that they fill the file
            data = np.memmap(path, np.uint8, mode="r")
    except OSError as error:
        raise TfmbsError("io", path, "cannot read the model", got=error.strerror) from error
    except SafetensorError as error:
        raise TfmbsError("safetensors.parse", path, "no safetensors file", got=error) from error
    header = json.loads(data[_HEADER_AT : _HEADER_AT + length].tobytes())
    tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
    return SafetensorsFile(str(path), data[_HEADER_AT + length :], tensors)
