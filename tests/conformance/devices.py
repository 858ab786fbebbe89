"""The devices under test. A conformance test takes the fixture `device` and runs once for each of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.conformance.tables import TARGET
from tests.kpu.retarget import retargeted
from tfmbs.runtime import _native, threads
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.target_file import load_target, shipped_targets
from tfmbs.runtime.devices.base import Array, DeviceContext
from tfmbs.runtime.devices.emulator import Emulator
from tfmbs.runtime.devices.kpu import Kpu


@dataclass(frozen=True)
class DeviceUnderTest:
    """A name for test ids and a way to get a context for an image.

    `products_only`: it differs from another device in the kernels of integer products, and in nothing else. `l1_bytes`:
    of the L1 that tiles of weights come to; 0 where there is none.
    """

    name: str
    open: Callable[[Image], DeviceContext]
    products_only: bool = False
    l1_bytes: int = 0

    def run(self, image: Image, inputs: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Array]:
        """The outputs of entry point `main` in a fresh context."""
        return self.open(image).run("main", inputs)


def _emulator(isa: str, threads: int) -> Callable[[Image], DeviceContext]:
    return lambda image: Emulator(image, isa).context(threads)


THREADS = int(os.environ.get(threads.VARIABLE, "1"))
"""Of the devices whose names say nothing of threads: more than one under ThreadSanitizer."""


def _emulator_on(isa: str) -> DeviceUnderTest:
    return DeviceUnderTest(f"emulator-{isa}", _emulator(isa, THREADS), "vnni" in isa or isa.startswith("amx"))


def _kpu_on(target: str) -> DeviceUnderTest:
    size = load_target(target).l1.size
    return DeviceUnderTest(f"kpu-on-{target}", lambda image: Kpu(retargeted(image, target)).context(), l1_bytes=size)


TARGETS_VARIABLE = "TFMBS_CONFORMANCE_TARGETS"
"""`all`: programs also run on the machines of all shipped targets (`make kpu-targets`)."""

DEVICES: tuple[DeviceUnderTest, ...] = (
    *map(_emulator_on, _native.instruction_sets()),
    *map(_emulator_on, _native.modelled_sets()),
    DeviceUnderTest("emulator-2-threads", _emulator("", 2)),
    DeviceUnderTest("kpu", lambda image: Kpu(image).context(), l1_bytes=load_target(TARGET).l1.size),
    *(map(_kpu_on, shipped_targets()) if os.environ.get(TARGETS_VARIABLE) == "all" else ()),
)
