"""Emission: the records of a fabric-level module as a binary. It copies; every decision was taken by passes."""

from __future__ import annotations

from typing import Any

import tfmbs
from tfmbs.dialect.attributes import PACKING, PRECISION, SCRATCH_LIVE_BYTES, SEMANTICS, TARGET
from tfmbs.dialect.fabric_tables import fabric_tables
from tfmbs.dialect.semantics import entries_of, plain
from tfmbs.runtime.abi.container import Container
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.target_file import load_target


def emit(module: Any) -> Container:
    """The `.tfb` of a fabric-level module, ready to be written; equal modules give equal bytes. Weights are not copied.

    META names producer, version, target, precision (where the module does), entry points, how much scratch each has
    in use at once, why trits are packed as they are, and what is known of their networks as wholes; no time stamp.
    Raises TfmbsError for an op of another level and for a target that is not known.
    """
    tables, weights = fabric_tables(module)
    attributes = module.operation.attributes
    target = load_target(attributes[TARGET].value)
    meta: dict[str, Any] = {
        "producer": "tfmbs",
        "version": tfmbs.__version__,
        "target": target.name,
        "entries": [tables["strings"][entry["name"]] for entry in tables["entries"]],
    }
    if PRECISION in attributes:
        meta["precision"] = attributes[PRECISION].value
    if SCRATCH_LIVE_BYTES in attributes:
        live = attributes[SCRATCH_LIVE_BYTES]
        meta["scratch_live_bytes"] = {item.name: item.attr.value for item in live}
    if PACKING in attributes:
        meta["packing"] = {item.name: item.attr.value for item in attributes[PACKING]}
    if known := networks(module):
        meta["semantics"] = known
    return Image(meta=meta, target=target.to_dict(), **tables).container(weights)


def networks(module: Any) -> dict[str, dict[str, Any]]:
    """What META says of the networks of a fabric-level module, by entry point; nothing where nothing is known."""
    attributes = module.operation.attributes
    found = entries_of(attributes[SEMANTICS]) if SEMANTICS in attributes else {}
    return {name: _network(known) for name, known in found.items()}


def _network(attribute: Any) -> dict[str, Any]:
    """Phase, modality and the sums of cost of one entry point, and its inputs and states by name.

    The intensity of all is flops / bytes.
    """
    known = {key: value for key, value in plain(attribute).items() if key != "intensity"}
    inputs = entries_of(entries_of(attribute).get("inputs"))
    return {**known, "inputs": {name: plain(entry) for name, entry in inputs.items()}}
