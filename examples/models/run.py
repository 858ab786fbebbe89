"""Compiles the reference models at full size, runs them on the emulator and compares with torch; `make models`.

Each row is a process of its own, so that its memory is its own as well.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
import torch

import tfmbs
from examples.models.catalogue import MODELS
from examples.models.greedy import greedy, program_step, torch_step

TOLERANCE = 1e-4
HEADER = (
    f"{'model':13} {'parameters':>12} {'max diff':>9} {'compile':>8} {'run':>9} {'torch':>9} {'.tfb':>8} {'peak':>8}"
)


@dataclass(frozen=True)
class Row:
    """What a model gave: the largest difference in units of max|torch|, CPU seconds, megabytes."""

    name: str
    parameters: int
    difference: float
    compile_seconds: float
    run_seconds: float
    torch_seconds: float
    megabytes: float
    peak_megabytes: float

    def __str__(self) -> str:
        return (
            f"{self.name:13} {self.parameters:12,} {self.difference:9.1e} {self.compile_seconds:6.1f} s "
            f"{1e3 * self.run_seconds:6.0f} ms {1e3 * self.torch_seconds:6.0f} ms "
            f"{self.megabytes:5.0f} MB {self.peak_megabytes:5.0f} MB"
        )


def measure(name: str) -> Row:
    """Compiles one model and compares all its outputs."""
    torch.set_num_threads(1)
    module, inputs = MODELS[name].build()
    with torch.no_grad():
        expected = module(*inputs)
        torch_seconds = _seconds(lambda: module(*inputs))
    tensors = expected if isinstance(expected, tuple) else (expected,)
    start = time.process_time()
    program = tfmbs.compile(module, example_inputs=inputs)
    compiled = time.process_time() - start
    arrays = [tensor.numpy() for tensor in inputs]
    outputs = program(*arrays).values()
    pairs = list(zip(outputs, tensors, strict=True))
    difference = max(float(np.abs(ours - t.numpy()).max() / np.abs(t.numpy()).max()) for ours, t in pairs)
    return Row(
        name=name,
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        difference=difference,
        compile_seconds=compiled,
        run_seconds=_seconds(lambda: program(*arrays)),
        torch_seconds=torch_seconds,
        megabytes=len(program.image.weights) / 1e6,
        peak_megabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    )


GREEDY_TOKENS = {"gpt2": 64, "llama": 16}


def generate(name: str) -> tuple[str, bool]:
    """Greedy text by prefill and cached decode beside torch: a line about it, and whether it is the same."""
    torch.set_num_threads(1)
    module, steps = MODELS[name].build_cached()
    context = tfmbs.compile(module, example_inputs=steps).context()
    prompt, count = steps["prefill"][0], GREEDY_TOKENS[name]
    start = time.process_time()
    ours, logits = greedy(program_step(context), prompt, count)
    seconds = (time.process_time() - start) / count
    theirs, expected = greedy(torch_step(module), prompt, count)
    difference = float(np.abs(logits - expected).max() / np.abs(expected).max())
    same = "same as torch" if ours == theirs else "NOT the tokens of torch"
    line = f"{name:13} {count} greedy tokens, {len(set(ours))} distinct, {same}; logits {difference:.1e}; "
    return f"{line}{1e3 * seconds:.0f} ms a token", ours == theirs and difference <= TOLERANCE


def _seconds(act: Callable[[], object]) -> float:
    """CPU seconds of the best of three calls."""
    times = []
    for _ in range(3):
        start = time.process_time()
        act()
        times.append(time.process_time() - start)
    return min(times)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table. Exit code 1 if a model is further from torch than the tolerance."""
    parser = argparse.ArgumentParser("python -m examples.models.run", description=__doc__)
    parser.add_argument("models", nargs="*", choices=[*MODELS, []], help="default: all")
    names = parser.parse_args(arguments).models or list(MODELS)
    print(
        "full size, fp32, one thread on the emulator; max diff: max|ours - torch| / max|torch|; times are CPU times\n"
    )
    print(HEADER, flush=True)
    good = True
    for name in names:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            row = pool.submit(measure, name).result()
        print(row, flush=True)
        good &= row.difference <= TOLERANCE
    print()
    for name in (name for name in names if name in GREEDY_TOKENS):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            line, same = pool.submit(generate, name).result()
        print(line, flush=True)
        good &= same
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
