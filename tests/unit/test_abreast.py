"""The packing A5 against trits that are told digit by digit."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfmbs.runtime import _native
from tfmbs.runtime.abi.abreast import rows_of_abreast
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.packing import nonzeros_by_row, pack_rows, unpack_rows
from tfmbs.runtime.abi.residues import are_filled_up, residue_digits
from tfmbs.runtime.abi.types import DType, Packing, packed_rows, row_bytes

A5 = Packing.A5
EVERY = list(itertools.product((-1, 0, 1), repeat=5))
"""Five trits of each byte."""
TRITS = st.tuples(st.integers(1, 130), st.integers(1, 700), st.integers(0, 2**32 - 1)).map(
    lambda drawn: np.random.default_rng(drawn[2]).integers(-1, 2, drawn[:2], np.int8)
)
FEW_ROWS = st.tuples(st.integers(1, 3), st.integers(1, 330)).flatmap(
    lambda shape: hnp.arrays(np.int8, shape, elements=st.integers(-1, 1))
)


def code(trits: tuple[int, ...]) -> int:
    """The byte of five trits, as docs/tfb.md words it."""
    number = sum((trit + 1) * 3 ** (4 - k) for k, trit in enumerate(trits))
    return 256 * number // 243 + 1 if number <= 121 else 256 - code(tuple(-trit for trit in trits))


CODES = {trits: code(trits) for trits in EVERY}


def obvious_bytes(rows: list[list[int]]) -> bytes:
    """The bytes of rows of trits, one after the other."""
    blocks, groups = -(-len(rows[0]) // 320), -(-len(rows) // 64)
    out = bytearray(groups * 64 * blocks * 64)
    for row in range(groups * 64):
        trits = [*(rows[row] if row < len(rows) else []), *[0] * (320 * blocks)][: 320 * blocks]
        a, b, c = row % 64 // 16, row // 4 % 4, row % 4
        for byte in range(64 * blocks):
            first = byte // 64 * 320 + byte % 64
            at = ((row // 64) * 64 * blocks + byte) * 64 + 16 * b + 4 * a + c
            out[at] = CODES[tuple(trits[first : first + 320 : 64][:5])]
    return bytes(out)


@given(FEW_ROWS | TRITS)
def test_bytes_are_those_of_the_obvious_model(trits: np.ndarray) -> None:
    packed = pack_rows(trits, A5)
    assert packed.dtype == np.uint8
    assert packed.shape == (packed_rows(A5, len(trits)), row_bytes(DType.TRIT, A5, trits.shape[1]))
    assert packed.tobytes() == obvious_bytes(trits.tolist())


@given(FEW_ROWS | TRITS)
def test_unpacking_is_the_inverse(trits: np.ndarray) -> None:
    packed, (rows, n) = pack_rows(trits, A5), trits.shape
    unpacked = unpack_rows(packed, n, A5, rows)
    assert unpacked.dtype == np.int8
    np.testing.assert_array_equal(unpacked, trits)
    assert nonzeros_by_row(packed, n, A5, rows).tolist() == np.count_nonzero(trits, axis=1).tolist()


def test_codes_are_those_of_residues_whose_negative_is_of_negated_trits() -> None:
    """What products rely on: the sign of a byte is that of all its trits, and digits are read as those of R5."""
    assert len(set(CODES.values())) == 243
    assert CODES[(0,) * 5] == 128
    for trits, byte in CODES.items():
        assert CODES[tuple(-trit for trit in trits)] == (256 - byte) % 256
        assert 0 < byte < 256
        residue = byte
        for trit in trits:
            following = 3 * residue % 256
            assert 3 * residue - following == 256 * (trit + 1)
            residue = following


def test_every_byte_is_a_code_or_refused() -> None:
    codes = {*CODES.values()}
    for byte in range(256):
        packed = np.full((64, 64), 128, np.uint8)
        packed.reshape(-1)[64 * 9 + 16 + 8 + 3] = byte  # row 39 of byte 9
        if byte in codes:
            unpacked = unpack_rows(packed, 320, A5)
            assert CODES[tuple(unpacked[39, 9::64].tolist())] == byte
            continue
        with pytest.raises(ValueError, match="row 39 byte 9 is no code of A5"):
            unpack_rows(packed, 320, A5)


def test_tiles_of_whole_groups_and_blocks_lie_in_one_piece() -> None:
    """Rows from a multiple of 64 on by columns from a multiple of 320 on are A5 when put one after the other."""
    trits = np.random.default_rng(0).integers(-1, 2, (192, 960), np.int8)
    packed = pack_rows(trits, A5)
    runs = packed.reshape(3, 64 * 192)[1:, 64 * 64 : 64 * 128]
    assert runs.tobytes() == pack_rows(trits[64:, 320:640], A5).tobytes()


@pytest.mark.parametrize(
    ("rows", "n", "row", "byte", "what"),
    [
        (3, 320, 3, 0, "row 3 is padding"),
        (70, 640, 127, 127, "row 127 is padding"),
        (70, 321, 69, 65, "the padding of row 69"),
        (70, 319, 2, 63, "the padding of row 2"),
    ],
)
def test_padding_is_of_trits_0(rows: int, n: int, row: int, byte: int, what: str) -> None:
    packed = pack_rows(np.zeros((rows, n), np.int8), A5)
    size = packed.shape[1]
    a, b, c = row % 64 // 16, row // 4 % 4, row % 4
    packed.reshape(-1)[((row // 64) * size + byte) * 64 + 16 * b + 4 * a + c] = CODES[(0, 0, 0, 0, 1)]
    with pytest.raises(ValueError, match=what):
        unpack_rows(packed, n, A5, rows)


def test_wrong_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="trits lie in"):
        pack_rows(np.array([[2]], np.int8), A5)
    with pytest.raises(ValueError, match="a row of 321 trits has 128 bytes, got 64"):
        unpack_rows(np.full((64, 64), 128, np.uint8), 321, A5)
    for lines, rows in ((64, 65), (128, 64), (1, None)):
        with pytest.raises(ValueError, match=f"rows of A5 have the bytes of .*, got {lines}"):
            unpack_rows(np.full((lines, 64), 128, np.uint8), 320, A5, rows)


@pytest.mark.parametrize("used", [1, 63, 64, 65, 191, 192, 200, 256, 319])
def test_what_fills_blocks_up_is_seen_in_their_bytes(used: int) -> None:
    """Each number as each byte of blocks side by side whose other bytes are those of trits 0."""
    codes = np.array([CODES[trits] for trits in EVERY], np.uint8)
    lines = np.full((64 * 243 // 64 * 64, 64), 128, np.uint8)
    for j in range(64):
        lines[243 * j : 243 * (j + 1), j] = codes
    blocks = lines.reshape(-1, 64, 64).transpose(0, 2, 1).reshape(-1, 64 * 64)
    expected = (residue_digits(lines)[:, used:] == 1).all(axis=1)
    assert 0 < np.count_nonzero(expected) < len(expected)
    assert are_filled_up(blocks, used, 64).tolist() == expected.tolist()


def test_row_by_row_they_are_codes_of_rows() -> None:
    trits = np.random.default_rng(1).integers(-1, 2, (64, 333), np.int8)
    lines = rows_of_abreast(pack_rows(trits, A5))
    np.testing.assert_array_equal(residue_digits(lines)[:, :333].astype(np.int8) - 1, trits)


def test_native_codes_are_the_same() -> None:
    codes = {*CODES.values()}
    for byte in range(256):
        assert _native.codes_before(np.array([byte], np.uint8), A5) == (byte in codes)
    with pytest.raises(TfmbsError, match="no codes of one byte"):
        _native.codes_before(np.zeros(1, np.uint8), Packing.S2)
