"""Emission: the records of a fabric-level module as a binary. It copies; every decision was taken by passes."""

from __future__ import annotations

from typing import Any

import tfmbs
from tfmbs.dialect.attributes import PRECISION, SCRATCH_LIVE_BYTES, TARGET
from tfmbs.dialect.fabric_tables import fabric_tables
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.target_file import load_target


def emit(module: Any) -> bytearray:
    """The bytes of the `.tfb` of a fabric-level module; equal modules give equal bytes. Weights are copied once.

    META names producer, version, target, precision (where the module does), entry points and how much scratch each has
    in use at once, and holds no time stamp.
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
    return Image(meta=meta, target=target.to_dict(), **tables).to_bytes(weights)
