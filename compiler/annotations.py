"""The report of semantic annotations: what the parts of a network are for, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tfmbs.dialect.attributes import NAME, SEMANTICS, STATE
from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import func
from tfmbs.dialect.semantics import plain
from tfmbs.passes.graph.kernels import ops_of, ops_where
from tfmbs.passes.tfmbs_annotate import LITERAL

_ORDER = ("phase", "pattern", "residency", "modality", "flops", "bytes", "intensity")


def annotations_of(module: Any) -> dict[str, Any]:
    """What `tfmbs-annotate` said of a module at the torch level: `entries`, one for each function that is public.

    Of each: its `name`; `network`, with phase, modality and the sums of cost; `inputs`, with residency and modality by
    name, states too; `parts`, the annotated ops in order, with node, op, and what they have of pattern, residency,
    flops, bytes and intensity; `weights`, how many constants there are.
    """
    functions = [f for f in ops_of(module, func.FuncOp) if not f.is_external and "sym_visibility" not in f.attributes]
    return {"entries": [_entry(function) for function in functions]}


def _entry(entry: Any) -> dict[str, Any]:
    found = [op.operation for op in ops_where(entry, lambda op: SEMANTICS in op.operation.attributes)]
    parts = [
        {"node": str(place(op.location)), "op": op.name, **plain(op.attributes[SEMANTICS])}
        for op in found
        if op != entry.operation and op.name != LITERAL
    ]
    for part in parts:
        del part["number"]  # their order
    groups = list(entry.attributes["arg_attrs"]) if "arg_attrs" in entry.attributes else []
    return {
        "name": entry.name.value,
        "network": plain(entry.attributes[SEMANTICS]),
        "inputs": {_name(group, index): plain(group[SEMANTICS]) for index, group in enumerate(groups)},
        "parts": parts,
        "weights": sum(op.name == LITERAL for op in found),
    }


def _name(group: Any, index: int) -> str:
    names = [group[key].value for key in (NAME, STATE) if key in group]
    return names[0] if names else f"argument {index}"


def annotations_text(found: dict[str, Any]) -> str:
    """The report as lines of text."""
    return "".join(f"{line}\n" for entry in found["entries"] for line in _lines(entry))


def _lines(entry: dict[str, Any]) -> Iterator[str]:
    yield f"{entry['name']}: {_spelled(entry['network'])}"
    yield from (f"  input {name}: {_spelled(entries)}" for name, entries in entry["inputs"].items())
    yield f"  persistent weights: {entry['weights']}"
    for part in entry["parts"]:
        rest = {key: value for key, value in part.items() if key not in ("node", "op")}
        yield f"  {part['node']} ({part['op']}): {_spelled(rest)}"


def _spelled(entries: dict[str, Any]) -> str:
    words = [(key, entries[key]) for key in _ORDER if key in entries]
    return ", ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in words) or "nothing known"
