"""The bytes of an ONNX file without the raw data of its large initializers, which are where the file has them.

Protobuf (protobuf.dev/programming-guides/encoding) writes a message as fields: a key, number · 8 + wire type, and a
value, which of type 2 is a length and as many bytes. A parser of the whole would copy each weight at least once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_GRAPH, _INITIALIZER, _RAW_DATA = 7, 5, 9
"""Field numbers: of the graph in ModelProto, of initializers in GraphProto, of the data in TensorProto."""

_MAX_VARINT_BYTES = 10


class IrregularError(Exception):
    """The bytes are no fields, or say something twice: they are for a parser of the whole."""


@dataclass(frozen=True)
class Cut:
    """The bytes of a model without the data of some of the initializers of its graph: `data` has where that is in the
    file, offset and length, by the number of the initializer.
    """

    light: bytes
    data: dict[int, tuple[int, int]]


@dataclass(frozen=True)
class _Field:
    """A field from byte `start` up to `end`; its value from `value` on."""

    number: int
    wire: int
    start: int
    value: int
    end: int


def cut(file: memoryview, least: int) -> Cut:
    """Leaves out raw data of at least `least` bytes. Raises `IrregularError`."""
    fields = list(_fields(file, 0, len(file)))
    graphs = [field for field in fields if field.number == _GRAPH]
    if len(graphs) != 1 or graphs[0].wire != _BYTES:
        raise IrregularError
    out: list[bytes] = []
    data: dict[int, tuple[int, int]] = {}
    for field in fields:
        if field is graphs[0]:
            graph = _light_graph(file, field, least, data)
            out += [_head(_GRAPH, sum(map(len, graph))), *graph]
        else:
            out.append(bytes(file[field.start : field.end]))
    return Cut(b"".join(out), data)


def _light_graph(file: memoryview, graph: _Field, least: int, data: dict[int, tuple[int, int]]) -> list[bytes]:
    """The bytes of a graph in parts; adds what is left out to `data`."""
    out, count = [], 0
    for field in _fields(file, graph.value, graph.end):
        content = bytes(file[field.start : field.end]) if field.end - field.start < least else b""
        if field.number == _INITIALIZER and field.wire == _BYTES:
            if not content and (raw := _raw_data(file, field)) and raw.end - raw.value >= least:
                data[count] = raw.value, raw.end - raw.value
                rest = bytes(file[field.value : raw.start]) + bytes(file[raw.end : field.end])
                content = _head(_INITIALIZER, len(rest)) + rest
            count += 1
        out.append(content or bytes(file[field.start : field.end]))
    return out


def _raw_data(file: memoryview, tensor: _Field) -> _Field | None:
    found = [field for field in _fields(file, tensor.value, tensor.end) if field.number == _RAW_DATA]
    if len(found) > 1 or any(field.wire != _BYTES for field in found):
        raise IrregularError
    return found[0] if found else None


def _head(number: int, length: int) -> bytes:
    """Key and length of a field of bytes."""
    out = bytearray([number << 3 | _BYTES])
    while length > 0x7F:
        out.append(length & 0x7F | 0x80)
        length >>= 7
    out.append(length)
    return bytes(out)


def _fields(file: memoryview, start: int, end: int) -> Iterator[_Field]:
    while start < end:
        key, value = _varint(file, start, end)
        wire = key & 7
        if wire == _VARINT:
            _, stop = _varint(file, value, end)
        elif wire == _BYTES:
            length, value = _varint(file, value, end)
            stop = value + length
        elif wire in (_FIXED32, _FIXED64):
            stop = value + (4 if wire == _FIXED32 else 8)
        else:
            raise IrregularError
        if stop > end or key >> 3 == 0:
            raise IrregularError
        yield _Field(key >> 3, wire, start, value, stop)
        start = stop


def _varint(file: memoryview, start: int, end: int) -> tuple[int, int]:
    """A number of 7 bits to a byte, the least first, and where it ends."""
    value = 0
    for index, byte in enumerate(file[start : min(end, start + _MAX_VARINT_BYTES)]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, start + index + 1
    raise IrregularError
