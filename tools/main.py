"""What every command-line tool shares: errors on stderr in one form; exit codes 0, 1 (refused) and 2 (usage)."""

from __future__ import annotations

import functools
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from tfmbs.runtime.abi.errors import TfmbsError, not_installed

STDERR = 2
OK, REFUSED, USAGE, INTERRUPTED = 0, 1, 2, 130

Main = Callable[[Sequence[str]], int]


def tool(main: Main) -> Callable[..., int]:
    """Makes `main(arguments)` a console entry point: no arguments means `sys.argv[1:]`; user errors become exit codes.

    `TfmbsError`, `OSError` and an extra that is not installed are printed and exit 1 (a `TfmbsError` of code `usage`:
    2); argparse exits 2 by itself. Anything else is a bug and keeps its traceback. Modules of the compiler's layers are
    imported inside `main`, so that a runtime-only installation can say what it lacks.
    """

    @functools.wraps(main)
    def entry(arguments: Sequence[str] | None = None) -> int:
        _replace_closed_streams()
        try:
            code = main(sys.argv[1:] if arguments is None else arguments)
            sys.stdout.flush()
        except TfmbsError as error:
            return _report(error)
        except ModuleNotFoundError as error:
            refused = not_installed(error, main.__module__)
            if refused is None:
                raise
            return _report(refused)
        except BrokenPipeError:
            # The reader of a pipe (`| head`) left; the interpreter's own flush at exit must not complain again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return REFUSED
        except OSError as error:
            where = error.filename if error.filename is not None else "system"
            return _report(TfmbsError("io", os.fsdecode(where), (error.strerror or str(error)).lower()))
        except KeyboardInterrupt:
            return INTERRUPTED
        return code

    return entry


def standard_input() -> bytes:
    """All of standard input. Raises TfmbsError `io` where the caller closed it."""
    if sys.stdin is None:
        raise TfmbsError("io", "standard input", "it is closed")
    return sys.stdin.buffer.read()


def _replace_closed_streams() -> None:
    """Native code writes to standard error by its number, which another file could have got."""
    if sys.stdout is None:
        sys.stdout = _ClosedOutput()
    if sys.stderr is None:
        null = os.open(os.devnull, os.O_WRONLY)
        if null != STDERR:
            os.dup2(null, STDERR)
        sys.stderr = os.fdopen(STDERR, "w")


class _ClosedOutput(io.StringIO):
    """Stands for a standard output that the caller closed: refuses what is written."""

    @property
    def buffer(self) -> Any:
        """The stream for bytes, as closed."""
        return self

    def write(self, text: object) -> int:
        """Raises TfmbsError `io`."""
        raise TfmbsError("io", "standard output", "it is closed")


def _report(error: TfmbsError) -> int:
    print(error, file=sys.stderr)
    if error.details:
        print(error.details, file=sys.stderr)
    return USAGE if error.code == "usage" else REFUSED
