"""Checks of tensors, masks, states and telemetry: sizes, alignment, place in their region."""

from __future__ import annotations

from math import prod

from tfmbs.runtime.abi.image import Row
from tfmbs.runtime.abi.limits import MAX_REGION_BYTES
from tfmbs.runtime.abi.records import MASK, STATE, TELEMETRY, TENSOR
from tfmbs.runtime.abi.types import DTYPES, DType, Packing, Region, is_packed, packed_dtype, packed_rows, row_bytes
from tfmbs.runtime.abi.verify.subject import Subject

_SPARSITY_TOLERANCE = 1e-6


def _check_shape(subject: Subject, index: int, tensor: Row) -> None:
    rank, dims = tensor["rank"], tensor["dims"]
    if any(dims[rank:]):
        raise subject.refuse(TENSOR, index, "dims", "dims beyond the rank", "zero", list(dims[rank:]))
    if not all(dims[:rank]):
        if tensor["region"] not in (Region.INPUT, Region.OUTPUT):
            raise subject.refuse(TENSOR, index, "dims", "dims", "at least 1", list(dims[:rank]))
        if (spanned := prod(filter(None, dims[:rank]))) > MAX_REGION_BYTES:  # numpy makes no such array, if empty
            raise subject.limit(TENSOR, index, "dims", "product of dims that are not 0", MAX_REGION_BYTES, spanned)
    dtype, packing = DType(tensor["dtype"]), Packing(tensor["packing"])
    if is_packed(dtype) != (packing is not Packing.DENSE) or (is_packed(dtype) and packed_dtype(packing) != dtype):
        raise subject.refuse(TENSOR, index, "packing", f"packing of {dtype.name}", got=packing.name)
    if is_packed(dtype) and (tensor["region"] != Region.WEIGHTS or not rank):
        what = "a ternary tensor" if dtype is DType.TRIT else "a packed tensor"
        raise subject.refuse(TENSOR, index, "region", what, "of rank 1…8 in WEIGHTS")
    elements = subject.elements[index]
    rows = dims[0] if is_packed(dtype) else 1
    expected = packed_rows(packing, rows) * row_bytes(dtype, packing, elements // rows)
    if tensor["bytes"] != expected:
        raise subject.refuse(TENSOR, index, "bytes", "size in bytes", expected, tensor["bytes"])


def _check_place(subject: Subject, index: int, tensor: Row) -> None:
    """Bounds that hold for every entry; those of scratch and arguments are checked per entry."""
    alignment = max(DTYPES[DType(tensor["dtype"])].bits // 8, 1)
    region = Region(tensor["region"])
    if tensor["offset"] % alignment:
        raise subject.refuse(TENSOR, index, "offset", "offset", f"a multiple of {alignment}", tensor["offset"])
    if tensor["slot"] and region not in (Region.INPUT, Region.OUTPUT):
        raise subject.refuse(TENSOR, index, "slot", f"slot in {region.name}", 0, tensor["slot"])
    end = tensor["offset"] + tensor["bytes"]
    size = {Region.WEIGHTS: len(subject.image.weights), Region.STATE: subject.state_bytes}.get(region)
    if size is None and end > MAX_REGION_BYTES:
        raise subject.limit(TENSOR, index, "offset", f"end in {region.name}", MAX_REGION_BYTES, end)
    if size is not None and end > size:
        raise subject.refuse(TENSOR, index, "offset", f"end in {region.name}", f"at most {size}", end)


def check_tensors(subject: Subject) -> None:
    """Checks every tensor by itself and against the regions that all entries share."""
    for index, tensor in enumerate(subject.image.tensors):
        _check_shape(subject, index, tensor)
        _check_place(subject, index, tensor)


def check_masks(subject: Subject) -> None:
    """Checks that every mask names at least one tile, and only tiles of the target."""
    for index, mask in enumerate(subject.image.masks):
        bits = sum(word << 64 * i for i, word in enumerate(mask["words"]))
        if not bits:
            raise subject.refuse(MASK, index, "words", "tiles", "at least one", "none")
        if bits.bit_length() > subject.target.tiles:
            raise subject.refuse(MASK, index, "words", "tile", f"below {subject.target.tiles}", bits.bit_length() - 1)


def check_states(subject: Subject) -> None:
    """Checks that states are named once, in order of their offset, disjoint and within the limit."""
    end, names = 0, set()
    for index, state in enumerate(subject.image.states):
        if state["offset"] < end:
            raise subject.refuse(STATE, index, "offset", "offset", f"at least {end}", state["offset"])
        if state["name"] in names:
            raise subject.refuse(STATE, index, "name", "a name used twice", got=subject.image.strings[state["name"]])
        names.add(state["name"])
        end = state["offset"] + state["bytes"]
        if end > MAX_REGION_BYTES:
            raise subject.limit(STATE, index, "bytes", "bytes of state", MAX_REGION_BYTES, end)


def check_telemetry(subject: Subject) -> None:
    """Checks that the sparsity of a layer is what its counts say."""
    for index, row in enumerate(subject.image.telemetry):
        if row["zero_count"] > row["total"]:
            raise subject.refuse(TELEMETRY, index, "zero_count", "zeros", f"at most {row['total']}", row["zero_count"])
        sparsity = row["zero_count"] / row["total"] if row["total"] else 0.0
        if abs(row["sparsity"] - sparsity) > _SPARSITY_TOLERANCE:
            raise subject.refuse(TELEMETRY, index, "sparsity", "zero_count / total", sparsity, row["sparsity"])
