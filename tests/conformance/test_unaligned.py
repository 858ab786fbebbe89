"""Operands at any address that is a multiple of their element's size: the same bytes, and none beside the results."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.conformance.devices import DeviceUnderTest
from tests.conformance.launches import Launches
from tests.native import examples
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.devices.emulator import Emulator

Array = NDArray[Any]
LINE = 64
BESIDE = 0xA5
"""Every byte around an array."""


@cache
def case(m: int, n: int, shift: int) -> tuple[Image, dict[str, Array], dict[str, Array]]:
    """An image, its inputs, and what the baseline set makes of them where all lies at lines of a cache."""
    builder, aligned = Launches(m, n, shift), Launches(m, n)
    outputs = Emulator(aligned.image(), "baseline").context(1).run("main", aligned.given)
    return builder.image(), builder.given, outputs


def area(size: int, behind: int) -> tuple[Array, slice]:
    """Bytes, and the place of `size` of them that begins `behind` bytes behind a line of a cache."""
    whole = np.full(size + 4 * LINE, BESIDE, np.uint8)
    first = -whole.ctypes.data % LINE + LINE + behind
    return whole, slice(first, first + size)


@given(
    m=st.sampled_from([1, 2, 9, 13]), n=st.sampled_from([41, 64]), shift=st.sampled_from([0, 1, 3, 17]),
    data=st.data(),
)  # fmt: skip
@settings(max_examples=examples(12))
def test_any_address(device: DeviceUnderTest, m: int, n: int, shift: int, data: st.DataObject) -> None:
    image, inputs, expected = case(m, n, shift)
    seed = data.draw(st.integers(0, 99), "seed")
    rng = np.random.default_rng(seed)

    def places(arrays: dict[str, Array]) -> dict[str, tuple[Array, slice, Array]]:
        """For an array of each shape: the bytes around it, its place in them, and itself."""
        found = {}
        for name, like in arrays.items():
            whole, place = area(like.nbytes, int(rng.integers(LINE // like.itemsize)) * like.itemsize)
            found[name] = (whole, place, whole[place].view(like.dtype).reshape(like.shape))
        return found

    given_, results = places(inputs), places(expected)
    for name, (_, _, array) in given_.items():
        array[:] = inputs[name]
    outputs = {name: array for name, (_, _, array) in results.items()}
    device.open(image).run("main", {name: array for name, (_, _, array) in given_.items()}, outputs)
    for name, (whole, place, array) in results.items():
        assert array.tobytes() == expected[name].tobytes(), name
        whole[place] = BESIDE
        assert (whole == BESIDE).all(), name
