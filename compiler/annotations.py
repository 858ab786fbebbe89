"""The report of semantic annotations: what the parts of a network are for, and what they cost."""

from __future__ import annotations

from typing import Any

from tfmbs.dialect.attributes import NAME, SEMANTICS
from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import func, ir
from tfmbs.passes.graph.kernels import ops_of, ops_where
from tfmbs.runtime.abi.errors import TfmbsError


def annotations_of(module: Any) -> dict[str, Any]:
    """What `tfmbs-annotate` said of a module with one function, at the torch level or the graph.

    `network` has phase, modality and the sums of cost; `inputs` residency and modality by name; `parts` the annotated
    ops in order: node, op, pattern, flops, bytes, intensity, as far as they have them; `weights` counts constants.

    Raises:
        TfmbsError: ``unsupported``, the module has no entry function.
    """
    functions = [f for f in ops_of(module, func.FuncOp) if not f.is_external]
    if not functions:
        raise TfmbsError("unsupported", "annotations", "number of functions", "at least 1", 0)
    entry = functions[0]
    found = [op.operation for op in ops_where(entry, lambda op: SEMANTICS in op.operation.attributes)]
    parts = [
        {"node": str(place(op.location)), "op": op.name, **_plain(op.attributes[SEMANTICS])}
        for op in found
        if op != entry.operation and op.name != "torch.vtensor.literal"
    ]
    network = _plain(entry.attributes[SEMANTICS]) if SEMANTICS in entry.attributes else {}
    flops, moved = (sum(part.get(key, 0) for part in parts) for key in ("flops", "bytes"))
    intensity = flops / moved if moved else 0.0
    return {
        "network": {**network, "flops": flops, "bytes": moved, "intensity": intensity},
        "inputs": {group[NAME].value: _plain(group[SEMANTICS]) for group in _groups(entry)},
        "parts": parts,
        "weights": sum(op.name == "torch.vtensor.literal" for op in found),
    }


def _groups(entry: Any) -> list[Any]:
    groups = list(entry.attributes["arg_attrs"]) if "arg_attrs" in entry.attributes else []
    return [group for group in groups if SEMANTICS in group and NAME in group]


def _plain(attribute: Any) -> dict[str, Any]:
    return {entry.name: entry.attr.value for entry in ir.DictAttr(attribute)}


def annotations_text(found: dict[str, Any]) -> str:
    """The report as lines of text."""
    lines = ["network: " + _spelled(found["network"])]
    lines += [f"input {name}: {_spelled(entries)}" for name, entries in found["inputs"].items()]
    lines.append(f"persistent weights: {found['weights']}")
    for part in found["parts"]:
        rest = {key: value for key, value in part.items() if key not in ("node", "op")}
        lines.append(f"{part['node']} ({part['op']}): {_spelled(rest)}")
    return "\n".join(lines) + "\n"


def _spelled(entries: dict[str, Any]) -> str:
    return (
        ", ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in entries.items()) or "nothing known"
    )
