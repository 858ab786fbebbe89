"""Options that every tool has which compiles a model: the model itself, target, precision, samples, dimensions."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.tools.quantization_options import add_quantization_options, quantization_of

if TYPE_CHECKING:
    from tfmbs.compiler.compilation import Options
    from tfmbs.compiler.driver import Observer
    from tfmbs.runtime.abi.image import Image


_DIGITS = 19
"""Of a size: 64 bits hold no more."""


def add_model_options(
    parser: argparse.ArgumentParser, kinds: str = ".onnx, .pt2, .mlir, .gguf or .safetensors", *, ranges: bool = False
) -> None:
    """Declares them on `parser`; `kinds` are the suffixes of the models that the tool takes, `ranges` whether a
    dimension may have a range of sizes.
    """
    add = parser.add_argument
    add("model", metavar="MODEL", help=f"model: {kinds}")
    add("--target", metavar="NAME|FILE.toml", default="kpu-16x16", help="target (default: %(default)s)")
    add("--precision", default="fp32", help="fp32, bf16, int8, int4, ternary or mixed (default: %(default)s)")
    add("--calibrate", metavar="DATA.npz", help="sample inputs by name, one or more batches along the first axis")
    add_quantization_options(parser)
    dim = f"size of a symbolic dimension{', or a range for the run to choose from' if ranges else ''}; may be repeated"
    add("--dim", metavar=f"NAME=N{'|LO..HI' if ranges else ''}", action="append", default=[], help=dim)
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
        quantization=quantization_of(given),
        start_binary=_start,
        verify_numerically=given.verify_each_numerically,
        observers=observers,
        progress=progress,
        **others,
    )


def _start(image: Image) -> Any:
    from tfmbs.runtime.program import Program

    return Program(image).context().run


def entry_points(texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Sizes by entry point, from texts like ``decode:seq=1,batch=1..4``. Raises TfmbsError ``usage``."""
    entries: dict[str, dict[str, Any]] = {}
    for text in texts:
        name, colon, sizes = text.partition(":")
        if not (name and colon and sizes):
            raise TfmbsError("usage", "--entry", "entry point", "NAME:DIM=N,…", text)
        if name in entries:
            raise TfmbsError("usage", "--entry", "a name given twice", got=name)
        entries[name] = _dims("--entry", sizes.split(","))
    return entries


def refuse_ranges(dims: Mapping[str, Any], why: str) -> None:
    """Raises TfmbsError ``usage`` where a size is a range; `why` says what wants a number."""
    from tfmbs.compiler.sizes.ranges import Range

    for name, size in dims.items():
        if isinstance(size, Range):
            raise TfmbsError("usage", "--dim", why, f"{name}=N", f"{name}={size.low}..{size.high}")


def _dims(option: str, texts: Sequence[str]) -> dict[str, Any]:
    from tfmbs.compiler.sizes.ranges import DOTS, size_of

    sizes: dict[str, Any] = {}
    for text in texts:
        name, equals, size = text.partition("=")
        ends = size.split(DOTS)
        if not (name and equals and len(ends) <= 2 and all(_is_size(end) for end in ends)):
            raise TfmbsError("usage", option, "size of a dimension", "NAME=N or NAME=LO..HI, at least 1", text)
        if name in sizes:
            raise TfmbsError("usage", option, "a name given twice", got=name)
        try:
            sizes[name] = size_of(name, size if len(ends) == 2 else int(size))
        except TfmbsError as error:
            raise TfmbsError("usage", option, error.what, error.expected, text) from error
    return sizes


def _is_size(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text) > 0
