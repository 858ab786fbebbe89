"""Trits to bytes and back, in each packing: the rule of `Packing`, on whole arrays. A row ends on a whole byte."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tfmbs.runtime.abi.types import PACKING_TRITS_PER_BYTE, Packing

Trits = npt.NDArray[np.int8]
Bytes = npt.NDArray[np.uint8]

_BASE = {Packing.PT5: 3, Packing.T2: 4}  # a byte is the number whose digits, least significant first, are t + 1


def pack_rows(trits: Trits, packing: Packing) -> Bytes:
    """The bytes of a (rows, n) array of trits: (rows, ⌈n / trits per byte⌉), tails padded with trit 0.

    Raises:
        ValueError: `packing` is DENSE, or an element is not −1, 0 or 1.
    """
    per_byte = _trits_per_byte(packing)
    rows, n = trits.shape
    if trits.size and not -1 <= trits.min() <= trits.max() <= 1:
        raise ValueError(f"trits lie in -1…1, got {trits.min()}…{trits.max()}")
    if packing is Packing.I8:
        return np.ascontiguousarray(trits, np.int8).view(np.uint8)
    digits = np.full((rows, -(-n // per_byte) * per_byte), 1, np.uint8)
    digits[:, :n] = trits + 1
    return (digits.reshape(rows, -1, per_byte) @ _weights(packing)).astype(np.uint8)


def unpack_rows(data: Bytes, n: int, packing: Packing) -> Trits:
    """The (rows, n) trits of packed rows; the inverse of `pack_rows`.

    Raises:
        ValueError: a row has not the bytes of n trits, a byte is no code of the packing, or a tail is not trit 0.
    """
    per_byte = _trits_per_byte(packing)
    if data.shape[1] != -(-n // per_byte):
        raise ValueError(f"a row of {n} trits has {-(-n // per_byte)} bytes, got {data.shape[1]}")
    if packing is Packing.I8:
        trits = data.view(np.int8)
    else:
        trits = _digits(data, packing).reshape(data.shape[0], -1).astype(np.int8) - 1
    if np.any((trits < -1) | (trits > 1)):
        row, column = np.argwhere((trits < -1) | (trits > 1))[0]
        raise ValueError(f"row {row} byte {column // per_byte} is no code of {packing.name}")
    if np.any(trits[:, n:]):
        raise ValueError(f"the padding of row {np.argwhere(trits[:, n:])[0][0]} is not trit 0")
    return np.ascontiguousarray(trits[:, :n])


def _digits(data: Bytes, packing: Packing) -> Bytes:
    base = _BASE[packing]
    # The last digit keeps what is left over, so that a byte that is no code has a digit above 2.
    digits: Bytes = data[..., None] // _weights(packing)
    digits[..., :-1] %= base
    return digits


def _weights(packing: Packing) -> Bytes:
    return np.array([_BASE[packing] ** i for i in range(PACKING_TRITS_PER_BYTE[packing])], np.uint8)


def _trits_per_byte(packing: Packing) -> int:
    if packing not in PACKING_TRITS_PER_BYTE:
        raise ValueError(f"trits have no packing {packing.name}")
    return PACKING_TRITS_PER_BYTE[packing]
