"""LSTM nodes that the fabric launches whole: `tfmbs.lstm`. The others are written out before import."""

from __future__ import annotations

from tfmbs.dialect import graph
from tfmbs.dialect.graph_lstm import GATES
from tfmbs.dialect.mlir import arith, tensor
from tfmbs.dialect.shapes import Shape, element_of, shape_of, tensor_type
from tfmbs.passes.linalg.structured import elementwise, filled, identity
from tfmbs.passes.onnx import build
from tfmbs.passes.onnx.node import Node, Results, Value

X, W, R, BIAS, _, HIDDEN, CELL = range(7)
Y, LAST_STATE, LAST_CELL = range(3)
DIRECTIONS = {"forward": "forward", "reverse": "reverse", "bidirectional": "both"}


def lstm(node: Node) -> Results | None:
    """Y, T×D×B×H, and the last state and cell, D×B×H; with layout 1, the batch is in front.

    Biases of inputs and states are added first, as they are where a node is written out. Of a first state and a first
    cell, the one that is not given is zeros.
    """
    batch_first = bool(node.integer("layout"))
    sequence = node.tensor(X)
    sequence = build.transpose(sequence, (1, 0, 2)) if batch_first else sequence
    steps, batch, width = shape_of(sequence.type)
    ways, _, hidden = node.shape(R)
    state, direction = (ways, batch, hidden), DIRECTIONS[node.string("direction", "forward")]
    _check_shapes(node, (2 if direction == "both" else 1, batch, hidden), width, batch_first)
    further = {"bias": _biases(node.tensor(BIAS))} if node.has(BIAS) else {}
    if node.has(HIDDEN) or node.has(CELL):
        further |= {"hidden": _first(node, HIDDEN, state), "cell": _first(node, CELL, state)}
    keep_cell = node.is_used(LAST_CELL)
    out = graph.lstm(
        sequence, node.tensor(W), node.tensor(R), further, keep_cell, direction=direction, gates="iofc"
    ).result
    states = build.slice_from(out, 0, 0, steps) if keep_cell else out
    results = [
        _result(number, out, states, direction) if node.is_used(number) else None for number in range(node.results)
    ]
    if not batch_first:
        return results
    orders = {Y: (2, 0, 1, 3), LAST_STATE: (1, 0, 2), LAST_CELL: (1, 0, 2)}
    return [None if value is None else build.transpose(value, orders[number]) for number, value in enumerate(results)]


def _result(number: int, out: Value, states: Value, direction: str) -> Value:
    if number == LAST_CELL:
        steps, *state = shape_of(states.type)
        return build.reshape(build.slice_from(out, steps, 0, 1), tuple(state))
    return states if number == Y else _last(states, direction)


def _check_shapes(node: Node, state: Shape, width: int, batch_first: bool) -> None:
    ways, batch, hidden = state
    first = (batch, ways, hidden) if batch_first else state
    wanted = {
        W: ("W", (ways, GATES * hidden, width)),
        R: ("R", (ways, GATES * hidden, hidden)),
        BIAS: ("B", (ways, 2 * GATES * hidden)),
        HIDDEN: ("initial_h", first),
        CELL: ("initial_c", first),
    }
    for index, (name, shape) in wanted.items():
        if node.has(index) and node.shape(index) != shape:
            raise node.refuse(f"shape of {name}", shape, node.shape(index))


def _biases(value: Value) -> Value:
    """Biases of inputs and of states, D×8·H, added to D×4·H."""
    ways, count = shape_of(value.type)
    half = count // 2
    inputs = [(build.slice_from(value, start, 1, half), identity(2)) for start in (0, half)]
    return elementwise(inputs, (ways, half), element_of(value), lambda x, y: arith.AddFOp(x, y).result)


def _first(node: Node, index: int, shape: Shape) -> Value:
    """A first state or cell, D×B×H."""
    if not node.has(index):
        return filled(shape, node.element(X).mlir, 0)
    value = node.tensor(index)
    return build.transpose(value, (1, 0, 2)) if node.integer("layout") else value


def _last(states: Value, direction: str) -> Value:
    """The state behind the last step of each direction, D×B×H."""
    steps, ways, batch, hidden = shape_of(states.type)
    one, element = (1, batch, hidden), element_of(states)

    def at(step: int, way: int) -> Value:
        return build.reshape(build.slice_from(build.slice_from(states, step, 0, 1), way, 1, 1), one)

    if ways == 1:
        return at(0 if direction == "reverse" else steps - 1, 0)
    parts = [at(steps - 1, 0), at(0, 1)]
    return tensor.ConcatOp(tensor_type((ways, batch, hidden), element), 0, parts).result


LOWERINGS = {"LSTM": lstm}
