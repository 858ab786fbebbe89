"""Options that every tool has which compiles a model: the model itself, target, precision, samples, dimensions."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfmbs.runtime.abi.errors import TfmbsError

if TYPE_CHECKING:
    from tfmbs.compiler.compilation import Options
    from tfmbs.compiler.driver import Observer


def add_model_options(parser: argparse.ArgumentParser, kinds: str = ".onnx, .pt2 or .mlir") -> None:
    """Declares them on `parser`; `kinds` are the suffixes of the models that the tool takes."""
    add = parser.add_argument
    add("model", metavar="MODEL", help=f"model: {kinds}")
    add("--target", metavar="NAME|FILE.toml", default="kpu-16x16", help="target (default: %(default)s)")
    add("--precision", default="fp32", help="fp32, int8, int4 or ternary (default: %(default)s)")
    add("--calibrate", metavar="DATA.npz", help="sample inputs by name, one or more batches along the first axis")
    add("--dim", metavar="NAME=N", action="append", default=[], help="size of a symbolic dimension; may be repeated")
    add("--verify-each-numerically", action="store_true", help="name the first pass that changes a result")


def model_options(
    given: Any,
    *,
    observers: Sequence[Observer] = (),
    progress: Callable[[str], None] = lambda stage: None,
    **others: Any,
) -> Options:
    """What the parsed arguments ask for; `others` are further fields of `Options`.

    Raises:
        TfmbsError: ``usage``, for a ``--dim`` that means nothing; ``io`` or ``quantize`` for the samples;
            ``unsupported`` for a kind of model.
    """
    from tfmbs.compiler.compilation import Options
    from tfmbs.compiler.front_ends import IR
    from tfmbs.compiler.samples import read_samples

    if Path(given.model).suffix == IR and given.dim:
        raise TfmbsError("usage", "--dim", "the sizes of IR are fixed", f"a model that is no {IR}", given.model)
    return Options(
        target=given.target,
        precision=given.precision,
        dims=_dims("--dim", given.dim),
        calibration=read_samples(Path(given.calibrate)) if given.calibrate else None,
        verify_numerically=given.verify_each_numerically,
        observers=observers,
        progress=progress,
        **others,
    )


def entry_points(texts: Sequence[str]) -> dict[str, dict[str, int]]:
    """Sizes by entry point, from texts like ``decode:seq=1,batch=2``. Raises TfmbsError ``usage``."""
    entries: dict[str, dict[str, int]] = {}
    for text in texts:
        name, colon, sizes = text.partition(":")
        if not (name and colon and sizes):
            raise TfmbsError("usage", "--entry", "entry point", "NAME:DIM=N,…", text)
        if name in entries:
            raise TfmbsError("usage", "--entry", "a name given twice", got=name)
        entries[name] = _dims("--entry", sizes.split(","))
    return entries


def _dims(option: str, texts: Sequence[str]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for text in texts:
        name, equals, size = text.partition("=")
        if not (name and equals and size.isascii() and size.isdigit() and int(size) > 0):
            raise TfmbsError("usage", option, "size of a dimension", "NAME=N with N at least 1", text)
        if name in sizes:
            raise TfmbsError("usage", option, "a name given twice", got=name)
        sizes[name] = int(size)
    return sizes
