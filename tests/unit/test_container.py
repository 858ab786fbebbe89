"""The envelope: every bit is checked, sections lie where they must, versions and features are refused by name."""

import dataclasses
import os
import random
import tempfile
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.resign import replace_fields, resign, seal
from tfmbs.runtime.abi import container
from tfmbs.runtime.abi.container import Container, Pieces, Section
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.files import save
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.minor import TARGET_DEFAULTS, TARGET_FEATURES
from tfmbs.runtime.abi.sections import (
    CHUNK_BYTES,
    DIGEST_BYTES,
    HEADER,
    KIND_BY_NAME,
    KINDS,
    MAJOR,
    MINOR,
    OLDEST_MAJOR,
    SECTION,
    SectionFlag,
)
from tfmbs.runtime.abi.target import Target
from tfmbs.runtime.abi.writing import save_container, write

GOLDEN = Path(__file__).parents[1] / "golden" / f"v{MAJOR}"
SIZED = (GOLDEN.parent / f"v{MAJOR}.6" / "sized.tfb").read_bytes()
BY_ROWS = (GOLDEN.parent / f"v{MAJOR}.9" / "by_rows.tfb").read_bytes()
SMALL = (GOLDEN / "state.tfb").read_bytes()
UNKNOWN_KIND = 1000


def _section(name, data, **changes):
    kind = KIND_BY_NAME[name]
    values = {"kind": kind.code, "name": name, "alignment": kind.alignment, "optional": kind.optional, **changes}
    return Section(data=memoryview(data), **values)


def _with_header(data, **changes):
    out = bytearray(data)
    replace_fields(out, HEADER, 0, **changes)
    return resign(out)


def _with_section(data, number, **changes):
    out = bytearray(data)
    replace_fields(out, SECTION, HEADER.size + number * SECTION.size, **changes)
    return resign(out)


def _refused(data, code, message):
    with pytest.raises(TfmbsError) as caught:
        Image.from_buffer(bytes(data))
    assert caught.value.code == code
    assert message in str(caught.value)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from([k for k in KINDS if k.attribute]), st.binary(min_size=1, max_size=300)))
def test_containers_read_what_was_written(contents):
    sections = [_section(kind.name, data) for kind, data in contents.items()]
    file = write(Container(tuple(sections), 5, 9))
    back = container.read(file)
    assert {s.name: bytes(s.data) for s in back.sections} == {kind.name: data for kind, data in contents.items()}
    assert (back.required_features & 5, back.optional_features) == (5, 9)
    assert write(back) == file


def test_every_single_bit_flip_is_refused():
    data = bytearray(SMALL)
    for bit in range(8 * len(data)):
        data[bit // 8] ^= 1 << bit % 8
        with pytest.raises(TfmbsError):
            container.read(data)
        data[bit // 8] ^= 1 << bit % 8
    container.read(data)


@pytest.mark.parametrize("name", sorted(path.name for path in GOLDEN.glob("*.tfb")))
def test_every_truncation_and_extension_is_refused(name):
    data = (GOLDEN / name).read_bytes()
    for length in range(len(data)):
        with pytest.raises(TfmbsError):
            container.read(data[:length])
    with pytest.raises(TfmbsError, match="file length"):
        container.read(data + b"\0")


def test_random_bytes_are_refused():
    generator = random.Random(1)
    for length in (0, 1, 8, 95, 96, 200, 5000):
        noise = generator.randbytes(length)
        for data in (noise, SMALL[:8] + noise, SMALL[:12] + noise, SMALL[:40] + noise):
            with pytest.raises(TfmbsError):
                Image.from_buffer(data)


def test_resigning_alone_changes_nothing():
    assert resign(SMALL) == SMALL


@pytest.mark.parametrize("major", [0, MAJOR + 1, 0xFFFF])
def test_other_majors_are_refused(major):
    expected = f"{OLDEST_MAJOR}…{MAJOR}" if OLDEST_MAJOR < MAJOR else str(MAJOR)
    _refused(_with_header(SMALL, major=major), "container.version", f"expected {expected}, got {major}")


def test_a_later_minor_is_read():
    assert Image.from_buffer(bytes(_with_header(SIZED, minor=MINOR + 1))).version == (MAJOR, MINOR + 1)


def test_fields_and_features_are_not_older_than_their_minor():
    expected = (
        r"ATTENTION\[0\].out_by_rows at byte 0x[0-9a-f]+: field, expected 0 before minor version 9, got 1 in version 8"
    )
    with pytest.raises(TfmbsError, match=expected):
        Image.from_buffer(bytes(_with_header(BY_ROWS, minor=8)))
    sparse = (GOLDEN.parent / f"v{MAJOR}.7" / "state.tfb").read_bytes()
    message = "TARGET: features: feature, expected none before minor version 7, got sparse in version 6"
    _refused(_with_header(sparse, minor=6), "target", message)


def test_what_a_minor_added_is_missing_before_and_there_behind():
    _refused(_with_header(SMALL, minor=1), "target", "TARGET: vector.latency: missing key")
    message = "TARGET: vector.latency: key, expected none before minor version 1, got one in version 0"
    _refused(_with_header(SIZED, minor=0), "target", message)
    names = ("v1", "v1.1", "v1.2", "v1.3", "v1.4", "v1.5", "v1.6", "v1.7", "v1.8")
    files = [GOLDEN.parent / name / ("sized.tfb" if name == "v1.5" else "state.tfb") for name in names]
    first, second, third, fourth, fifth, sixth, seventh, eighth, ninth = (
        Target.from_dict(Image.load(path).target, "", minor) for minor, path in enumerate(files)
    )
    assert first.vector.latency.scan == TARGET_DEFAULTS[1]["vector"]["latency"]["scan"]
    assert list(first.vector.types) == list(second.vector.types) == TARGET_DEFAULTS[2]["vector"]["types"]
    for old in (first, second):
        assert dataclasses.replace(old, vector=third.vector) == third
    assert set(fourth.features) - set(third.features) == set(TARGET_FEATURES[3])
    assert set(fifth.features) - set(fourth.features) == set(TARGET_FEATURES[4])
    assert set(sixth.features) == set(fifth.features)
    assert set(seventh.features) - set(sixth.features) == set(TARGET_FEATURES[6])
    assert set(eighth.features) - set(seventh.features) == set(TARGET_FEATURES[7])
    assert set(ninth.features) - set(eighth.features) == set(TARGET_FEATURES[8])
    message = "TARGET: features: feature, expected none before minor version 3, got conv3d in version 2"
    _refused(_with_header(files[3].read_bytes(), minor=2), "target", message)


def test_unknown_required_features_are_refused():
    features = HEADER.decode(SMALL)["required_features"]
    _refused(_with_header(SMALL, required_features=features | 1 << 40), "container.feature", "bits [40]")


def test_required_features_must_be_those_of_the_content():
    _refused(_with_header(SMALL, required_features=0), "container.feature", "expected 0x5, got 0x0")


def test_unknown_optional_features_are_ignored():
    assert Image.from_buffer(bytes(_with_header(SMALL, optional_features=1 << 63))).optional_features == 1 << 63


def test_unknown_optional_sections_are_carried():
    image = Image.from_buffer(SMALL)
    image.extras.append(Section(UNKNOWN_KIND, "FUTURE", memoryview(b"abc"), 16, optional=True))
    data = image.to_bytes()
    back = Image.from_buffer(data)
    assert [(s.kind, s.name, bytes(s.data)) for s in back.extras] == [(UNKNOWN_KIND, "FUTURE", b"abc")]
    assert back.to_bytes() == data


def test_unknown_required_sections_are_refused():
    image = Image.from_buffer(SMALL)
    image.extras.append(Section(UNKNOWN_KIND, "FUTURE", memoryview(b"abc"), 16, optional=False))
    _refused(image.to_bytes(), "container.layout", f"section FUTURE: required kind {UNKNOWN_KIND} is not known")


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"offset": 64}, "container.layout", "offset"),
        ({"offset": 1 << 63}, "container.layout", "offset"),
        ({"length": 0}, "container.truncated", "length, expected 1…"),
        ({"length": 1 << 63}, "container.truncated", "length, expected 1…"),
        ({"alignment": 3}, "container.layout", "alignment"),
        ({"alignment": 0}, "container.layout", "alignment"),
        ({"flags": 4}, "container.layout", "unknown flags"),
        ({"flags": SectionFlag.CHUNKED}, "container.layout", "CHUNKED flag"),
        ({"flags": SectionFlag.OPTIONAL}, "container.layout", "optional False"),
        ({"kind": 0}, "container.layout", "kind"),
        ({"kind": 3}, "container.layout", "expected STRINGS"),
        ({"name": (0,) * 16}, "container.layout", "section name"),
        ({"name": (10, *(0,) * 15)}, "container.layout", "section name"),
        ({"name": (77, 0, 77, *(0,) * 13)}, "container.layout", "section name"),
    ],
)
def test_bad_section_table_entries_are_refused(changes, code, message):
    with pytest.raises(TfmbsError) as caught:
        container.read(_with_section(SMALL, 0, **changes))
    assert caught.value.code == code
    assert message in str(caught.value)


def test_sections_in_another_order_are_refused():
    out = bytearray(SMALL)
    first, second = HEADER.size, HEADER.size + SECTION.size
    out[first:second], out[second : second + SECTION.size] = out[second : second + SECTION.size], out[first:second]
    _refused(resign(out), "container.layout", "section STRINGS: offset")


@pytest.mark.parametrize("where", ["padding", "header", "table"])
def test_bytes_that_must_be_zero_are_checked(where):
    out = bytearray(SMALL)
    row = SECTION.decode(out, HEADER.size)
    at = {
        "padding": row["offset"] + row["length"],
        "header": HEADER.reserved[0],
        "table": HEADER.size + SECTION.reserved[0],
    }[where]
    out[at] = 1
    _refused(
        resign(out),
        "container.layout",
        {"padding": "padding before", "header": "reserved header"}.get(where, "reserved"),
    )


def test_section_counts_are_bounded_before_use():
    header = HEADER.encode({**HEADER.decode(SMALL), "section_count": 1 << 31})
    _refused(header + SMALL[HEADER.size :], "container.truncated", "section count")


def _large(size=3 * CHUNK_BYTES + 5):
    image = Image.from_buffer(SMALL)
    image.weights = bytes(size)
    return image.to_bytes()


def test_large_sections_have_chunk_digests():
    data = _large()
    file = container.read(data)
    weights = file.by_kind[KIND_BY_NAME["WEIGHTS"].code]
    assert len(weights.chunk_digests) == 4 * DIGEST_BYTES
    assert weights.offset % KIND_BY_NAME["WEIGHTS"].alignment == 0
    assert write(file) == data


@pytest.mark.parametrize("chunk", [0, 3])
def test_damaged_chunks_are_found_at_load_or_at_first_touch(chunk):
    data = _large()
    offset = container.read(data).by_kind[KIND_BY_NAME["WEIGHTS"].code].offset
    data[offset + chunk * CHUNK_BYTES] ^= 1
    with pytest.raises(TfmbsError, match=f"chunk {chunk} of section WEIGHTS"):
        Image.from_buffer(data)
    lazy = Image.from_buffer(data, verify="lazy")
    with pytest.raises(TfmbsError, match=f"chunk {chunk} of section WEIGHTS"):
        lazy.check_weights()


def test_chunk_digests_must_be_there():
    data = _large()
    file = container.read(data)
    without = Container(tuple(s for s in file.sections), file.required_features)
    listed = write(without)
    digests = SECTION.decode(listed, HEADER.size)
    assert bytes(digests["name"]).startswith(b"DIGESTS")
    listed[digests["offset"]] ^= 1
    with pytest.raises(TfmbsError, match="DIGESTS does not match its digest"):
        container.read(listed)
    with pytest.raises(TfmbsError, match="section WEIGHTS does not match its digest"):
        container.read(_with_digests_resigned(listed))


def _with_digests_resigned(data):
    """The DIGESTS section changed with its own digest right, those of the chunked sections not."""
    out = bytearray(data)
    row = SECTION.decode(out, HEADER.size)
    content = memoryview(out)[row["offset"] : row["offset"] + row["length"]]
    replace_fields(out, SECTION, HEADER.size, digest=tuple(container.digest(content)))
    seal(out)
    return out


def test_files_appear_whole_or_not_at_all(tmp_path, monkeypatch):
    target = tmp_path / "a.tfb"
    target.write_bytes(b"old")

    def fail(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(TfmbsError, match="cannot be written: No space left"):
            save(target, SMALL)
    assert target.read_bytes() == b"old"
    save(target, SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tfb"]
    assert Image.load(target).to_bytes() == SMALL


def test_loading_maps_the_weights(tmp_path):
    path = tmp_path / "large.tfb"
    path.write_bytes(_large())
    image = Image.load(path, verify="lazy")
    assert isinstance(image.weights, memoryview)
    assert image.weights.readonly
    with pytest.raises(TfmbsError, match=r"missing\.tfb: cannot be read"):
        Image.load(tmp_path / "missing.tfb")
    (tmp_path / "empty.tfb").write_bytes(b"")
    with pytest.raises(TfmbsError, match=r"empty\.tfb: byte 0x0: no fabric binary"):
        Image.load(tmp_path / "empty.tfb")


@pytest.mark.parametrize(
    ("name", "alignment", "message"),
    [
        ("", 16, "section name"),
        ("A" * 17, 16, "section name"),
        ("Ä", 16, "section name"),
        ("A", 0, "alignment"),
        ("A", 3, "alignment"),
    ],
)
def test_sections_that_cannot_be_written_are_refused(name, alignment, message):
    section = Section(UNKNOWN_KIND, name, memoryview(b"a"), alignment, optional=True)
    with pytest.raises(TfmbsError, match=message):
        write(Container((section,)))


def test_lists_of_digests_match_the_chunked_sections():
    spare = Section(KIND_BY_NAME["DIGESTS"].code, "DIGESTS", memoryview(bytes(32)), 32)
    with pytest.raises(TfmbsError, match="chunk digests of no section, expected none, got 32"):
        container.read(write(Container((spare,))))
    short = Section(KIND_BY_NAME["WEIGHTS"].code, "WEIGHTS", memoryview(bytes(CHUNK_BYTES + 1)), 4096)
    file = write(Container((short,)))
    rows = [SECTION.decode(file, HEADER.size + i * SECTION.size) for i in range(2)]
    assert rows[0]["length"] == 2 * DIGEST_BYTES
    replace_fields(file, SECTION, HEADER.size, length=DIGEST_BYTES)
    del file[rows[0]["offset"] + DIGEST_BYTES : rows[0]["offset"] + 2 * DIGEST_BYTES]
    file[rows[1]["offset"] - DIGEST_BYTES : rows[1]["offset"] - DIGEST_BYTES] = bytes(DIGEST_BYTES)
    with pytest.raises(TfmbsError, match="section WEIGHTS: chunk digests, expected 64, got 32"):
        container.read(resign(file))


def test_an_unknown_way_to_verify_is_refused() -> None:
    with pytest.raises(TfmbsError, match="expected eager or lazy, got 'never'"):
        Image.from_buffer(b"", cast(Any, "never"))


@settings(max_examples=60)
@given(st.data())
def test_pieces_are_written_as_the_bytes_that_they_are(data):
    """Gaps are zeros; the same file comes of pieces, of bytes, in memory and on disk."""
    parts, end = [], 0
    for _ in range(data.draw(st.integers(1, 5))):
        start = end + data.draw(st.sampled_from([0, 0, 1, 63, CHUNK_BYTES]))
        length = data.draw(st.sampled_from([1, 100, CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 5]))
        parts.append((start, memoryview(bytes([len(parts) + 1]) * length)))
        end = start + length
    together = bytearray(end)
    for start, part in parts:
        together[start : start + len(part)] = part
    assert bytes(Pieces(parts)) == together
    kind = KIND_BY_NAME["WEIGHTS"]
    whole = Container((_section("WEIGHTS", bytes(together)),))
    pieces = Container((Section(kind.code, kind.name, memoryview(b""), kind.alignment, pieces=Pieces(parts)),))
    expected = write(whole)
    assert write(pieces) == expected
    with tempfile.TemporaryDirectory() as folder:
        save_container(f"{folder}/a.tfb", pieces)
        assert Path(f"{folder}/a.tfb").read_bytes() == expected


def test_a_file_that_its_check_refuses_does_not_appear(tmp_path):
    def refuse(path):
        assert path.read_bytes() == write(Container(()))
        raise TfmbsError("target", "binary", "too large")

    with pytest.raises(TfmbsError, match="too large"):
        save_container(tmp_path / "a.tfb", Container(()), refuse)
    assert list(tmp_path.iterdir()) == []
