"""Maxima of windows, with few odd values or none among them: the bytes of the baseline set, which looks at each tap."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.conformance.test_window import Window, pool_image
from tfmbs.runtime import _native
from tfmbs.runtime.abi.records import PoolMode
from tfmbs.runtime.devices.emulator import Emulator

SETS = (*_native.instruction_sets(), *_native.modelled_sets())
ODD = {"none": [], "zero": [-0.0, 0.0], "nan": [np.nan], "low": [-np.inf], "all": [-0.0, 0.0, np.nan, np.inf, -np.inf]}

sizes = st.tuples(st.integers(1, 12), st.sampled_from([1, 3, 15, 16, 33, 112]))
windows = st.builds(
    Window,
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 2), st.integers(1, 2)),
    st.tuples(*[st.integers(0, 1)] * 4),
)


def values(rng: np.random.Generator, shape: tuple[int, ...], kind: str, share: float) -> NDArray[Any]:
    """Mostly below zero, so that an odd value is what remains."""
    x = -np.abs(rng.standard_normal(shape)).astype(np.float32)
    if ODD[kind]:
        x = np.where(rng.random(shape) < share, rng.choice(np.array(ODD[kind], np.float32), shape), x)
    x.view(np.uint32)[np.isnan(x)] = rng.choice(np.array([0xFFC00077, 0x7FC00000, 0x7F800001], np.uint32))
    return x.astype(np.float32)


@settings(max_examples=300, deadline=None)
@given(sizes, windows, st.sampled_from(list(ODD)), st.sampled_from([0.01, 0.3, 1.0]), st.integers(0, 9))
def test_maxima(size: tuple[int, int], window: Window, kind: str, share: float, seed: int) -> None:
    x = values(np.random.default_rng(seed), (1, 2, *size), kind, share)
    if min(window.output(*size)) < 1 or not window.gather(x)[1].any(-1).all():
        return
    image = pool_image(window, x, PoolMode.MAX)
    expected = Emulator(image, "baseline").context(1).run("main", {"x": x})["y"].tobytes()
    for isa in SETS:
        assert Emulator(image, isa).context(1).run("main", {"x": x})["y"].tobytes() == expected
