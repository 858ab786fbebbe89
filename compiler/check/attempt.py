"""Compiles a part of a model, for what it is refused for or launches; never raises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tfmbs.compiler.check.launches import Declined, Launch, Watch, launches
from tfmbs.compiler.check.problem import Problem
from tfmbs.compiler.check.subject import Attempt
from tfmbs.compiler.compilation import Compilation
from tfmbs.compiler.numeric_check import random_inputs
from tfmbs.compiler.processes import Limits, call_all
from tfmbs.runtime.abi.errors import TfmbsError

LIMITS = Limits(60.0)
WHERE = "model"


@dataclass(frozen=True)
class Outcome:
    """What came of an attempt: a problem, or launches."""

    launches: tuple[Launch, ...] = ()
    declined: tuple[Declined, ...] = ()
    refused: Problem | None = None


def outcome(attempt: Attempt) -> Outcome:
    """Compiles down to the bytes of a binary."""
    watch = Watch()
    options = replace(attempt.options, observers=[watch], verify_numerically=False, save_temps=None)
    try:
        if options.calibration is not None:
            options = replace(options, calibration=[random_inputs(attempt.candidate.slots(options), 0)])
        compilation = Compilation.of(attempt.candidate.model(), options, where=WHERE)
        found = launches(compilation.lower("kernel"))
        compilation.image()
    except TfmbsError as error:
        return Outcome(refused=Problem.of(error, WHERE))
    return Outcome(tuple(found), tuple(watch.declined))


def attempt_all(attempts: Sequence[Attempt], jobs: int) -> list[Outcome]:
    """The outcomes in order, each from a process of its own, so that a crash or a hang is one too."""
    results: list[Outcome] = []
    for answer in call_all(outcome, attempts, jobs, LIMITS):
        if answer.result is not None:
            results.append(answer.result)
        elif answer.end.in_time:
            results.append(Outcome(refused=Problem("pass.crash", "", f"the compiler {answer.failure}")))
        else:
            late = Problem("resource-limit", "", f"did not finish within {LIMITS.seconds:g} s")
            results.append(Outcome(refused=late))
    return results
