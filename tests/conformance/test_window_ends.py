"""Convolutions of floats whose sums leave registers with a number added and within ends, by bytes: square windows that
slide down planes of one input channel each, and windows of a single tap over long planes."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.conformance.builder import c
from tests.conformance.data import floats
from tests.conformance.devices import DeviceUnderTest
from tests.conformance.test_chains_random import Chain
from tests.conformance.test_window import Conv, Window, convolve
from tests.conformance.test_window_random import launch
from tests.native import examples
from tfmbs.runtime.abi.types import DType

STEPS = st.sampled_from([[], ["ADD"], ["MAX"], ["MIN"], ["RELU"], ["ADD", "RELU"], ["ADD", "MAX", "MIN"], ["MUL"]])
"""One of them no kernel of a convolution does by itself; operands come from any place."""


def check(device: DeviceUnderTest, conv: Conv, steps: list[str], data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 99), "seed"))
    x, w = floats(rng, conv.input), floats(rng, (conv.channels, conv.input[1] // conv.groups, *conv.window.kernel))
    chain = Chain(convolve(x, w, conv), rng, data)
    with np.errstate(all="ignore"):
        for name in steps:
            if name == "RELU":
                chain.relu()
            else:
                chain.arithmetic(name)
    fields = {}
    if steps:
        chain.words[-1] = {**chain.words[-1], **c("END")}
        fields = {"epilogue": chain.builder.epilogue(chain.words, len(chain.args)), "args": chain.args}
    launch(chain.builder, conv, x, w, DType.F32, **fields)
    assert device.run(chain.builder.image(), {"x": x})["y"].tobytes() == chain.value.tobytes()


@st.composite
def sliding(draw: st.DrawFn) -> Conv:
    """Padding beyond the window, planes that are finished several at a time, several outputs of an input channel."""
    plane = draw(st.tuples(st.integers(1, 20), st.integers(1, 70)) | st.tuples(st.integers(1, 3), st.integers(90, 600)))
    size, stride = draw(st.sampled_from([3, 5])), draw(st.integers(1, 2))
    window = Window((size, size), (stride, stride), (1, 1), draw(st.tuples(*[st.integers(0, 6)] * 4)))
    assume(all(n > 0 for n in window.output(*plane)))
    groups = draw(st.sampled_from([1, 3, 50]))
    return Conv((2, groups, *plane), groups * draw(st.sampled_from([1, 1, 3])), window, groups)


@given(conv=sliding(), steps=STEPS, data=st.data())
@settings(max_examples=examples(60))
def test_sliding_windows(device: DeviceUnderTest, conv: Conv, steps: list[str], data: st.DataObject) -> None:
    check(device, conv, steps, data)


@given(size=st.sampled_from([3, 5]), stride=st.integers(1, 2), top=st.integers(0, 3), steps=STEPS, data=st.data())
@settings(max_examples=examples(8))
def test_planes_in_parts(
    device: DeviceUnderTest, size: int, stride: int, top: int, steps: list[str], data: st.DataObject
) -> None:
    """Planes of more outputs than are computed together, high enough that they are cut."""
    window = Window((size, size), (stride, stride), (1, 1), (top, 1, 1, 1))
    check(device, Conv((1, 2, 110 * stride, 66 * stride), 2, window, 2), steps, data)


@given(
    pixels=st.integers(100, 700), channels=st.sampled_from([5, 31, 40]), inputs=st.integers(1, 20), steps=STEPS,
    data=st.data(),
)  # fmt: skip
@settings(max_examples=examples(40))
def test_single_taps(
    device: DeviceUnderTest, pixels: int, channels: int, inputs: int, steps: list[str], data: st.DataObject
) -> None:
    check(device, Conv((2, inputs, 1, pixels), channels, Window((1, 1))), steps, data)
