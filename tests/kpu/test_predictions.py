"""What the closed model expects of poolings, copies and vector programs, beside their runs on the simulator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conformance.builder import END, Builder, c, s
from tests.kpu.programs import ADD_BIAS, KINDS, expanded, network, small
from tests.kpu.test_kinds import ran
from tfmbs.compiler.report import html_report
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.movement.predicted import Prediction
from tfmbs.runtime.abi.records import NONE, Kind, PoolMode
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.devices.kpu import predicted

GOLDEN = Path(__file__).parents[1] / "golden" / "v1.8"
GATHERED = [
    {**s("LI", reg=1, imm=1), **c("SETVL", imm=200)},
    s("LD", DType.I32, reg=4, win=1, base=0, index=1),
    s("GATHER", DType.F32, reg=6, win=0, base=0, index=4),
    s("ST", DType.F32, reg=6, win=2, base=0, index=1),
    END,
]


def pool(channels: int, side: int, *, batch: int = 1, mode: PoolMode = PoolMode.MAX, after: bool = False) -> Image:
    """Windows of 2×2, with a bias behind."""
    builder = Builder("kpu-edge")
    x = builder.input("x", (batch, channels, side, side), DType.F32)
    out = builder.output("y", (batch, channels, side // 2, side // 2), DType.F32)
    bias = [builder.constant(np.ones(channels, np.float32))] if after else []
    program = builder.epilogue(ADD_BIAS, 1) if after else NONE
    how = {"epilogue": program, "args": bias} if after else {}
    builder.window(Kind.POOL, x, NONE, out, kernel=(2, 2), strides=(2, 2), mode=mode, **how)
    image = builder.image()
    image.masks[0]["words"] = (3, 0, 0, 0)
    return image


def copy(size: int) -> Image:
    builder = Builder("kpu-edge")
    builder.copy(builder.input("x", (size,), DType.F32), builder.output("y", (size,), DType.F32))
    return builder.image()


def gather() -> Image:
    builder = Builder("kpu-16x16")
    x = builder.input("x", (300,), DType.F32)
    index = builder.constant(np.random.default_rng(2).integers(0, 300, 200).astype(np.int32))
    builder.vector(GATHERED, [x, index, builder.output("y", (200,), DType.F32)])
    return builder.image()


LAUNCHES = {
    "pooling of small channels": pool(64, 8),
    "of large ones, in rows": pool(2, 256),
    "of several images": pool(16, 32, batch=3),
    "averages": pool(64, 28, mode=PoolMode.AVG),
    "with an epilogue": pool(64, 28, after=True),
    "copy of a word": copy(1),
    "copy in pieces": copy(1 << 20),
    "gathered elements": gather(),
}


@pytest.mark.parametrize("name", LAUNCHES)
def test_predictions_are_near(name: str) -> None:
    """Within 5 % of the cycles, and the very bytes."""
    context = ran(LAUNCHES[name])
    (launch,), measured = context.stats.launches, context.stats.measured
    assert measured is not None
    assert abs(launch.predicted_cycles - launch.cycles) <= 0.05 * launch.cycles
    assert launch.predicted_external_bytes == measured.launches[0].external_bytes()


@pytest.mark.parametrize("target", ["kpu-embodied", "kpu-datacenter"])
def test_ragged_blocks_are_not_taken_for_whole_ones(target: str) -> None:
    """Each operand comes once, whatever it is cut into."""
    m, n, k = 100, 130, 300
    builder = Builder(target)
    x, w = builder.input("x", (m, k), DType.I8), builder.constant(np.ones((n, k), np.int8))
    schedule = builder.schedule(tiles=(48, 64, 128))
    builder.gemm(x, w, builder.output("y", (m, n), DType.I32), m=m, n=n, k=k, schedule=schedule)
    prediction = predicted(builder.image())[0]
    assert isinstance(prediction, Prediction)
    assert prediction.external_bytes == m * k + n * k + 4 * m * n


@pytest.mark.parametrize("name", KINDS)
def test_they_need_no_movements(name: str) -> None:
    """Those of all launches are the ones of the expansion."""
    image = KINDS[name]()
    known = {number: one for number, one in predicted(image).items() if one is not None}
    assert known == expanded(image).predicted


def test_what_depends_on_values_has_none() -> None:
    assert predicted(Image.load(GOLDEN / "collatz.tfb")) == {0: None}


def test_a_report_tells_what_launches_should_take() -> None:
    image = network()
    page = html_report(image, "t", predicted(image))
    known = [one for one in predicted(image).values() if isinstance(one, Prediction)]
    assert len(known) == len(image.descriptors) == 3
    for one in known:
        assert f">{one.cycles:,}</td>" in page
        assert f">{one.external_bytes:,}</td>" in page
    external = sum(one.external_bytes for one in known)
    assert f"{sum(one.cycles for one in known):,} cycles, {external:,} external bytes, launches one by one" in page


def test_a_report_tells_what_the_rule_refuses() -> None:
    image = small(pool(1, 1024))
    (refused,) = predicted(image).values()
    assert isinstance(refused, TfmbsError)
    page = html_report(image, "t", {0: refused})
    assert "a row of its outputs does not fit the memories of the target" in page
    assert "<dt>Predicted</dt><dd>no launch</dd>" in page


def test_a_report_counts_launches_without_a_prediction() -> None:
    image = network()
    known = predicted(image)
    for left_out, said in (({}, "one by one<"), ({0: None}, "without 1 launch that has no prediction")):
        assert said in html_report(image, "t", known | left_out)
    assert "without 2 launches that have no prediction" in html_report(image, "t", known | {0: None, 1: None})
