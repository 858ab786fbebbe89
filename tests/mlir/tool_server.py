"""Keeps the tools of the lit tests warm: imports them once, then forks for each command, which saves most of its time.

``tool_server.py LISTENER MODULE...`` serves the listening socket with that file number until its standard input closes.
For each connection of ``tool_client.py`` it forks a process that takes over the client's streams, folder and
environment, calls ``main()`` of the module asked for, and sends its exit code.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import tfmbs.passes
from tfmbs.dialect.mlir import context


def serve(listener: socket.socket, owner: int) -> None:
    """Answers connections until the stream `owner` ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forked processes: the kernel reaps them
    while True:
        ready, _, _ = select.select([listener, owner], [], [])
        if owner in ready:
            return
        connection, _ = listener.accept()
        with connection:
            if os.fork() == 0:
                _run(connection)


def _run(connection: socket.socket) -> NoReturn:
    """The forked process: becomes the command, and never returns."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        request, streams, _, _ = socket.recv_fds(connection, 1 << 20, 3)
        folder, environment, module, *arguments = json.loads(request)
        os.chdir(folder)
        os.environ.update(environment)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        # New objects: the old ones remember of what kind the server's streams were (seekable or not).
        sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
        code = _call(importlib.import_module(module), [module, *arguments])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(bytes([code & 0xFF]))
        os._exit(0)


def _call(module: ModuleType, arguments: list[str]) -> int:
    sys.argv = arguments
    try:
        code = module.main()
    except SystemExit as end:
        code = end.code
    return code if isinstance(code, int) else int(code is not None)


def warm(modules: Sequence[str]) -> None:
    """Imports what the commands will need."""
    context()
    for name in (*modules, *(f"tfmbs.passes.{info.name}" for info in pkgutil.iter_modules(tfmbs.passes.__path__))):
        # A command that needs a module which cannot be imported says so itself, and the others still run.
        with suppress(ImportError, SyntaxError):
            importlib.import_module(name)


if __name__ == "__main__":
    warm(sys.argv[2:])
    with socket.socket(fileno=int(sys.argv[1])) as listening:
        path = Path(listening.getsockname())
        serve(listening, os.dup(0))
    path.unlink()
    path.parent.rmdir()
