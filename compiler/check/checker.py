"""Checks a model: the real compilation says whether it is refused; then its parts say for what all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tfmbs.compiler.check.attempt import Outcome, attempt_all
from tfmbs.compiler.check.launches import Declined, Launch, Watch, launches
from tfmbs.compiler.check.names import own_names
from tfmbs.compiler.check.problem import Problem
from tfmbs.compiler.check.subject import Attempt, Part, Remedy, Subject
from tfmbs.compiler.check.subjects import subject_of
from tfmbs.compiler.compilation import Compilation, Options
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.target_file import load_target


@dataclass(frozen=True)
class Work:
    """What runs for some of the model's nodes: one kind of kernel, and how many launches of it with these shapes.

    `alone` says that it was found by compiling the node alone, because the model as a whole is refused.
    """

    kernel: str
    nodes: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...] = ()
    alone: bool = False


@dataclass
class Check:
    """All that was found. `unseen` are nodes that could not be looked at, since the types of what they read are not
    known; `free` those that no launch names: they are folded, are only another view of memory, or are not needed.
    """

    problems: list[Problem] = field(default_factory=list)
    work: list[Work] = field(default_factory=list)
    declined: list[Declined] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    free: list[str] = field(default_factory=list)

    @property
    def supported(self) -> bool:
        """Whether the model compiles."""
        return not self.problems


def check(model: object, options: Options, where: str = "model", jobs: int = 2) -> Check:
    """Compiles `model`, and where that is refused, every part of it that can be compiled alone, each kind once.

    Args:
        model: an `onnx.ModelProto` or a `torch.export.ExportedProgram`.

    Raises:
        TfmbsError: ``target`` or ``usage``, what is wrong with the options and not with the model; ``unsupported``, for
            another kind of model.
    """
    watch = Watch()
    load_target(options.target)
    subject = subject_of(model, where)
    try:
        compilation = Compilation.of(model, replace(options, observers=[*options.observers, watch]), where=where)
        found = launches(compilation.lower("kernel"))
        compilation.image()
    except TfmbsError as error:
        if error.code == "usage":
            raise
        return _refused(subject, options, error, jobs)
    return _accepted(subject, found, watch.declined)


def _accepted(subject: Subject, found: Sequence[Launch], declined: Sequence[Declined]) -> Check:
    nodes = subject.nodes
    work = [Work(launch.kernel, own_names(launch.names, nodes), launch.shapes) for launch in found]
    busy = {name for each in work for name in each.nodes}
    reasons = [replace(each, name=name) for each in declined for name in own_names([each.name], nodes)]
    return Check(work=work, declined=reasons, free=[name for name in nodes if name not in busy])


def _refused(subject: Subject, options: Options, error: TfmbsError, jobs: int) -> Check:
    options.progress("rules")
    findings = subject.findings(options)
    result = Check(problems=findings.problems, unseen=findings.unseen)
    options.progress("nodes")
    alone = replace(options, dims={}, progress=lambda stage: None, observers=())
    attempts = [Attempt(part.candidate, alone) for part in findings.parts]
    remedies = [Remedy("--precision fp32", _in_fp32), *subject.remedies]
    _take(result, findings.parts, attempts, attempt_all(attempts, jobs), remedies, jobs)
    first = Problem.of(error, subject.where)
    if first.subject is not None and first.subject.kind == "node":
        first.nodes = list(own_names([first.subject.name], subject.nodes))
        first.op = next((subject.nodes[name].op for name in first.nodes), "")
        first.sources = [source for name in first.nodes for source in subject.nodes[name].sources]
    if not any(_is_same(first, problem) for problem in result.problems):
        result.problems.insert(0, first)
    for problem in result.problems:
        problem.helps = list(dict.fromkeys([*subject.helps(problem), *problem.helps]))
    return result


def _in_fp32(attempt: Attempt) -> Attempt | None:
    if attempt.options.precision == "fp32":
        return None
    return replace(attempt, options=replace(attempt.options, precision="fp32", calibration=None))


def _take(
    result: Check,
    parts: Sequence[Part],
    attempts: Sequence[Attempt],
    outcomes: Sequence[Outcome],
    remedies: Sequence[Remedy],
    jobs: int,
) -> None:
    """Turns the outcomes of single nodes into problems and work; tries what would help where one is refused."""
    tries: list[tuple[Problem, str, Attempt]] = []
    for part, attempt, outcome in zip(parts, attempts, outcomes, strict=True):
        if outcome.refused is None:
            kernels = [launch.kernel for launch in outcome.launches]
            result.work += [Work(kernel, part.names, alone=True) for kernel in dict.fromkeys(kernels)]
            result.free += [] if kernels else part.names
            result.declined += [replace(d, name=name) for d in outcome.declined for name in part.names]
            continue
        label = f"node '{part.names[0]}' ({part.op})"
        said = replace(outcome.refused, where=label, subject=None)
        problem = replace(said, nodes=list(part.names), op=part.op, sources=list(part.sources))
        result.problems.append(problem)
        changes = [(remedy.says, remedy.change(attempt)) for remedy in remedies]
        tries += [(problem, says, changed) for says, changed in changes if changed is not None]
    helped = attempt_all([attempt for _, _, attempt in tries], jobs)
    for (problem, says, _), outcome in zip(tries, helped, strict=True):
        if outcome.refused is None:
            problem.helps.append(says)


def _is_same(first: Problem, found: Problem) -> bool:
    """Whether the refusal of the whole model is that of one of its parts."""
    if first.code != found.code:
        return False
    at_node = any(name in found.nodes for name in first.nodes)
    return first.code == "onnx.dim" or at_node or found.message == first.message or found.where == first.where
