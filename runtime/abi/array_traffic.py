"""What an array reads of L1 and writes to it for a product, and the part of its cycles in which operands enter.

Each fold (`array_timing`) streams its operands in and its sums out; what stays in the array is read once a fold. With
⌈⌉ of the array's R rows and C columns, a product C[M,N] += A[M,K]·B[K,N] of one tile has

| dataflow | times A is read | times B is read | times sums are written | stream, cycles |
|---|---|---|---|---|
| output stationary | ⌈N/C⌉ | ⌈M/R⌉ | 1 | K a fold |
| weight stationary | ⌈N/C⌉ | 1 | ⌈K/R⌉ | M a fold |
| input stationary | 1 | ⌈M/C⌉ | ⌈K/R⌉ | N a fold |
| lanes (one row of C lanes) | ⌈N/C⌉ | M | 1 | K a fold |

Sums are read as often as they are written, but for the first time where they start from zero.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tfmbs.runtime.abi.array_timing import ArrayShape
from tfmbs.runtime.abi.records import Dataflow

Column = npt.NDArray[np.int64]


class Products(NamedTuple):
    """Products of tiles, a row each: sizes, bytes of an element of A and of K elements of B, whether sums are new."""

    m: Column
    n: Column
    k: Column
    lhs_bytes: Column
    rhs_row_bytes: Column
    is_first: Column


class ArrayTraffic(NamedTuple):
    """By product: bytes read and written, and cycles in which operands enter."""

    read: Column
    written: Column
    stream: Column


def array_traffic(dataflow: Dataflow, products: Products, array: ArrayShape, word: int) -> ArrayTraffic:
    """The traffic of products with sums of `word` bytes; of a lane target, `array` has one row."""
    m, n, k, lhs_bytes, rhs_row_bytes, is_first = products
    if dataflow is Dataflow.OUTPUT_STATIONARY:
        times = up(n, array.columns), up(m, array.rows), np.ones_like(m)
        stream = times[0] * times[1] * k
    elif dataflow is Dataflow.WEIGHT_STATIONARY:
        times = up(n, array.columns), np.ones_like(m), up(k, array.rows)
        stream = times[0] * times[2] * m
    else:
        times = np.ones_like(m), up(m, array.columns), up(k, array.rows)
        stream = times[1] * times[2] * n
    sums = m * n * word
    read = m * k * lhs_bytes * times[0] + n * rhs_row_bytes * times[1] + sums * (times[2] - is_first)
    return ArrayTraffic(read, sums * times[2], stream)


def up(size: Column, by: int) -> Column:
    """Quotients, rounded up."""
    result: Column = -(-size // by)
    return result
