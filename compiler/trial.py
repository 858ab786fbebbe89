"""Runs graphs while a model is compiled, to see what values they have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy.typing as npt

from tfmbs.compiler.driver import Driver
from tfmbs.compiler.jit import Reference
from tfmbs.compiler.pipelines import sequence_text
from tfmbs.runtime.abi.image import Image

Outputs = Mapping[str, npt.NDArray[Any]]
Run = Callable[[Mapping[str, npt.ArrayLike]], Outputs]

Start = Callable[[Image], Run]
"""Loads a binary: what it gives takes inputs by name and runs it."""

TARGET = "kpu-16x16"
"""The target of trials in f32, which it multiplies whatever the target of the network does."""


def trial(module: Any, start: Start | None, target: str = TARGET) -> Run:
    """Runs a graph-level module, which is changed: as a binary where `start` loads those, else by the byte reference.

    Both give the same bytes; the reference takes many times as long.

    Raises:
        TfmbsError: what the pipelines, or the reference, refuse.
    """
    if start is None:
        return Reference(module).run
    from tfmbs.compiler.compilation import Compilation, Options

    Driver().run_text(module, sequence_text("optimise", {"target": target}))
    return start(Compilation(module, "tfmbs", Options(target=target)).image())
