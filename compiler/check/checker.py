"""Checks a model: the real compilation says whether it is refused; then its parts say for what all."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field, replace

from onnx import ModelProto

from tfmbs.compiler.check.attempt import Attempt, Outcome, attempt_all
from tfmbs.compiler.check.helps import general_help, remedies
from tfmbs.compiler.check.launches import Declined, Launch, Watch, launches
from tfmbs.compiler.check.nodes import Single, singles
from tfmbs.compiler.check.problem import Problem
from tfmbs.compiler.check.rules import Findings, find
from tfmbs.compiler.compilation import Compilation, Options
from tfmbs.compiler.importers.onnx_graph import named
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


def check(model: ModelProto, options: Options, where: str = "model", jobs: int = 2) -> Check:
    """Compiles `model`, and where that is refused, every part of it that can be compiled alone, each kind once.

    Raises:
        TfmbsError: ``target`` or ``usage``, what is wrong with the options and not with the model.
    """
    watch = Watch()
    load_target(options.target)
    try:
        compilation = Compilation.of(model, replace(options, observers=[*options.observers, watch]), where=where)
        found = launches(compilation.lower("kernel"))
        compilation.image()
    except TfmbsError as error:
        if error.code == "usage":
            raise
        return _refused(model, options, error, where, jobs)
    return _accepted(model, found, watch.declined)


def _accepted(model: ModelProto, found: Sequence[Launch], declined: Sequence[Declined]) -> Check:
    nodes = node_names(model)
    work = [Work(launch.kernel, own_names(launch.names, nodes), launch.shapes) for launch in found]
    busy = {name for each in work for name in each.nodes}
    reasons = [replace(each, name=name) for each in declined for name in own_names([each.name], nodes)]
    return Check(work=work, declined=reasons, free=[name for name in nodes if name not in busy])


def node_names(model: ModelProto) -> dict[str, None]:
    """Names of the nodes of the main graph, in its order."""
    return dict.fromkeys(node.name for node in named(model).graph.node)


def own_names(names: Iterable[str], known: Container[str]) -> tuple[str, ...]:
    """The `known` nodes that `names` belong to: what a node is replaced by is called after it, with a dot behind."""
    found: dict[str, None] = {}
    for name in names:
        own = name
        while own not in known and "." in own:
            own = own.rpartition(".")[0]
        if own in known:
            found[own] = None
    return tuple(found)


def _refused(model: ModelProto, options: Options, error: TfmbsError, where: str, jobs: int) -> Check:
    options.progress("rules")
    findings = find(model, options.dims, where)
    result = Check(problems=findings.problems, unseen=findings.unseen)
    options.progress("nodes")
    if findings.prepared is not None:
        known = node_names(model)
        parts = [replace(p, names=own_names(p.names, known)) for p in singles(findings.prepared, findings.large)]
        alone = replace(options, dims={}, progress=lambda stage: None, observers=())
        attempts = [Attempt(part.model, alone) for part in parts]
        _take(result, parts, attempts, attempt_all(attempts, jobs), jobs)
    first = Problem.of(error, where)
    if not _is_among(first, result.problems, findings):
        first.nodes = list(own_names([first.where], node_names(model)))
        result.problems.insert(0, first)
    for problem in result.problems:
        problem.helps = [*general_help(problem, model), *problem.helps]
    return result


def _take(
    result: Check, parts: Sequence[Single], attempts: Sequence[Attempt], outcomes: Sequence[Outcome], jobs: int
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
        code, _, message = outcome.refused
        problem = Problem(code, _label(part), message, list(part.names), part.op)
        result.problems.append(problem)
        changes = [(remedy.says, remedy.change(attempt)) for remedy in remedies()]
        tries += [(problem, says, changed) for says, changed in changes if changed is not None]
    helped = attempt_all([attempt for _, _, attempt in tries], jobs)
    for (problem, says, _), outcome in zip(tries, helped, strict=True):
        if outcome.refused is None:
            problem.helps.append(says)


def _label(part: Single) -> str:
    return f"node '{part.names[0]}' ({part.op})"


def _is_among(first: Problem, problems: Sequence[Problem], findings: Findings) -> bool:
    """Whether the refusal of the whole model is one of those that were found of its parts."""
    if first.code == "onnx.dim" and findings.dims and any(p.code == "onnx.dim" for p in problems):
        return True
    return any(
        first.code == p.code and (first.message == p.message or first.where == p.where or first.where in p.nodes)
        for p in problems
    )
