"""An image with launches of every family of kernels, each on inputs of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.conformance.builder import END, Builder, c, d, s
from tests.conformance.data import floats
from tests.conformance.test_epilogue import REQUANTIZE, by_channel
from tests.conformance.test_window import Window
from tfmbs.runtime.abi.records import NONE, Activations, Kind, PoolMode
from tfmbs.runtime.abi.types import DType, Packing

Array = NDArray[Any]
F32, I8, I32 = DType.F32, DType.I8, DType.I32
K, TRITS, HIDDEN, SIZE = 19, 330, 21, (9, 11)
"""Lengths of reductions, states of an LSTM, lines of an image: multiples of nothing."""


class Launches(Builder):
    """`given` are the inputs, `families` what each launch belongs to; its output is `y` and its number, from 1 on.

    Products have m rows and n columns. Constants lie `shift` elements behind a multiple of a cache line.
    """

    def __init__(self, m: int = 13, n: int = 41, shift: int = 0) -> None:
        super().__init__()
        self.shift = shift
        self.rng = np.random.default_rng(3)
        self.given: dict[str, Array] = {}
        self.families: list[str] = []
        self.products(m, n)
        self.windows()
        self.others(m)

    def i8(self, *shape: int, ends: tuple[int, int] = (-128, 128)) -> Array:
        return self.rng.integers(*ends, shape).astype(np.int8)

    def f32(self, *shape: int) -> Array:
        return floats(self.rng, shape)

    def on(self, array: Array) -> int:
        name = f"x{len(self.given)}"
        self.given[name] = array
        return self.input(name, array.shape, I8 if array.dtype == np.int8 else F32)

    def to(self, family: str, dtype: DType, *shape: int) -> int:
        self.families.append(family)
        return self.output(f"y{len(self.families)}", shape, dtype)

    def products(self, m: int, n: int) -> None:
        weights, sizes = self.constant(self.i8(n, K)), {"m": m, "n": n, "k": K}
        self.gemm(self.on(self.i8(m, K)), weights, self.to("int8", I32, m, n), **sizes)
        narrow, args = self.epilogue(REQUANTIZE, 2), [self.constant(self.f32(n) / 64), self.constant(np.float32([3]))]
        self.gemm(self.on(self.i8(m, K)), weights, self.to("int8", I8, m, n), epilogue=narrow, args=args, **sizes)
        weights, bias = self.constant(self.f32(n, K)), [self.constant(self.f32(n))]
        self.gemm(self.on(self.f32(m, K)), weights, self.to("f32", F32, m, n), **sizes)
        chain = self.epilogue([by_channel(F32, 1, 0), {**d("ADD", F32, vd=0, va=0, vb=1), **END}], 1)
        self.gemm(self.on(self.f32(m, K)), weights, self.to("f32", F32, m, n), epilogue=chain, args=bias, **sizes)
        for packing in (Packing.PT5, Packing.R5, Packing.A5):
            trits = self.constant(self.i8(n, TRITS, ends=(-1, 2)), packing)
            for rows in (m, 1):
                out = self.to("trits", I32, rows, n)
                self.gemm(self.on(self.i8(rows, TRITS)), trits, out, m=rows, n=n, k=TRITS)
        for packing, end in ((Packing.NIBBLES, 8), (Packing.DENSE, 128)):
            grouped, scales = self.i8(2 * n, 16, ends=(-end, end)), self.constant(self.f32(n, 2))
            constant, sizes = self.constant(grouped, packing), {"m": m, "n": n, "k": 32, "group": 16}
            for form in Activations:
                lhs = self.on(self.f32(m, 32))
                self.groups(lhs, constant, scales, self.to("groups", F32, m, n), activations=form, **sizes)
            self.groups(self.on(self.i8(m, 32)), constant, scales, self.to("groups", F32, m, n), **sizes)

    def windows(self) -> None:
        """By input and output channels, length of a window, stride and groups."""
        for sizes in ((17, 21, 3, 1, 1), (17, 21, 1, 1, 1), (5, 9, 3, 2, 1), (6, 6, 3, 1, 6), (6, 6, 3, 2, 6)):
            channels, filters, length, stride, groups = sizes
            image, window = (1, channels, *SIZE), Window((length,) * 2, (stride,) * 2, (1, 1), (length // 2,) * 4)
            around = {"kernel": window.kernel, "strides": window.strides, "pads": window.pads, "groups": groups}
            shape = (filters, channels // groups, length, length)
            for family, draw, dtype in (("conv-int8", self.i8, I32), ("conv-f32", self.f32, F32)):
                out = self.to(family, dtype, 1, filters, *window.output(*SIZE))
                self.window(Kind.CONV2D, self.on(draw(*image)), self.constant(draw(*shape)), out, **around)
        for draw, dtype in ((self.i8, I8), (self.f32, F32)):
            out = self.to("pool", dtype, 1, 5, *SIZE)
            around = {"kernel": (3, 3), "pads": (1, 1, 1, 1)}
            self.window(Kind.POOL, self.on(draw(1, 5, *SIZE)), NONE, out, mode=PoolMode.MAX, **around)

    def others(self, m: int) -> None:
        heads = [self.on(self.f32(1, 2, m, K)) for _ in "qkv"]
        self.attention(*heads, self.to("attention", F32, 1, 2, m, K), scale=0.1)
        of_input, of_state = (self.constant(self.f32(1, 4 * HIDDEN, n)) for n in (K, HIDDEN))
        self.lstm(self.on(self.f32(3, m, K)), of_input, self.to("lstm", F32, 3, 1, m, HIDDEN), [of_state])
        line = {"base": 0, "index": 1}
        words = [
            {**s("LI", reg=1, imm=1), **c("SETVL", imm=100)},
            s("LD", F32, reg=1, win=0, **line),
            d("ADD", F32, vd=1, va=1, vb=1),
            d("EXP", F32, vd=1, va=1),
            {**s("ST", F32, reg=1, win=1, **line), **END},
        ]
        self.vector(words, [self.on(self.f32(100)), self.to("vector", F32, 100)])
