"""Structured code on the emulator against its meaning through linalg, byte for byte: every function of a file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfmbs.compiler.compilation import Compilation, Options
from tfmbs.compiler.driver import Driver
from tfmbs.compiler.jit import Reference, copy_module
from tfmbs.compiler.pipelines import sequence_text
from tfmbs.dialect.mlir import context, ir
from tfmbs.runtime.program import Program

TEXT = (Path(__file__).parent / "structured.mlir").read_text(encoding="utf-8")
FUNCTIONS = {re.search(r"@(\w+)", text)[1]: text for text in re.split(r"^(?=func\.func)", TEXT, flags=re.MULTILINE)[1:]}
BELOW = {"gather": 5, "triangle": 7, "shift_left": 1 << 15, "narrow_carried": 8, "collatz": 30, "shared_factor": 701}
"""Integers of the inputs are in 0…n - 1: they are indices, or numbers of iterations."""

SPECIAL = (np.nan, np.inf, -np.inf, -0.0)
STAGED = ("odd_even_sort", "newton", "triangle", "swapped_tensors")
"""Functions that are interpreted at the fabric level too."""


def data(slots: Any, below: int, seed: int) -> dict[str, Any]:
    """Random inputs; a quarter of the seeds has special numbers among them."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for slot in slots:
        if slot.dtype.kind == "f":
            array = (rng.standard_normal(slot.shape) * 3).astype(slot.dtype)
            if seed % 4 == 3 and array.size > len(SPECIAL):
                array.reshape(-1)[rng.choice(array.size, len(SPECIAL), replace=False)] = SPECIAL
        elif slot.dtype.kind == "b":
            array = rng.integers(0, 2, slot.shape).astype(slot.dtype)
        else:
            array = rng.integers(0, below, slot.shape).astype(slot.dtype)
        arrays[slot.name] = np.asarray(array)
    return arrays


def assert_same(expected: dict[str, Any], got: dict[str, Any]) -> None:
    for (name, want), value in zip(expected.items(), got.values(), strict=True):
        assert want.tobytes() == value.tobytes(), f"{name}: {want} != {value}"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_structured_code(name: str) -> None:
    with context():
        module = ir.Module.parse(FUNCTIONS[name])
        graph = Reference(module)
        compilation = Compilation(copy_module(module), "tfmbs", Options())
        kernel = Reference(compilation.lower("kernel"))
        program = Program(compilation.image())
        fabric = Reference(compilation.module) if name in STAGED else None
    device = program.context(threads=1)
    for seed in range(8):
        inputs = data(graph.inputs, BELOW.get(name, 4), seed)
        expected = graph.run(inputs)

        def named(slots: Any, inputs: dict[str, Any] = inputs) -> dict[str, Any]:
            return {slot.name: array for slot, array in zip(slots, inputs.values(), strict=True)}

        assert_same(expected, kernel.run(named(kernel.inputs)))
        assert_same(expected, device.run(named(program.inputs)))
        if fabric is not None:
            assert_same(expected, fabric.run(named(fabric.inputs)))


def test_optimised_structured_code() -> None:
    """Upstream's canonicalization changes what a while loop hands on."""
    with context():
        module = ir.Module.parse(FUNCTIONS["doubled_until"])
        graph = Reference(module)
        Driver().run_text(module, sequence_text("optimise", {"target": "kpu-16x16"}))
        program = Program(Compilation(module, "tfmbs", Options()).image())
    device = program.context(threads=1)
    inputs = data(graph.inputs, 4, 0)
    named = {slot.name: array for slot, array in zip(program.inputs, inputs.values(), strict=True)}
    assert_same(graph.run(inputs), device.run(named))


COMPILE = """
import hashlib, sys
from tfmbs.compiler.compilation import Compilation, Options
from tfmbs.dialect.mlir import context, ir
for text in sys.stdin.read().split("// -----"):
    with context():
        image = Compilation(ir.Module.parse(text), "tfmbs", Options()).image()
    print(hashlib.sha256(image.to_bytes()).hexdigest())
"""


def test_bytes_do_not_depend_on_the_process() -> None:
    """Addresses of objects and the order of sets, which depends on the seed of hashes, are in no binary."""
    digests = []
    for seed in ("1", "77"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", COMPILE],
            input="// -----".join(FUNCTIONS.values()),
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        digests.append(done.stdout.split())
    assert len(set(digests[0])) == len(FUNCTIONS)
    assert digests[0] == digests[1]
