"""Many cases at once: workers that have everything imported, each with a process of its own to run binaries."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import onnx
from onnx import helper

from benchmarks.isolation.executor import Executor
from benchmarks.isolation.limits import Limits
from benchmarks.onnx_coverage.cases import Case
from benchmarks.onnx_coverage.check import Result, check
from tfmbs.onnx_backend import TfmbsBackend

LIMITS = Limits()
LIGHT_LIMITS = Limits(memory=16 << 30, wall=300.0)  # whole networks, with up to 575 MB of weights

_worker: dict[str, tuple[Sequence[Case], Executor]] = {}


def run(cases: Sequence[Case], jobs: int | None = None) -> Iterator[Result]:
    """The verdicts on `cases`, in their order, from `jobs` processes (by default one per core)."""
    fork = get_context("fork")  # the workers share the cases, which cannot all be sent to them
    with ProcessPoolExecutor(jobs or os.cpu_count() or 1, fork, _begin, (cases,)) as pool:
        yield from pool.map(_check, range(len(cases)))


def _begin(cases: Sequence[Case]) -> None:
    """Makes a worker ready: what the first compilation imports and caches is there for all."""
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Exp", ["x"], ["y"])], "first", values[:1], values[1:])
    TfmbsBackend.prepare(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)]))
    _worker["state"] = cases, Executor(LIGHT_LIMITS)


def _check(index: int) -> Result:
    cases, executor = _worker["state"]
    case = cases[index]
    return check(case, executor, LIGHT_LIMITS if case.kind == "light" else LIMITS)
