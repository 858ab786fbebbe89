"""The process that runs binaries: it imports the runtime and nothing of the compiler, MLIR, onnx or torch.

Reads folders from standard input, one per line; in each lie a binary and the arrays of its inputs. Writes the arrays
of the outputs beside them and answers a line of JSON: `{}`, or what was refused. The first argument is the address
space in bytes that it may take.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import numpy as np

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.program import load

BINARY, INPUTS, OUTPUTS = "model.tfb", "inputs.npz", "outputs.npz"
FOREIGN = ("onnx", "onnxruntime", "torch", "torch_mlir", "ml_dtypes", "tfmbs.compiler", "tfmbs.dialect", "tfmbs.passes")


def run(folder: Path) -> None:
    """Loads and runs one binary. Raises TfmbsError as `load` and `Program.run`."""
    program = load(folder / BINARY)
    with np.load(folder / INPUTS) as inputs:
        outputs = program(*(inputs[key] for key in inputs.files))
    np.savez(folder / OUTPUTS, *outputs.values())


def main() -> None:
    """Answers requests until standard input ends."""
    memory = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    for line in sys.stdin:
        answer = {}
        try:
            run(Path(line.rstrip("\n")))
        except TfmbsError as error:
            answer["refused"] = str(error)
        if foreign := [name for name in FOREIGN if name in sys.modules]:
            raise SystemExit(f"the process that runs binaries has imported {', '.join(foreign)}")
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
