"""Sample inputs for calibration: an ``.npz`` file of arrays by input name."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tfmbs.runtime.abi.errors import TfmbsError

Arrays = Mapping[str, npt.NDArray[Any]]
Batch = Mapping[str, npt.ArrayLike] | Sequence[npt.ArrayLike]
"""Arrays by the names of the inputs, or in their order."""

Samples = str | Path | Mapping[str, npt.ArrayLike] | Iterable[Batch]
"""An ``.npz`` file, arrays by name, or several of those, by name or in the order of the inputs; each array holds one or
more batches along its first axis.
"""


def batches_of(samples: Samples) -> Iterable[Batch]:
    """What samples are given as, one mapping after the other. Raises TfmbsError as `read_samples`."""
    if isinstance(samples, str | Path):
        return read_samples(Path(samples))
    given: object = samples
    if not isinstance(given, Iterable):
        kind = type(given).__qualname__
        raise TfmbsError("input.name", "samples", "kind of value", "a file, arrays by name, or several", kind)
    return [samples] if isinstance(samples, Mapping) else samples


def read_samples(path: Path) -> list[Arrays]:
    """The arrays of an ``.npz`` file as one batch; pickled objects are refused.

    Raises:
        TfmbsError: ``io`` or ``quantize``, naming the file.
    """
    wanted = "quantize", path, "samples", "an .npz file of plain arrays", "other bytes"
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):  # numpy would leave what it began to read, with a message of its own
                raise TfmbsError(*wanted)
        with np.load(path, allow_pickle=False) as arrays:
            return [{name: arrays[name] for name in arrays.files}]
    except OSError as error:
        raise TfmbsError("io", path, "cannot read the samples", got=error.strerror or str(error)) from error
    except (EOFError, ValueError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise TfmbsError(*wanted) from error


def _array(name: str, values: npt.ArrayLike) -> npt.NDArray[Any]:
    try:
        return np.asarray(values)
    except (ValueError, TypeError) as error:
        raise TfmbsError("input.dtype", name, f"it cannot be made an array: {error}") from error


def cut(batch: Batch, shapes: Mapping[str, tuple[int, ...]]) -> Iterator[Arrays]:
    """Batches of the inputs' own `shapes` from arrays that hold one or more along the first axis (scalars: for all).

    A sequence, as a `DataLoader` gives it, has the arrays in the order of the inputs.

    Raises:
        TfmbsError: ``input.name`` or ``input.shape``, for arrays that are missing or hold no whole number of batches.
    """
    if isinstance(batch, tuple | list) and len(batch) == len(shapes):
        batch = dict(zip(shapes, batch, strict=True))
    if not isinstance(batch, Mapping):
        expected = f"arrays by name, or {len(shapes)} in the order of the inputs"
        raise TfmbsError("input.name", "samples", "kind of value", expected, type(batch).__qualname__)
    samples = {name: _array(name, array) for name, array in batch.items()}
    counts = set()
    for name, shape in shapes.items():
        if name not in samples:
            raise TfmbsError("input.name", "samples", "missing input", name, ", ".join(sorted(samples)) or "none")
        got, size = samples[name].shape, shape[0] if shape else 1
        if got[1:] != shape[1:] or len(got) != len(shape) or (shape and (got[0] % size or not got[0])):
            raise TfmbsError("input.shape", name, "shape of the samples", f"{shape}, or a multiple of rows", got)
        if shape:
            counts.add(got[0] // size)
    if len(counts) > 1:
        raise TfmbsError("input.shape", "samples", "number of batches", "the same for all inputs", sorted(counts))
    for index in range(max(counts, default=1)):
        yield {n: samples[n][index * s[0] : (index + 1) * s[0]] if s else samples[n] for n, s in shapes.items()}
