"""The other side of `isolated`: keeps a process that runs binaries, and starts another when it dies or hangs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.isolation.limits import Limits, read_until_end

_COMMAND = (sys.executable, "-m", "benchmarks.isolation.isolated")


class DiedError(Exception):
    """The process that runs binaries ended or hung; the text says how."""


class Executor:
    """A process without compiler, MLIR, onnx or torch. To be used by one thread, as a context manager."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def run(self, folder: Path) -> Any:
        """Has `isolated` run what lies in `folder`; returns its answer.

        Raises:
            DiedError: the process ended or hung; the next call starts another one.
        """
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(f"{folder}\n".encode())
            process.stdin.flush()
        except BrokenPipeError:
            raise DiedError(self._end()) from None
        line, in_time = read_until_end(process.stdout.fileno(), self.limits.wall, b"\n")
        if not in_time:
            process.kill()
            self._end()
            raise DiedError("it hung")
        if not line.endswith(b"\n"):
            raise DiedError(self._end())
        return json.loads(line)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                [*_COMMAND, str(self.limits.memory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        return self._process

    def _end(self) -> str:
        """Waits until the process has ended, for want of requests if for nothing else; says how."""
        process, self._process = self._process, None
        if process is None:
            return "it never ran"
        _, said = process.communicate()
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        return f"it ended with status {process.returncode}: {''.join(last)}"
