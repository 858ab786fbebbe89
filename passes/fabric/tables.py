"""The record tables of a binary under construction: rows in order of first use, equal rows once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from blake3 import blake3

from tfmbs.dialect.fabric import FabricArgsOp, FabricDataOp, FabricWaitsOp, build_record
from tfmbs.dialect.fabric_siw import build_program
from tfmbs.dialect.resources import stored_bytes
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.records import RECORDS
from tfmbs.runtime.abi.types import DTYPES, DType, Packing, Region, packed_rows, row_bytes

Row = dict[str, Any]
ALIGNMENT = 64  # bytes, of weights and persistent buffers
MAX_RANK = next(f.count for f in RECORDS["tensor"].fields if f.name == "dims")


@dataclass(frozen=True)
class TensorKey:
    """What distinguishes a tensor record; `dims` are sizes, `offset` bytes in the region."""

    region: Region
    slot: int
    offset: int
    dtype: DType
    packing: Packing
    dims: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Size in bytes."""
        if self.packing is Packing.DENSE:
            count = 1
            for size in self.dims:
                count *= size
            return count * DTYPES[self.dtype].bits // 8
        row = 1
        for size in self.dims[1:]:
            row *= size
        return packed_rows(self.packing, self.dims[0]) * row_bytes(self.dtype, self.packing, row)

    def overlaps(self, other: TensorKey) -> bool:
        """Whether two tensors share bytes."""
        if (self.region, self.slot) != (other.region, other.slot):
            return False
        return self.offset < other.offset + other.bytes and other.offset < self.offset + self.bytes


@dataclass(frozen=True)
class ProgramKey:
    """A scheduled program; equal ones are stored once, under the first name."""

    kind: int
    windows: int
    words: tuple[bytes, ...]
    max_steps: int


@dataclass
class Table:
    """Rows of one record; `intern` gives an equal row the same number."""

    rows: list[Row] = field(default_factory=list)
    numbers: dict[Any, int] = field(default_factory=dict)

    def intern(self, key: Any, row: Row) -> int:
        """The number of the row with this key, added if it is new."""
        if key not in self.numbers:
            self.numbers[key] = len(self.rows)
            self.rows.append(row)
        return self.numbers[key]


class Tables:
    """All tables of a binary."""

    def __init__(self) -> None:
        self.records = {name: Table() for name in RECORDS}
        self.args: list[int] = []
        self.waits: list[int] = []
        self.programs: dict[ProgramKey, tuple[int, str]] = {}
        self.locations: list[Any] = []  # of the descriptors
        self._blobs: dict[bytes, int] = {}  # digest of the bytes -> where they are
        self._data: list[tuple[str, int, Any]] = []
        self._weights_end = 0

    def tensor(self, key: TensorKey, name: str) -> int:
        """The number of a tensor record; its name is that of its first use."""
        return self.records["tensor"].intern(
            key,
            {
                "region": key.region,
                "dtype": key.dtype,
                "packing": key.packing,
                "rank": len(key.dims),
                "slot": key.slot,
                "offset": key.offset,
                "bytes": key.bytes,
                "dims": (*key.dims, *(0,) * (MAX_RANK - len(key.dims))),
                "name": name,
            },
        )

    def weights(self, value: Any, label: str) -> int:
        """The byte offset of an elements attribute in the weights region; equal bytes are stored once."""
        data = stored_bytes(value)
        digest = blake3(data).digest()
        if digest not in self._blobs:
            offset = -(-self._weights_end // ALIGNMENT) * ALIGNMENT
            self._blobs[digest] = offset
            self._data.append((label, offset, value))
            self._weights_end = offset + len(data)
        return self._blobs[digest]

    def state(self, name: str, size: int, where: object) -> int:
        """The byte offset of a persistent buffer in the state region; buffers of one name are one.

        Raises:
            TfmbsError: ``ir.verify``, at `where`, it has another size elsewhere.
        """
        table = self.records["state"]
        if name not in table.numbers:
            last = table.rows[-1] if table.rows else {"offset": 0, "bytes": 0}
            offset = -(-(last["offset"] + last["bytes"]) // ALIGNMENT) * ALIGNMENT
            table.intern(name, {"name": name, "offset": offset, "bytes": size})
        row = table.rows[table.numbers[name]]
        if row["bytes"] != size:
            raise TfmbsError("ir.verify", where, f"bytes of state '{name}'", row["bytes"], size)
        return int(row["offset"])

    def row(self, record: str, row: Row) -> int:
        """The number of a row, equal rows once."""
        return self.records[record].intern(tuple(row.items()), row)

    def append(self, record: str, row: Row) -> int:
        """The number of a new row."""
        rows = self.records[record].rows
        rows.append(row)
        return len(rows) - 1

    def program(self, key: ProgramKey, name: str) -> int:
        """The number of a program."""
        number, _ = self.programs.setdefault(key, (len(self.programs), name))
        return number

    def extend(self, table: list[int], values: Sequence[int]) -> int:
        """Appends to the args or waits table; returns where the values start."""
        table.extend(values)
        return len(table) - len(values)

    def build(self, unknown: Any) -> None:
        """Creates the fabric ops at the insertion point; `unknown` is the location of what has none."""
        for name in RECORDS:
            if name == "program":
                self._build_programs(unknown)
                continue
            for index, row in enumerate(self.records[name].rows):
                build_record(name, row, loc=self.locations[index] if name == "descriptor" else unknown)
        if self.args:
            FabricArgsOp.build([], [], values=self.args, loc=unknown)
        if self.waits:
            FabricWaitsOp.build([], [], values=self.waits, loc=unknown)
        for label, offset, value in self._data:
            FabricDataOp.build([], [], label=label, offset=offset, value=value, loc=unknown)

    def _build_programs(self, unknown: Any) -> None:
        for key, (_, name) in self.programs.items():
            fields = {"kind": key.kind, "windows": key.windows, "name": name, "max_steps": key.max_steps}
            build_program(fields, list(key.words), loc=unknown)
