import itertools
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfmbs.runtime.abi.packing import nonzeros_by_row, pack_rows, unpack_rows
from tfmbs.runtime.abi.types import PACKING_TRITS_PER_BYTE, SPARSE, DType, Packing, most_nonzeros, row_bytes

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


@st.composite
def sparse_rows(draw: st.DrawFn) -> tuple[np.ndarray, Packing]:
    """Trits of which each row has as many that are not 0 as its packing holds, or fewer."""
    packing = draw(st.sampled_from(sorted(SPARSE)))
    rows, n = draw(st.integers(1, 5)), draw(st.integers(1, 70))
    trits = np.zeros((rows, n), np.int8)
    for row in trits:
        places = draw(st.sets(st.integers(0, n - 1), max_size=most_nonzeros(packing, n)))
        for place in places:
            row[place] = draw(st.sampled_from([-1, 1]))
    return trits, packing


@given(sparse_rows())
def test_sparse_rows_are_flags_then_signs(case: tuple[np.ndarray, Packing]) -> None:
    trits, packing = case
    n = trits.shape[1]
    packed = pack_rows(trits, packing)
    assert packed.shape == (len(trits), row_bytes(DType.TRIT, packing, n))
    np.testing.assert_array_equal(unpack_rows(packed, n, packing), trits)
    assert nonzeros_by_row(packed, n, packing).tolist() == np.count_nonzero(trits, axis=1).tolist()
    for row, data in zip(trits.tolist(), packed.tolist(), strict=True):
        bits = [byte >> i & 1 for byte in data for i in range(8)]
        signs = iter(bits[-(-n // 8) * 8 :])
        assert row == [(1 - 2 * next(signs)) if flag else 0 for flag in bits[:n]]


@given(sparse_rows(), st.data())
def test_damaged_sparse_rows_are_other_rows_or_refused(case: tuple[np.ndarray, Packing], data: st.DataObject) -> None:
    trits, packing = case
    packed = pack_rows(trits, packing)
    at = data.draw(st.integers(0, packed.size - 1))
    packed.reshape(-1)[at] ^= 1 << data.draw(st.integers(0, 7))
    with suppress(ValueError):
        other = unpack_rows(packed, trits.shape[1], packing)
        assert pack_rows(other, packing).tobytes() == packed.tobytes()


def test_sparse_rows_of_known_trits() -> None:
    trits = np.array([[0, -1, 0, 0, 1, 0, 0, -1, 0]], np.int8)
    assert pack_rows(trits, Packing.S2).tolist() == [[0b10010010, 0, 0b101]]
    assert row_bytes(DType.TRIT, Packing.S4, 2560) == 320 + 80
    with pytest.raises(ValueError, match="a row of 9 trits of S4 has at most 3 that are not 0, got 4"):
        pack_rows(np.array([[1, -1, 1, 1, 0, 0, 0, 0, 0]], np.int8), Packing.S4)
    with pytest.raises(ValueError, match="row 0 flags more trits than it has"):
        unpack_rows(np.array([[0, 2, 0]], np.uint8), 9, Packing.S2)
    with pytest.raises(ValueError, match="row 0 has signs of no trit"):
        unpack_rows(np.array([[1, 0, 2]], np.uint8), 9, Packing.S2)
    with pytest.raises(ValueError, match="row 0 has more than 5 trits that are not 0"):
        unpack_rows(np.array([[63, 0, 0]], np.uint8), 9, Packing.S2)


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
