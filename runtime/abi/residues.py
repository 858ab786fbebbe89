"""Trits as residues, the packing R5: five to a byte, in blocks.

A byte is X = ceil(256 v / 243) of the number v whose five ternary digits are trits plus 1, most significant first. With
X_0 = X and X_{k+1} = 3 X_k mod 256, digit k is floor(3 X_k / 256): a shift, and no division. Products need not even
that: sum of d_k a_k = (3 sum of X_k a_k - sum of X_{k+1} a_k) / 256.

Byte j of a block of `BLOCK_BYTES` holds trits j, 64 + j, … of its `BLOCK_TRITS`: a vector of bytes multiplies
activations that lie in a row.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

DIGITS = 5
BLOCK_BYTES = 64
BLOCK_TRITS = DIGITS * BLOCK_BYTES
CODES = 3**DIGITS
_SIDE_BY_SIDE = 256
"""Blocks whose ends are looked at together."""

_Bytes = npt.NDArray[np.uint8]
_PLACES = np.array([3 ** (DIGITS - 1 - k) for k in range(DIGITS)], np.uint8)
_RESIDUES = ((256 * np.arange(CODES) + CODES - 1) // CODES).astype(np.uint8)


def residue_row_bytes(n: int) -> int:
    """Bytes of a row of n trits: whole blocks."""
    return -(-n // BLOCK_TRITS) * BLOCK_BYTES


def pack_residues(trits: npt.NDArray[np.int8]) -> _Bytes:
    """The bytes (rows, `residue_row_bytes(n)`) of trits (rows, n); a row is filled up with trit 0."""
    rows, n = trits.shape
    blocks = residue_row_bytes(n) // BLOCK_BYTES
    digits = np.ones((rows, blocks * BLOCK_TRITS), np.uint8)
    digits[:, :n] = trits + np.int8(1)
    numbers = np.einsum("rbkj,k->rbj", digits.reshape(rows, blocks, DIGITS, BLOCK_BYTES), _PLACES)
    packed: _Bytes = _RESIDUES[numbers].reshape(rows, -1)
    return packed


def residue_digits(data: _Bytes) -> _Bytes:
    """The digits (rows, trits of whole blocks), each a trit plus 1, of packed rows; of bytes that are no codes, any."""
    rows = len(data)
    residues = data.reshape(rows, -1, BLOCK_BYTES)
    digits = np.empty((rows, residues.shape[1], DIGITS, BLOCK_BYTES), np.uint8)
    for k in range(DIGITS):
        tripled = residues.astype(np.uint16) * np.uint16(3)
        digits[:, :, k], residues = tripled >> 8, tripled.astype(np.uint8)
    return digits.reshape(rows, -1)


def are_filled_up(blocks: _Bytes, used: int) -> npt.NDArray[np.bool_]:
    """Per block (rows, BLOCK_BYTES), whether what is behind its first `used` trits is trit 0; all bytes are residues.

    Of the digits behind the k-th of a byte, which are the number n, X_k is less than 3^k above 256 n / 3^(5 - k).
    """
    factors, low = _ends(used)
    filled = np.ones(len(blocks), np.bool_)
    for row in range(0, len(blocks), _SIDE_BY_SIDE):
        octets = np.ascontiguousarray(blocks[row : row + _SIDE_BY_SIDE]).reshape(-1)
        above = octets * factors[: len(octets)]
        above -= low[: len(octets)]
        is_more = above >= factors[: len(octets)]
        if is_more.any():
            filled[row : row + _SIDE_BY_SIDE] = ~is_more.reshape(-1, BLOCK_BYTES).any(axis=1)
    return filled


@lru_cache(maxsize=16)
def _ends(used: int) -> tuple[_Bytes, _Bytes]:
    """3^k by byte of `_SIDE_BY_SIDE` blocks, and 256 n / 3^(5 - k) of digits of trit 0: they are ones, half of all."""
    digits, more = divmod(used, BLOCK_BYTES)  # used digits of the bytes behind the first `more`, which have another
    places = np.repeat([digits + 1, digits], [more, BLOCK_BYTES - more])
    numbers = 3 ** (DIGITS - places)
    both = 3**places, -(-256 * (numbers // 2) // numbers)
    factors, low = (np.tile(one.astype(np.uint8), _SIDE_BY_SIDE) for one in both)
    return factors, low


def no_residues(data: _Bytes) -> npt.NDArray[np.bool_]:
    """Per byte, whether it is the residue of no number: 13 of the 256 are.

    X is that of v = floor(243 X / 256) exactly where 243 X exceeds 256 v by less than 243.
    """
    bad: npt.NDArray[np.bool_] = data * np.uint8(CODES) >= CODES
    return bad
