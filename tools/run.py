"""``tfmbs-run``: runs a fabric binary on arrays from .npy files."""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfmbs.runtime.abi.energy import energy_profile
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.files import save
from tfmbs.runtime.devices import DEVICES
from tfmbs.runtime.devices.base import Array
from tfmbs.runtime.program import DEFAULT_DEVICE, Program, load
from tfmbs.runtime.signature import Entry
from tfmbs.tools.main import OK, tool
from tfmbs.tools.report.page import html_report

NPY_MAGIC = b"\x93NUMPY"
SHOWN_VALUES = 8


@tool
def main(arguments: Sequence[str]) -> int:
    """Exit codes: 0, 1 if the binary or an input was refused, 2 for a usage error."""
    given = _parser().parse_args(arguments)
    program = load(given.model)
    inputs = {name: read_npy(path) for name, path in _pairs("--input", given.input).items()}
    entry = program.entry(given.entry) if given.entry else program.entry_for(inputs)
    files = _output_files(entry, _pairs("--output", given.output))
    outputs = _run(program, entry, inputs, given)
    for name, path in files.items():
        save(path, npy_bytes(outputs[name]))
    if not files:
        for name, array in outputs.items():
            print(summary(name, array))
    return OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("tfmbs-run", description=__doc__)
    add = parser.add_argument
    add("model", metavar="MODEL.tfb", help="fabric binary")
    add("--device", default=DEFAULT_DEVICE, help=f"device: {', '.join(DEVICES)} (default: %(default)s)")
    add("--threads", type=int, help="threads of this machine (default: TFMBS_NUM_THREADS, else one per processor)")
    add("--entry", metavar="NAME", help="entry point (default: the first that takes inputs of these shapes)")
    add("--input", metavar="NAME=FILE.npy", action="append", default=[], help="an input; once for each")
    add("--output", metavar="NAME=FILE.npy", action="append", default=[], help="where an output goes; may be repeated")
    add("--stats", metavar="FILE.json", type=Path, help="figures of the run and of each launch, with unit and meaning")
    add(
        "--trace",
        metavar="FILE.json",
        type=Path,
        help="a Chrome trace: launches in wall time, or movements on kpu",
    )
    add(
        "--report", metavar="FILE.html", type=Path, help="the run as a page: rooflines, time, traffic, energy, launches"
    )
    add(
        "--energy-profile",
        metavar="NAME",
        help="of device kpu: energy of stats and report by this profile, not that of the target: docs/targets.md",
    )
    add("--check-hazards", action="store_true", help="of device kpu: refuse accesses to the same bytes in no order")
    return parser


def _pairs(option: str, texts: Sequence[str]) -> dict[str, Path]:
    """NAME=FILE options by name; the first = ends the name."""
    pairs: dict[str, Path] = {}
    for text in texts:
        name, equals, file = text.partition("=")
        if not (name and equals and file):
            raise TfmbsError("usage", option, "argument", "NAME=FILE.npy", text)
        if name in pairs:
            raise TfmbsError("usage", option, "a name given twice", got=name)
        pairs[name] = Path(file)
    return pairs


def _output_files(entry: Entry, files: dict[str, Path]) -> dict[str, Path]:
    names = [argument.name for argument in entry.outputs]
    for name in files:
        if name not in names:
            raise TfmbsError("usage", "--output", "no such output", "/".join(names), name)
    return files


def _run(program: Program, entry: Entry, inputs: dict[str, Array], given: Any) -> dict[str, Array]:
    if given.energy_profile is not None:
        energy_profile(given.energy_profile, "--energy-profile")
    context = program.context(given.device, given.threads)
    outputs = context.run(inputs, entry.name)
    if given.check_hazards:
        context.check_hazards()
    stats = context.stats if given.energy_profile is None else context.stats.with_energy(given.energy_profile)
    if given.stats:
        save(given.stats, _json(stats.to_json()))
    if given.trace:
        save(given.trace, _json(context.trace(), indent=None))
    if given.report:
        save(given.report, html_report(stats, Path(given.model).name, context.timing).encode())
    return outputs


def _json(value: Any, indent: int | None = 1) -> bytes:
    return (json.dumps(value, indent=indent, ensure_ascii=False) + "\n").encode()


def read_npy(path: Path) -> Array:
    """The array in a .npy file. Raises TfmbsError `io` for another kind of file, and for object arrays."""
    data = path.read_bytes()
    if not data.startswith(NPY_MAGIC):
        raise TfmbsError("io", path, "no .npy file", NPY_MAGIC.hex(), data[: len(NPY_MAGIC)].hex() or "nothing")
    try:
        # A header that is not what numpy wrote can fail in several ways; all of them are the file's fault.
        array: Array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except (ValueError, TypeError, EOFError, MemoryError, OverflowError) as error:
        raise TfmbsError("io", path, f"cannot be read as .npy: {error}") from error
    return array


def npy_bytes(array: Array) -> bytes:
    """The content of a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def summary(name: str, array: Array) -> str:
    """One line: name, dtype, shape, first values."""
    shape = "×".join(map(str, array.shape)) or "scalar"
    values = ", ".join(f"{value:.6g}" if array.dtype.kind == "f" else str(value) for value in array.flat[:SHOWN_VALUES])
    return f"{name}: {array.dtype} {shape} [{values}{', …' if array.size > SHOWN_VALUES else ''}]"


if __name__ == "__main__":
    sys.exit(main())
