import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfmbs.runtime.abi.packing import pack_rows, unpack_rows
from tfmbs.runtime.abi.types import PACKING_TRITS_PER_BYTE, DType, Packing, row_bytes

PACKINGS = sorted(PACKING_TRITS_PER_BYTE)
ROWS = hnp.array_shapes(min_dims=2, max_dims=2, max_side=33).flatmap(
    lambda shape: hnp.arrays(np.int8, shape, elements=st.integers(-1, 1))
)


def obvious_byte(trits: list[int], packing: Packing) -> int:
    """The byte of at most five trits, digit by digit as the contract words it."""
    if packing is Packing.I8:
        return trits[0] % 256
    base, count = (3, 5) if packing is Packing.PT5 else (4, 4)
    byte = 0
    for position in range(count):
        trit = trits[position] if position < len(trits) else 0
        byte += (trit + 1) * base**position
    return byte


@given(ROWS, st.sampled_from(PACKINGS))
def test_bytes_are_those_of_the_obvious_model(trits: np.ndarray, packing: Packing) -> None:
    per_byte = PACKING_TRITS_PER_BYTE[packing]
    packed = pack_rows(trits, packing)
    assert packed.dtype == np.uint8
    assert packed.shape == (trits.shape[0], row_bytes(DType.TRIT, packing, trits.shape[1]))
    for row, data in zip(trits.tolist(), packed.tolist(), strict=True):
        assert data == [obvious_byte(row[i : i + per_byte], packing) for i in range(0, len(row), per_byte)]


@given(ROWS, st.sampled_from(PACKINGS))
def test_unpacking_is_the_inverse(trits: np.ndarray, packing: Packing) -> None:
    unpacked = unpack_rows(pack_rows(trits, packing), trits.shape[1], packing)
    assert unpacked.dtype == np.int8
    np.testing.assert_array_equal(unpacked, trits)


def test_pt5_of_known_trits() -> None:
    assert pack_rows(
        np.array([[-1, -1, -1, -1, -1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]], np.int8), Packing.PT5
    ).tolist() == [
        [0],
        [242],
        [121],
    ]
    assert pack_rows(np.array([[1]], np.int8), Packing.PT5).tolist() == [[2 + 3 + 9 + 27 + 81]]


@pytest.mark.parametrize("packing", PACKINGS)
def test_every_byte_is_a_code_or_refused(packing: Packing) -> None:
    per_byte = PACKING_TRITS_PER_BYTE[packing]
    every = itertools.product((-1, 0, 1), repeat=per_byte)
    codes = {int(pack_rows(np.array([trits], np.int8), packing)[0, 0]) for trits in every}
    assert len(codes) == 3**per_byte
    for byte in set(range(256)) - codes:
        with pytest.raises(ValueError, match="row 0 byte 0 is no code"):
            unpack_rows(np.array([[byte]], np.uint8), per_byte, packing)


def test_padding_must_be_trit_zero() -> None:
    with pytest.raises(ValueError, match="padding of row 0"):
        unpack_rows(np.array([[0]], np.uint8), 3, Packing.PT5)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="trits lie in"):
        pack_rows(np.array([[2]], np.int8), Packing.PT5)
    with pytest.raises(ValueError, match="no packing DENSE of rows"):
        pack_rows(np.array([[1]], np.int8), Packing.DENSE)
    with pytest.raises(ValueError, match="a row of 6 trits has 2 bytes, got 1"):
        unpack_rows(np.array([[0]], np.uint8), 6, Packing.PT5)


NIBBLES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=33).flatmap(
    lambda shape: hnp.arrays(np.int8, shape, elements=st.integers(-8, 7))
)


@given(NIBBLES)
def test_pairs_of_nibbles_come_back(elements: np.ndarray) -> None:
    packed = pack_rows(elements, Packing.NIBBLES)
    assert packed.shape == (elements.shape[0], row_bytes(DType.I4, Packing.NIBBLES, elements.shape[1]))
    for row, data in zip(elements.tolist(), packed.tolist(), strict=True):
        pairs = [*row, 0][: 2 * len(data)]
        assert data == [low % 16 + high % 16 * 16 for low, high in zip(pairs[::2], pairs[1::2], strict=True)]
    np.testing.assert_array_equal(unpack_rows(packed, elements.shape[1], Packing.NIBBLES), elements)


def test_nibbles_out_of_range_and_padding_are_refused() -> None:
    with pytest.raises(ValueError, match="4-bit integers lie in -8…7, got 8…8"):
        pack_rows(np.array([[8]], np.int8), Packing.NIBBLES)
    with pytest.raises(ValueError, match="padding of row 0"):
        unpack_rows(np.array([[0x10]], np.uint8), 1, Packing.NIBBLES)
