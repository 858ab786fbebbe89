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
_RESIDUES = ((256 * np.arange(CODES) + CODES - 1) // CODES).astype(np.uint8)


def residue_row_bytes(n: int) -> int:
    """Bytes of a row of n trits: whole blocks."""
    return -(-n // BLOCK_TRITS) * BLOCK_BYTES


def pack_residues(trits: npt.NDArray[np.int8]) -> _Bytes:
    """The bytes (rows, `residue_row_bytes(n)`) of trits (rows, n); a row is filled up with trit 0."""
    packed: _Bytes = _RESIDUES[residue_numbers(trits)]
    return packed


def residue_numbers(trits: npt.NDArray[np.int8]) -> _Bytes:
    """The number v of each byte (rows, `residue_row_bytes(n)`) of trits (rows, n); a row is filled up with trit 0."""
    rows, n = trits.shape
    blocks = residue_row_bytes(n) // BLOCK_BYTES
    filled = trits.view(np.uint8)
    if n % BLOCK_TRITS:
        filled = np.zeros((rows, blocks * BLOCK_TRITS), np.uint8)
        filled[:, :n] = trits.view(np.uint8)
    parts = filled.reshape(rows, blocks, DIGITS, BLOCK_BYTES)
    numbers = parts[:, :, 0] * np.uint8(3)
    for k in range(1, DIGITS):
        numbers += parts[:, :, k]
        if k < DIGITS - 1:
            numbers *= np.uint8(3)
    numbers += np.uint8(CODES // 2)  # trits less one would be digits
    octets: _Bytes = numbers.reshape(rows, -1)
    return octets


def residue_digits(data: _Bytes) -> _Bytes:
    """The digits (rows, trits of whole blocks), each a trit plus 1, of packed rows; of bytes that are no codes, any."""
    rows = len(data)
    residues = data.reshape(rows, -1, BLOCK_BYTES)
    digits = np.empty((rows, residues.shape[1], DIGITS, BLOCK_BYTES), np.uint8)
    for k in range(DIGITS):
        tripled = residues.astype(np.uint16) * np.uint16(3)
        digits[:, :, k], residues = tripled >> 8, tripled.astype(np.uint8)
    return digits.reshape(rows, -1)


def are_filled_up(blocks: _Bytes, used: int, abreast: int = 1) -> npt.NDArray[np.bool_]:
    """Per row, whether what is behind the first `used` trits of its block is trit 0; all bytes are codes.

    `blocks` (groups, BLOCK_BYTES * `abreast`) hold byte j of so many rows, then byte j + 1. Rows come in this order.
    Of the digits behind the k-th of a byte, which are the number n, X_k is at least 256 n / 3^(5 - k), and less than
    256 (n + 1) / 3^(5 - k).
    """
    factors, low, spans = _ends(used, abreast)
    filled = np.ones((len(blocks), abreast), np.bool_)
    step = _SIDE_BY_SIDE // abreast
    for first in range(0, len(blocks), step):
        octets = np.ascontiguousarray(blocks[first : first + step]).reshape(-1)
        above = octets * factors[: len(octets)]
        above -= low[: len(octets)]
        is_more = above > spans[: len(octets)]
        if is_more.any():
            filled[first : first + step] = ~is_more.reshape(-1, BLOCK_BYTES, abreast).any(axis=1)
    return filled.reshape(-1)


@lru_cache(maxsize=16)
def _ends(used: int, abreast: int) -> tuple[_Bytes, _Bytes, _Bytes]:
    """3^k by byte of `_SIDE_BY_SIDE` blocks, and of digits of trit 0 the least X_k, and by how much the greatest is
    above: they are ones, half of all.
    """
    digits, more = divmod(used, BLOCK_BYTES)  # used digits of the bytes behind the first `more`, which have another
    places = np.repeat([digits + 1, digits], [more, BLOCK_BYTES - more])
    numbers = 3 ** (DIGITS - places)
    low, above = (-(-256 * number // numbers) for number in (numbers // 2, numbers // 2 + 1))
    ends = (3**places, low, above - 1 - low)
    factors, low, spans = (np.tile(np.repeat(one.astype(np.uint8), abreast), _SIDE_BY_SIDE // abreast) for one in ends)
    return factors, low, spans


def no_residues(data: _Bytes) -> npt.NDArray[np.bool_]:
    """Per byte, whether it is the residue of no number: 13 of the 256 are.

    X is that of v = floor(243 X / 256) exactly where 243 X exceeds 256 v by less than 243.
    """
    bad: npt.NDArray[np.bool_] = data * np.uint8(CODES) >= CODES
    return bad
