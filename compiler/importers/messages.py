"""What foreign code says, made fit for one line."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_SHOWN = 300  # characters of a foreign message


def first_line(error: Exception) -> str:
    """The first line of a foreign message, shortened: some quote whole tensors."""
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


@contextmanager
def own_warnings_ignored() -> Iterator[None]:
    """Torch warns of what its own export calls, and of the list of weights that its own recurrent layers keep."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"The tensor attributes? .*_flat_weights\[", UserWarning)
        for category in (DeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", category)
        yield
