"""Checks of the WEIGHTS region: codes and tails of packed elements, and zeros where no tensor lies."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from tfmbs.runtime._native import codes_before
from tfmbs.runtime.abi.abreast import ABREAST, PLACES, ZEROS
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image, Row
from tfmbs.runtime.abi.packing import unpack_rows
from tfmbs.runtime.abi.residues import BLOCK_BYTES, BLOCK_TRITS, are_filled_up
from tfmbs.runtime.abi.types import PACKED_PER_BYTE, RESIDUES, SPARSE, DType, Packing, Region, is_packed, packed_rows

_Bytes = np.ndarray[Any, np.dtype[np.uint8]]
_Flags = np.ndarray[Any, np.dtype[np.bool_]]
_ROW_BLOCK = 1 << 20


def _bad_tails(last: _Bytes, packing: Packing, used: int) -> _Flags:
    """Per row, whether the padding behind the `used` elements of its last byte, or block, is something else than 0."""
    if packing is Packing.NIBBLES:
        nonzero: _Flags = last >> 4 != 0
        return nonzero
    if packing in RESIDUES:
        zeros: _Flags = ~are_filled_up(last, used, _abreast(packing))
        return zeros.reshape(-1, ABREAST)[:, PLACES].reshape(-1) if packing is Packing.A5 else zeros
    base = 3 if packing is Packing.PT5 else 4
    padding = sum(base**i for i in range(PACKED_PER_BYTE[packing] - used))
    bad: _Flags = last // base**used != padding
    return bad


def _check_sparse(data: _Bytes, tensor: Row, where: str) -> None:
    row_length = _row_length(tensor)
    lines = data.reshape(tensor["dims"][0], -1)
    step = max(1, _ROW_BLOCK // lines.shape[1])
    for start in range(0, len(lines), step):
        _check_lines(lines[start : start + step], row_length, Packing(tensor["packing"]), f"{where} row {start} on")


def _check_lines(lines: _Bytes, row_length: int, packing: Packing, where: str) -> None:
    try:
        unpack_rows(lines, row_length, packing)
    except ValueError as error:
        raise TfmbsError("record", where, "packed trits", f"rows of {packing.name}", error) from error


def has_codes(tensor: Row) -> bool:
    """Whether the bytes of a tensor of WEIGHTS are codes, each by itself."""
    return is_packed(DType(tensor["dtype"])) and Packing(tensor["packing"]) not in SPARSE


def check_codes(image: Image, index: int, first: int, end: int) -> None:
    """Checks that bytes first…end of WEIGHTS, which belong to tensor `index`, are codes of its packing, and the padding
    of the rows that end there. Raises TfmbsError `record`.

    Where rows lie side by side, they end together; so do those that fill them up.
    """
    tensor = image.tensors[index]
    packing = Packing(tensor["packing"])
    data = np.frombuffer(image.weights, np.uint8)
    at = first + codes_before(data[first:end], packing)
    if at < end:
        what = f"byte {at - tensor['offset']} of packed trits"
        raise TfmbsError("record", _place(tensor, index), what, f"a code of {packing.name}", int(data[at]))
    unit, width = (BLOCK_TRITS, BLOCK_BYTES) if packing in RESIDUES else (PACKED_PER_BYTE[packing], 1)
    used, rows, abreast = _row_length(tensor) % unit, tensor["dims"][0], _abreast(packing)
    size = tensor["bytes"] // packed_rows(packing, rows) * abreast
    group, stop = ((at - tensor["offset"]) // size for at in (first, end))
    if group == stop:
        return
    groups = data[tensor["offset"] + group * size : tensor["offset"] + stop * size].reshape(-1, size)
    if used:
        bad = _bad_tails(groups[:, -width * abreast :] if width > 1 else groups[:, -1], packing, used)
        if bad.any():
            padding = "0" if packing is Packing.NIBBLES else "trit 0"
            what = f"padding of row {group * abreast + int(bad.argmax())}"
            raise TfmbsError("record", _place(tensor, index), what, padding)
    if stop * abreast > rows:
        _check_filling(groups[-1], tensor, index)


def _check_filling(group: _Bytes, tensor: Row, index: int) -> None:
    """Checks the rows behind the last one of a tensor, in its last group."""
    rows = tensor["dims"][0]
    bad = (group.reshape(-1, ABREAST) != ZEROS).any(axis=0)[PLACES][rows % ABREAST :]
    if bad.any():
        raise TfmbsError(
            "record", _place(tensor, index), f"row {rows + int(bad.argmax())}, which is padding", "trits 0"
        )


def _abreast(packing: Packing) -> int:
    """How many rows lie side by side."""
    return ABREAST if packing is Packing.A5 else 1


def check_rows(image: Image, index: int) -> None:
    """Checks what `check_codes` leaves of the bytes of tensor `index`: rows whose bytes are no codes by themselves."""
    tensor = image.tensors[index]
    if is_packed(DType(tensor["dtype"])) and Packing(tensor["packing"]) in SPARSE:
        data = np.frombuffer(image.weights, np.uint8)[tensor["offset"] : tensor["offset"] + tensor["bytes"]]
        _check_sparse(data, tensor, _place(tensor, index))


def check_tensor_data(image: Image, index: int) -> None:
    """Both of the above."""
    tensor = image.tensors[index]
    if has_codes(tensor):
        check_codes(image, index, tensor["offset"], tensor["offset"] + tensor["bytes"])
    check_rows(image, index)


def _row_length(tensor: Row) -> int:
    return prod(tensor["dims"][1 : tensor["rank"]])


def _place(tensor: Row, index: int) -> str:
    return f"WEIGHTS at byte {tensor['offset']:#x} (tensor {index})"


def check_gaps(image: Image) -> None:
    """Checks that the bytes of WEIGHTS that belong to no tensor are zero."""
    spans = sorted((t["offset"], t["offset"] + t["bytes"]) for t in image.tensors if t["region"] == Region.WEIGHTS)
    data = np.frombuffer(image.weights, np.uint8)
    position = 0
    for start, end in [*spans, (len(data), len(data))]:
        if start > position and data[position:start].any():
            raise TfmbsError("record", f"WEIGHTS at byte {position:#x}", "bytes of no tensor", "zero")
        position = max(position, end)
