"""The binary of a model with run-time sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import tfmbs
from tfmbs.compiler.compilation import Options
from tfmbs.compiler.front_ends import sized_importer
from tfmbs.compiler.importers.torch_level import ENTRY
from tfmbs.compiler.sizes.assemble import Assembler
from tfmbs.compiler.sizes.pieces import Cutter, add_pieces
from tfmbs.compiler.sizes.points import DEGREES, Box, samples
from tfmbs.compiler.sizes.ranges import Range, sizes_of
from tfmbs.compiler.sizes.sampler import Sampler
from tfmbs.runtime.abi.container import Container
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.size_records import MAX_SIZES
from tfmbs.runtime.abi.target_file import load_target
from tfmbs.runtime.instances import checked_instance


def sized_binary(model: object, options: Options, where: str = "model") -> Container:
    """The fabric binary whose entry points take every size of the ranges among their dims; `verify_sized` checks it.

    Raises:
        TfmbsError: as `Compilation`; ``unsupported`` for what depends on a size and cannot, by the model's own names;
            ``onnx.dim``, ``usage``.
    """
    target = load_target(options.target)
    if options.calibration is not None:
        expected = "sizes without a range"
        raise TfmbsError("unsupported", where, "samples for calibration with run-time sizes", expected)
    import_entry, name = sized_importer(model, options, where)
    assembler = Assembler()
    about: dict[str, dict[str, Any]] = {}
    for entry, own in (options.entries or {ENTRY: {}}).items():
        dims = sizes_of({**options.dims, **own})
        names = [dim for dim, size in dims.items() if isinstance(size, Range)]
        if len(names) > MAX_SIZES:
            raise TfmbsError("unsupported", entry, "run-time sizes", f"at most {MAX_SIZES}", ", ".join(names))
        fixed = {dim: size for dim, size in dims.items() if not isinstance(size, Range)}
        ranges = [size for size in dims.values() if isinstance(size, Range)]
        box = Box(tuple(size.low for size in ranges), tuple(size.high for size in ranges))

        def importer(sizes: Mapping[str, int], entry: str = entry) -> Any:
            return import_entry(sizes, entry)

        options.progress(f"sizes of {entry}")
        sampler = Sampler(importer, replace(options, entries={}), names, fixed, name)
        pieces = Cutter(sampler, entry).pieces(box)
        add_pieces(assembler, names, pieces)
        about[entry] = pieces[-1].tree["about"]
    meta: dict[str, Any] = {
        "producer": "tfmbs",
        "version": tfmbs.__version__,
        "target": target.name,
        "precision": options.precision,
        "entries": list(about),
        "scratch_live_bytes": {entry: known["live_bytes"] for entry, known in about.items()},
    }
    if networks := {entry: known["network"] for entry, known in about.items() if known["network"]}:
        meta["semantics"] = networks
    options.progress("emit")
    return Image(meta=meta, target=target.to_dict(), **assembler.tables).container(assembler.weights)


def verify_sized(image: Image) -> None:
    """Checks the images for some sizes of every piece of what `sized_binary` made. An error is one of the compiler."""
    bounds: dict[int, list[tuple[int, int]]] = {}
    for row in image.sizes:
        bounds.setdefault(row["entry"], []).append((row["low"], row["high"]))
    for entry, ranges in bounds.items():
        box = Box(tuple(low for low, _ in ranges), tuple(high for _, high in ranges))
        points, _ = samples(box, DEGREES[0])
        for point in islice(points, 1, None):
            checked_instance(image, entry, point)
