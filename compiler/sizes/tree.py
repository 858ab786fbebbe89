"""Entry points of a fabric-level module as trees, in which every launch has its own copy of what it refers to.

Tables hold equal rows once, and which rows are equal depends on sizes by coincidence; trees do not have that.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from tfmbs.compiler.emit import networks
from tfmbs.dialect.attributes import SCRATCH_LIVE_BYTES
from tfmbs.dialect.fabric_tables import fabric_tables
from tfmbs.runtime.abi.records import GEOMETRY_OF_KIND, NONE, RECORDS, Kind, Record
from tfmbs.runtime.abi.sections import KIND_OF_RECORD
from tfmbs.runtime.abi.types import Region

Tree = dict[str, Any]


@dataclass(frozen=True)
class Block:
    """The bytes of one constant, which lie in the memory of `owner`."""

    data: memoryview
    owner: Any = field(compare=False, repr=False)


class _Expander:
    """Follows the indices of one module's tables."""

    def __init__(self, module: Any) -> None:
        self.tables, weights = fabric_tables(module)
        self.strings: list[str] = self.tables["strings"]
        self.starts = [offset for offset, _ in weights.parts]
        self.blocks = [Block(data, module) for _, data in weights.parts]
        self.places = {row["descriptor"]: self.strings[row["location"]] for row in self.tables["debug"]}
        self.signals = {row["signal"]: number for number, row in enumerate(self.tables["descriptors"])}
        self.semantics: dict[int, list[Tree]] = defaultdict(list)
        for row in self.tables["semantics"]:
            texts = {name: self.strings[row[name]] for name in ("phase", "pattern")}
            self.semantics[row["descriptor"]].append({**row, **texts, "descriptor": None})
        self.origins: dict[int, list[Tree]] = defaultdict(list)
        for row in self.tables["origins"]:
            self.origins[row["descriptor"]].append({**row, "location": self.strings[row["location"]]})

    def entry(self, number: int) -> Tree:
        row = self.tables["entries"][number]
        first, count = row["first_descriptor"], row["descriptor_count"]
        outputs = row["outputs_first"] + row["outputs_count"]
        return {
            "name": self.strings[row["name"]],
            "scratch_bytes": row["scratch_bytes"],
            "inputs": [self._io(i) for i in range(row["inputs_first"], row["outputs_first"])],
            "outputs": [self._io(i) for i in range(row["outputs_first"], outputs)],
            "launches": [self._launch(i, first) for i in range(first, first + count)],
        }

    def states(self) -> list[Tree]:
        return [{**row, "name": self.strings[row["name"]]} for row in self.tables["states"]]

    def _io(self, index: int) -> Tree:
        row = self.tables["io"][index]
        return {"name": self.strings[row["name"]], "tensor": self._tensor(row["tensor"]), "meaning": row["meaning"]}

    def _record(self, record: Record, index: int) -> Tree | None:
        """A row with what it refers to in place of the numbers."""
        if index == NONE:
            return None
        row = dict(self.tables[KIND_OF_RECORD[record.name].attribute][index])
        for f in record.fields:
            if f.index == "strings":
                row[f.name] = self.strings[row[f.name]]
            elif f.index == "tensor":
                row[f.name] = self._tensor(row[f.name])
            elif f.index is not None:
                row[f.name] = self._record(RECORDS[f.index], row[f.name])
        return row

    def _tensor(self, index: int) -> Tree | None:
        if index == NONE:
            return None
        row = dict(self.tables["tensors"][index])
        row["name"] = self.strings[row["name"]]
        row["block"] = None
        if row["region"] == Region.WEIGHTS:
            block = bisect_right(self.starts, row["offset"]) - 1
            row["block"] = self.blocks[block]
            row["offset"] -= self.starts[block]
        return row

    def _program(self, index: int) -> Tree | None:
        if index == NONE:
            return None
        row = dict(self.tables["programs"][index])
        first = row.pop("first_word")
        words = self.tables["words"][first : first + row.pop("word_count")]
        return {**row, "name": self.strings[row["name"]], "words": words}

    def _launch(self, index: int, first: int) -> Tree:
        row = dict(self.tables["descriptors"][index])
        geometry = GEOMETRY_OF_KIND[Kind(row["kind"])]
        waits = self.tables["waits"][row["waits_first"] : row["waits_first"] + row["waits_count"]]
        args = self.tables["args"][row["args_first"] : row["args_first"] + row["args_count"]]
        return {
            "kind": row["kind"],
            "name": self.strings[row["name"]],
            "location": self.places.get(index),
            **{name: self._tensor(row[name]) for name in ("lhs", "rhs", "out")},
            "geometry": None if geometry is None else self._record(geometry, row["geometry"]),
            "schedule": self._record(RECORDS["schedule"], row["schedule"]),
            "mask": self._record(RECORDS["mask"], row["mask"]),
            "program": self._program(row["program"]),
            "args": [self._tensor(arg) for arg in args],
            "telemetry": self._record(RECORDS["telemetry"], row["telemetry"]),
            "waits": [self.signals[token] - first for token in waits],
            "origins": self.origins[index],
            "semantics": self.semantics[index],
        }


def tree_of(module: Any) -> Tree:
    """The one entry point of a fabric-level module, the states, what META says of it. Constants stay in its memory."""
    expander = _Expander(module)
    (_,) = expander.tables["entries"]
    entry, attributes = expander.entry(0), module.operation.attributes
    live = {item.name: item.attr.value for item in attributes[SCRATCH_LIVE_BYTES]}
    about = {"live_bytes": live.get(entry["name"]), "network": networks(module).get(entry["name"])}
    return {**entry, "states": expander.states(), "about": about}
