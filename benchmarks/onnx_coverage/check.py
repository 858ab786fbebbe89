"""One case from model to verdict: compiled here, loaded and run elsewhere, compared as onnx's own runner does."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
import onnx
from onnx.backend.test.runner import Runner

from benchmarks.isolation.executor import DiedError, Executor
from benchmarks.isolation.isolated import BINARY, INPUTS, OUTPUTS
from benchmarks.isolation.limits import Limits
from benchmarks.onnx_coverage.cases import Case, Values
from tfmbs.compiler.processes import call_apart
from tfmbs.onnx_backend import TfmbsBackend, output_types
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.extensions import extended, plain


class Status(str, Enum):
    """The verdict on a case. All but the first two are faults."""

    PASSED = "pass"
    REFUSED = "refused"
    WRONG = "wrong result"
    SLOW = "refused too late"
    HUNG = "hung"
    CRASHED = "crashed"
    ESCAPED = "an error that is not ours"


@dataclass(frozen=True)
class Result:
    """A verdict and, unless the case passed, its reason in one line."""

    status: Status
    reason: str = ""


class _VerdictError(Exception):
    """Ends a case early with a result."""

    def __init__(self, status: Status, reason: str) -> None:
        self.result = Result(status, " ".join(reason.split()))
        super().__init__(reason)


def check(case: Case, executor: Executor, limits: Limits) -> Result:
    """The verdict on `case`. `executor` runs the binary; compiling, and running, may take `limits` each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            model = _compiled(case, folder, limits)
            for inputs, expected in case.data(model):
                outputs = _outputs(model, inputs, folder, executor)
                Runner.assert_similar_outputs(expected, outputs, case.rtol, case.atol)
        except _VerdictError as verdict:
            return verdict.result
        except AssertionError as error:
            return Result(Status.WRONG, " ".join(str(error).split())[:200])
        return Result(Status.PASSED)


def _compiled(case: Case, folder: Path, limits: Limits) -> onnx.ModelProto:
    """Compiles the case's model and saves the binary in `folder`, in a process of its own; returns the model."""
    try:
        model = case.model()
    except TfmbsError as error:
        raise _VerdictError(Status.REFUSED, str(error)) from error

    def compile_and_save() -> dict[str, str]:
        try:
            TfmbsBackend.prepare(model).program.save(folder / BINARY)
        except TfmbsError as error:
            return {"refused": str(error)}
        except Exception as error:  # a fault of ours, which the report names
            return {"escaped": f"{type(error).__name__}: {error}"}
        return {}

    answer = call_apart(compile_and_save, limits.of_process())
    if answer.result is None:
        status = Status.CRASHED if answer.end.in_time else Status.HUNG
        raise _VerdictError(status, f"the compiler {answer.failure}")
    if "escaped" in answer.result:
        raise _VerdictError(Status.ESCAPED, answer.result["escaped"])
    if "refused" in answer.result:
        slow = answer.end.processor > limits.refusal
        raise _VerdictError(Status.SLOW if slow else Status.REFUSED, answer.result["refused"])
    return model


def _outputs(model: onnx.ModelProto, inputs: Values, folder: Path, executor: Executor) -> Values:
    """The outputs that the binary in `folder` gives, with onnx's element types."""
    np.savez(folder / INPUTS, *(plain(np.asarray(value)) for value in inputs if value is not None))
    try:
        answer = executor.run(folder)
    except DiedError as error:
        raise _VerdictError(Status.CRASHED, f"the process that runs binaries: {error}") from error
    if "refused" in answer:
        raise _VerdictError(Status.REFUSED, f"when run: {answer['refused']}")
    return list(_read(model, folder))


def _read(model: onnx.ModelProto, folder: Path) -> Iterator[np.ndarray]:
    with np.load(folder / OUTPUTS) as arrays:
        for key, dtype in zip(arrays.files, output_types(model).values(), strict=True):
            yield extended(arrays[key], dtype)
