"""Checks of entry points: their ranges, inputs and outputs, and the bounds of every tensor they use."""

from __future__ import annotations

from collections.abc import Iterator

from tfmbs.runtime.abi.image import Row
from tfmbs.runtime.abi.limits import MAX_DESCRIPTORS, MAX_REGION_BYTES
from tfmbs.runtime.abi.records import DESCRIPTOR, ENTRY, IO, NONE
from tfmbs.runtime.abi.types import MEANINGS, Meaning, Region
from tfmbs.runtime.abi.verify.order import check_order
from tfmbs.runtime.abi.verify.subject import Subject


def _check_ranges(subject: Subject, index: int, entry: Row, descriptor: int, io: int) -> tuple[int, int]:
    """Checks that the entry's ranges start where the ones before end; returns where they end."""
    outputs = io + entry["inputs_count"]
    expected = {"first_descriptor": descriptor, "inputs_first": io, "outputs_first": outputs}
    for name, value in expected.items():
        if entry[name] != value:
            raise subject.refuse(ENTRY, index, name, "start of the range", value, entry[name])
    if entry["descriptor_count"] > MAX_DESCRIPTORS:
        raise subject.limit(ENTRY, index, "descriptor_count", "descriptors", MAX_DESCRIPTORS, entry["descriptor_count"])
    ends = descriptor + entry["descriptor_count"], outputs + entry["outputs_count"]
    for name, end, rows in zip(("descriptor_count", "outputs_count"), ends, _tables(subject), strict=True):
        if end > len(rows):
            raise subject.refuse(ENTRY, index, name, "end of the range", f"at most {len(rows)}", end)
    return ends


def _tables(subject: Subject) -> tuple[list[Row], list[Row]]:
    return subject.image.descriptors, subject.image.io


def _check_io(subject: Subject, first: int, count: int, region: Region) -> dict[int, int]:
    """Checks the inputs or the outputs of an entry; returns the bytes of each slot."""
    names: set[int] = set()
    sizes: dict[int, int] = {}
    for slot in range(count):
        row = subject.image.io[first + slot]
        tensor = subject.tensor(row["tensor"])
        if row["name"] in names:
            raise subject.refuse(IO, first + slot, "name", "a name used twice", got=subject.image.strings[row["name"]])
        names.add(row["name"])
        place = (Region(tensor["region"]), tensor["slot"], tensor["offset"])
        if place != (region, slot, 0):
            got = f"{place[0].name} slot {place[1]} offset {place[2]}"
            raise subject.refuse(IO, first + slot, "tensor", "its tensor", f"{region.name} slot {slot} offset 0", got)
        meaning = Meaning(row["meaning"])
        if meaning is not Meaning.PLAIN and tensor["dtype"] != MEANINGS[meaning].dtype:
            stored = MEANINGS[meaning].dtype.name
            raise subject.refuse(IO, first + slot, "meaning", f"elements of {meaning.name}", stored, tensor["dtype"])
        sizes[slot] = tensor["bytes"]
    return sizes


def used_tensors(subject: Subject, entry: Row) -> Iterator[tuple[int, int]]:
    """(descriptor, tensor) of every operand and window of an entry."""
    first = entry["first_descriptor"]
    for index in range(first, first + entry["descriptor_count"]):
        descriptor = subject.image.descriptors[index]
        for name in ("lhs", "rhs", "out"):
            if descriptor[name] != NONE:
                yield index, descriptor[name]
        yield from ((index, arg) for arg in subject.args(descriptor))


def _check_bounds(subject: Subject, entry: Row, inputs: dict[int, int], outputs: dict[int, int]) -> None:
    done: set[int] = set()
    for index, tensor_index in used_tensors(subject, entry):
        if tensor_index in done:
            continue
        done.add(tensor_index)
        tensor = subject.tensor(tensor_index)
        if not subject.elements[tensor_index]:
            raise subject.refuse(DESCRIPTOR, index, "", f"elements of tensor {tensor_index}", "at least 1", 0)
        region, end = Region(tensor["region"]), tensor["offset"] + tensor["bytes"]
        if region in (Region.INPUT, Region.OUTPUT):
            size = (inputs if region is Region.INPUT else outputs).get(tensor["slot"], 0)
        elif region is Region.SCRATCH:
            size = entry["scratch_bytes"]
        else:
            continue
        if end > size:
            what = f"end of tensor {tensor_index} in {region.name} {tensor['slot']}"
            raise subject.refuse(DESCRIPTOR, index, "", what, f"at most {size}", end)


def check_entries(subject: Subject) -> None:
    """Checks all entries, and that together they account for every descriptor, input and output."""
    descriptor, io = 0, 0
    for index, entry in enumerate(subject.image.entries):
        if entry["scratch_bytes"] > MAX_REGION_BYTES:
            raise subject.limit(
                ENTRY, index, "scratch_bytes", "bytes of scratch", MAX_REGION_BYTES, entry["scratch_bytes"]
            )
        descriptor, io = _check_ranges(subject, index, entry, descriptor, io)
        if subject.image.instance_of not in (None, index):
            continue  # it does not run
        inputs = _check_io(subject, entry["inputs_first"], entry["inputs_count"], Region.INPUT)
        outputs = _check_io(subject, entry["outputs_first"], entry["outputs_count"], Region.OUTPUT)
        _check_bounds(subject, entry, inputs, outputs)
        check_order(subject, index, entry, outputs)
    count = len(subject.image.entries)
    for end, rows, name in zip((descriptor, io), _tables(subject), ("descriptors", "inputs and outputs"), strict=True):
        if end != len(rows):
            raise subject.refuse(ENTRY, count, "", f"{name} of all entries", len(rows), end)
    if not count:
        raise subject.refuse(ENTRY, 0, "", "entry points", "at least 1", 0)
