"""Packed elements to bytes and back: the rule of `Packing`, on whole arrays. A row ends on a whole byte."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tfmbs.runtime.abi.abreast import ABREAST, PLACES, no_codes, pack_abreast, rows_of_abreast
from tfmbs.runtime.abi.residues import BLOCK_BYTES, DIGITS, no_residues, pack_residues, residue_digits
from tfmbs.runtime.abi.types import (
    PACKED_PER_BYTE,
    RESIDUES,
    SPARSE,
    DType,
    Packing,
    most_nonzeros,
    packed_rows,
    row_bytes,
)

Elements = npt.NDArray[np.int8]
Bytes = npt.NDArray[np.uint8]

_BASE = {Packing.PT5: 3, Packing.T2: 4}  # a byte is the number whose digits, least significant first, are t + 1


def pack_rows(elements: Elements, packing: Packing) -> Bytes:
    """The bytes of a (rows, n) array of trits or 4-bit integers, as they lie in memory: (rows, bytes of a row), padded
    with 0; of A5 (`packed_rows`, bytes of a row), which are not row by row.

    Raises:
        ValueError: `packing` is DENSE, or an element is none of its values.
    """
    rows, n = elements.shape
    what, low, high = ("4-bit integers", -8, 7) if packing is Packing.NIBBLES else ("trits", -1, 1)
    if elements.size and not low <= elements.min() <= elements.max() <= high:
        raise ValueError(f"{what} lie in {low}…{high}, got {elements.min()}…{elements.max()}")
    if packing in SPARSE:
        return _pack_sparse(np.asarray(elements, np.int8), packing)
    if packing is Packing.R5:
        return pack_residues(np.asarray(elements, np.int8))
    if packing is Packing.A5:
        return pack_abreast(np.asarray(elements, np.int8))
    per_byte = _per_byte(packing)
    if packing is Packing.I8:
        return np.ascontiguousarray(elements, np.int8).view(np.uint8)
    if packing is Packing.NIBBLES:
        nibbles = np.zeros((rows, -(-n // 2) * 2), np.uint8)
        nibbles[:, :n] = np.asarray(elements, np.int8).view(np.uint8) & 15
        pairs: Bytes = nibbles[:, ::2] | nibbles[:, 1::2] << 4
        return pairs
    digits = np.full((rows, -(-n // per_byte) * per_byte), 1, np.uint8)
    digits[:, :n] = elements + 1
    return (digits.reshape(rows, -1, per_byte) @ _weights(packing)).astype(np.uint8)


def unpack_rows(data: Bytes, n: int, packing: Packing, rows: int | None = None) -> Elements:
    """The (rows, n) elements of packed rows; the inverse of `pack_rows`. By default no row is padding.

    Raises:
        ValueError: there are more or less than the bytes of so many elements, a byte is no code of the packing, or
            padding is not 0.
    """
    rows = len(data) if rows is None else rows
    if len(data) != packed_rows(packing, rows):
        what = f"{rows} rows of {packing.name} have the bytes of {packed_rows(packing, rows)}"
        raise ValueError(f"{what}, got {len(data)}")
    if packing in SPARSE:
        return _unpack_sparse(data, n, packing)
    if packing in RESIDUES:
        return _unpack_residues(data, n, packing, rows)
    per_byte = _per_byte(packing)
    what = "4-bit integers" if packing is Packing.NIBBLES else "trits"
    if data.shape[1] != -(-n // per_byte):
        raise ValueError(f"a row of {n} {what} has {-(-n // per_byte)} bytes, got {data.shape[1]}")
    if packing is Packing.NIBBLES:
        return _unpadded(_nibbles(data), n)
    if packing is Packing.I8:
        trits = data.view(np.int8)
    else:
        trits = _digits(data, packing).reshape(data.shape[0], -1).astype(np.int8) - 1
    if np.any((trits < -1) | (trits > 1)):
        row, column = np.argwhere((trits < -1) | (trits > 1))[0]
        raise ValueError(f"row {row} byte {column // per_byte} is no code of {packing.name}")
    return _unpadded(trits, n)


def _pack_sparse(trits: Elements, packing: Packing) -> Bytes:
    """Flags, then signs of what is flagged."""
    rows, n = trits.shape
    most = most_nonzeros(packing, n)
    flags = trits != 0
    counts = flags.sum(axis=1)
    if rows and counts.max(initial=0) > most:
        raise ValueError(f"a row of {n} trits of {packing.name} has at most {most} that are not 0, got {counts.max()}")
    signs = np.zeros((rows, -(-most // 8) * 8), np.bool_)
    signs[np.nonzero(flags)[0], (np.cumsum(flags, axis=1) - 1)[flags]] = trits[flags] < 0
    packed: Bytes = np.hstack([np.packbits(bits, axis=1, bitorder="little") for bits in (flags, signs)])
    return packed


def _unpack_sparse(data: Bytes, n: int, packing: Packing) -> Elements:
    """The inverse of `_pack_sparse`, which refuses whatever that does not give."""
    most, split = most_nonzeros(packing, n), -(-n // 8)
    if data.shape[1] != split + -(-most // 8):
        raise ValueError(f"a row of {n} trits has {split + -(-most // 8)} bytes, got {data.shape[1]}")
    flags, signs = (np.unpackbits(part, axis=1, bitorder="little") for part in (data[:, :split], data[:, split:]))
    counts = flags.sum(axis=1)
    unused = np.arange(signs.shape[1]) >= counts[:, None]
    for bad, what in (
        (flags[:, n:].any(axis=1), "flags more trits than it has"),
        (counts > most, f"has more than {most} trits that are not 0"),
        ((signs.astype(np.bool_) & unused).any(axis=1), "has signs of no trit"),
    ):
        if bad.any():
            raise ValueError(f"row {int(bad.argmax())} {what}")
    trits = flags[:, :n].astype(np.int8)
    flagged = trits != 0
    places = (np.cumsum(flagged, axis=1) - 1)[flagged]
    trits[flagged] -= 2 * signs[np.nonzero(flagged)[0], places].astype(np.int8)
    return trits


def _unpack_residues(data: Bytes, n: int, packing: Packing, rows: int) -> Elements:
    """The inverse of `pack_residues` or `pack_abreast`, which refuses whatever that does not give."""
    size = row_bytes(DType.TRIT, packing, n)
    if data.shape[1] != size:
        raise ValueError(f"a row of {n} trits has {size} bytes, got {data.shape[1]}")
    lines, is_none = (rows_of_abreast(data), no_codes) if packing is Packing.A5 else (data, no_residues)
    bad = is_none(lines)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ValueError(f"row {row} byte {column} is no code of {packing.name}")
    trits = residue_digits(lines).astype(np.int8) - np.int8(1)
    if np.any(trits[rows:]):
        raise ValueError(f"row {rows + np.argwhere(trits[rows:])[0][0]} is padding, and not of trits 0")
    return _unpadded(trits[:rows], n)


def nonzeros_by_row(data: Bytes, n: int, packing: Packing, rows: int | None = None) -> npt.NDArray[np.int64]:
    """How many trits of each packed row of n are not 0, without unpacking; bytes that are no codes count as any.

    By default no row is padding.
    """
    if packing in SPARSE:
        bits: npt.NDArray[np.int64] = np.unpackbits(data[:, : -(-n // 8)], axis=1).sum(axis=1, dtype=np.int64)
        return bits
    counts = np.count_nonzero(_every_digit(packing) != 1, axis=1).astype(np.uint8)
    found: npt.NDArray[np.int64]
    if packing is Packing.A5:
        groups = data.reshape(-1, data.shape[1], ABREAST)
        found = counts[groups].sum(axis=1, dtype=np.int64)[:, PLACES].reshape(-1)[:rows]
    else:
        found = counts[data].sum(axis=1, dtype=np.int64)
    return found


def _every_digit(packing: Packing) -> Bytes:
    """The digits t + 1 of every byte (256, per byte)."""
    every = np.arange(256, dtype=np.uint8)
    if packing in RESIDUES:
        return residue_digits(np.repeat(every, BLOCK_BYTES)[None]).reshape(256, DIGITS, BLOCK_BYTES)[:, :, 0]
    return (every + np.uint8(1))[:, None] if packing is Packing.I8 else _digits(every, packing)


def _unpadded(elements: Elements, n: int) -> Elements:
    if np.any(elements[:, n:]):
        raise ValueError(f"the padding of row {np.argwhere(elements[:, n:])[0][0]} is not 0")
    return np.ascontiguousarray(elements[:, :n])


def _nibbles(data: Bytes) -> Elements:
    pairs = np.stack([data & 15, data >> 4], axis=-1).reshape(data.shape[0], -1)
    return ((pairs ^ 8).astype(np.int8) - 8).astype(np.int8)


def _digits(data: Bytes, packing: Packing) -> Bytes:
    base = _BASE[packing]
    # The last digit keeps what is left over, so that a byte that is no code has a digit above 2.
    digits: Bytes = data[..., None] // _weights(packing)
    digits[..., :-1] %= base
    return digits


def _weights(packing: Packing) -> Bytes:
    return np.array([_BASE[packing] ** i for i in range(PACKED_PER_BYTE[packing])], np.uint8)


def _per_byte(packing: Packing) -> int:
    if packing not in PACKED_PER_BYTE:
        raise ValueError(f"there is no packing {packing.name} of rows")
    return PACKED_PER_BYTE[packing]
