"""An ONNX model as the subject of a check."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import ModelProto

from tfmbs.compiler.check.names import own_names
from tfmbs.compiler.check.onnx_helps import HELP_OF_CODE, OnnxCandidate, remedies
from tfmbs.compiler.check.onnx_nodes import singles
from tfmbs.compiler.check.onnx_rules import find
from tfmbs.compiler.check.problem import Problem
from tfmbs.compiler.check.subject import Findings, Node, Part, Remedy
from tfmbs.compiler.compilation import Options
from tfmbs.compiler.importers.onnx_graph import named


class OnnxSubject:
    """See `Subject`. Nodes are those of the main graph."""

    def __init__(self, model: ModelProto, where: str) -> None:
        self.model, self.where = model, where
        self.nodes = {node.name: Node(node.op_type) for node in named(model).graph.node}
        self.remedies: Sequence[Remedy] = remedies()

    def findings(self, options: Options) -> Findings:
        """See `Subject`."""
        found = find(self.model, options.dims, self.where)
        parts = [] if found.prepared is None else singles(found.prepared, found.large)
        alone = [Part(OnnxCandidate(part.model), part.op, own_names(part.names, self.nodes)) for part in parts]
        return Findings(found.problems, alone, found.unseen)

    def helps(self, problem: Problem) -> list[str]:
        """See `Subject`."""
        return [HELP_OF_CODE[problem.code]] if problem.code in HELP_OF_CODE else []
