"""The packing R5 against trits that are told digit by digit."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfmbs.runtime.abi.packing import nonzeros_by_row, pack_rows, unpack_rows
from tfmbs.runtime.abi.residues import are_filled_up, residue_digits
from tfmbs.runtime.abi.types import DType, Packing, row_bytes

ROWS = st.tuples(st.integers(1, 3), st.integers(1, 700)).flatmap(
    lambda shape: hnp.arrays(np.int8, shape, elements=st.integers(-1, 1))
)


def obvious_row(trits: list[int]) -> list[int]:
    """The bytes of a row, as docs/tfb.md words it."""
    octets = []
    for first in range(0, len(trits), 320):
        block = [*trits[first : first + 320], *[0] * 320][:320]
        for j in range(64):
            number = sum((block[64 * k + j] + 1) * 3 ** (4 - k) for k in range(5))
            octets.append(math.ceil(256 * number / 243))
    return octets


@given(ROWS)
def test_bytes_are_those_of_the_obvious_model(trits: np.ndarray) -> None:
    packed = pack_rows(trits, Packing.R5)
    assert packed.dtype == np.uint8
    assert packed.shape == (len(trits), row_bytes(DType.TRIT, Packing.R5, trits.shape[1]))
    assert packed.tolist() == [obvious_row(row) for row in trits.tolist()]


@given(ROWS)
def test_unpacking_is_the_inverse(trits: np.ndarray) -> None:
    packed = pack_rows(trits, Packing.R5)
    unpacked = unpack_rows(packed, trits.shape[1], Packing.R5)
    assert unpacked.dtype == np.int8
    np.testing.assert_array_equal(unpacked, trits)
    expected = np.count_nonzero(trits, axis=1)
    assert nonzeros_by_row(packed, trits.shape[1], Packing.R5).tolist() == expected.tolist()


def test_every_byte_is_a_code_or_refused() -> None:
    every = np.array(list(itertools.product((-1, 0, 1), repeat=5)), np.int8)  # a row for each number
    codes = pack_rows(np.repeat(every, 64, axis=1), Packing.R5)
    assert len(set(codes[:, 0].tolist())) == 243
    assert (codes == codes[:, :1]).all()
    for byte in set(range(256)) - set(codes[:, 0].tolist()):
        row = np.full((1, 64), 128, np.uint8)
        row[0, 9] = byte
        with pytest.raises(ValueError, match="row 0 byte 9 is no code of R5"):
            unpack_rows(row, 320, Packing.R5)


def test_the_difference_of_residues_is_the_product() -> None:
    """What products rely on: each digit is (3 X - X') / 256, with X' = 3 X mod 256 the next residue."""
    for digits in itertools.product((0, 1, 2), repeat=5):
        residue = pack_rows(np.repeat(np.array([digits], np.int8) - 1, 64, axis=1).astype(np.int8), Packing.R5)[0, 0]
        residue = int(residue)
        for digit in digits:
            following = 3 * residue % 256
            assert 3 * residue - following == 256 * digit
            residue = following


def test_large_layers_take_at_most_1_63_bits() -> None:
    for k in (2560, 4096, 6912, 14336):
        assert 8 * row_bytes(DType.TRIT, Packing.R5, k) / k <= 1.63


def test_wrong_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="trits lie in"):
        pack_rows(np.array([[2]], np.int8), Packing.R5)
    with pytest.raises(ValueError, match="a row of 321 trits has 128 bytes, got 64"):
        unpack_rows(np.full((1, 64), 128, np.uint8), 321, Packing.R5)
    with pytest.raises(ValueError, match="padding of row 0"):
        unpack_rows(np.full((1, 64), 0, np.uint8), 319, Packing.R5)


@pytest.mark.parametrize("used", [1, 63, 64, 65, 191, 192, 200, 256, 319])
def test_what_fills_a_block_up_is_seen_in_its_bytes(used: int) -> None:
    """Each number as each byte of a block whose other bytes are those of trits 0."""
    every = np.array(list(itertools.product((-1, 0, 1), repeat=5)), np.int8)
    blocks = np.repeat(pack_rows(np.zeros((1, 320), np.int8), Packing.R5), 64 * 243, axis=0)
    codes = pack_rows(np.repeat(every, 64, axis=1), Packing.R5)[:, 0]
    for j in range(64):
        blocks[243 * j : 243 * (j + 1), j] = codes
    expected = (residue_digits(blocks)[:, used:] == 1).all(axis=1)
    assert 0 < np.count_nonzero(expected) < len(expected)
    assert are_filled_up(blocks, used).tolist() == expected.tolist()
