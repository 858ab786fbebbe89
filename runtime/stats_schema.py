"""`docs/tfmbs-run-stats.schema.json`, written from the tables by `python -m tfmbs.runtime.stats_schema`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from tfmbs.runtime.abi.energy import PER_OP
from tfmbs.runtime.abi.movement.machine import EngineKind
from tfmbs.runtime.figures import COUNTERS, FIGURES, FIGURES_OF_TIME, LAUNCH, Figure
from tfmbs.runtime.measured.energy import COMPONENTS
from tfmbs.runtime.measured.overlap import OVERLAPS
from tfmbs.runtime.measured.path import CLASSES
from tfmbs.runtime.measured.traffic import LEVELS
from tfmbs.runtime.measured.waits import BUSY, IDLE, WAITS
from tfmbs.runtime.stats import SCHEMA, LaunchStats
from tfmbs.runtime.timing import LINKS, MOVERS

FILE = Path(__file__).resolve().parents[1] / "docs" / "tfmbs-run-stats.schema.json"

Schema = dict[str, Any]
WORDS = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}
NUMBERS = ("gated_pj", "traffic_ratio", "network_traffic_ratio", "gops", "operations_per_pj")
OF_RUN = ("movers_ps", "minimum_network_bytes", "network_traffic_ratio")


def _object(properties: Mapping[str, Schema], optional: Iterable[str] = (), text: str = "") -> Schema:
    left_out = frozenset(optional)
    return {
        "type": "object",
        **({"description": text} if text else {}),
        "properties": dict(properties),
        "required": [name for name in properties if name not in left_out],
        "additionalProperties": False,
    }


def _amounts(names: Iterable[str], kind: str = "integer") -> Schema:
    return _object({name: {"type": kind} for name in names})


def _described(schema: Schema, figure: Figure) -> Schema:
    unit = "a ratio" if figure.unit == "1" else figure.unit
    return {**schema, "description": f"{unit}: {figure.meaning}"}


def _timing() -> dict[str, Schema]:
    kinds = [kind.name.lower() for kind in EngineKind]
    of_engines = _amounts((BUSY, *(f"waiting_{name}" for name in WAITS), IDLE))
    of_movers = _amounts((BUSY, *(f"waiting_{name}" for name in kinds), IDLE))
    level = _object({name: {"type": "integer"} for name in ("read_bytes", "written_bytes")} | {
        "macs_per_byte": {"type": "number"}
    })  # fmt: skip
    links = [f"{a.name.lower()}_to_{b.name.lower()}" for link in LINKS for a, b in (link, link[::-1])]
    shapes: dict[str, Schema] = {
        "critical_ps": _amounts(CLASSES),
        "overlap_ps": _amounts(OVERLAPS),
        "arrays_ps": of_engines,
        "vectors_ps": of_engines,
        "movers_ps": _object({kind.name.lower(): of_movers for kind in MOVERS}),
        "bytes": _amounts(links),
        "levels": _object(dict.fromkeys(LEVELS, level)),
        "slots": _amounts(("useful", "ragged", "fill_and_drain")),
        "operations": _amounts(PER_OP),
        "utilization": _amounts(("array_macs", *kinds, "external"), "number"),
        "energy_pj": _amounts((*COMPONENTS, "total"), "number"),
    }
    scalar = {name: {"type": "number" if name in NUMBERS else "integer"} for name in FIGURES_OF_TIME}
    return {name: _described({**scalar, **shapes}[name], figure) for name, figure in FIGURES_OF_TIME.items()}


def schema() -> Schema:
    """The schema of what `Stats.to_json` gives."""
    figures = _timing()
    timing = {name: {"$ref": f"#/$defs/{name}"} for name in figures}
    counters = {name: _described({"type": "integer"}, figure) for name, figure in COUNTERS.items()}
    costs = {name: _described({"type": "number"}, figure) for name, figure in FIGURES.items()}
    row = {field.name: {"type": WORDS[str(field.type)]} for field in fields(LaunchStats)}
    row |= {name: _described(row[name], figure) for name, figure in LAUNCH.items()}
    text = "of a simulated device"
    of_launch = _object({name: one for name, one in timing.items() if name not in OF_RUN}, text=text)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tfmbs-run --stats",
        **_object(
            {
                "schema": {"type": "integer", "const": SCHEMA},
                "device": {"type": "string"},
                "entry": {"type": "string"},
                "definitions": {
                    "type": "object",
                    "description": "unit and meaning of each figure",
                    "additionalProperties": _amounts(("unit", "meaning"), "string"),
                },
                "totals": _object({**counters, **costs, "wall_ns": {"type": "integer", "description": "ns"}}),
                "machine": _machine(),
                "energy_profile": _amounts(("profile", "source"), "string"),
                "timing": _object(timing, text=text),
                "launches": {
                    "type": "array",
                    "items": _object({**row, **counters, **costs, "timing": of_launch}, ["timing"]),
                },
            },
            ("machine", "energy_profile", "timing"),
        ),
        "$defs": figures,
    }  # fmt: skip


def _machine() -> Schema:
    numbers = {name: {"type": "integer"} for name in ("tiles", "rows", "columns")}
    bandwidth = _amounts(("external", *(kind.name.lower() for kind in MOVERS)), "number")
    return _object(
        {
            "target": {"type": "string"},
            **numbers,
            "core_mhz": {"type": "number"},
            "peak_gops": {"type": "number"},
            "external_kind": {"type": "string"},
            "gbytes_per_second": {**bandwidth, "description": "10⁹ bytes/s of all engines of a kind, and of memory"},
        },
        text="what it could do at most; of a simulated device",
    )


def text() -> str:
    """The file's content."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
