"""Vector code that addresses memory at computed places: on the emulator against linalg under the JIT, by bytes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tfmbs.compiler.compilation import Compilation, Options
from tfmbs.compiler.jit import Reference
from tfmbs.dialect.mlir import context, ir
from tfmbs.runtime.program import Program

TEXTS = (Path(__file__).parent / "memory.mlir").read_text(encoding="utf-8").split("// -----")
FUNCTIONS = {re.search(r"@(\w+)\(", text)[1]: text for text in TEXTS}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_memory(name: str) -> None:
    with context():
        reference = Reference(ir.Module.parse(FUNCTIONS[name]))
        program = Program(Compilation(ir.Module.parse(FUNCTIONS[name]), "kernel", Options()).image())
    for seed in range(3):
        rng = np.random.default_rng(seed)
        inputs = {
            slot.name: (rng.standard_normal(slot.shape) * 100 if slot.name == "x" else rng.integers(0, 300, slot.shape))
            for slot in program.inputs
        }
        inputs = {slot.name: inputs[slot.name].astype(slot.dtype) for slot in program.inputs}
        expected, got = reference.run(inputs), program.run(inputs)
        for output, array in expected.items():
            assert got[output].tobytes() == array.tobytes(), output
