"""Compiles and runs mutants of ONNX models: each is refused with a TfmbsError, or computed as onnxruntime does.

`python -m tests.fuzz.onnx_mutants --count 5000` (see `make onnx-mutants`). Each mutant has a process of its own, with
limits of memory and time; one that crashes, hangs, raises anything else or gives another result is reported with its
number, which `--first N --count 1` repeats. `--save DIR` keeps the files of those.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnx

import tfmbs
from tests.fuzz.onnx_mutations import mutant, sources
from tfmbs.compiler.importers.onnx_file import load_onnx
from tfmbs.compiler.processes import Limits, call_all
from tfmbs.runtime.abi.errors import TfmbsError

Arrays = dict[str, "np.ndarray[Any, Any]"]

MEMORY_BYTES = 3 << 30
"""What a process may map beyond what it starts with."""

SECONDS = 60.0
MOST_ELEMENTS = 1 << 18  # of an input or output that is run
_RELATIVE = 1e-4


@dataclass(frozen=True)
class Ran:
    """How far a mutant got: the code of its refusal, or inputs and outputs; `bug` is what should not be."""

    refused: str = ""
    inputs: Arrays | None = None
    outputs: Arrays | None = None
    bug: str = ""


def run(seed: int) -> Ran:
    """Compiles and runs mutant `seed`."""
    _limit_memory()
    try:
        with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
            file.write(mutant(seed))
            file.flush()
            program = tfmbs.compile(load_onnx(Path(file.name)))
        if any(np.prod(value.shape) > MOST_ELEMENTS for value in (*program.inputs, *program.outputs)):
            return Ran(refused="too large to run here")
        inputs = _inputs(program, seed)
        return Ran(inputs=inputs, outputs=program.run(inputs))
    except TfmbsError as error:
        text = str(error)
        return Ran(refused=error.code, bug="" if "\n" not in text and len(text) < 2000 else f"message: {text[:200]}")
    except Exception as error:  # what must not be
        return Ran(bug=f"{type(error).__module__}.{type(error).__qualname__}: {str(error)[:200]}")


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _inputs(program: tfmbs.Program, seed: int) -> Arrays:
    generator = np.random.default_rng(seed)
    result = {}
    for value in program.inputs:
        normal = np.asarray(generator.standard_normal(value.shape) * 2)
        result[value.name] = (np.abs(normal) if value.dtype.kind in "ui" else normal).astype(value.dtype)
    return result


def expected(item: tuple[int, Arrays, str]) -> Arrays | None:
    """What the reference computes for mutant and inputs; None where it refuses them."""
    seed, inputs, reference = item
    _limit_memory()
    model = onnx.load_model_from_string(mutant(seed))
    names = [value.name for value in model.graph.output]
    try:
        if reference == "onnx":
            from onnx.reference import ReferenceEvaluator

            with np.errstate(all="ignore"):
                return dict(zip(names, ReferenceEvaluator(model).run(None, inputs), strict=True))
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        settings.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(model.SerializeToString(), settings, ["CPUExecutionProvider"])
        return dict(zip(names, session.run(None, inputs), strict=True))
    except Exception:  # each has dozens of types of its own: what it refuses is nobody's mistake here
        return None


def same(ours: Arrays, theirs: Arrays | None) -> bool:
    """Equal shapes and types, and floats within the tolerance of the largest element."""
    if theirs is None:
        return False
    for name, array in ours.items():
        other = np.asarray(theirs[name])
        if array.dtype.itemsize == other.dtype.itemsize and array.dtype != other.dtype and array.dtype.kind == "u":
            other = other.view(array.dtype)
        if (array.shape, array.dtype) != (other.shape, other.dtype):
            return False
        a, b = array.astype(np.float64), other.astype(np.float64)
        with np.errstate(all="ignore"):
            scale = np.abs(b[np.isfinite(b)]).max(initial=1.0)
            equal = (a == b) | (np.isnan(a) & np.isnan(b))
            near = np.abs(a - b) <= (_RELATIVE * scale if array.dtype.kind == "f" else 0)
        if not (equal | near).all():
            return False
    return True


def load_all() -> None:
    """Loads what each of the processes would load anew, by compiling a model that is good."""
    for module in ("onnxruntime", "onnx.reference"):
        import_module(module)
    tfmbs.compile(onnx.load_model_from_string(sources()[0]))


def outcomes(seeds: Sequence[int], jobs: int) -> dict[int, str]:
    """The outcome of each mutant; those that must not be begin with ``BUG``."""
    found: dict[int, str] = {}
    load_all()
    for start in range(0, len(seeds), 500):
        found |= _batch(seeds[start : start + 500], jobs)
    return found


def _batch(seeds: Sequence[int], jobs: int) -> dict[int, str]:
    found: dict[int, str] = {}
    ran: dict[int, Ran] = {}
    for seed, answer in zip(seeds, call_all(run, seeds, jobs, Limits(SECONDS)), strict=True):
        result = answer.result
        if result is None:
            found[seed] = f"BUG: {answer.failure}"
        elif result.bug:
            found[seed] = f"BUG: {result.bug}"
        elif result.refused:
            found[seed] = f"refused: {result.refused}"
        else:
            ran[seed] = result
    for reference in ("onnxruntime", "onnx"):
        left = [seed for seed in ran if seed not in found]
        items = [(seed, ran[seed].inputs or {}, reference) for seed in left]
        for seed, answer in zip(left, call_all(expected, items, jobs, Limits(SECONDS)), strict=True):
            if same(ran[seed].outputs or {}, answer.result):
                found[seed] = f"computed as {reference}"
            elif answer.result is not None and reference == "onnx":
                found[seed] = "BUG: another result than onnxruntime and onnx"
    return found | dict.fromkeys(set(ran) - set(found), "computed, no reference runs it")


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints how many mutants had which outcome; 1 if one had an outcome that must not be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--save", type=Path, metavar="DIR")
    given = parser.parse_args(arguments)
    found = outcomes(range(given.first, given.first + given.count), given.jobs)
    for outcome, count in Counter(found.values()).most_common():
        print(f"{count:8}  {outcome}")
    bugs = {seed: outcome for seed, outcome in found.items() if outcome.startswith("BUG")}
    for seed, outcome in sorted(bugs.items()):
        print(f"mutant {seed}: {outcome}", file=sys.stderr)
        if given.save:
            given.save.mkdir(parents=True, exist_ok=True)
            (given.save / f"{seed}.onnx").write_bytes(mutant(seed))
    print(f"{len(found):8}  mutants, {len(bugs)} bugs")
    return 1 if bugs else 0


if __name__ == "__main__":
    sys.exit(main())
