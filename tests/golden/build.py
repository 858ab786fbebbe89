"""Writes what the golden corpus lacks of what this format version writes: `python -m tests.golden.build`.

Files that exist are never rewritten: each must load forever, or be refused by version. Beside each `.tfb`
lies the `.s` it disassembles to, and a `.json` with the digests of what it computes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
from blake3 import blake3

from tests.golden.kernels import attention, blocks, by_rows, conv, groups, lstm, mlp, ternary, volume
from tests.golden.programs import collatz, mixed, softmax, state
from tests.golden.sizes import sized
from tests.golden.trits import abreast, residues, sparse
from tests.golden.wide import functions, running, widened
from tfmbs.runtime.abi.asm import disassemble
from tfmbs.runtime.abi.forms import Form
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.devices import open_device
from tfmbs.runtime.devices.base import DeviceContext
from tfmbs.runtime.signature import entries_of

FOLDER = Path(__file__).parent

IMAGES: tuple[Callable[[], Image], ...] = (
    mlp,
    ternary,
    conv,
    softmax,
    state,
    mixed,
    running,
    collatz,
    widened,
    functions,
    volume,
    attention,
    groups,
    sized,
    lstm,
    sparse,
    residues,
    by_rows,
    blocks,
    abreast,
)


def outputs(image: Image, context: DeviceContext | None = None) -> dict[str, list[str]]:
    """BLAKE3 of every output of every entry, run one after the other on fixed inputs, by default by the emulator.

    With run-time sizes, all of them.
    """
    context, results = context or open_device("emulator", image).context(1), {}
    for entry in entries_of(image):
        for piece in entry.pieces:
            for sizes in product(*(range(size.low, size.high + 1) for size in piece.sizes)):
                generator = np.random.default_rng(0)
                shapes = [[dim.at(sizes) if isinstance(dim, Form) else dim for dim in dims] for dims in piece.inputs]
                ends = zip(entry.inputs, shapes, strict=True)
                inputs = {a.name: (generator.standard_normal(shape) * 50).astype(a.dtype) for a, shape in ends}
                arrays = context.run(entry.name, inputs)
                name = f"{entry.name} {sizes}" if sizes else entry.name
                results[name] = [blake3(array.tobytes()).hexdigest() for array in arrays.values()]
    return results


def main() -> None:
    """Writes the files that do not exist, each to the folder of the version that its content needs."""
    for make in IMAGES:
        source = make()
        path = FOLDER / "v{}.{}".format(*source.version) / f"{make.__name__}.tfb"
        if path.exists():
            continue
        path.parent.mkdir(exist_ok=True)
        data = source.to_bytes()
        image = Image.from_buffer(data)
        path.with_suffix(".s").write_text(disassemble(image), encoding="utf-8")
        path.with_suffix(".json").write_text(json.dumps(outputs(image), indent=2) + "\n", encoding="utf-8")
        path.write_bytes(data)


if __name__ == "__main__":
    main()
