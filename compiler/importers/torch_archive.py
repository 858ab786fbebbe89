"""Reading ``.pt2`` files, which hold a program as JSON and tensors, without running any code from them.

Torch's own reader falls back to unpickling whatever it meets (example inputs, constants that are no tensors). Here
pickled objects are refused: by their names in the archive, and by torch's own switch to load nothing but weights.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.export import ExportedProgram
from torch.export.pt2_archive import constants

from tfmbs.compiler.importers.messages import first_line, own_warnings_ignored
from tfmbs.runtime.abi.errors import TfmbsError

_EXPECTED = "a .pt2 file of torch.export.save"
_OBJECTS = (constants.CUSTOM_OBJ_FILENAME_PREFIX, constants.OPAQUE_OBJ_FILENAME_PREFIX)
_SWITCH = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


def load_exported(path: Path) -> ExportedProgram:
    """The program that a file holds.

    Raises:
        TfmbsError: ``io``; ``torch.parse``, for a file that holds no program, or pickled objects.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except OSError as error:
        raise TfmbsError("io", path, "cannot read the model", got=error.strerror) from error
    except (zipfile.BadZipFile, UnicodeError, NotImplementedError) as error:
        raise TfmbsError("torch.parse", path, "kind of file", _EXPECTED, first_line(error)) from error
    for member in members:
        if any(prefix in member for prefix in _OBJECTS):
            raise TfmbsError("torch.parse", path, "a pickled object can run any code", "tensors only", member)
    try:
        with _weights_only(), own_warnings_ignored():
            return torch.export.load(path)
    except Exception as error:  # whatever torch's reader meets in a file that is none of its own
        raise TfmbsError("torch.parse", path, "torch.export cannot load it", _EXPECTED, first_line(error)) from error


@contextmanager
def _weights_only() -> Iterator[None]:
    """While it lasts, `torch.load` reads tensors and plain containers, whatever it is asked for."""
    before = os.environ.get(_SWITCH)
    os.environ[_SWITCH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SWITCH]
        else:
            os.environ[_SWITCH] = before
