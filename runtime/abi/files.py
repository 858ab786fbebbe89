"""Files: outputs that appear whole or not at all, inputs that are mapped."""

from __future__ import annotations

import mmap
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from tfmbs.runtime.abi.errors import TfmbsError

Fill = Callable[[BinaryIO], object]
"""Writes the content of a file, which it may seek in."""


def save(path: str | os.PathLike[str], data: bytes | bytearray | memoryview) -> None:
    """Writes a file of these bytes as `save_filled` does. Raises TfmbsError `io`."""
    save_filled(path, lambda file: file.write(data))


def save_filled(path: str | os.PathLike[str], fill: Fill, check: Callable[[Path], object] | None = None) -> None:
    """Writes a file that appears whole or not at all: temporary file beside it, fsync, `check` of that, rename.

    Devices and pipes, which a rename would replace, are written directly. Raises TfmbsError `io` and as `check`.
    """
    target = file_path(path)
    try:
        if target.exists() and not target.is_file():
            with target.open("wb") as file:
                fill(file)
        else:
            _replace(target, fill, check)
    except OSError as error:
        raise TfmbsError("io", target, f"cannot be written: {error.strerror or error}") from error


def _replace(target: Path, fill: Fill, check: Callable[[Path], object] | None) -> None:
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        if check is not None:
            check(temporary)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def mapped(path: Path) -> bytes | mmap.mmap:
    """The bytes of a file, read where they are used. It must not change meanwhile. Raises TfmbsError `io`."""
    try:
        with path.open("rb") as file:
            empty = os.fstat(file.fileno()).st_size == 0
            return b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise TfmbsError("io", path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from error


def file_path(path: object) -> Path:
    """What a caller gave as the path of a file. Raises TfmbsError `io` for what cannot be one."""
    if not isinstance(path, str | os.PathLike):
        raise TfmbsError("io", "path", "kind of value", "a str or os.PathLike", type(path).__qualname__)
    found = Path(path)
    if "\0" in str(found) or not found.name:
        raise TfmbsError("io", repr(str(path)), "it names no file")
    return found
