"""Headers that lie: one error that names the byte, and no memory that a lie asks for."""

import struct
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest
from gguf import GGUFReader, GGUFWriter
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmbs.compiler.importers.gguf.header import Array, read_header
from tfmbs.runtime.abi.errors import TfmbsError

MANY = 2**64 - 1


def string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(data)) + data


def tensor(name="w", dims=(32, 2), kind=0, offset=0, rank=None):
    sizes = struct.pack(f"<{len(dims)}Q", *dims)
    return (
        string(name) + struct.pack("<I", len(dims) if rank is None else rank) + sizes + struct.pack("<IQ", kind, offset)
    )


def file(keys=(), tensors=(), data=b"", counts=None, version=3, magic=b"GGUF"):
    counts = (len(tensors), len(keys)) if counts is None else counts
    head = magic + struct.pack("<IQQ", version, *counts) + b"".join(keys) + b"".join(tensors)
    return head + b"\0" * (-len(head) % 32) + data


def number(key, value):
    return string(key) + struct.pack("<II", 4, value)


ONE = {"tensors": [tensor()], "data": b"\0" * 256}

LIES = {
    "magic": (file(magic=b"GGML"), "no GGUF file"),
    "version": (file(version=1), "version of the format"),
    "big-endian": (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "version of the format"),
    "keys": (file(counts=(0, MANY)), "number of keys"),
    "tensors": (file(counts=(MANY, 0)), "number of tensors"),
    "tensors that overflow": (file(counts=(2**60, 0), data=b"\0" * 64), "number of tensors"),
    "length of a key": (file(keys=[struct.pack("<Q", MANY) + b"a" * 40]), "length of a key"),
    "length of a string": (
        file(keys=[string("a") + struct.pack("<IQ", 8, 2**63), b"x" * 99]),
        "length of value of 'a'",
    ),
    "array": (file(keys=[string("a") + struct.pack("<IIQ", 9, 4, 2**62)]), "length of the value of 'a'"),
    "array of strings": (file(keys=[string("a") + struct.pack("<IIQ", 9, 8, 2**61)]), "length of the value of 'a'"),
    "nested array": (file(keys=[string("a") + struct.pack("<IIQ", 9, 9, 1), b"\0" * 32]), "element type of the value"),
    "type of a value": (file(keys=[string("a") + struct.pack("<IQ", 13, 0)]), "type of the value of 'a'"),
    "flag": (file(keys=[string("a") + struct.pack("<IB", 7, 2)]), "expected 0 or 1, got 2"),
    "key twice": (file(keys=[number("a", 1), number("a", 1)]), "key 'a', expected once"),
    "no UTF-8": (file(keys=[string(b"\xff") + struct.pack("<II", 4, 1)]), "a key, expected UTF-8"),
    "alignment": (file(keys=[number("general.alignment", 3)]), "a power of two, got 3"),
    "alignment 0": (file(keys=[number("general.alignment", 0)]), "a power of two, got 0"),
    "name": (file(tensors=[tensor("w" * 65)], data=b"\0" * 256), "length of name of a tensor"),
    "rank": (file(tensors=[tensor(rank=5)], data=b"\0" * 256), "rank of tensor 'w'"),
    "rank 0": (file(tensors=[tensor(dims=())], data=b"\0" * 256), "rank of tensor 'w'"),
    "size 0": (file(tensors=[tensor(dims=(0, 2))], data=b"\0" * 256), "sizes of tensor 'w'"),
    "product that overflows": (file(tensors=[tensor(dims=(2**32, 2**32))], data=b"\0" * 256), "sizes of tensor 'w'"),
    "product that wraps": (file(tensors=[tensor(dims=(2**33, 2**31, 4, 1))], data=b"\0" * 256), "sizes of tensor 'w'"),
    "row of half a block": (file(tensors=[tensor(kind=2, dims=(48, 2))], data=b"\0" * 256), "whole blocks of 32"),
    "type of a tensor": (file(tensors=[tensor(kind=999)], data=b"\0" * 256), "type of tensor 'w'"),
    "type that was removed": (file(tensors=[tensor(kind=4)], data=b"\0" * 256), "type of tensor 'w'"),
    "offset": (file(tensors=[tensor(offset=32)], data=b"\0" * 256), "data of tensor 'w', expected inside"),
    "offset that overflows": (file(tensors=[tensor(offset=2**64 - 32)], data=b"\0" * 256), "data of tensor 'w'"),
    "offset between": (file(tensors=[tensor(offset=4)], data=b"\0" * 512), "offset of tensor 'w'"),
    "overlap": (file(tensors=[tensor("a"), tensor("b", offset=224)], data=b"\0" * 512), "data of tensor 'b'"),
    "tensor twice": (file(tensors=[tensor(), tensor(offset=256)], data=b"\0" * 512), "tensor 'w', expected once"),
    "truncated": (file(tensors=[tensor()], data=b"\0" * 255), "data of tensor 'w'"),
    "oversized": (file(tensors=[tensor()], data=b"\0" * 289), "bytes behind the last tensor"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused_in_one_line(lie):
    data, message = LIES[lie]
    with pytest.raises(TfmbsError) as caught:
        read_header(data, "x.gguf")
    assert caught.value.code == "gguf.parse"
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_file_that_the_lies_are_about_is_one(tmp_path):
    header = read_header(file(**ONE), "x.gguf")
    (tmp_path / "x.gguf").write_bytes(file(**ONE))
    (theirs,) = GGUFReader(tmp_path / "x.gguf").tensors
    info = header.tensors["w"]
    assert (info.shape, info.offset, info.size) == ((2, 32), theirs.data_offset, theirs.n_bytes)


def test_every_prefix_of_a_file_is_refused():
    whole = file(keys=[number("a", 1), string("b") + struct.pack("<IIQII", 9, 4, 2, 5, 6)], **ONE)
    assert read_header(whole, "x").metadata == {"a": 1, "b": Array(2, (5, 6))}
    for size in range(len(whole)):
        with pytest.raises(TfmbsError):
            read_header(whole[:size], "x")


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 120), st.binary(min_size=1, max_size=9))
def test_damage_is_read_or_refused_and_takes_no_memory(at, damage):
    whole = bytearray(file(keys=[number("a", 1), string("b") + struct.pack("<IIQ", 9, 8, 1) + string("c")], **ONE))
    whole[at : at + len(damage)] = damage
    tracemalloc.start()
    with suppress(TfmbsError):
        read_header(bytes(whole), "x")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


def test_metadata_is_what_the_package_wrote(tmp_path):
    writer = GGUFWriter(tmp_path / "m.gguf", "llama")
    writer.add_float32("f", 0.5)
    writer.add_bool("yes", True)
    writer.add_string("s", "grün")
    writer.add_array("tokens", ["a", "b", ""])
    writer.add_array("numbers", [1, 2, 3])
    writer.add_tensor("w", np.arange(6, dtype=np.float32).reshape(2, 3))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    metadata = read_header((tmp_path / "m.gguf").read_bytes(), "m").metadata
    expected = {"f": 0.5, "yes": True, "s": "grün", "tokens": Array(3), "numbers": Array(3, (1, 2, 3))}
    assert metadata == {"general.architecture": "llama", **expected}
