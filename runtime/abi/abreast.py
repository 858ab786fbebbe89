"""Trits as residues of rows that lie side by side, the packing A5.

Five trits are a number v as in `residues`. Its byte is X = floor(256 v / 243) + 1 for v up to 121, else 256 - that of
242 - v: the code of negated trits is the two's complement, trits 0 are 128, and 0 is no code. So the absolute value of
a byte tells its trits but for a sign, and is an index of 128 sums of five activations with trits. Digits are those of
residues: X_0 = X, X_{k+1} = 3 X_k mod 256, digit k is floor(3 X_k / 256).

`ABREAST` rows lie side by side: byte j of all of them, a line, then byte j + 1. A vector of bytes meets the same five
activations. In a line row 16 a + 4 b + c, of a, b and c up to 3, is at place 16 b + 4 a + c, and so it is the other way
round: of four lines, interleaving bytes within 128 bits gives words of four columns whose rows are in order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tfmbs.runtime.abi.residues import CODES, residue_numbers

ABREAST = 64
ZEROS = 128
"""The byte of trits 0."""
PLACES = np.arange(ABREAST).reshape(4, 4, 4).transpose(1, 0, 2).reshape(-1)
"""The place of each row of a group in its lines, and the row at each place."""

_Bytes = npt.NDArray[np.uint8]
_POSITIVE = 256 * np.arange(CODES // 2 + 1) // CODES + 1
_BYTES = np.concatenate([_POSITIVE, 256 - _POSITIVE[-2::-1]]).astype(np.uint8)


def abreast_rows(rows: int) -> int:
    """So many rows, filled up to whole groups."""
    return -(-rows // ABREAST) * ABREAST


def pack_abreast(trits: npt.NDArray[np.int8]) -> _Bytes:
    """The bytes (`abreast_rows(rows)`, `residue_row_bytes(n)`), as they lie in memory, of trits (rows, n)."""
    numbers = residue_numbers(trits)
    rows, size = numbers.shape
    lines = np.full((abreast_rows(rows), size), ZEROS, np.uint8)
    np.take(_BYTES, numbers, out=lines[:rows], mode="clip")  # they are all in it
    return _side_by_side(lines)


def _side_by_side(lines: _Bytes) -> _Bytes:
    """Rows of bytes, of whole groups, as they lie in memory."""
    groups = lines.reshape(-1, ABREAST, lines.shape[1])[:, PLACES].transpose(0, 2, 1)
    return np.ascontiguousarray(groups).reshape(lines.shape)


def stacked_abreast(parts: Sequence[_Bytes], rows: Sequence[int]) -> _Bytes:
    """The bytes of all rows of `parts`, one after the other, of which each has so many and rows that fill it up."""
    lines = np.full((abreast_rows(sum(rows)), parts[0].shape[1]), ZEROS, np.uint8)
    first = 0
    for part, count in zip(parts, rows, strict=True):
        lines[first : first + count] = rows_of_abreast(part)[:count]
        first += count
    return _side_by_side(lines)


def rows_of_abreast(data: _Bytes) -> _Bytes:
    """Bytes (whole groups of rows, bytes of a row) as they lie in memory, row by row."""
    rows, size = data.shape
    lines = np.ascontiguousarray(data.reshape(-1, size, ABREAST).transpose(0, 2, 1))
    return lines[:, PLACES].reshape(rows, size)


def no_codes(data: _Bytes) -> npt.NDArray[np.bool_]:
    """Per byte, whether it is the code of no number: 13 of the 256 are.

    X - 1 = floor(256 v / 243) of a v exactly where 256 v is less than 243 above 243 (X - 1), modulo 256: 13 (X - 1).
    """
    absolute = np.minimum(data, np.uint8(0) - data)
    bad: npt.NDArray[np.bool_] = (absolute - np.uint8(1)) * np.uint8(256 - CODES) >= CODES
    return bad
