"""Epilogues that are one chain of operations on the accumulators, drawn at random, against numpy's f32, by bytes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.conformance.arithmetic import canonical, maximum, minimum
from tests.conformance.builder import Builder, Fields, c, d, s
from tests.conformance.data import floats
from tests.conformance.devices import DeviceUnderTest
from tests.conformance.test_epilogue import by_channel, by_element, scalar
from tests.conformance.test_products_random import Array, integers
from tests.conformance.test_window import Conv, Window, convolve
from tests.conformance.test_window_random import launch
from tests.native import examples
from tfmbs.runtime.abi.siw import Predicate
from tfmbs.runtime.abi.types import DType

EXAMPLES = examples(60)
F32, I8, I32 = DType.F32, DType.I8, DType.I32
EXTREME = [0.0, -0.0, 1.0, -1.0, 0.5, 3e38, -3e38, 1e-42, float("inf"), float("nan")]
NUMBERS = st.one_of(st.sampled_from(EXTREME), st.sampled_from(floats(np.random.default_rng(7), (64,)).tolist()))
STEPS = {"ADD": np.add, "MUL": np.multiply, "DIV": np.divide, "MAX": maximum, "MIN": minimum}
PLACES = ("channel", "element", "scalar", "constant")


def constant(reg: int, value: float) -> list[Fields]:
    """The bits of an f32 in all lanes of a register, by way of s5."""
    bits = int(np.float32(value).view(np.int32))
    low = bits & 0x1FFFF
    return [
        s("LI", reg=5, imm=bits >> 17),
        s("LIH", reg=5, imm=low - (1 << 17) if low >> 16 else low),
        s("INDEX", I32, reg=reg, base=5, index=0),
    ]


@dataclass
class Chain:
    """A program, its operands in windows, and what it has made of the accumulators so far."""

    value: Array
    rng: np.random.Generator
    data: st.DataObject
    builder: Builder = field(default_factory=Builder)
    words: list[Fields] = field(default_factory=list)
    args: list[int] = field(default_factory=list)

    def window(self, array: Array) -> int:
        self.args.append(self.builder.constant(array))
        return len(self.args) - 1

    def operand(self) -> Array:
        """Loads v1 from a place; its value for every element."""
        place, shape = self.data.draw(st.sampled_from(PLACES), "place"), self.value.shape
        if place == "element":
            elements = floats(self.rng, shape)
            self.words += [by_element(F32, 1, self.window(elements))]
            return elements
        if place == "channel":
            row = np.array(self.data.draw(st.lists(NUMBERS, min_size=shape[1], max_size=shape[1]), "row"), np.float32)
            self.words += [by_channel(F32, 1, self.window(row))]
            return np.broadcast_to(row[:, None, None], shape)
        number = np.float32(self.data.draw(NUMBERS, "number"))
        one = scalar(F32, 1, self.window(number[None])) if place == "scalar" else None
        self.words += constant(1, float(number)) if one is None else [one]
        return np.full(shape, number)

    def convert(self) -> None:
        """i32 accumulators, and a bias that wraps, become f32."""
        bias = self.rng.integers(-(2**31), 2**31, self.value.shape[1]).astype(np.int32)
        self.words += [by_channel(I32, 1, self.window(bias)), d("ADD", I32, vd=0, va=1, vb=0)]
        self.words += [d("CVT", F32, vd=0, va=0, aux=I32)]
        self.value = (self.value + bias[:, None, None]).astype(np.float32)

    def arithmetic(self, name: str) -> None:
        operand = self.operand()
        self.words += [d(name, F32, vd=0, va=0, vb=1)]
        self.value = canonical(STEPS[name](self.value, operand))

    def relu(self) -> None:
        self.words += [*constant(2, 0.0), d("CMP", F32, vd=3, va=0, vb=2, aux=Predicate.UGT)]
        self.words += [d("SEL", vd=0, va=3, vb=0, vc=2)]
        self.value = np.where((self.value > 0) | np.isnan(self.value), self.value, np.float32(0))

    def quantize(self) -> None:
        """Rounds, adds a zero point, clamps and converts to i8; a NaN is 0."""
        zero = self.data.draw(st.integers(-128, 127), "zero")
        low, high = sorted(self.data.draw(st.tuples(st.integers(-128, 127), st.integers(-128, 127)), "ends"))
        self.words += [d("ROUND", F32, vd=0, va=0)]
        for op, number in (("ADD", zero), ("MAX", low), ("MIN", high)):
            self.words += [*constant(1, number), d(op, F32, vd=0, va=0, vb=1)]
        self.words += [*constant(1, 0.0), d("CMP", F32, vd=2, va=0, vb=0, aux=Predicate.UNO)]
        self.words += [d("SEL", vd=0, va=2, vb=1, vc=0), d("CVT", I8, vd=0, va=0, aux=F32)]
        clamped = np.clip(np.rint(self.value) + np.float32(zero), low, high)
        self.value = np.where(np.isnan(clamped), 0, clamped).astype(np.int8)


@given(size=st.sampled_from([1, 7, 14, 33, 300]), channels=st.sampled_from([1, 6, 37]), data=st.data())
@settings(max_examples=EXAMPLES)
def test_chain(device: DeviceUnderTest, size: int, channels: int, data: st.DataObject) -> None:
    """Any steps on f32, of accumulators of both types, with operands from every place, quantized in the end or not."""
    rng = np.random.default_rng(data.draw(st.integers(0, 99), "seed"))
    conv = Conv((1, 5, 2, size), channels, Window((1, 1)))
    shapes = (conv.input, (channels, 5, 1, 1))
    real, narrow = data.draw(st.booleans(), "real"), data.draw(st.booleans(), "narrow")
    x, w = (floats(rng, one) if real else integers(rng, one, -128, 127, extreme=False) for one in shapes)
    chain = Chain(convolve(x, w, conv), rng, data)
    with np.errstate(all="ignore"):
        if not real:
            chain.convert()
        for name in data.draw(st.lists(st.sampled_from([*STEPS, "RELU"]), max_size=4), "steps"):
            if name == "RELU":
                chain.relu()
            else:
                chain.arithmetic(name)
        if narrow:
            chain.quantize()
    words = chain.words or [{}]
    words[-1] = {**words[-1], **c("END")}
    epilogue = chain.builder.epilogue(words, len(chain.args))
    launch(chain.builder, conv, x, w, I8 if narrow else F32, epilogue=epilogue, args=chain.args)
    assert device.run(chain.builder.image(), {"x": x})["y"].tobytes() == chain.value.tobytes()


@st.composite
def few_channels(draw: st.DrawFn) -> Conv:
    """Windows of a group with few input or output channels, over planes of one line and of many."""
    axes = [draw(st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 2), st.integers(0, 3))) for _ in "yx"]
    sizes = draw(st.integers(1, 20)), draw(st.one_of(st.integers(1, 70), st.integers(100, 300)))
    for size, (kernel, _, dilation, pad) in zip(sizes, axes, strict=True):
        assume(size + pad > (kernel - 1) * dilation)
    kernel, strides, dilations, before = ((axes[0][i], axes[1][i]) for i in range(4))
    groups = draw(st.sampled_from([1, 3, 50]))
    per_group, channels = draw(st.sampled_from([1, 1, 2, 3])), draw(st.sampled_from([1, 1, 4, 6]))
    window = Window(kernel, strides, dilations, (*before, draw(st.integers(0, 3)), draw(st.integers(0, 3))))
    zero = draw(st.sampled_from([0, -128, 127, 5]))
    return Conv((2, per_group * groups, *sizes), channels * groups, window, groups, zero=zero)


@st.composite
def single_taps(draw: st.DrawFn) -> Conv:
    """Windows of a single tap and many channels, over planes of a few pixels and of many."""
    size = draw(st.one_of(st.tuples(st.integers(1, 9), st.integers(1, 9)), st.tuples(st.just(2), st.integers(60, 150))))
    groups, per_group = draw(st.sampled_from([1, 1, 3])), draw(st.sampled_from([16, 17, 70, 401]))
    channels = draw(st.sampled_from([5, 16, 21, 40]))
    strides, pad = draw(st.tuples(st.integers(1, 2), st.integers(1, 2))), draw(st.sampled_from([0, 0, 1]))
    zero = draw(st.sampled_from([0, -128, 127, 5]))
    window = Window((1, 1), strides, (1, 1), (pad,) * 4)
    return Conv((2, per_group * groups, *size), channels * groups, window, groups, zero=zero)


@given(conv=few_channels() | single_taps(), divisor=st.sampled_from([None, 0.02, 1.0, 37.5]), data=st.data())
@settings(max_examples=EXAMPLES)
def test_requantized_windows(device: DeviceUnderTest, conv: Conv, divisor: float | None, data: st.DataObject) -> None:
    """A bias, a scale by channel, ends and a division before a quantization, where sums never leave registers."""
    rng = np.random.default_rng(data.draw(st.integers(0, 99), "seed"))
    filters = (conv.channels, conv.input[1] // conv.groups, *conv.window.kernel)
    by = np.float32(divisor or 1)
    if data.draw(st.booleans(), "turns"):
        # Sums times a half, or what is next to it: quotients where rounding turns.
        conv = replace(conv, zero=0)
        x, w = integers(rng, conv.input, -9, 9, extreme=False), integers(rng, filters, -2, 2, extreme=False)
        half = np.full(conv.channels, by / 2, np.float32)
        scale = (half.view(np.int32) + rng.integers(-2, 3, conv.channels, dtype=np.int32)).view(np.float32)
    else:
        x = integers(rng, conv.input, -128, 127, extreme=data.draw(st.booleans(), "extreme"))
        w = integers(rng, filters, -128, 127, extreme=False)
        scale = (rng.uniform(0.2, 2, conv.channels) * by / (50 * np.sqrt(w[0].size))).astype(np.float32)
        scale[rng.integers(conv.channels)] = data.draw(NUMBERS, "odd scale")
    chain = Chain(convolve(x, w, conv), rng, data)
    bias = rng.integers(-200, 200, conv.channels).astype(np.int32)
    chain.words += [by_channel(I32, 1, chain.window(bias)), d("ADD", I32, vd=0, va=1, vb=0)]
    chain.words += [d("CVT", F32, vd=0, va=0, aux=I32), by_channel(F32, 1, chain.window(scale))]
    chain.words += [d("MUL", F32, vd=0, va=0, vb=1)]
    with np.errstate(all="ignore"):
        value = (chain.value + bias[:, None, None]).astype(np.float32)
        chain.value = canonical(value * scale[:, None, None])
        if divisor:
            chain.relu()
            chain.words += [*constant(1, divisor), d("DIV", F32, vd=0, va=0, vb=1)]
            chain.value = canonical(chain.value / np.float32(divisor))
        chain.quantize()
    chain.words[-1] = {**chain.words[-1], **c("END")}
    epilogue = chain.builder.epilogue(chain.words, len(chain.args))
    launch(chain.builder, conv, x, w, I8, epilogue=epilogue, args=chain.args)
    assert device.run(chain.builder.image(), {"x": x})["y"].tobytes() == chain.value.tobytes()


@given(
    divisor=st.one_of(
        st.sampled_from([2.0**-61, 2.0**-60, 2.0**60, 2.0**61, 1e-42, 3e38, -0.3, 0.0]),
        st.floats(2.0**-10, 1000, width=32),
    ),
    ends=st.lists(st.tuples(st.sampled_from(["MAX", "MIN", "RELU"]), st.integers(-300, 300)), max_size=3),
    seed=st.integers(0, 99), data=st.data(),
)  # fmt: skip
@settings(max_examples=EXAMPLES)
def test_quotients_between_integers(
    device: DeviceUnderTest, divisor: float, ends: list[tuple[str, int]], seed: int, data: st.DataObject
) -> None:
    """Ends, a division and a quantization, of numbers whose quotients lie next to where rounding turns, and others."""
    rng, by = np.random.default_rng(seed), np.float32(divisor)
    with np.errstate(all="ignore"):
        turns = ((rng.integers(-300, 300, 1200) + 0.5) * np.float64(by)).astype(np.float32)
        near = (turns.view(np.int32) + rng.integers(-2, 3, 1200, dtype=np.int32)).view(np.float32)
        x = np.concatenate([near, np.float32(EXTREME), floats(rng, (190,)) * by]).reshape(1, 1, 2, 700)
        conv, w = Conv(x.shape, 1, Window((1, 1))), np.ones((1, 1, 1, 1), np.float32)
        chain = Chain(convolve(x, w, conv), rng, data)
        for name, number in ends:
            if name == "RELU":
                chain.relu()
                continue
            end = np.float32(number / 4) * by
            chain.words += [*constant(1, float(end)), d(name, F32, vd=0, va=0, vb=1)]
            chain.value = canonical(STEPS[name](chain.value, end))
        chain.words += [*constant(1, float(by)), d("DIV", F32, vd=0, va=0, vb=1)]
        chain.value = canonical(chain.value / by)
        chain.quantize()
    chain.words[-1] = {**chain.words[-1], **c("END")}
    epilogue = chain.builder.epilogue(chain.words, 0)
    launch(chain.builder, conv, x, w, I8, epilogue=epilogue, args=[])
    assert device.run(chain.builder.image(), {"x": x})["y"].tobytes() == chain.value.tobytes()
