"""Weight bytes as text: typed by the tensors that hold them, hexadecimal where no tensor or type fits exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tfmbs.runtime.abi.abreast import ABREAST
from tfmbs.runtime.abi.asm.cursor import Cursor
from tfmbs.runtime.abi.image import Image, Row
from tfmbs.runtime.abi.packing import pack_rows, unpack_rows
from tfmbs.runtime.abi.types import DTYPES, TRIT_PACKINGS, DType, Packing, Region, packed_rows

_HEX_BYTES = 32
_PER_LINE = 8
_ZERO_RUN = 64
_TRITS = "-0+"
_DIRECTIVES = {dtype.name.lower(): np.dtype(info.numpy) for dtype, info in DTYPES.items() if info.numpy}
_Bytes = np.ndarray[Any, np.dtype[np.uint8]]


def _hex_lines(data: _Bytes) -> Iterator[str]:
    raw = data.tobytes()
    position = 0
    while position < len(raw):
        run = len(raw) - position - len(raw[position:].lstrip(b"\0"))
        if run >= _ZERO_RUN or run == len(raw) - position > 0:
            yield f".zero {run}"
            position += run
        else:
            yield f".hex {raw[position : position + _HEX_BYTES].hex()}"
            position += _HEX_BYTES


def _dense_lines(data: _Bytes, dtype: DType) -> Iterator[str]:
    values = data.view(_DIRECTIVES[dtype.name.lower()])
    for start in range(0, len(values), _PER_LINE):
        line = values[start : start + _PER_LINE]
        yield f".{dtype.name.lower()} {', '.join(str(value) for value in line)}"


def _trit_lines(data: _Bytes, tensor: Row) -> Iterator[str]:
    packing = Packing(tensor["packing"])
    rows, length = tensor["dims"][0], int(np.prod(tensor["dims"][1 : tensor["rank"]], dtype=object))
    trits = unpack_rows(data.reshape(packed_rows(packing, rows), -1), length, packing, rows)
    lines = ["".join(_TRITS[t + 1] for t in row) for row in trits]
    together = _together(packing)
    for first in range(0, rows, together):
        yield f".trits {packing.name} {' '.join(lines[first : first + together])}"


def _together(packing: Packing) -> int:
    """Rows of a statement: those that lie side by side."""
    return ABREAST if packing is Packing.A5 else 1


def _nibble_lines(data: _Bytes, tensor: Row) -> Iterator[str]:
    rows = tensor["dims"][0]
    length = int(np.prod(tensor["dims"][1 : tensor["rank"]], dtype=object))
    for row in unpack_rows(data.reshape(rows, -1), length, Packing.NIBBLES):
        yield f".i4 {', '.join(str(value) for value in row)}"


def _typed_lines(data: _Bytes, tensor: Row) -> list[str]:
    """The lines of one tensor, typed if they give back the same bytes."""
    dtype = DType(tensor["dtype"])
    if not data.any():
        return list(_hex_lines(data))
    if dtype is DType.TRIT:
        return list(_trit_lines(data, tensor))
    if dtype is DType.I4:
        return list(_nibble_lines(data, tensor))
    if dtype.name.lower() not in _DIRECTIVES or dtype is DType.BOOL:
        return list(_hex_lines(data))
    lines = list(_dense_lines(data, dtype))
    cursor = Cursor("\n".join(lines), "")
    back = bytearray()
    while cursor.skip_lines():
        back += parse_data(cursor) or b""
    return lines if back == data.tobytes() else list(_hex_lines(data))


def weight_lines(image: Image) -> Iterator[str]:
    """The statements of the WEIGHTS section."""
    data = np.frombuffer(image.weights, np.uint8)
    spans = sorted(
        (row["offset"], row["offset"] + row["bytes"], i)
        for i, row in enumerate(image.tensors)
        if row["region"] == Region.WEIGHTS
    )
    position = 0
    for start, end, index in spans:
        if start < position:
            continue  # a view of bytes that are written out already
        yield from _hex_lines(data[position:start])
        yield f"; {start:#x}: tensor {index}"
        yield from _typed_lines(data[start:end], image.tensors[index])
        position = end
    yield from _hex_lines(data[position:])


def _parse_trits(cursor: Cursor) -> bytes:
    packing = Packing(cursor.member(Packing))
    rows: list[list[int]] = []
    first = None
    while len(rows) < _together(packing) and (not cursor.at_end() or not rows):
        start = cursor.position
        first = start if first is None else first
        text = cursor.rest()
        bad = next((i for i, c in enumerate(text) if c not in _TRITS), None)
        if bad is not None or not text or packing not in TRIT_PACKINGS:
            raise cursor.error("trits", "a packing and a row of + 0 -", at=start + (bad or 0))
        rows.append([_TRITS.index(c) - 1 for c in text])
        if len(rows[-1]) != len(rows[0]):
            raise cursor.error("trits", f"a row of {len(rows[0])}", len(rows[-1]), at=start)
    try:
        return pack_rows(np.array(rows, np.int8), packing).tobytes()
    except ValueError as error:
        raise cursor.error("trits", "a row of the packing", error, at=first) from error


def _parse_nibbles(cursor: Cursor) -> bytes:
    values: list[int] = []
    while not values or cursor.accept(","):
        cursor.at_end()
        start = cursor.position
        value = cursor.integer()
        if not -8 <= value <= 7:
            raise cursor.error("value", "one of int4", value, at=start)
        values.append(value)
    return pack_rows(np.array([values], np.int8), Packing.NIBBLES).tobytes()


def parse_hex(cursor: Cursor) -> bytes:
    """Reads pairs of hexadecimal digits."""
    cursor.at_end()
    start = cursor.position
    text = cursor.rest()
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise cursor.error("hexadecimal bytes", "pairs of digits", text[:24], at=start) from error


def _parse_values(cursor: Cursor, dtype: np.dtype[Any]) -> bytes:
    values: list[float] = []
    while not values or cursor.accept(","):
        cursor.at_end()
        start = cursor.position
        value = cursor.number() if dtype.kind == "f" else cursor.integer()
        if dtype.kind != "f" and not np.iinfo(dtype).min <= value <= np.iinfo(dtype).max:
            raise cursor.error("value", f"one of {dtype.name}", value, at=start)
        values.append(value)
    with np.errstate(over="ignore"):
        return np.array(values, dtype).tobytes()


def parse_data(cursor: Cursor) -> bytes | None:
    """Reads one data statement; None if what comes next is none."""
    start = cursor.position
    if not cursor.accept("."):
        return None
    directive = cursor.word("a directive")
    if directive in _PARSERS:
        return _PARSERS[directive](cursor)
    if directive in _DIRECTIVES and directive != "bool":
        return _parse_values(cursor, _DIRECTIVES[directive])
    cursor.position = start
    return None


def _bounded(cursor: Cursor) -> int:
    cursor.at_end()
    start = cursor.position
    count = cursor.integer("a number of bytes")
    if not 1 <= count <= 1 << 32:
        raise cursor.error(".zero", "1…2³² bytes", count, at=start)
    return count


_PARSERS: dict[str, Callable[[Cursor], bytes]] = {
    "hex": parse_hex,
    "zero": lambda cursor: bytes(_bounded(cursor)),
    "trits": _parse_trits,
    "i4": _parse_nibbles,
}
"""Directives that are not named after a dense element type."""
