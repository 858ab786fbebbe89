"""The progress bar of long work: one line on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys

_BAR = 24


class Progress:
    """The running stage on the last line of a terminal; silent elsewhere."""

    def __init__(self, visible: bool | None = None) -> None:
        self._visible = sys.stderr.isatty() if visible is None else visible
        self._stages = 0

    def show(self, stage: str) -> None:
        """The next stage begins."""
        self._stages += 1
        if self._visible:
            bar = "#" * min(4 * self._stages, _BAR)
            sys.stderr.write(f"\r\x1b[K[{bar:<{_BAR}}] {stage}")
            sys.stderr.flush()

    def clear(self) -> None:
        """The line is empty again."""
        if self._visible:
            sys.stderr.write("\r\x1b[K")
