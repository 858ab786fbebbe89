"""Golden images of the kernels: products, convolutions and pools, with epilogues that are programs."""

from __future__ import annotations

import numpy as np

from tests.golden.builder import Builder
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.records import (
    Activations,
    Direction,
    GateOrder,
    Kind,
    LoopOrder,
    MaskMode,
    PoolMode,
    ProgramKind,
)
from tfmbs.runtime.abi.types import DType, Packing, Region


def mlp() -> Image:
    """Two f32 layers, the first with bias and relu as its epilogue."""
    b, rng = Builder("mlp"), np.random.default_rng(1)
    x = b.tensor("x", Region.INPUT, DType.F32, (2, 8))
    y = b.tensor("y", Region.OUTPUT, DType.F32, (2, 3))
    hidden = b.tensor("hidden", Region.SCRATCH, DType.F32, (2, 6))
    w1 = b.constant("w1", rng.standard_normal((6, 8)).astype(np.float32), DType.F32)
    bias = b.constant("bias", rng.standard_normal(6).astype(np.float32), DType.F32)
    w2 = b.constant("w2", rng.standard_normal((3, 6)).astype(np.float32), DType.F32)
    relu = b.program(
        "bias_relu",
        ProgramKind.EPILOGUE,
        1,
        3,
        "LD.F32 v1, w0, s2, s3, 0\nADD.F32 v0, v0, v1 | deps LOAD\nMAX.F32 v0, v0, v2 | END",
    )
    schedule, layer = b.schedule(8, 8, 8), b.layer("fc1")
    first = b.launch(
        "fc1",
        Kind.GEMM,
        [bias],
        lhs=x,
        rhs=w1,
        out=hidden,
        geometry=b.gemm(2, 6, 8),
        schedule=schedule,
        program=relu,
        telemetry=layer,
    )
    b.launch("fc2", Kind.GEMM, waits=[first], lhs=hidden, rhs=w2, out=y, geometry=b.gemm(2, 3, 6), schedule=schedule)
    b.origin(first, "node add", 0, 2, 0b011)
    b.origin(first, "node relu", 2, 1, 0b001)
    b.entry("main", [x], [y], 48)
    return b.finish()


def ternary() -> Image:
    """Two gemvs with packed trits, PT5 with f32 and T2 with i8 input, scaled by an epilogue each."""
    b, rng = Builder("ternary"), np.random.default_rng(2)
    x = b.tensor("x", Region.INPUT, DType.F32, (1, 13))
    q = b.tensor("q", Region.INPUT, DType.I8, (1, 9), slot=1)
    y = b.tensor("y", Region.OUTPUT, DType.F32, (1, 7))
    z = b.tensor("z", Region.OUTPUT, DType.F32, (1, 5), slot=1)
    trits = [rng.integers(-1, 2, shape).astype(np.int8) for shape in ((7, 13), (5, 9))]
    pt5 = b.constant("pt5", trits[0], DType.TRIT, Packing.PT5)
    t2 = b.constant("t2", trits[1], DType.TRIT, Packing.T2)
    scale = b.constant("scale", rng.random(7).astype(np.float32), DType.F32)
    factor = b.constant("factor", np.array([0.125], np.float32), DType.F32)
    by_channel = b.program(
        "by_channel", ProgramKind.EPILOGUE, 1, 2, "LD.F32 v1, w0, s2, s3, 0\nMUL.F32 v0, v0, v1 | END | deps LOAD"
    )
    by_scalar = b.program(
        "by_scalar",
        ProgramKind.EPILOGUE,
        1,
        2,
        "CVT.F32 v0, v0, I32 | LD.F32 v1, w0, s0, s0, 0\nMUL.F32 v0, v0, v1 | END | deps LOAD",
    )
    schedule = b.schedule(1, 8, 16)
    b.launch(
        "f",
        Kind.GEMV,
        [scale],
        lhs=x,
        rhs=pt5,
        out=y,
        geometry=b.gemm(1, 7, 13),
        schedule=schedule,
        program=by_channel,
        telemetry=b.layer("f", trits[0]),
    )
    b.launch(
        "q",
        Kind.GEMV,
        [factor],
        lhs=q,
        rhs=t2,
        out=z,
        geometry=b.gemm(1, 5, 9, lhs_zero=-3),
        schedule=schedule,
        program=by_scalar,
        telemetry=b.layer("q", trits[1]),
    )
    b.entry("main", [x, q], [y, z])
    return b.finish()


def conv() -> Image:
    """An i8 convolution, requantized in its epilogue, max-pooled; and an average pool of f32."""
    b, rng = Builder("conv"), np.random.default_rng(3)
    x = b.tensor("x", Region.INPUT, DType.I8, (1, 2, 6, 6))
    f = b.tensor("f", Region.INPUT, DType.F32, (1, 1, 5, 4), slot=1)
    y = b.tensor("y", Region.OUTPUT, DType.I8, (1, 4, 3, 3))
    g = b.tensor("g", Region.OUTPUT, DType.F32, (1, 1, 3, 2), slot=1)
    raw = b.tensor("raw", Region.SCRATCH, DType.I8, (1, 4, 6, 6))
    w = b.constant("w", rng.integers(-128, 128, (4, 1, 3, 3)).astype(np.int8), DType.I8)
    scale = b.constant("scale", (rng.random(4) / 256).astype(np.float32), DType.F32)
    requantize = b.program(
        "requantize",
        ProgramKind.EPILOGUE,
        1,
        4,
        "CVT.F32 v0, v0, I32 | LD.F32 v1, w0, s2, s3, 0\nMUL.F32 v0, v0, v1 | deps LOAD\n"
        "ROUND.F32 v0, v0\nCVT.I8 v0, v0, F32 | END",
    )
    sizes = {"batch": 1, "in_height": 6, "in_width": 6, "dilation_height": 1, "dilation_width": 1}
    conv_geometry = b.geometry(
        "window_geometry",
        **sizes,
        in_channels=2,
        out_channels=4,
        out_height=6,
        out_width=6,
        kernel_height=3,
        kernel_width=3,
        stride_height=1,
        stride_width=1,
        pad_top=1,
        pad_left=1,
        pad_bottom=1,
        pad_right=1,
        groups=2,
        lhs_zero=5,
    )
    pool_geometry = b.geometry(
        "window_geometry",
        **sizes,
        in_channels=4,
        out_channels=4,
        out_height=3,
        out_width=3,
        kernel_height=2,
        kernel_width=2,
        stride_height=2,
        stride_width=2,
        groups=1,
        mode=PoolMode.MAX,
    )
    average = b.geometry(
        "window_geometry",
        batch=1,
        in_channels=1,
        in_height=5,
        in_width=4,
        out_channels=1,
        out_height=3,
        out_width=2,
        kernel_height=3,
        kernel_width=2,
        stride_height=2,
        stride_width=2,
        dilation_height=1,
        dilation_width=1,
        pad_top=1,
        pad_bottom=1,
        groups=1,
        mode=PoolMode.AVG,
    )
    first = b.launch(
        "conv",
        Kind.CONV2D,
        [scale],
        lhs=x,
        rhs=w,
        out=raw,
        geometry=conv_geometry,
        schedule=b.schedule(8, 8, 16),
        program=requantize,
        telemetry=b.layer("conv"),
    )
    b.launch("pool", Kind.POOL, waits=[first], lhs=raw, out=y, geometry=pool_geometry)
    b.launch("average", Kind.POOL, lhs=f, out=g, geometry=average)
    b.entry("main", [x, f], [y, g], 144)
    return b.finish()


def volume() -> Image:
    """Two convolutions of volumes: f32 with a bias, in groups, and i8 by packed trits."""
    b, rng = Builder("volume"), np.random.default_rng(4)
    x = b.tensor("x", Region.INPUT, DType.F32, (1, 2, 3, 4, 5))
    q = b.tensor("q", Region.INPUT, DType.I8, (1, 2, 3, 3, 3), slot=1)
    y = b.tensor("y", Region.OUTPUT, DType.F32, (1, 6, 2, 4, 3))
    z = b.tensor("z", Region.OUTPUT, DType.I32, (1, 2, 2, 2, 2), slot=1)
    w = b.constant("w", rng.standard_normal((6, 1, 3, 3, 2)).astype(np.float32), DType.F32)
    bias = b.constant("bias", rng.standard_normal(6).astype(np.float32), DType.F32)
    trits = b.constant("t", rng.integers(-1, 2, (2, 2, 2, 2, 2)).astype(np.int8), DType.TRIT, Packing.PT5)
    add = b.program(
        "bias", ProgramKind.EPILOGUE, 1, 2, "LD.F32 v1, w0, s2, s3, 0\nADD.F32 v0, v0, v1 | END | deps LOAD"
    )
    dilations = {"dilation_depth": 1, "dilation_height": 1, "dilation_width": 1}
    own = b.geometry(
        "volume_geometry",
        **dilations,
        batch=1,
        in_channels=2,
        in_depth=3,
        in_height=4,
        in_width=5,
        out_channels=6,
        out_depth=2,
        out_height=4,
        out_width=3,
        kernel_depth=3,
        kernel_height=3,
        kernel_width=2,
        stride_depth=2,
        stride_height=1,
        stride_width=2,
        pad_front=1,
        pad_top=1,
        pad_left=1,
        groups=2,
    )
    ones = {f"{name}_{axis}": 1 for name in ("stride", "dilation") for axis in ("depth", "height", "width")}
    sizes = {"in": 3, "out": 2, "kernel": 2}
    cubes = {f"{name}_{axis}": size for name, size in sizes.items() for axis in ("depth", "height", "width")}
    ternary = b.geometry(
        "volume_geometry", **ones, **cubes, batch=1, in_channels=2, out_channels=2, groups=1, lhs_zero=7
    )
    schedule = b.schedule(8, 8, 16)
    first = b.launch(
        "own", Kind.CONV3D, [bias], lhs=x, rhs=w, out=y, geometry=own, schedule=schedule, program=add,
        telemetry=b.layer("own"),
    )  # fmt: skip
    b.launch("trits", Kind.CONV3D, waits=[first], lhs=q, rhs=trits, out=z, geometry=ternary, schedule=schedule)
    b.entry("main", [x, q], [y, z])
    return b.finish()


def attention() -> Image:
    """Causal attention of shared heads, and one whose mask an input chooses."""
    b = Builder("attention")
    q = b.tensor("q", Region.INPUT, DType.F32, (1, 4, 5, 8))
    k = b.tensor("k", Region.INPUT, DType.F32, (1, 2, 7, 8), slot=1)
    v = b.tensor("v", Region.INPUT, DType.F32, (1, 2, 7, 6), slot=2)
    m = b.tensor("m", Region.INPUT, DType.BOOL, (5, 7), slot=3)
    y = b.tensor("y", Region.OUTPUT, DType.F32, (1, 4, 5, 6))
    z = b.tensor("z", Region.OUTPUT, DType.F32, (1, 4, 5, 6), slot=1)
    sizes = {"batch": 1, "groups": 2, "shared": 2, "rows": 5, "columns": 7, "width": 8, "value_width": 6}
    strides = {
        "lhs_batch_stride": 160, "lhs_head_stride": 40, "lhs_row_stride": 8, "lhs_stride": 1,
        "rhs_batch_stride": 112, "rhs_group_stride": 56, "rhs_row_stride": 8, "rhs_stride": 1,
        "value_batch_stride": 84, "value_group_stride": 42, "value_row_stride": 6, "value_stride": 1,
    }  # fmt: skip
    causal = b.geometry(
        "attention_geometry",
        **sizes,
        **strides,
        scale=0.375,
        fill=float("-inf"),
        offset=2,
        causal=1,
        mask=MaskMode.NONE,
    )
    lowest = float.fromhex("-0x1.fffffep+127")
    chosen = b.geometry(
        "attention_geometry", **sizes, **strides, scale=1.0, fill=lowest, clear=1, mask=MaskMode.SELECT,
        mask_row_stride=7, mask_column_stride=1,
    )  # fmt: skip
    schedule = b.schedule(8, 8, 16)
    b.launch("causal", Kind.ATTENTION, [v], lhs=q, rhs=k, out=y, geometry=causal, schedule=schedule)
    b.launch("chosen", Kind.ATTENTION, [v, m], lhs=q, rhs=k, out=z, geometry=chosen, schedule=schedule)
    b.entry("main", [q, k, v, m], [y, z])
    return b.finish()


def by_rows() -> Image:
    """Attention of two sequences with heads side by side: parts of one input's rows, and rows of the result."""
    b = Builder("by_rows")
    x = b.tensor("x", Region.INPUT, DType.F32, (2, 5, 2, 24))
    y = b.tensor("y", Region.OUTPUT, DType.F32, (2, 5, 2, 8))
    q, k, v = (b.tensor(name, Region.INPUT, DType.F32, (480 - 8 * i,), offset=32 * i) for i, name in enumerate("qkv"))
    strides = {
        f"{name}_{axis}stride": stride
        for name, head in (("lhs", "head_"), ("rhs", "group_"), ("value", "group_"))
        for axis, stride in (("batch_", 240), (head, 24), ("row_", 48), ("", 1))
    }
    geometry = b.geometry(
        "attention_geometry", batch=2, groups=2, shared=1, rows=5, columns=5, width=8, value_width=8, **strides,
        scale=0.375, fill=float("-inf"), causal=1, mask=MaskMode.NONE, out_by_rows=1,
    )  # fmt: skip
    b.launch("heads", Kind.ATTENTION, [v], lhs=q, rhs=k, out=y, geometry=geometry, schedule=b.schedule(8, 8, 16))
    b.entry("main", [x], [y])
    return b.finish()


def groups() -> Image:
    """4-bit weights and trits with a scale for each group: of f32 that becomes i8 by row, and of stored i8."""
    b, rng = Builder("groups"), np.random.default_rng(7)
    x = b.tensor("x", Region.INPUT, DType.F32, (3, 12))
    q = b.tensor("q", Region.INPUT, DType.I8, (3, 10), slot=1)
    y = b.tensor("y", Region.OUTPUT, DType.F32, (3, 4))
    z = b.tensor("z", Region.OUTPUT, DType.F32, (3, 2), slot=1)
    nibbles = rng.integers(-8, 8, (8, 6)).astype(np.int8)
    trits = rng.integers(-1, 2, (4, 5)).astype(np.int8)
    weights = (
        b.constant("nibbles", nibbles, DType.I4, Packing.NIBBLES),
        b.constant("trits", trits, DType.TRIT, Packing.PT5),
    )
    scales = [b.constant(f"scales{i}", rng.random((n, 2)).astype(np.float32), DType.F32) for i, n in enumerate((4, 2))]
    sizes = (
        {"m": 3, "n": 4, "k": 12, "group": 6, "lhs_m_stride": 12, "activations": Activations.ABSMAX},
        {"m": 3, "n": 2, "k": 10, "group": 5, "lhs_m_stride": 10, "lhs_zero": 3},
    )
    schedule, last = b.schedule(8, 8, 8), []
    for number, (lhs, out) in enumerate(((x, y), (q, z))):
        geometry = b.geometry("group_geometry", lhs_k_stride=1, scales=scales[number], **sizes[number])
        last = [b.launch(f"fc{number}", Kind.GROUP_GEMM, waits=last, lhs=lhs, rhs=weights[number], out=out,
                         geometry=geometry, schedule=schedule)]  # fmt: skip
    b.entry("main", [x, q], [y, z], 0)
    return b.finish()


def lstm() -> Image:
    """A layer of both directions that keeps its last cell states, and one that walks backwards from given states."""
    b, rng = Builder("lstm"), np.random.default_rng(8)
    x = b.tensor("x", Region.INPUT, DType.F32, (4, 2, 5))
    h, c = (b.tensor(name, Region.INPUT, DType.F32, (1, 2, 3), slot=1 + i) for i, name in enumerate("hc"))
    y = b.tensor("y", Region.OUTPUT, DType.F32, (5, 2, 2, 6))
    z = b.tensor("z", Region.OUTPUT, DType.F32, (4, 1, 2, 3), slot=1)

    def weights(name: str, *shape: int) -> int:
        return b.constant(name, (rng.standard_normal(shape) / 8).astype(np.float32), DType.F32)

    sizes = {"steps": 4, "batch": 2, "width": 5}
    both = b.geometry(
        "lstm_geometry", **sizes, hidden=6, direction=Direction.BOTH, order=GateOrder.IFCO, bias=1, recurrent_bias=1,
        cell=1,
    )  # fmt: skip
    back = b.geometry("lstm_geometry", **sizes, hidden=3, direction=Direction.REVERSE, initial=1)
    w, r, bias, other = (
        weights(name, 2, 24, *rest) for name, rest in (("w", (5,)), ("r", (6,)), ("bias", ()), ("other", ()))
    )
    schedule = b.schedule(8, 8, 8)
    first = b.launch("both", Kind.LSTM, [r, bias, other], lhs=x, rhs=w, out=y, geometry=both, schedule=schedule)
    w, r = (weights(name, 1, 12, size) for name, size in (("w2", 5), ("r2", 3)))
    b.launch("back", Kind.LSTM, [r, h, c], [first], lhs=x, rhs=w, out=z, geometry=back, schedule=schedule)
    b.entry("main", [x, h, c], [y, z])
    return b.finish()


def blocks() -> Image:
    """An f32 product whose tiles come by columns, in blocks of rows, columns and k."""
    b, rng = Builder("blocks"), np.random.default_rng(9)
    x = b.tensor("x", Region.INPUT, DType.F32, (24, 40))
    y = b.tensor("y", Region.OUTPUT, DType.F32, (24, 20))
    w = b.constant("w", rng.standard_normal((20, 40)).astype(np.float32), DType.F32)
    schedule = b.schedule(4, 4, 8, order=LoopOrder.COLUMNS, block_m=16, block_n=12, block_k=16)
    b.launch("fc", Kind.GEMM, lhs=x, rhs=w, out=y, geometry=b.gemm(24, 20, 40), schedule=schedule)
    b.entry("main", [x], [y])
    return b.finish()
