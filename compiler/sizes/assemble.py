"""The tables of one binary from the trees of its entry points: equal rows once, forms as patches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from blake3 import blake3

from tfmbs.compiler.sizes.tree import Block, Tree
from tfmbs.compiler.sizes.words import SizedWord
from tfmbs.passes.fabric.tables import ALIGNMENT, MAX_RANK
from tfmbs.runtime.abi.container import Pieces
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.forms import Form
from tfmbs.runtime.abi.patches import Patch, at_of, patch_tables
from tfmbs.runtime.abi.records import GEOMETRY_OF_KIND, NONE, RECORDS, Kind, Patched
from tfmbs.runtime.abi.sections import KIND_OF_RECORD
from tfmbs.runtime.abi.types import DType, Packing, Region

Row = dict[str, Any]


class Assembler:
    """Takes trees one after the other; `tables` are then keyword arguments of `Image`, `weights` its bytes."""

    def __init__(self) -> None:
        self._strings: dict[str, int] = {}
        self._rows: dict[str, list[Row]] = {kind.attribute: [] for kind in KIND_OF_RECORD.values()}
        self._known: dict[Any, int] = {}
        self._words: list[bytes] = []
        self._args: list[int] = []
        self._waits: list[int] = []
        self._patches: list[Patch] = []
        self._blocks: dict[bytes, int] = {}
        self._places: dict[int, int] = {}
        self._parts: list[tuple[int, memoryview]] = []
        self._kept: list[Block] = []
        self._whole: set[int] = set()

    @property
    def tables(self) -> dict[str, Any]:
        """All tables."""
        rows = {**self._rows, "tensors": [*self._rows["tensors"], *self._unread()]}
        tables = {**rows, "words": self._words, "args": self._args, "waits": self._waits}
        return {**tables, **patch_tables(self._patches), "strings": list(self._strings)}

    @property
    def weights(self) -> Pieces:
        """The WEIGHTS region."""
        return Pieces(self._parts)

    def _unread(self) -> list[Row]:
        """Records of constants of which launches read parts: all weights are some tensor's."""
        whole = {"region": Region.WEIGHTS, "slot": 0, "dtype": DType.U8, "packing": Packing.DENSE, "rank": 1}
        return [
            {**whole, "offset": start, "bytes": len(data), "dims": _dims(len(data)), "name": self.string("constant")}
            for start, data in self._parts
            if start not in self._whole
        ]

    def add(self, tree: Tree, sizes: Sequence[tuple[str, int, int]]) -> None:
        """An entry point with the bounds of its run-time sizes, in the order of its forms.

        Raises TfmbsError ``unsupported`` for states that are others than those of the entry points before.
        """
        self._places.clear()
        entry = _Entry(self, len(self._rows["entries"]), tuple(high for _, _, high in sizes))
        entry.add(tree)
        for name, low, high in sizes:
            row = {"entry": entry.number, "name": self.string(name), "low": low, "high": high}
            self._rows["sizes"].append(row)
        states = [{**state, "name": self.string(state["name"])} for state in tree["states"]]
        if entry.number and states != self._rows["states"]:
            raise TfmbsError("unsupported", tree["name"], "states of entry points with run-time sizes", "the same ones")
        self._rows["states"] = states

    # What entries use.

    def string(self, text: str) -> int:
        return self._strings.setdefault(text, len(self._strings))

    def extend(self, name: str, values: Sequence[int]) -> int:
        table: list[int] = self._args if name == "args" else self._waits
        table.extend(values)
        return len(table) - len(values) if values else 0

    def append(self, attribute: str, row: Row) -> int:
        self._rows[attribute].append(row)
        return len(self._rows[attribute]) - 1

    def count(self, attribute: str) -> int:
        return len(self._rows[attribute])

    def known(self, key: Any) -> int | None:
        return self._known.get(key)

    def remember(self, key: Any, number: int) -> int:
        return self._known.setdefault(key, number)

    def patch(self, section: Patched, row: int, at: int, entry: int, form: Form) -> None:
        self._patches.append(Patch(section, row, at, entry, form))

    def program_words(self, words: Sequence[SizedWord], entry: int) -> int:
        first = len(self._words)
        for number, word in enumerate(words, first):
            self._words.append(word.data)
            for field, form in word.forms:
                at = at_of(Patched.SIW, field)
                assert at is not None
                self.patch(Patched.SIW, number, at, entry, form)
        return first

    def block(self, block: Block) -> int:
        """The offset of a constant in WEIGHTS; equal bytes are stored once."""
        if id(block) not in self._places:
            digest = blake3(block.data).digest()
            if digest not in self._blocks:
                end = self._parts[-1][0] + len(self._parts[-1][1]) if self._parts else 0
                self._blocks[digest] = -(-end // ALIGNMENT) * ALIGNMENT
                self._parts.append((self._blocks[digest], block.data))
                self._kept.append(block)  # its memory is read when the file is written
            self._places[id(block)] = self._blocks[digest]
        return self._places[id(block)]

    def covered(self, start: int) -> None:
        """Notes that a tensor record holds all of the constant at `start`, for all sizes."""
        self._whole.add(start)


class _Entry:
    """Adds the rows of one entry point; `high` are the sizes for which the tables hold numbers."""

    def __init__(self, tables: Assembler, number: int, high: tuple[int, ...]) -> None:
        self.tables = tables
        self.number = number
        self.high = high

    def add(self, tree: Tree) -> None:
        first, io = self.tables.count("descriptors"), self.tables.count("io")
        for end in (*tree["inputs"], *tree["outputs"]):
            row = {"name": self.tables.string(end["name"]), "tensor": self._tensor(end["tensor"])}
            self.tables.append("io", {**row, "meaning": end["meaning"]})
        for number, launch in enumerate(tree["launches"], first):
            self._launch(launch, number, first)
        row = {
            "name": self.tables.string(tree["name"]),
            "first_descriptor": first,
            "descriptor_count": len(tree["launches"]),
            "inputs_first": io,
            "inputs_count": len(tree["inputs"]),
            "outputs_first": io + len(tree["inputs"]),
            "outputs_count": len(tree["outputs"]),
            "scratch_bytes": tree["scratch_bytes"],
        }
        self._row("entry", row, is_shared=False)

    def _row(self, record: str, row: Row, *, is_shared: bool = True) -> int:
        """The number of a row, its forms as patches. Raises TfmbsError ``unsupported`` for a form that has no place."""
        kind = KIND_OF_RECORD[record]
        key = record, self._key(row)
        if is_shared and (known := self.tables.known(key)) is not None:
            return known
        number = self.tables.append(kind.attribute, {name: self._value(value) for name, value in row.items()})
        for name, value in row.items():
            values = value if isinstance(value, tuple) else (value,)
            for element, form in enumerate(values):
                if isinstance(form, Form):
                    self._patch(record, number, name, element if isinstance(value, tuple) else None, form)
        return self.tables.remember(key, number) if is_shared else number

    def _patch(self, record: str, number: int, name: str, element: int | None, form: Form) -> None:
        code = KIND_OF_RECORD[record].code
        section = next((section for section in Patched if section == code), None)
        at = None if section is None else at_of(section, name, element)
        if section is None or at is None:
            what = f"{name} of a {record} record depends on a run-time size"
            raise TfmbsError("unsupported", "run-time sizes", what, "one that does not")
        self.tables.patch(section, number, at, self.number, form)

    def _key(self, row: Any) -> Any:
        """Rows with forms are an entry point's own."""
        items = tuple(sorted(row.items()))
        flat = [item for _, value in items for item in (value if isinstance(value, tuple) else (value,))]
        return items, self.number if any(isinstance(item, Form) for item in flat) else None

    def _value(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(self._value(item) for item in value)
        return value.at(self.high) if isinstance(value, Form) else value

    def _tensor(self, tensor: Tree | None) -> int:
        if tensor is None:
            return NONE
        row = {name: value for name, value in tensor.items() if name != "block"}
        if tensor["region"] == Region.WEIGHTS:
            start = self.tables.block(tensor["block"])
            if row["offset"] == 0 and row["bytes"] == len(tensor["block"].data):
                self.tables.covered(start)
            row["offset"] = _moved(row["offset"], start, len(self.high))
        # The name is for people: rows that differ in it alone are one.
        key = "tensor", self._key({**row, "name": ""})
        if (known := self.tables.known(key)) is not None:
            return known
        return self.tables.remember(key, self._row("tensor", {**row, "name": self.tables.string(tensor["name"])}))

    def _record(self, record: str, tree: Tree | None) -> int:
        if tree is None:
            return NONE
        row = {}
        for field in RECORDS[record].fields:
            value = tree[field.name]
            if field.index == "strings":
                value = self.tables.string(value)
            elif field.index == "tensor":
                value = self._tensor(value)
            elif field.index is not None:
                value = self._record(field.index, value)
            row[field.name] = value
        return self._row(record, row)

    def _program(self, tree: Tree | None) -> int:
        if tree is None:
            return NONE
        words = tuple(word if isinstance(word, SizedWord) else SizedWord(word) for word in tree["words"])
        owner = self.number if any(word.forms for word in words) else None
        key = "program", tree["kind"], tree["windows"], tree["max_steps"], words, owner
        if (known := self.tables.known(key)) is not None:
            return known
        row = {name: value for name, value in tree.items() if name != "words"}
        row |= {"name": self.tables.string(tree["name"]), "word_count": len(words)}
        first = self.tables.program_words(words, self.number)
        return self.tables.remember(key, self._row("program", {**row, "first_word": first}, is_shared=False))

    def _launch(self, launch: Tree, number: int, first: int) -> None:
        geometry = GEOMETRY_OF_KIND[Kind(launch["kind"])]
        args = [self._tensor(arg) for arg in launch["args"]]
        waits = [first + wait for wait in launch["waits"]]
        row = {
            "kind": launch["kind"],
            "waits_count": len(waits),
            **{name: self._tensor(launch[name]) for name in ("lhs", "rhs", "out")},
            "geometry": NONE if geometry is None else self._record(geometry.name, launch["geometry"]),
            "schedule": self._record("schedule", launch["schedule"]),
            "mask": self._record("mask", launch["mask"]),
            "program": self._program(launch["program"]),
            "args_first": self.tables.extend("args", args),
            "args_count": len(args),
            "waits_first": self.tables.extend("waits", waits),
            "signal": number,
            "telemetry": self._record("telemetry", launch["telemetry"]),
            "name": self.tables.string(launch["name"]),
        }
        self.tables.append("descriptors", row)
        if launch["location"] is not None:
            self.tables.append("debug", {"descriptor": number, "location": self.tables.string(launch["location"])})
        for origin in launch["origins"]:
            location = self.tables.string(origin["location"])
            self.tables.append("origins", {**origin, "descriptor": number, "location": location})
        for op in launch["semantics"]:
            texts = {name: self.tables.string(op[name]) for name in ("phase", "pattern")}
            self._row("semantics", {**op, **texts, "descriptor": number}, is_shared=False)


def _dims(size: int) -> tuple[int, ...]:
    return (size, *[0] * (MAX_RANK - 1))


def _moved(offset: int | Form, start: int, count: int) -> int | Form:
    """An offset that is counted from `start`."""
    if not isinstance(offset, Form):
        return offset + start
    constant = (0,) * count
    terms = dict(offset.terms)
    terms[constant] = terms.get(constant, 0) + start * offset.divisor
    return Form(tuple(sorted(((d, c) for d, c in terms.items() if c), reverse=True)), offset.divisor)
