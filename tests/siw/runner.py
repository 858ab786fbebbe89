"""Runs a random program: through linalg and the JIT, through the whole compiler on the emulator, and in numpy."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.siw.meaning import Doubt
from tests.siw.program import Program
from tests.siw.values import Array, bit_pattern, stored
from tfmbs.compiler.compilation import Compilation, Options
from tfmbs.compiler.driver import Driver
from tfmbs.compiler.jit import Reference
from tfmbs.compiler.pipelines import sequence_text
from tfmbs.dialect.mlir import context, ir, passmanager
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.program import load

GENERALIZE = "builtin.module(tfmbs-decompose,func.func(linalg-generalize-named-ops))"
DOUBTS = 6
PER_CONTEXT = 50


@dataclass(frozen=True)
class RefusedError(Exception):
    """The compiler does not take a program."""

    error: TfmbsError

    def __str__(self) -> str:
        return str(self.error)


class MismatchError(AssertionError):
    """Two ways of running a program disagree."""


@dataclass
class _Shared:
    """A context serves many programs, which take less time than it does, but not all: it keeps their types."""

    owner: Any = None
    used: int = PER_CONTEXT


_shared = _Shared()


def parse(program: Program) -> Any:
    """The program as a canonical module: what a graph means is what stands after upstream's canonicalization."""
    if _shared.used >= PER_CONTEXT:
        _shared.owner, _shared.used = context(), 0
    _shared.used += 1
    with _shared.owner, ir.Location.unknown():
        module = ir.Module.parse(program.mlir())
        passmanager.PassManager.parse("builtin.module(cse,canonicalize,cse,canonicalize)").run(module.operation)
    return module


def by_linalg(program: Program, inputs: Sequence[Array]) -> list[Array]:
    """The outputs of exact linalg under the JIT."""
    module = parse(program)
    outputs = Reference(module, optimization=0).run({f"in{i}": stored(array) for i, array in enumerate(inputs)})
    return list(outputs.values())


def on_the_emulator(program: Program, inputs: Sequence[Array], *, optimise: bool) -> list[Array]:
    """The outputs of the fabric binary, saved and loaded again. Raises RefusedError where the compiler says no."""
    module = parse(program)
    try:
        Driver().run_text(module, sequence_text("optimise", {"target": "kpu-16x16"}) if optimise else GENERALIZE)
        image = Compilation(module, "tfmbs", Options()).image()
    except TfmbsError as error:
        raise RefusedError(error) from error
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "program.tfb"
        path.write_bytes(image.to_bytes())
        outputs = load(path).run({f"in{i}": stored(array) for i, array in enumerate(inputs)})
    return list(outputs.values())


def compare_bytes(expected: Sequence[Array], got: Sequence[Array]) -> None:
    """Raises MismatchError where an output differs in type, shape or a bit."""
    for number, (want, have) in enumerate(zip(expected, got, strict=True)):
        if (want.dtype, want.shape) != (have.dtype, have.shape):
            raise MismatchError(f"output {number}: {have.dtype}{have.shape}, expected {want.dtype}{want.shape}")
        different = np.argwhere(bit_pattern(want) != bit_pattern(have))
        if len(different):
            at = tuple(int(i) for i in different[0])
            bits = f"{bit_pattern(have)[at]:x}, expected {bit_pattern(want)[at]:x}"
            where = f"{len(different)} of {want.size} elements, first {at}"
            raise MismatchError(f"output {number}: {where}: {have[at]} = {bits} ({want[at]})")


def compare_numpy(program: Program, inputs: Sequence[Array], got: Sequence[Array], seed: int) -> None:
    """Raises MismatchError where outputs differ from numpy's by more than inexact operations explain."""
    rng = np.random.default_rng(seed)
    directions = (0, 1, -1, *[None] * (DOUBTS - 3))
    with np.errstate(all="ignore"):
        runs = [program.evaluate(inputs, Doubt(direction, rng)) for direction in directions]
        for number, (bits, *wanted) in enumerate(zip(got, *runs, strict=True)):
            nominal = np.atleast_1d(wanted[0])
            have = np.atleast_1d(bits.view(nominal.dtype))
            spread = _spread([_wide(value) for value in wanted])
            distance = _distance(_wide(have), _wide(nominal))
            wrong = ~(distance <= 4 * spread)
            if wrong.any():
                at = tuple(int(i) for i in np.argwhere(wrong)[0])
                where = f"{wrong.sum()} of {nominal.size} elements, first {at}"
                raise MismatchError(
                    f"output {number} against numpy: {where}: {have[at]}, expected {nominal[at]} ± {spread[at]}"
                )


def _wide(value: Array) -> Array:
    return np.atleast_1d(value).astype(np.longdouble)


def _distance(a: Array, b: Array) -> Array:
    """0 for equal values and for two NaNs; infinite if only one is finite."""
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    return np.where(same, 0, np.where(np.isfinite(a) & np.isfinite(b), np.abs(a - b), np.inf))


def _spread(values: Sequence[Array]) -> Array:
    return np.max([_distance(value, values[0]) for value in values], axis=0)
