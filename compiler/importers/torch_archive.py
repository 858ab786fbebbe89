"""Reading ``.pt2`` files, which hold a program as JSON and tensors, without running any code from them.

Torch's own reader unpickles what it meets (example inputs, constants that are no tensors), loads native libraries and
evaluates strings. Here only members of known kinds are taken, the JSON is checked before torch's reader sees it, and
torch's own switch makes it load nothing but weights. Members are listed and read by the same reader as torch's.
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
from torch.export.pt2_archive._package import PT2ArchiveReader

from tfmbs.compiler.importers import trained_operators  # noqa: F401  # torch's reader looks them up
from tfmbs.compiler.importers.messages import first_line, own_warnings_ignored
from tfmbs.compiler.importers.torch_archive_rules import check_program
from tfmbs.runtime.abi.errors import TfmbsError

_EXPECTED = "a .pt2 file of torch.export.save"
_OBJECTS = (constants.CUSTOM_OBJ_FILENAME_PREFIX, constants.OPAQUE_OBJ_FILENAME_PREFIX)
_KNOWN = (
    "models/", "data/weights/", "data/constants/", "data/sample_inputs/", "extra/", ".data/",
    "archive_format", "archive_version", "byteorder", "version",
)  # fmt: skip
_SWITCH = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


def load_exported(path: Path) -> ExportedProgram:
    """The program that a file holds.

    Raises:
        TfmbsError: ``io``; ``torch.parse``, for a file that holds no program, or what could run as code;
            ``torch.unsupported``, for sizes that are not fixed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except OSError as error:
        raise TfmbsError("io", path, "cannot read the model", got=error.strerror) from error
    except (zipfile.BadZipFile, UnicodeError, NotImplementedError) as error:  # the last: versions zipfile cannot read
        raise TfmbsError("torch.parse", path, "kind of file", _EXPECTED, first_line(error)) from error
    for member in members:
        if any(prefix in member for prefix in _OBJECTS):
            raise TfmbsError("torch.parse", path, "a pickled object can run any code", "tensors only", member)
        if not member.partition("/")[2].startswith(_KNOWN):
            raise TfmbsError("torch.parse", path, "member of the archive", "programs and tensors", member)
    if len({member.lower() for member in members}) != len(members):
        raise TfmbsError("torch.parse", path, "members of the archive", "names that differ", "the same twice")
    _check_texts(path, members)
    try:
        with _weights_only(), own_warnings_ignored():
            return torch.export.load(path)
    except Exception as error:  # whatever torch's reader meets in a file that is none of its own
        raise TfmbsError("torch.parse", path, "torch.export cannot load it", _EXPECTED, first_line(error)) from error


def _check_texts(path: Path, members: list[str]) -> None:
    """Checks all JSON of the archive as torch's reader gives it."""
    try:
        reader = PT2ArchiveReader(str(path))
        names = reader.get_file_names()
        texts = {name: reader.read_bytes(name) for name in names if name.endswith(".json")}
    except Exception as error:  # whatever torch's reader meets in a file that is none of its own
        raise TfmbsError("torch.parse", path, "torch.export cannot load it", _EXPECTED, first_line(error)) from error
    if sorted(names) != sorted(member.partition("/")[2] for member in members):
        raise TfmbsError("torch.parse", path, "members of the archive", "one list of them", "two that differ")
    for name, text in texts.items():
        if not name.startswith("extra/"):
            check_program(text, f"{path}: {name}")


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
