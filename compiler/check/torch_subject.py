"""An exported PyTorch program as the subject of a check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from torch import fx
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind

from tfmbs.compiler.check.problem import Problem, Source
from tfmbs.compiler.check.subject import Attempt, Findings, Node, Part, Remedy
from tfmbs.compiler.check.torch_nodes import TorchCandidate, singles
from tfmbs.compiler.compilation import Options
from tfmbs.compiler.importers.messages import own_warnings_ignored
from tfmbs.compiler.importers.torch_graph import refused_signature
from tfmbs.compiler.importers.torch_names import layer_name, line_of, own_name
from tfmbs.compiler.importers.torch_parts import computes_tensor, functional, without_writes
from tfmbs.compiler.importers.torch_rules import refused_ends
from tfmbs.runtime.abi.errors import TfmbsError

_OF_TRAINING = frozenset(
    {
        "aten.alpha_dropout.default", "aten.dropout.default", "aten.feature_alpha_dropout.default",
        "aten.feature_dropout.default", "aten.native_dropout.default", "aten.rrelu.default",
        "aten.rrelu_with_noise.default", "aten.scaled_dot_product_attention.default",
    }
)  # fmt: skip
"""Ops that are random in training only."""


class TorchSubject:
    """See `Subject`. Nodes are those of the captured ATen graph, not decomposed, by the names of their layers."""

    def __init__(self, program: ExportedProgram, where: str) -> None:
        self.model, self.where = program, where
        self.nodes: dict[str, Node] = {}
        for node in program.graph.nodes:
            if computes_tensor(node) or (node.op == "call_function" and isinstance(node.meta.get("val"), list | tuple)):
                known = self.nodes.get(layer_name(node), Node(str(node.target)))
                self.nodes[layer_name(node)] = replace(known, sources=(*known.sources, *_sources(node)))
        self.remedies: Sequence[Remedy] = (Remedy("elements of type float (32 bits)", _in_f32),)

    def findings(self, options: Options) -> Findings:
        """See `Subject`."""
        del options
        problems = []
        try:
            with own_warnings_ignored():
                problems += [Problem.of(error, self.where) for error in self._refused_ends()]
                module = functional(self.model, self.where)
        except TfmbsError as error:
            return Findings([*problems, Problem.of(error, self.where)])
        parts = [
            Part(
                single.candidate,
                str(single.nodes[0].target),
                tuple(dict.fromkeys(layer_name(node) for node in single.nodes)),
                tuple(source for node in single.nodes for source in _sources(node)),
            )
            for single in singles(module)
        ]
        return Findings(problems, parts)

    def helps(self, problem: Problem) -> list[str]:
        """See `Subject`."""
        if problem.code == "quantize":
            return ["--calibrate DATA.npz, samples of the inputs"]
        if problem.op in _OF_TRAINING:
            return ["call eval() of the module before torch.export.export: the op is random in training only"]
        return []

    def _refused_ends(self) -> Iterator[TfmbsError]:
        yield from refused_signature(without_writes(self.model, self.where), self.where)
        specs = self.model.graph_signature.input_specs
        inputs = {spec.arg.name for spec in specs if spec.kind is InputKind.USER_INPUT}
        for error in refused_ends(self.model.graph, self.where):
            if error.subject is None or error.subject.kind != "input" or error.subject.name in inputs:
                yield error


def _sources(node: fx.Node) -> Iterator[Source]:
    line = line_of(node)
    if line is not None:
        yield Source(layer_name(node), own_name(node), line.file, line.number)


def _in_f32(attempt: Attempt) -> Attempt | None:
    assert isinstance(attempt.candidate, TorchCandidate)
    candidate = attempt.candidate.in_f32()
    return None if candidate is None else replace(attempt, candidate=candidate)
