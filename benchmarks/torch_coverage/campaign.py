"""Many ops at once: workers that have everything imported, each with a process of its own to run binaries."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch

import tfmbs
from benchmarks.isolation.executor import Executor
from benchmarks.isolation.limits import Limits
from benchmarks.torch_coverage.check import Verdict, check
from benchmarks.torch_coverage.samples import samples_of

LIMITS = Limits(memory=16 << 30)  # of address space: torch alone maps several GB

Verdicts = list[tuple[str, Verdict]]
"""Of an op: where each sample is from, and the verdict on it."""

_worker: dict[str, Executor] = {}


def run(names: Sequence[str], jobs: int | None = None) -> Iterator[Verdicts]:
    """The verdicts on the samples of ops, in the order of `names`, from `jobs` processes (by default one per core)."""
    with ProcessPoolExecutor(jobs or os.cpu_count() or 1, get_context("fork"), _begin) as pool:
        yield from pool.map(_check, names)


def _begin() -> None:
    """Makes a worker ready: what the first compilation imports and caches is there for all."""
    torch.set_num_threads(1)
    tfmbs.compile(torch.nn.ReLU(), example_inputs=(torch.zeros(1),))
    _worker["executor"] = Executor(LIMITS)


def _check(name: str) -> Verdicts:
    executor = _worker["executor"]
    return [(sample.source, check(name, sample.call, executor, LIMITS)) for sample in samples_of(name)]
