"""What the checks of an image share: its rows, the tensors' derived sizes, and how a place in the file is named."""

from __future__ import annotations

import math
from functools import cached_property

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image, Row
from tfmbs.runtime.abi.records import Record
from tfmbs.runtime.abi.sections import KIND_OF_RECORD
from tfmbs.runtime.abi.siw_verify import Windows
from tfmbs.runtime.abi.target import Target


class Subject:
    """An image under check. `windows` are filled in program by program, `target` is read from its section."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.target = Target.from_dict(image.target, "TARGET", image.version[1])
        self.windows: list[Windows] = []

    def where(self, record: Record, index: int, field: str = "") -> str:
        """`SECTION[index].field at byte 0x…`; the byte only where the image comes from a file."""
        kind = KIND_OF_RECORD[record.name]
        stored = self.image.file.by_kind.get(kind.code) if self.image.file else None
        name = f"{kind.name}[{index}]{f'.{field}' if field else ''}"
        if stored is None:
            return name
        within = next((f.offset for f in record.fields if f.name == field), 0)
        return f"{name} at byte {stored.offset + index * record.size + within:#x}"

    def refuse(
        self, record: Record, index: int, field: str, what: str, expected: object = None, got: object = None
    ) -> TfmbsError:
        """The error for a record that breaks a rule."""
        return TfmbsError("record", self.where(record, index, field), what, expected, got)

    def limit(self, record: Record, index: int, field: str, what: str, high: int, got: int) -> TfmbsError:
        """The error for a record that asks for too much."""
        return TfmbsError("resource-limit", self.where(record, index, field), what, f"at most {high}", got)

    @property
    def launches(self) -> range:
        """The descriptors that may run: of an image for given sizes, those of its entry, whose range is the file's."""
        if self.image.instance_of is None:
            return range(len(self.image.descriptors))
        entry = self.image.entries[self.image.instance_of]
        return range(entry["first_descriptor"], entry["first_descriptor"] + entry["descriptor_count"])

    @cached_property
    def elements(self) -> list[int]:
        """Elements of each tensor, exact."""
        return [math.prod(tensor["dims"][: tensor["rank"]]) for tensor in self.image.tensors]

    @cached_property
    def state_bytes(self) -> int:
        """Size of the STATE region."""
        return max((state["offset"] + state["bytes"] for state in self.image.states), default=0)

    def tensor(self, index: int) -> Row:
        """One tensor record."""
        return self.image.tensors[index]

    def args(self, descriptor: Row) -> list[int]:
        """The tensors of a descriptor's operand windows."""
        return self.image.args[descriptor["args_first"] : descriptor["args_first"] + descriptor["args_count"]]

    def waits(self, descriptor: Row) -> list[int]:
        """The tokens that a descriptor waits for."""
        return self.image.waits[descriptor["waits_first"] : descriptor["waits_first"] + descriptor["waits_count"]]
