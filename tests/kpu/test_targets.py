"""Programs of every kind and small networks on the machine of every shipped target, and with every set of kernels."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tfmbs
from tests.kpu.networks import simulated
from tests.kpu.programs import KINDS
from tests.kpu.retarget import retargeted
from tests.kpu.test_kinds import given, ran
from tfmbs.runtime import _native
from tfmbs.runtime.abi.target_file import shipped_targets
from tfmbs.runtime.devices.kpu import Kpu

DIGITS = Path(__file__).parents[2] / "examples" / "digits"
NETWORKS = ("cnn", "cnn_ternary", "mlp_ternary")


@pytest.mark.parametrize("target", shipped_targets())
def test_every_kind_on_every_target(target: str) -> None:
    """The emulator's bytes, and no conflicts."""
    for make in KINDS.values():
        ran(retargeted(make(), target)).check_hazards()


@cache
def network(name: str) -> Any:
    program = tfmbs.compile(DIGITS / f"{name}.onnx", dims={"batch": 2})
    (argument,) = program.entry("main").inputs
    return program, {argument.name: np.random.default_rng(0).random(argument.shape, np.float32)}


@pytest.mark.parametrize("target", shipped_targets())
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_on_every_target(name: str, target: str) -> None:
    """`make kpu-networks` simulates whole ones."""
    result = simulated(name, *network(name), target)
    assert result.is_same
    assert result.conflicts == 0


@pytest.mark.parametrize("name", KINDS)
def test_cycles_depend_on_neither_kernels_nor_threads(name: str) -> None:
    """Each movement starts and ends at the same picosecond, with the same bytes."""
    image = KINDS[name]()
    inputs, seen = given(image), set()
    for isa in (*_native.instruction_sets(), *_native.modelled_sets()):
        for threads in (1, 2):
            context = Kpu(image, isa).context(threads)
            outputs = context.run("main", inputs)
            timing = context.timing
            columns = (timing.start, timing.end, timing.ready, timing.cause, *outputs.values())
            seen.add(b"".join(np.ascontiguousarray(column).tobytes() for column in columns))
    assert len(seen) == 1
