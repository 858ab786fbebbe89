"""Small text files of ours: a first line that says what they are, then facts line by line."""

from __future__ import annotations

from pathlib import Path

from tfmbs.runtime.abi.errors import TfmbsError


def numbered_lines(path: Path, what: str, first_line: str) -> list[tuple[int, str]]:
    """The lines of a file behind its first one, with their numbers, without comments (``#``) and empty ones.

    Raises:
        TfmbsError: ``io``, it cannot be read; ``quantize``, it does not begin with `first_line`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TfmbsError("io", path, f"cannot read the {what}", got=error.strerror) from error
    except UnicodeDecodeError as error:
        raise TfmbsError("quantize", path, what, first_line, "no text") from error
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("#")]
    if not lines or lines[0][1] != first_line:
        raise TfmbsError("quantize", path, "first line", first_line, lines[0][1] if lines else "nothing")
    return lines[1:]
