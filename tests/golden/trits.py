"""Golden images of products with trits in rows of more than digits: packings that later versions gave."""

from __future__ import annotations

import numpy as np

from tests.golden.builder import Builder
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.records import Activations, Kind
from tfmbs.runtime.abi.types import DType, Packing, Region


def sparse() -> Image:
    """Trits as flags and signs: S2 in a GEMM of f32, S4 in groups of i8 by row."""
    b, rng = Builder("sparse"), np.random.default_rng(9)
    x = b.tensor("x", Region.INPUT, DType.F32, (3, 13))
    q = b.tensor("q", Region.INPUT, DType.F32, (3, 22), slot=1)
    y = b.tensor("y", Region.OUTPUT, DType.F32, (3, 4))
    z = b.tensor("z", Region.OUTPUT, DType.F32, (3, 2), slot=1)
    rows = [np.zeros((4, 13), np.int8), np.zeros((4, 11), np.int8)]
    for trits, most in zip(rows, (7, 3), strict=True):
        for count, trit_row in enumerate(trits):
            places = rng.permutation(trits.shape[1])[: most - count % 2]
            trit_row[places] = rng.choice([-1, 1], places.size)
    halves = b.constant("halves", rows[0], DType.TRIT, Packing.S2)
    quarters = b.constant("quarters", rows[1], DType.TRIT, Packing.S4)
    scales = b.constant("scales", rng.random((2, 2)).astype(np.float32), DType.F32)
    one = b.gemm(3, 4, 13)
    two = b.geometry("group_geometry", m=3, n=2, k=22, group=11, lhs_m_stride=22, lhs_k_stride=1, scales=scales,
                     activations=Activations.ABSMAX)  # fmt: skip
    schedule = b.schedule(8, 8, 8)
    first = b.launch("halves", Kind.GEMM, lhs=x, rhs=halves, out=y, geometry=one, schedule=schedule)
    b.launch("quarters", Kind.GROUP_GEMM, waits=[first], lhs=q, rhs=quarters, out=z, geometry=two, schedule=schedule)
    b.entry("main", [x, q], [y, z], 0)
    return b.finish()


def residues() -> Image:
    """Trits as residues: a row of two blocks in a GEMM of f32, and one with a scale, of i8 by row."""
    b, rng = Builder("residues"), np.random.default_rng(10)
    x = b.tensor("x", Region.INPUT, DType.F32, (2, 330))
    q = b.tensor("q", Region.INPUT, DType.F32, (3, 129), slot=1)
    y = b.tensor("y", Region.OUTPUT, DType.F32, (2, 3))
    z = b.tensor("z", Region.OUTPUT, DType.F32, (3, 4), slot=1)
    long = b.constant("long", rng.integers(-1, 2, (3, 330)).astype(np.int8), DType.TRIT, Packing.R5)
    scaled = b.constant("scaled", rng.integers(-1, 2, (4, 129)).astype(np.int8), DType.TRIT, Packing.R5)
    scales = b.constant("scales", rng.random((4, 1)).astype(np.float32), DType.F32)
    one = b.gemm(2, 3, 330)
    two = b.geometry("group_geometry", m=3, n=4, k=129, group=129, lhs_m_stride=129, lhs_k_stride=1, scales=scales,
                     activations=Activations.ABSMAX)  # fmt: skip
    schedule = b.schedule(8, 8, 8)
    first = b.launch("long", Kind.GEMM, lhs=x, rhs=long, out=y, geometry=one, schedule=schedule)
    b.launch("scaled", Kind.GROUP_GEMM, waits=[first], lhs=q, rhs=scaled, out=z, geometry=two, schedule=schedule)
    b.entry("main", [x, q], [y, z], 0)
    return b.finish()


def abreast() -> Image:
    """Trits of rows side by side: of two groups and blocks in a GEMM of f32, and with a scale, of i8 by row."""
    b, rng = Builder("abreast"), np.random.default_rng(11)
    x = b.tensor("x", Region.INPUT, DType.F32, (2, 330))
    q = b.tensor("q", Region.INPUT, DType.F32, (3, 129), slot=1)
    y = b.tensor("y", Region.OUTPUT, DType.F32, (2, 70))
    z = b.tensor("z", Region.OUTPUT, DType.F32, (3, 4), slot=1)
    long = b.constant("long", rng.integers(-1, 2, (70, 330)).astype(np.int8), DType.TRIT, Packing.A5)
    scaled = b.constant("scaled", rng.integers(-1, 2, (4, 129)).astype(np.int8), DType.TRIT, Packing.A5)
    scales = b.constant("scales", rng.random((4, 1)).astype(np.float32), DType.F32)
    one = b.gemm(2, 70, 330)
    two = b.geometry("group_geometry", m=3, n=4, k=129, group=129, lhs_m_stride=129, lhs_k_stride=1, scales=scales,
                     activations=Activations.ABSMAX)  # fmt: skip
    schedule = b.schedule(8, 8, 8)
    first = b.launch("long", Kind.GEMM, lhs=x, rhs=long, out=y, geometry=one, schedule=schedule)
    b.launch("scaled", Kind.GROUP_GEMM, waits=[first], lhs=q, rhs=scaled, out=z, geometry=two, schedule=schedule)
    b.entry("main", [x, q], [y, z], 0)
    return b.finish()
