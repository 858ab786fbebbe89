"""Random products, convolutions and rows that become integers, on targets whose memories they do not fit at once."""

from __future__ import annotations

import numpy as np

from tests.conformance.builder import Builder
from tests.kpu.programs import small
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.records import Activations, Dataflow, Kind, LoopOrder
from tfmbs.runtime.abi.types import DType, Packing


def random_program(seed: int) -> Image:
    """Products and convolutions, each on the result of the one before, in any tiles, dataflow and buffering."""
    rng = np.random.default_rng(seed)

    def some(most: int) -> int:
        return int(rng.integers(1, most + 1))

    builder = Builder(str(rng.choice(["kpu-minimal", "kpu-edge"])))
    height, width = some(8), some(8)
    tensor = builder.input("x", (1, some(4), height, width), DType.F32)
    channels = int(builder.image().tensors[tensor]["dims"][1])
    launches = some(3)
    for number in range(launches):
        last = number == launches - 1
        shape = (1, some(6), height, width)
        out = builder.output("y", shape, DType.F32) if last else builder.scratch(shape, DType.F32)
        tiles, flow, buffers = (some(24), some(8), some(24)), Dataflow(some(3)), some(3)
        order = LoopOrder(rng.integers(3))
        if rng.random() < 0.5:
            schedule = builder.schedule(tiles=tiles, dataflow=flow, buffers=buffers, order=order)
            w = builder.constant(rng.standard_normal((shape[1], channels, 3, 3)).astype(np.float32))
            builder.window(Kind.CONV2D, tensor, w, out, kernel=(3, 3), pads=(1, 1, 1, 1), schedule=schedule)
        else:  # channels by pixels
            w = builder.constant(rng.standard_normal((shape[1], channels)).astype(np.float32))
            strides = {"lhs_m_stride": channels, "rhs_n_stride": 1, "rhs_k_stride": height * width}
            sizes = {"m": shape[1], "n": height * width, "k": channels}
            block = some(8), some(32), some(6)
            schedule = builder.schedule(tiles=tiles, dataflow=flow, buffers=buffers, order=order, block=block)
            builder.gemm(w, tensor, out, **sizes, **strides, schedule=schedule)
        tensor, channels = out, shape[1]
    return small(builder.image())


def random_rows(seed: int) -> Image:
    """A product in groups, whose rows become integers more often than not, in any tiles, dataflow and buffering."""
    rng = np.random.default_rng(seed)

    def some(most: int) -> int:
        return int(rng.integers(1, most + 1))

    is_wide = rng.random() < 0.5
    builder = Builder("kpu-edge" if is_wide else "kpu-minimal")
    m, n, group = some(24), some(24), 4 * some(40)
    k = group * (1 if rng.random() < 0.6 else some(4))
    activations = Activations.ABSMAX if rng.random() < 0.7 else Activations.STORED
    dtype = DType.F32 if activations is Activations.ABSMAX or rng.random() < 0.3 else DType.I8
    is_across = bool(rng.random() < 0.3)  # elements of a row lie m apart
    x, out = builder.input("x", (k, m) if is_across else (m, k), dtype), builder.output("y", (m, n), DType.F32)
    packing = Packing(rng.choice([Packing.DENSE, Packing.NIBBLES]))
    w = builder.constant(rng.integers(-8, 8, (n * k // group, group), np.int8), packing)
    scales = builder.constant(rng.standard_normal((n, k // group)).astype(np.float32))
    strides = {"lhs_m_stride": 1, "lhs_k_stride": m} if is_across else {}
    builder.groups(
        x, w, scales, out, m=m, n=n, k=k, group=group, activations=activations, **strides,
        schedule=builder.schedule(tiles=(some(12), some(12), some(k)), dataflow=Dataflow(some(3)), buffers=some(3)),
    )  # fmt: skip
    return small(builder.image(), tiles=2 if is_wide else 1)
