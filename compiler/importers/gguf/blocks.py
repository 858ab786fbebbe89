"""Blocks of ggml's types as stored integers and the scale of each group: exactly what the gguf package dequantizes to.

A weight is f32(stored) · scale, rounded once to f32: that is the package's own formula for the types here, and the one
of `tfmbs.group_matmul`. Q4_K subtracts a minimum of its own, rounded again, so no such pair is equal to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from tfmbs.compiler.importers.decoder.weights import BYTES, F32, I8, NIBBLES, TRITS
from tfmbs.runtime.abi.errors import TfmbsError

Bytes = npt.NDArray[np.uint8]

Parts = tuple[I8, F32]
"""Stored integers (blocks, elements of a block) and scales (blocks, groups of a block)."""


@dataclass(frozen=True)
class BlockFormat:
    """How blocks of a type fall apart: `bits` that a stored integer needs (2 for trits), elements of a `group`."""

    bits: int
    group: int
    parts: Callable[[Bytes], Parts]


def split_rows(rows: Bytes, kind: GGMLQuantizationType, where: str) -> Parts:
    """Stored integers (rows, elements) and scales (rows, groups) of (rows, bytes) of a type of `FORMATS`.

    Raises:
        TfmbsError: ``gguf.parse``, a code that is no trit.
    """
    count, size = rows.shape
    block_bytes = GGML_QUANT_SIZES[kind][1]
    stored, scales = FORMATS[kind].parts(rows.reshape(count * size // block_bytes, block_bytes))
    if FORMATS[kind].bits == TRITS and stored.max() > 1:
        raise TfmbsError("gguf.parse", where, "code of a ternary tensor", "0…2", 3)
    return stored.reshape(count, -1), np.ascontiguousarray(scales.reshape(count, -1))


def _f16(data: Bytes) -> F32:
    values: F32 = np.ascontiguousarray(data).view(np.float16).astype(np.float32)
    return values


def _fields(data: Bytes, bits: int, run: int) -> Bytes:
    """The fields of `bits` bits of each byte: runs of `run` bytes give all lowest fields first, then the next ones."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8).reshape(1, 1, -1, 1)
    fields: Bytes = data.reshape(len(data), -1, 1, run) >> shifts & np.uint8((1 << bits) - 1)
    return fields.reshape(len(data), -1)


def _q4_0(blocks: Bytes) -> Parts:
    return _fields(blocks[:, 2:], 4, 16).astype(np.int8) - np.int8(8), _f16(blocks[:, :2])


def _q8_0(blocks: Bytes) -> Parts:
    return np.ascontiguousarray(blocks[:, 2:]).view(np.int8), _f16(blocks[:, :2])


def _q6_k(blocks: Bytes) -> Parts:
    low, high, scales, d = np.split(blocks, [128, 192, 208], axis=1)
    stored = (_fields(low, 4, 64) | _fields(high, 2, 32) << np.uint8(4)).astype(np.int8) - np.int8(32)
    return stored, _f16(d) * np.ascontiguousarray(scales).view(np.int8).astype(np.float32)


def _tq2_0(blocks: Bytes) -> Parts:
    return _fields(blocks[:, :64], 2, 32).astype(np.int8) - np.int8(1), _f16(blocks[:, 64:])


def _tq1_0(blocks: Bytes) -> Parts:
    """Five trits to a byte, the first most significant, as ⌈256 · v / 243⌉; four in each of the last four bytes."""
    first, second, third, d = np.split(blocks, [32, 48, 52], axis=1)
    runs = [_digits(first, 5), _digits(second, 5), _digits(third, 4)]
    return np.concatenate(runs, axis=1).astype(np.int8) - np.int8(1), _f16(d)


def _digits(data: Bytes, count: int) -> Bytes:
    powers = (3 ** np.arange(count)).astype(np.uint8).reshape(1, -1, 1)
    digits = ((data[:, None, :] * powers).astype(np.uint16) * 3 >> 8).astype(np.uint8)
    return digits.reshape(len(data), -1)


FORMATS: dict[GGMLQuantizationType, BlockFormat] = {
    GGMLQuantizationType.Q4_0: BlockFormat(NIBBLES, 32, _q4_0),
    GGMLQuantizationType.Q8_0: BlockFormat(BYTES, 32, _q8_0),
    GGMLQuantizationType.Q6_K: BlockFormat(BYTES, 16, _q6_k),
    GGMLQuantizationType.TQ1_0: BlockFormat(TRITS, 256, _tq1_0),
    GGMLQuantizationType.TQ2_0: BlockFormat(TRITS, 256, _tq2_0),
}
"""The types that are integers times a scale; stored integers lie along rows as the package's weights do."""
