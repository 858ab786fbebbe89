"""One sample from a call to a verdict: compiled in a forked process, run elsewhere, compared as torch's tests do."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import tfmbs
from benchmarks.isolation.executor import DiedError, Executor
from benchmarks.isolation.isolated import BINARY, INPUTS, OUTPUTS
from benchmarks.isolation.limits import Limits
from benchmarks.torch_coverage.samples import Call
from tfmbs.compiler.processes import call_apart
from tfmbs.runtime.abi.errors import TfmbsError

UNDEFINED = frozenset({"empty", "empty_strided", "resize_"})
"""Ops whose results' elements are whatever was in memory: only shape and type are compared."""


class Status(str, Enum):
    """The verdict on a sample. All but the first two are faults."""

    CORRECT = "correct"
    REFUSED = "refused"
    WRONG = "wrong"
    SLOW = "refused too late"
    HUNG = "hung"
    CRASHED = "crashed"
    ESCAPED = "an error that is not ours"


FAULTS = tuple(status for status in Status if status not in (Status.CORRECT, Status.REFUSED))


@dataclass(frozen=True)
class Verdict:
    """A status and, unless the sample is correct, its reason in one line."""

    status: Status
    reason: str = ""


def check(name: str, call: Call, executor: Executor, limits: Limits) -> Verdict:
    """The verdict on one call of the op `name`. Compiling, and running, may take `limits` each."""
    with torch.no_grad():
        expected = call(*call.inputs)
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        verdict = _compiled(call, folder, limits)
        if verdict.status is not Status.CORRECT:
            return verdict
        np.savez(folder / INPUTS, *(_array(tensor) for tensor in call.inputs))
        try:
            answer = executor.run(folder)
        except DiedError as error:
            return Verdict(Status.CRASHED, f"the process that runs binaries: {error}")
        if "refused" in answer:
            return Verdict(Status.REFUSED, f"when run: {answer['refused']}")
        with np.load(folder / OUTPUTS) as arrays:
            ours = [arrays[key] for key in arrays.files]
    verdict = compared(ours, expected, values=name not in UNDEFINED)
    if verdict.status is Status.WRONG and _is_of_f32(call):
        return _compared_with_f64(ours, call, expected, verdict)
    return verdict


def _compiled(call: Call, folder: Path, limits: Limits) -> Verdict:
    """Compiles the call, of inputs of the sample's shapes and types that are all zero, and saves the binary."""

    def compile_and_save() -> dict[str, str]:
        try:
            tfmbs.compile(call, example_inputs=tuple(map(blank, call.inputs))).save(folder / BINARY)
        except TfmbsError as error:
            return {"refused": str(error)}
        except Exception as error:  # a fault of ours, which the report names
            return {"escaped": f"{type(error).__name__}: {error}"}
        return {}

    answer = call_apart(compile_and_save, limits.of_process())
    if answer.result is None:
        return Verdict(Status.CRASHED if answer.end.in_time else Status.HUNG, f"the compiler {answer.failure}")
    if "escaped" in answer.result:
        return Verdict(Status.ESCAPED, answer.result["escaped"])
    if "refused" in answer.result:
        status = Status.SLOW if answer.end.processor > limits.refusal else Status.REFUSED
        return Verdict(status, answer.result["refused"])
    return Verdict(Status.CORRECT)


def _is_of_f32(call: Call) -> bool:
    return any(tensor.dtype is torch.float32 for tensor in call.inputs)


def _compared_with_f64(ours: Sequence[np.ndarray], call: Call, expected: Sequence[Tensor], verdict: Verdict) -> Verdict:
    """Compares with the same call in float64, where torch's own float32 has lost its digits to cancellation."""
    wide = [tensor.double() if tensor.dtype is torch.float32 else tensor for tensor in call.inputs]
    try:
        with torch.no_grad():
            exact = call(*wide)
    except (RuntimeError, TypeError):  # an op that asks for float32
        return verdict
    rounded = [e.to(t.dtype) for e, t in zip(exact, expected, strict=True)]
    return verdict if compared(ours, rounded, values=True).status is not Status.CORRECT else Verdict(Status.CORRECT)


def blank(tensor: Tensor) -> Tensor:
    """Zeros in the layout of a tensor; where that is a view, of as large a memory."""
    memory = torch.zeros(tensor.untyped_storage().nbytes() // tensor.element_size(), dtype=tensor.dtype)
    return memory.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())


def compared(ours: Sequence[np.ndarray], expected: Sequence[Tensor], *, values: bool) -> Verdict:
    """Compares shapes, types and, at torch's own tolerance for the type, `values`."""
    if not expected or len(ours) != len(expected):
        return Verdict(Status.WRONG, f"{len(ours)} results, expected {len(expected)}")
    for number, (array, tensor) in enumerate(zip(ours, expected, strict=True)):
        theirs = _array(tensor)
        if (array.shape, array.dtype) != (theirs.shape, theirs.dtype):
            what = f"is {array.dtype}{list(array.shape)}, expected {theirs.dtype}{list(theirs.shape)}"
            return Verdict(Status.WRONG, f"result {number} {what}")
        try:
            if values:
                got = torch.from_numpy(array).view(tensor.dtype) if array.size else tensor
                torch.testing.assert_close(got, tensor, equal_nan=True, check_stride=False)
        except AssertionError as error:
            return Verdict(Status.WRONG, f"result {number}: {' '.join(str(error).split())}")
    return Verdict(Status.CORRECT)


def _array(tensor: Tensor) -> Any:
    """The elements of a tensor as a program takes and gives them: of bf16 their bits."""
    dense = tensor.detach().resolve_conj().resolve_neg().contiguous()
    return (dense.view(torch.uint16) if dense.dtype is torch.bfloat16 else dense).numpy()
