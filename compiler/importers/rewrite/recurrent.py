"""RNN, GRU and LSTM as products, elementwise operators and a walk over time.

What the input contributes to the gates is one product for all steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto

from tfmbs.compiler.importers.onnx_rules import at_node
from tfmbs.compiler.importers.rewrite.activations import ACTIVATIONS, Activation, activations
from tfmbs.compiler.importers.rewrite.builder import Builder, attribute, operand, result
from tfmbs.compiler.importers.rewrite.cells import Cell, gru, lstm, rnn
from tfmbs.compiler.importers.rewrite.lstm import is_launch, with_all_results
from tfmbs.compiler.importers.rewrite.over_time import Sequences, walk_over_time
from tfmbs.compiler.importers.rewrite.scope import Scope
from tfmbs.runtime.abi.errors import TfmbsError


@dataclass(frozen=True)
class _Kind:
    """A recurrent operator: gates, states, the equations of a step, default activations, its own flag."""

    gates: int
    states: int
    step: Callable[[Cell, Builder, str, Sequence[str]], list[str]]
    functions: tuple[str, ...]
    flag: str = ""


KINDS = {
    "RNN": _Kind(1, 1, rnn, ("Tanh",)),
    "GRU": _Kind(3, 1, gru, ("Sigmoid", "Tanh"), "linear_before_reset"),
    "LSTM": _Kind(4, 2, lstm, ("Sigmoid", "Tanh", "Tanh"), "input_forget"),
}

DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
"""By attribute `direction`: whether each of a node's directions walks backwards."""


def write_out_recurrence(node: NodeProto, scope: Scope) -> list[NodeProto] | None:
    """The nodes that compute a recurrent node: Y, T×D×B×H, and the last states, D×B×H; with layout 1, B in front.

    An LSTM that the fabric launches whole stays as it is.
    """
    if node.domain != "" or node.op_type not in KINDS:
        return None
    if is_launch(node, scope):
        return with_all_results(node, scope)
    layer = _Layer(node, scope)
    b = layer.b
    ends = [layer.direction(index, backwards) for index, backwards in enumerate(layer.directions)]
    sequence = b("Concat", *(end[0] for end in ends), axis=1)
    b.give(b("Transpose", sequence, perm=[2, 0, 1, 3]) if layer.batch_first else sequence, result(node, 0))
    for number in range(1, 1 + layer.kind.states):
        last = b("Concat", *(end[number] for end in ends), axis=0)
        b.give(b("Transpose", last, perm=[1, 0, 2]) if layer.batch_first else last, result(node, number))
    return b.nodes


class _Layer:
    """One node on its way."""

    def __init__(self, node: NodeProto, scope: Scope) -> None:
        self.node, self.scope, self.kind = node, scope, KINDS[node.op_type]
        self.b = Builder(node, scope)
        self.batch_first = bool(attribute(node, "layout", 0))
        self.directions = self._one_of("direction", DIRECTIONS, attribute(node, "direction", "forward"))
        shapes = scope.shape(operand(node, 0)), scope.shape(operand(node, 2))
        if shapes[0] is None or shapes[1] is None:
            raise self._refuse("shapes of X and R", "known at compile time", "others")
        first, second, self.inputs = shapes[0]
        self.steps, self.batch = (second, first) if self.batch_first else (first, second)
        self.hidden = shapes[1][2]
        self.element = scope.types[operand(node, 0)].tensor_type.elem_type
        self.functions = self._functions()
        self.sequence = self.b("Transpose", operand(node, 0), perm=[1, 0, 2]) if self.batch_first else operand(node, 0)
        self.lengths = self._lengths()

    def direction(self, index: int, backwards: bool) -> list[str]:
        """One direction: its sequence T×1×B×H, and the last of each state, 1×B×H."""
        b, by_length = self.b, backwards and bool(self.lengths)
        given = self._reversed(self.sequence) if by_length else self.sequence
        bias, recurrent_bias = self._biases(index)
        weights = b.part(operand(self.node, 1), 0, index)
        flat = b("Gemm", b.reshape(given, self.steps * self.batch, self.inputs), weights, bias, transB=1)
        gates = b.reshape(flat, self.steps, self.batch, self.kind.gates * self.hidden)
        sequences = Sequences(self.steps, gates, self._valid(), self.element)
        step = partial(self.kind.step, self._cell(index, recurrent_bias))
        states = [self._initial(5 + number, index) for number in range(self.kind.states)]
        sequence, last = walk_over_time(b, step, sequences, states, backwards and not by_length)
        sequence = self._reversed(sequence) if by_length else sequence
        return [b("Unsqueeze", sequence, b.ints(1)), *(b("Unsqueeze", state, b.ints(0)) for state in last)]

    def _cell(self, index: int, bias: str) -> Cell:
        peepholes = operand(self.node, 7)
        return Cell(
            self.element,
            self.b.part(operand(self.node, 2), 0, index),
            bias,
            self.b.part(peepholes, 0, index) if peepholes else "",
            self.functions[index],
            bool(attribute(self.node, self.kind.flag, 0)),
        )

    def _biases(self, index: int) -> tuple[str, str]:
        """What is added to the input's part of the gates, and what stays with the product of the state."""
        if not operand(self.node, 3):
            return "", ""
        b = self.b
        ours, theirs = b.many("Split", 2, b.part(operand(self.node, 3), 0, index), axis=0, num_outputs=2)
        if self.node.op_type == "GRU" and attribute(self.node, "linear_before_reset", 0):
            return ours, theirs
        return b("Add", ours, theirs), ""

    def _initial(self, number: int, index: int) -> str:
        if given := operand(self.node, number):
            return self.b.part(given, 1 if self.batch_first else 0, index)
        return self.b.zeros((self.batch, self.hidden), self.element)

    def _lengths(self) -> str:
        """Lengths of the sequences, B; empty where all are whole."""
        name = operand(self.node, 4)
        known = self.scope.known.get(name)
        if not name or (known is not None and bool(np.all(known == self.steps))):
            return ""
        return self.b("Cast", name, to=TensorProto.INT64)

    def _valid(self) -> str:
        """Which steps of which sequence count: T×B×1 of bool."""
        if not self.lengths:
            return ""
        steps = self.b.tensor(np.arange(self.steps, dtype=np.int64).reshape(-1, 1, 1))
        return self.b("Less", steps, self.b.reshape(self.lengths, 1, self.batch, 1))

    def _reversed(self, sequence: str) -> str:
        """Each sequence backwards within its length."""
        return self.b("ReverseSequence", sequence, self.lengths, time_axis=0, batch_axis=1)

    def _functions(self) -> list[list[Activation]]:
        count = len(self.kind.functions)
        names = list(attribute(self.node, "activations") or self.kind.functions * len(self.directions))
        if len(names) < count * len(self.directions):
            raise self._refuse("number of activations", count * len(self.directions), len(names))
        for name in names:
            self._one_of("activations", ACTIVATIONS, name.lower())
        parameters = attribute(self.node, "activation_alpha", []), attribute(self.node, "activation_beta", [])
        functions = activations(names, *parameters, attribute(self.node, "clip"), self.element)
        return [functions[count * index : count * (index + 1)] for index in range(len(self.directions))]

    def _one_of(self, what: str, table: dict[str, Any], name: str) -> Any:
        if name not in table:
            raise self._refuse(what, f"one of {', '.join(table)}", name)
        return table[name]

    def _refuse(self, what: str, expected: object, got: object) -> TfmbsError:
        at = at_node(self.node, self.scope.where)
        return TfmbsError("onnx.unsupported", at, what, expected, got)
