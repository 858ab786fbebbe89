"""Small programs of every kind, on targets whose memories they do not fit at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np

from tests.conformance.builder import END, Builder, Fields, c, d, s
from tests.conformance.test_epilogue import REQUANTIZE, by_channel
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.movement.entry import expand
from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.abi.movement.program import Program
from tfmbs.runtime.abi.records import Activations, Dataflow, Direction, Kind, LoopOrder, MaskMode, PoolMode, ZeroSkip
from tfmbs.runtime.abi.target import Target
from tfmbs.runtime.abi.types import DType, Packing
from tfmbs.runtime.devices.kpu import walked

RNG = np.random.default_rng(7)
ADD_BIAS = [by_channel(DType.F32, 1, 0), d("ADD", DType.F32, vd=0, va=0, vb=1), END]
DOUBLE = [
    {**s("LI", reg=1, imm=1), **c("SETVL", imm=120)},
    s("LD", DType.F32, reg=1, win=0, base=0, index=1),
    d("ADD", DType.F32, vd=1, va=1, vb=1),
    s("ST", DType.F32, reg=1, win=1, base=0, index=1),
    END,
]


BLOCKS, ROWS, COLUMNS = 5, 16, 64
"""Of `rows`."""


def two_passes(*, vl: int = COLUMNS) -> list[Fields]:
    """y = 3x + the sum of the block's rows + bias, by two passes over each block of rows.

    Windows: x, y, what the first pass leaves for the second, sums of columns, bias.
    """
    x, y, left, sums, bias = range(5)

    def move(op: str, reg: int, win: int, base: int = 0) -> Fields:
        return s(op, DType.F32, reg=reg, win=win, base=base, index=2)

    def add(vd: int, va: int, vb: int) -> Fields:
        return d("ADD", DType.F32, vd=vd, va=va, vb=vb)

    on = [s("ADDI", reg=5, base=5, imm=vl), s("ADDI", reg=7, base=7, imm=vl)]
    begin = [s("LI", reg=4, imm=ROWS), s("LI", reg=5, imm=0), s("ADDI", reg=7, base=3, imm=0)]
    first = [
        move("LD", 0, x, 7), add(1, 0, 0), move("ST", 1, left, 5), move("LD", 3, sums), add(3, 3, 0),
        move("ST", 3, sums), *on,
    ]  # fmt: skip
    second = [
        move("LD", 0, x, 7), move("LD", 1, left, 5), add(0, 0, 1), move("LD", 1, sums), add(0, 0, 1),
        move("LD", 1, bias), add(0, 0, 1), move("ST", 0, y, 7), *on,
    ]  # fmt: skip
    block = [
        s("INDEX", DType.I32, reg=2, base=0, index=0), move("ST", 2, sums),
        *begin, c("LOOP", reg=4, imm=len(first)), *first,
        *begin, c("LOOP", reg=4, imm=len(second)), *second,
        s("ADDI", reg=3, base=3, imm=ROWS * vl),
    ]  # fmt: skip
    return [
        {**s("LI", reg=1, imm=BLOCKS), **c("SETVL", imm=vl)}, s("LI", reg=2, imm=1), s("LI", reg=3, imm=0),
        c("LOOP", reg=1, imm=len(block)), *block, END,
    ]  # fmt: skip


def rows(
    sizes: tuple[int, int, int] = (8192, 24576, 32768), *, is_read_later: bool = False, twice: bool = False
) -> Image:
    """`two_passes` on memories (L1, L2, L3) that do not hold all of x; then, perhaps, a launch that reads what the
    first pass left; or, `twice`, the same for constants, which need not wait for the first launch."""
    builder = Builder("kpu-minimal")
    shape = (BLOCKS * ROWS, COLUMNS)
    x, y = builder.input("x", shape, DType.F32), builder.output("y", shape, DType.F32)
    left, sums = builder.scratch((ROWS, COLUMNS), DType.F32), builder.scratch((COLUMNS,), DType.F32)
    bias = builder.constant(RNG.standard_normal(COLUMNS).astype(np.float32))
    builder.vector(two_passes(), [x, y, left, sums, bias])
    if is_read_later:
        builder.vector(DOUBLE, [left, builder.output("z", (ROWS, COLUMNS), DType.F32)])
    if twice:
        w = builder.constant(RNG.standard_normal(shape).astype(np.float32))
        builder.vector(two_passes(), [w, builder.output("z", shape, DType.F32), left, sums, bias])
    image = builder.image()
    for level, size in zip(("l1", "l2", "l3"), sizes, strict=True):
        image.target[level] |= {"banks": 1, "bank_bytes": size}
    return image


def left_in_a_part() -> Image:
    """Two launches, each of which leaves results in the same scratch memory and reads them again at once."""
    vl, turns = 64, (12, 32)
    builder = Builder("kpu-minimal")
    left = builder.scratch((turns[1] * vl,), DType.F32)
    for number, count in enumerate(turns):

        def move(op: str, reg: int, win: int) -> Fields:
            return s(op, DType.F32, reg=reg, win=win, base=3, index=2)

        body = [
            move("LD", 0, 0), d("ADD", DType.F32, vd=1, va=0, vb=0), move("ST", 1, 1), move("LD", 3, 1),
            move("ST", 3, 2), s("ADDI", reg=3, base=3, imm=vl),
        ]  # fmt: skip
        begin = [{**s("LI", reg=1, imm=count), **c("SETVL", imm=vl)}, s("LI", reg=2, imm=1), s("LI", reg=3, imm=0)]
        x = builder.constant(RNG.standard_normal(count * vl).astype(np.float32))
        y = builder.output("yz"[number], (count * vl,), DType.F32)
        builder.vector([*begin, c("LOOP", reg=1, imm=len(body)), *body, END], [x, left, y])
    image = builder.image()
    for level, size in (("l1", 8192), ("l2", 32768), ("l3", 65536)):
        image.target[level] |= {"banks": 1, "bank_bytes": size}
    return image


def small(image: Image, tiles: int = 1) -> Image:
    """On memories of a few kilobytes, so that slots are used again and again; on the first of its tiles."""
    for level, size in (("l1", 4096), ("l2", 8192), ("l3", 16384)):
        image.target[level] |= {"banks": 1, "bank_bytes": size}
    image.masks[0]["words"] = ((1 << tiles) - 1, 0, 0, 0)
    return image


def product(dataflow: Dataflow, buffers: int, target: str = "kpu-minimal") -> Image:
    """A product in ragged tiles, whose result is copied."""
    m, n, k = 37, 21, 50
    builder = Builder(target)
    x, w = builder.input("x", (m, k), DType.I8), builder.constant(RNG.integers(-9, 9, (n, k), np.int8))
    sums, out = builder.scratch((m, n), DType.I32), builder.output("y", (m, n), DType.I32)
    schedule = builder.schedule(tiles=(16, 8, 24), dataflow=dataflow, buffers=buffers)
    builder.gemm(x, w, sums, m=m, n=n, k=k, schedule=schedule)
    builder.launch(Kind.COPY, lhs=sums, out=out)
    return builder.image()


def parked(order: LoopOrder, tiles: int = 1) -> Image:
    """A product in blocks of the output, whose sums park in L2 and L3 between blocks of k, with a bias."""
    m, n, k = 45, 52, 70
    builder = Builder("kpu-edge")
    x, w = builder.input("x", (m, k), DType.F32), builder.constant(RNG.standard_normal((n, k)).astype(np.float32))
    bias, out = builder.constant(RNG.standard_normal(n).astype(np.float32)), builder.output("y", (m, n), DType.F32)
    schedule = builder.schedule(tiles=(8, 8, 8), order=order, block=(40, 48, 16))
    builder.gemm(
        x, w, out, m=m, n=n, k=k, schedule=schedule, epilogue=builder.epilogue(ADD_BIAS, 1), args=[bias]
    )  # fmt: skip
    return small(builder.image(), tiles)


def chain() -> Image:
    """Three products with epilogues, each on the results of the one before, on two tiles."""
    m, sizes = 24, (20, 36, 28, 12)
    builder = Builder("kpu-edge")
    x = builder.input("x", (m, sizes[0]), DType.F32)
    for k, n in pairwise(sizes):
        out = builder.output("y", (m, n), DType.F32) if n == sizes[-1] else builder.scratch((m, n), DType.F32)
        w, bias = (builder.constant(RNG.standard_normal(shape).astype(np.float32)) for shape in ((n, k), (n,)))
        program = builder.epilogue(ADD_BIAS, 1)
        schedule = builder.schedule(tiles=(8, 12, 16))
        builder.gemm(x, w, out, m=m, n=n, k=k, schedule=schedule, epilogue=program, args=[bias])
        x = out
    return small(builder.image(), tiles=2)


def lanes() -> Image:
    """Two products of trits on four tiles of lanes, the second on the requantized results of the first."""
    m, sizes = 24, (20, 36, 28)
    builder = Builder("tfmbs-xc7z020")
    x = builder.input("x", (m, sizes[0]), DType.I8)
    for k, n in pairwise(sizes):
        out = builder.output("y", (m, n), DType.I8) if n == sizes[-1] else builder.scratch((m, n), DType.I8)
        w = builder.constant(RNG.integers(-1, 2, (n, k), np.int8), Packing.T2)
        scale, zero = (builder.constant(np.full(shape, 0.1, np.float32)) for shape in ((n,), (1,)))
        program = builder.epilogue(REQUANTIZE, 2)
        schedule = builder.schedule(tiles=(8, 15, 16))
        builder.gemm(x, w, out, m=m, n=n, k=k, schedule=schedule, epilogue=program, args=[scale, zero])
        x = out
    return small(builder.image(), tiles=4)


def network() -> Image:
    """A convolution, a pooling and a vector program."""
    builder = Builder("kpu-minimal")
    x = builder.input("x", (1, 3, 12, 10), DType.F32)
    w = builder.constant(RNG.standard_normal((4, 3, 3, 3)).astype(np.float32))
    hidden, pooled = builder.scratch((1, 4, 12, 10), DType.F32), builder.scratch((1, 4, 6, 5), DType.F32)
    out = builder.output("y", (1, 4, 6, 5), DType.F32)
    builder.window(Kind.CONV2D, x, w, hidden, kernel=(3, 3), pads=(1, 1, 1, 1))
    builder.window(Kind.POOL, hidden, 0xFFFFFFFF, pooled, kernel=(2, 2), strides=(2, 2), mode=PoolMode.MAX)
    builder.vector(DOUBLE, [pooled, out])
    return builder.image()


def volumes() -> Image:
    """A convolution over volumes, in groups, of two images."""
    builder = Builder("kpu-minimal")
    x = builder.input("x", (2, 4, 3, 6, 5), DType.I8)
    w = builder.constant(RNG.integers(-9, 9, (6, 2, 2, 3, 3), np.int8))
    out = builder.output("y", (2, 6, 2, 4, 3), DType.I32)
    builder.volume(x, w, out, kernel=(2, 3, 3), groups=2)
    return small(builder.image())


def attention() -> Image:
    """Two heads, causal, with a mask of its own for each query."""
    builder = Builder("kpu-minimal")
    q, k = builder.input("x", (1, 2, 20, 8), DType.F32), builder.input("k", (1, 2, 24, 8), DType.F32)
    v, mask = builder.input("v", (1, 2, 24, 8), DType.F32), builder.input("m", (1, 2, 20, 24), DType.F32)
    fields = {"mask": MaskMode.ADD, "mask_head_stride": 480, "mask_row_stride": 24, "mask_column_stride": 1}
    builder.attention(q, k, v, builder.output("y", (1, 2, 20, 8), DType.F32), masked=mask, causal=1, offset=4, **fields)
    return builder.image()


def attention_by_rows() -> Image:
    """Heads that share keys, side by side in rows of one input, and so in the result."""
    builder = Builder("kpu-minimal")
    x, y = builder.input("x", (20, 4, 8), DType.F32), builder.output("y", (20, 2, 8), DType.F32)
    k, v = (builder.view(x, (640 - start,), offset=4 * start) for start in (16, 24))
    geometry = {"batch": 1, "groups": 1, "shared": 2, "rows": 20, "columns": 20, "width": 8, "value_width": 8}
    geometry |= {f"{name}_row_stride": 32 for name in ("lhs", "rhs", "value")}
    geometry |= {f"{name}_stride": 1 for name in ("lhs", "rhs", "value")}
    builder.attention_of(x, k, v, y, {**geometry, "lhs_head_stride": 8, "scale": 0.5, "out_by_rows": 1})
    return builder.image()


def groups(
    lhs: DType,
    activations: Activations = Activations.STORED,
    sizes: tuple[int, int, int, int] = (13, 21, 48, 8),
    step: int = 16,
    tiles: int = 1,
) -> Image:
    """Weights of four bits with scales, and a bias, on one or two tiles; `sizes` are m, n, k and group, `step` of k."""
    m, n, k, group = sizes
    builder = Builder("kpu-edge" if tiles > 1 else "kpu-minimal")
    x, out = builder.input("x", (m, k), lhs), builder.output("y", (m, n), DType.F32)
    w = builder.constant(RNG.integers(-8, 8, (n * k // group, group), np.int8), Packing.NIBBLES)
    scales, bias = (
        builder.constant(RNG.standard_normal(shape).astype(np.float32)) for shape in ((n, k // group), (n,))
    )
    builder.groups(
        x, w, scales, out, m=m, n=n, k=k, group=group, activations=activations, epilogue=builder.epilogue(ADD_BIAS, 1),
        args=[bias], schedule=builder.schedule(tiles=(4, 8, step)),
    )  # fmt: skip
    return small(builder.image(), tiles=tiles)


def rows_of_rows() -> Image:
    """Rows become integers, twice: the second time those of a product's results, on two tiles."""
    m, sizes = 11, (96, 70, 24)
    builder = Builder("kpu-edge")
    x = builder.input("x", (m, sizes[0]), DType.F32)
    for k, n in pairwise(sizes):
        out = builder.output("y", (m, n), DType.F32) if n == sizes[-1] else builder.scratch((m, n), DType.F32)
        w, scales = (
            builder.constant(RNG.integers(-9, 9, (n, k), np.int8)),
            builder.constant(RNG.random((n, 1), np.float32)),
        )
        schedule = builder.schedule(tiles=(4, 8, 48))
        builder.groups(x, w, scales, out, m=m, n=n, k=k, group=k, activations=Activations.ABSMAX, schedule=schedule)
        x = out
    return small(builder.image(), tiles=2)


def lstm() -> Image:
    """Both ways, with biases, first states and last cells, on two tiles."""
    steps, batch, width, hidden = 3, 4, 6, 10
    shapes = {
        "x": (steps, batch, width), "w": (2, 4 * hidden, width), "r": (2, 4 * hidden, hidden), "a": (2, 4 * hidden),
        "b": (2, 4 * hidden), "h": (2, batch, hidden), "c": (2, batch, hidden),
    }  # fmt: skip
    builder = Builder("kpu-edge")
    tensors = {name: builder.input(name, shape, DType.F32) for name, shape in shapes.items()}
    out = builder.output("y", (steps + 1, 2, batch, hidden), DType.F32)
    flags = dict.fromkeys(("bias", "recurrent_bias", "initial", "cell"), 1)
    x, w, *further = tensors.values()
    builder.lstm(x, w, out, further, direction=Direction.BOTH, **flags)
    image = small(builder.image(), tiles=2)
    image.schedules[0] |= {"tile_m": 3, "tile_n": 4}
    return image


def sparse(dataflow: Dataflow, *, is_window: bool = False, seed: int = 7) -> Image:
    """Weights of which a quarter is not zero, in rows that have them together, skipped in cycles."""
    rng = np.random.default_rng(seed)
    n, k = 12, 36
    rows = np.zeros((n, k), np.int8)
    for first in range(0, n, 4):  # columns that are neighbours have weights at the same k
        at = rng.permutation(k)[: k // 4 - 1]
        rows[first : first + 4, at] = rng.integers(-1, 2, (4, len(at)))
    builder = Builder("kpu-minimal", zero_skip=["none", "cycle"])
    schedule = builder.schedule(ZeroSkip.CYCLE, tiles=(8, 4, 36), dataflow=dataflow)
    if is_window:
        x, out = builder.input("x", (1, 4, 6, 5), DType.I8), builder.output("y", (1, n, 6, 5), DType.I32)
        w = builder.constant(rows.reshape(n, 4, 3, 3), Packing.S4)
        builder.window(Kind.CONV2D, x, w, out, kernel=(3, 3), pads=(1, 1, 1, 1), lhs_zero=3, schedule=schedule)
    else:
        x, out = builder.input("x", (19, k), DType.I8), builder.output("y", (19, n), DType.I32)
        builder.gemm(x, builder.constant(rows, Packing.S4), out, m=19, n=n, k=k, lhs_zero=-2, schedule=schedule)
    return builder.image()


def states() -> Image:
    """A product into state, which the next launch reads."""
    builder = Builder("kpu-minimal")
    x, w = builder.input("x", (10, 8), DType.F32), builder.constant(RNG.standard_normal((12, 8)).astype(np.float32))
    state, out = builder.state("s", (10, 12), DType.F32), builder.output("y", (10, 12), DType.F32)
    builder.vector(DOUBLE, [state, out])
    builder.gemm(x, w, state, m=10, n=12, k=8)
    return small(builder.image())


KINDS: dict[str, Callable[[], Image]] = {
    "output stationary": partial(product, Dataflow.OUTPUT_STATIONARY, 2),
    "weight stationary": partial(product, Dataflow.WEIGHT_STATIONARY, 2),
    "input stationary, unbuffered": partial(product, Dataflow.INPUT_STATIONARY, 1),
    "three buffers": partial(product, Dataflow.OUTPUT_STATIONARY, 3),
    "parked sums, rows first": partial(parked, LoopOrder.ROWS),
    "parked sums, columns first, on two tiles": partial(parked, LoopOrder.COLUMNS, 2),
    "chain on two tiles": chain,
    "lanes on four tiles": lanes,
    "network": network,
    "volumes": volumes,
    "attention": attention,
    "attention by rows": attention_by_rows,
    "rows": rows,
    "rows that are read later": partial(rows, is_read_later=True),
    "rows twice": partial(rows, twice=True),
    "rows in too little memory": partial(rows, (4096, 8192, 16384)),
    "what a part leaves for itself": left_in_a_part,
    "states": states,
    "groups of integers": partial(groups, DType.I8),
    "groups of reals": partial(groups, DType.F32),
    "groups of rows by their magnitude": partial(groups, DType.F32, Activations.ABSMAX),
    "rows in one group, which is cut": partial(groups, DType.F32, Activations.ABSMAX, (13, 21, 96, 96)),
    "integers in one group, which is cut": partial(groups, DType.I8, sizes=(13, 21, 96, 96)),
    "rows longer than L1, on two tiles": partial(groups, DType.F32, Activations.ABSMAX, (3, 21, 1040, 1040), 208, 2),
    "rows in panels, on two tiles": partial(groups, DType.F32, Activations.ABSMAX, (29, 70, 160, 160), 160, 2),
    "rows for one block of columns, on two tiles": partial(
        groups, DType.F32, Activations.ABSMAX, (9, 4, 1400, 1400), 350, 2
    ),
    "rows of rows, on two tiles": rows_of_rows,
    "rows that leave L2 one by one": partial(groups, DType.F32, Activations.ABSMAX, (3, 9, 4000, 4000), 250),
    "lstm": lstm,
    "skipped zeros": partial(sparse, Dataflow.WEIGHT_STATIONARY),
    "skipped taps": partial(sparse, Dataflow.OUTPUT_STATIONARY, is_window=True),
}
"""A program of every kind of launch."""


def expanded(image: Image) -> Program:
    """Entry 0 of an image on its own target."""
    return expand(image, 0, Machine.of(Target.from_dict(image.target, "TARGET", image.version[1])), walked)
