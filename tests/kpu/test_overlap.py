"""Launches overlap: the weights of the next one move while the array still works on this one."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from tests.conformance.builder import Builder
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.fields import PART_FIELDS, Level, Memory, Op
from tfmbs.runtime.abi.target_file import shipped_targets
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.devices.emulator import Emulator
from tfmbs.runtime.devices.kpu import Kpu
from tfmbs.runtime.timing import Timing

SOURCE = PART_FIELDS.index("source")


def two_products(target: str, buffers: int) -> Image:
    """Two products; the second one waits for the first."""
    m, n, k = 64, 64, 96
    builder = Builder(target)
    for number in range(2):
        x = builder.input(f"x{number}", (m, k), DType.I8)
        w = builder.constant(np.random.default_rng(number).integers(-9, 9, (n, k), np.int8))
        schedule = builder.schedule(tiles=(16, 16, 32), buffers=buffers)
        builder.gemm(x, w, builder.output(f"y{number}", (m, n), DType.I32), m=m, n=n, k=k, schedule=schedule)
    return builder.image()


def run(image: Image) -> Timing:
    """Runs it, with the emulator's bytes."""
    given = {f"x{number}": np.random.default_rng(number).integers(-9, 9, (64, 96), np.int8) for number in range(2)}
    context, expected = Kpu(image).context(), Emulator(image).context(1).run("main", given)
    found = context.run("main", given)
    assert all(found[name].tobytes() == array.tobytes() for name, array in expected.items())
    context.check_hazards()
    return context.timing


def loads(timing: Timing, launch: int, *, of_weights: bool) -> list[int]:
    """Movements of a launch that bring weights, or other operands, from external memory."""
    first, count = timing.column("part_first"), timing.column("part_count")
    sources = timing.tables.parts[:, SOURCE]
    here = (timing.column("launch") == launch) & (timing.column("op") == Op.COPY)
    here &= timing.column("source") == Level.EXTERNAL
    return [
        number
        for number in np.flatnonzero(here).tolist()
        if (sources[first[number] : first[number] + count[number]] == Memory.WEIGHTS).all() == of_weights
    ]


def lead(timing: Timing, movements: Iterable[int]) -> int:
    """Picoseconds from the start of the first of some movements to the end of the first launch's last array step."""
    folds = (timing.column("launch") == 0) & (timing.column("op") == Op.FOLD)
    return int(timing.end[folds].max() - timing.start[list(movements)].min())


def fed(timing: Timing) -> list[int]:
    """What brings operands of the second launch to L1."""
    here = (timing.column("launch") == 1) & (timing.column("op") == Op.COPY)
    return np.flatnonzero(here & (timing.column("target") == Level.L1)).tolist()


@pytest.mark.parametrize("target", shipped_targets())
def test_the_next_launchs_weights_move_while_the_array_works(target: str) -> None:
    """All the way to the array where its operands are double-buffered; what the first launch may write stays behind."""
    timing = run(two_products(target, buffers=2))
    assert lead(timing, loads(timing, 1, of_weights=True)) > 0
    assert lead(timing, fed(timing)) > 0
    others = loads(timing, 1, of_weights=False)
    stores = (timing.column("launch") == 0) & (timing.column("target") == Level.EXTERNAL)
    assert timing.start[others].min() >= timing.end[stores].max()


@pytest.mark.parametrize("target", shipped_targets())
def test_with_one_buffer_the_array_waits_for_them(target: str) -> None:
    timing = run(two_products(target, buffers=1))
    assert lead(timing, fed(timing)) < 0


@pytest.mark.parametrize("target", shipped_targets())
def test_without_coming_ahead_launches_take_longer(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that wait as other operands do."""
    usual = run(two_products(target, buffers=2))
    monkeypatch.setattr(Expansion, "tokens", lambda self, queue, memory: list(self._tokens))
    timing = run(two_products(target, buffers=2))
    assert lead(timing, loads(timing, 1, of_weights=True)) < 0
    assert timing.total_ps > usual.total_ps
