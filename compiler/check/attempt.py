"""Compiles a model of one node, for what it is refused for or launches; never raises."""

from __future__ import annotations

from dataclasses import dataclass, replace

from onnx import ModelProto

from tfmbs.compiler.check.launches import Declined, Launch, Watch, launches
from tfmbs.compiler.check.workers import run_all
from tfmbs.compiler.compilation import Compilation, Options
from tfmbs.compiler.numeric_check import random_inputs
from tfmbs.compiler.verify.inputs import slots_of
from tfmbs.runtime.abi.errors import TfmbsError

LIMIT_SECONDS = 60.0
WHERE = "model"


@dataclass(frozen=True)
class Attempt:
    """A model and the options that it is compiled with."""

    model: ModelProto
    options: Options


@dataclass(frozen=True)
class Outcome:
    """What came of an attempt: an error's code, location and message, or launches."""

    launches: tuple[Launch, ...] = ()
    declined: tuple[Declined, ...] = ()
    refused: tuple[str, str, str] | None = None


def outcome(attempt: Attempt) -> Outcome:
    """Compiles down to the bytes of a binary."""
    watch = Watch()
    options = replace(attempt.options, observers=[watch], verify_numerically=False, save_temps=None)
    try:
        if options.calibration is not None:
            options = replace(options, calibration=[random_inputs(slots_of(attempt.model, options.dims, WHERE), 0)])
        compilation = Compilation.of(attempt.model, options, where=WHERE)
        found = launches(compilation.lower("kernel"))
        compilation.image()
    except TfmbsError as error:
        return Outcome(refused=(error.code, error.location, str(error).removeprefix(f"error: {error.location}: ")))
    return Outcome(tuple(found), tuple(watch.declined))


def attempt_all(attempts: list[Attempt], jobs: int) -> list[Outcome]:
    """The outcomes in order, each from a process of its own, so that a crash or a hang is one too."""
    results: list[Outcome] = []
    for ended in run_all(outcome, attempts, jobs, LIMIT_SECONDS):
        if ended.result is not None:
            results.append(ended.result)
        elif ended.signal:
            results.append(Outcome(refused=("pass.crash", WHERE, f"the compiler crashed with {ended.signal}")))
        else:
            results.append(Outcome(refused=("resource-limit", WHERE, f"did not finish within {LIMIT_SECONDS:g} s")))
    return results
