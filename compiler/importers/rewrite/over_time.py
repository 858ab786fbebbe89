"""A recurrent cell walked over its sequence: written out step by step, or as a Scan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tfmbs.compiler.importers.rewrite.builder import Builder, untyped_graph

UNROLLED_STEPS = 32
"""The longest sequence that is written out: each product is a kernel there, but each step is code, too."""

Step = Callable[[Builder, str, Sequence[str]], list[str]]
"""Writes one step: what the input contributes, B×G·H, and the states, B×H each, to the new states."""


@dataclass(frozen=True)
class Sequences:
    """What goes in, time in front.

    Attributes:
        steps: T.
        given: what the input contributes, T×B×G·H.
        valid: which steps count, T×B×1 of bool, empty where all do.
        element: element type, a `TensorProto.DataType`.
    """

    steps: int
    given: str
    valid: str
    element: int


def walk_over_time(
    b: Builder, step: Step, sequences: Sequences, states: Sequence[str], backwards: bool
) -> tuple[str, list[str]]:
    """The first state after each step, T×B×H, and all states in the end.

    A step that does not count gives zeros and leaves the states as they are.
    """
    written_out = 0 < sequences.steps <= UNROLLED_STEPS and b.scope.names.has_room
    walk = _written_out if written_out else _scanned
    return walk(b, step, sequences, list(states), backwards)


def _written_out(
    b: Builder, step: Step, sequences: Sequences, states: list[str], backwards: bool
) -> tuple[str, list[str]]:
    outputs = [""] * sequences.steps
    order = range(sequences.steps)
    for t in reversed(order) if backwards else order:
        valid = b.part(sequences.valid, 0, t) if sequences.valid else ""
        output, states = _one(b, step, b.part(sequences.given, 0, t), valid, states, sequences.element)
        outputs[t] = b("Unsqueeze", output, b.ints(0))
    return b("Concat", *outputs, axis=0), states


def _scanned(b: Builder, step: Step, sequences: Sequences, states: list[str], backwards: bool) -> tuple[str, list[str]]:
    body = Builder(b.origin, b.scope)
    scanned = [sequences.given] + ([sequences.valid] if sequences.valid else [])
    inner_states = [b.fresh("state") for _ in states]
    parts = [b.fresh("step") for _ in scanned]
    valid = parts[1] if sequences.valid else ""
    output, new = _one(body, step, parts[0], valid, inner_states, sequences.element)
    results = [body("Identity", value) for value in (*new, output)]
    *last, sequence = b.many(
        "Scan", len(states) + 1, *states, *scanned,
        body=untyped_graph("step", body.nodes, [*inner_states, *parts], results),
        num_scan_inputs=len(scanned),
        scan_input_directions=[int(backwards)] * len(scanned),
        scan_output_directions=[int(backwards)],
    )  # fmt: skip
    return sequence, last


def _one(b: Builder, step: Step, given: str, valid: str, states: Sequence[str], element: int) -> tuple[str, list[str]]:
    new = step(b, given, states)
    if not valid:
        return new[0], new
    kept = [b("Where", valid, *pair) for pair in zip(new, states, strict=True)]
    return b("Where", valid, new[0], b.number(0, element)), kept
