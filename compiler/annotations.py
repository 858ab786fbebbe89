"""The report of semantic annotations: what the parts of a network are for, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tfmbs.dialect.attributes import NAME, SEMANTICS, STATE
from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import func, ir
from tfmbs.passes.graph.kernels import ops_of, ops_where

_LITERAL = "torch.vtensor.literal"


def annotations_of(module: Any) -> dict[str, Any]:
    """What `tfmbs-annotate` said of a module at the torch level: `entries`, one for each function that is public.

    Of each: its `name`; `network`, with phase, modality and the sums of cost; `inputs`, with residency and modality by
    name, states too; `parts`, the annotated ops in order, with node, op, and what they have of pattern, flops, bytes
    and intensity; `weights`, how many constants there are.
    """
    functions = [f for f in ops_of(module, func.FuncOp) if not f.is_external and "sym_visibility" not in f.attributes]
    return {"entries": [_entry(function) for function in functions]}


def _entry(entry: Any) -> dict[str, Any]:
    found = [op.operation for op in ops_where(entry, lambda op: SEMANTICS in op.operation.attributes)]
    parts = [
        {"node": str(place(op.location)), "op": op.name, **_plain(op.attributes[SEMANTICS])}
        for op in found
        if op != entry.operation and op.name != _LITERAL
    ]
    network = _plain(entry.attributes[SEMANTICS]) if SEMANTICS in entry.attributes else {}
    flops, moved = (sum(part.get(key, 0) for part in parts) for key in ("flops", "bytes"))
    groups = list(entry.attributes["arg_attrs"]) if "arg_attrs" in entry.attributes else []
    return {
        "name": entry.name.value,
        "network": {**network, "flops": flops, "bytes": moved, "intensity": flops / moved if moved else 0.0},
        "inputs": {_name(group, index): _plain(group[SEMANTICS]) for index, group in enumerate(groups)},
        "parts": parts,
        "weights": sum(op.name == _LITERAL for op in found),
    }


def _name(group: Any, index: int) -> str:
    names = [group[key].value for key in (NAME, STATE) if key in group]
    return names[0] if names else f"argument {index}"


def _plain(attribute: Any) -> dict[str, Any]:
    return {entry.name: entry.attr.value for entry in ir.DictAttr(attribute)}


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
    return (
        ", ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in entries.items()) or "nothing known"
    )
