"""`tfmbs-bench simulator`: what it writes, what it refuses, and that bounds are bounds."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from tests.bench.schema import validate
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.tools.bench import simulator
from tfmbs.tools.bench.main import main
from tfmbs.tools.bench.simulated import memory, models, suites, workload
from tfmbs.tools.bench.simulated.models import Window
from tfmbs.tools.bench.simulated.result import Bar
from tfmbs.tools.bench.simulated.workload import Workload, simulate

ROOT = Path(__file__).parents[2]


def a_few(size: str, target: str) -> Any:
    yield Workload("few", "int8", lambda: models.product("int8", 20, 48, 33), target, bar=Bar("peak", 0.01))
    yield Workload("few", "chain", lambda: models.chain(2, 32), target, bar=Bar("peak", 0.99))
    if target == "kpu-16x16":
        yield Workload("few", "fused", lambda: models.feed_forward(16, 32, 64), target, against_ops=True)


@pytest.fixture
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suites, "SUITES", {"few": suites.Suite("a few", a_few)})


@pytest.mark.usefixtures("_few")
def test_json_picture_and_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, plot = tmp_path / "s.json", tmp_path / "s.svg"
    assert main(["simulator", "--suites", "few", "--json", str(out), "--plot", str(plot)]) == 0
    value = json.loads(out.read_text())
    validate(value, json.loads((ROOT / "docs" / "tfmbs-bench-simulator.schema.json").read_text()))
    product, chain, fused = value["workloads"]
    assert product["macs"] == 20 * 48 * 33
    assert product["shares"]["peak"] == pytest.approx(20 * 48 * 33 / (256 * product["total_ps"] / product["core_ps"]))
    assert product["least_external_bytes"] == 20 * 33 + 48 * 33 + 4 * 20 * 48
    assert [one["kind"] for one in chain["launches"]] == ["GEMM", "GEMM"]
    assert chain["bound_cycles"] == sum(one["bound_cycles"] for one in chain["launches"])
    assert fused["ops"]["count"] == 5
    # x, w and y of two products and two biases, and what GELU reads and writes: f32.
    least = 4 * (16 * 32 + 32 * 64 + 3 * 16 * 64 + 64 + 2 * 16 * 64 + 16 * 64 + 64 * 32 + 3 * 16 * 32 + 32)
    assert fused["ops"]["least_external_bytes"] == least
    assert fused["shares"]["saved by fusion"] == pytest.approx(1 - fused["external_bytes"] / least)
    assert all(one["exact"] for one in value["workloads"])
    ET.fromstring(plot.read_text())
    said = capsys.readouterr().out
    assert "bar held: int8: peak" in said
    assert "bar MISSED: chain: peak" in said
    assert "beyond 1.25 times its bound: few: int8: " in said
    assert "beyond 1.25 times its bound: few: chain: " not in said
    assert "fused: 5 ops one by one take" in said


@pytest.mark.parametrize("op", ["Softmax", "LayerNormalization", "Add", "Gelu"])
def test_no_run_beats_its_bound(op: str) -> None:
    """Parts of a vector program follow each other in the engine before the ones before have ended."""
    found = simulate(Workload("few", op, lambda: models.vector(op, 512, 256)))
    assert 1 <= found.ratio < 1.25


@pytest.mark.usefixtures("_few")
def test_lane_targets_refuse_floats_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulator", "--suites", "few", "--target", "tfmbs-1024", "--json", "-"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in value["workloads"]] == ["int8"]
    assert [one["name"] for one in value["refused"]] == ["chain"]
    assert "f32" in value["refused"][0]["why"]


@pytest.mark.usefixtures("_few")
def test_other_bytes_than_the_emulators_are_seen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kpu = workload.Kpu

    class Off:
        """A device that flips a bit."""

        def __init__(self, image: Any) -> None:
            self.image = image

        def context(self) -> Any:
            context = kpu(self.image).context()
            right = context.run

            def run(entry: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
                outputs = right(entry, inputs)
                next(iter(outputs.values())).view(np.uint8)[0, 0] ^= 1
                return outputs

            monkeypatch.setattr(context, "run", run)
            return context

    monkeypatch.setattr(workload, "Kpu", Off)
    assert main(["simulator", "--suites", "few", "--target", "kpu-minimal"]) == 1
    captured = capsys.readouterr()
    assert captured.err == "error: few: int8: outputs, expected the emulator's bytes, 2 workloads differ\n"
    assert "WRONG" in captured.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--suites", "speed"], f"error: --suites: value, expected some of {','.join(suites.SUITES)}, got speed"),
        (["--plot", "m.png"], "error: --plot: kind of picture, expected .svg, got m.png"),
    ],
)
def test_usage_is_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulator", *arguments]) == 2
    assert capsys.readouterr().err.splitlines() == [said]


VARIED = [
    Workload("t", "ternary", lambda: models.product("ternary", 50, 70, 40)),
    Workload("t", "requantized", lambda: models.product("int8", 33, 40, 64, ["requantize"])),
    Workload("t", "strided 1×1", lambda: models.convolution("int8", Window(16, 32, 14, 1, 2))),
    Workload("t", "depthwise", lambda: models.convolution("f32", Window(8, 8, 12, 3, 1, 8), ["bias", "Relu"])),
    Workload("t", "attention", lambda: models.attention_block(24, 32, 2), "kpu-edge"),
    Workload("t", "recurrent", lambda: models.lstm(3, 2, 64, 96), "kpu-minimal"),
    Workload("t", "groups", lambda: models.grouped(5, 32, 64)),
    Workload("t", "softmax", lambda: models.vector("Softmax", 20, 40), "kpu-minimal"),
    Workload("t", "lanes", lambda: models.product("int8", 20, 31, 40), "tfmbs-xc7z020"),
    Workload("t", "many tiles", lambda: models.product("int8", 100, 90, 40), "kpu-datacenter"),
]


@pytest.mark.parametrize("one", VARIED, ids=lambda one: one.name)
def test_no_run_is_faster_than_its_floor_or_moves_less_than_the_least(one: Workload) -> None:
    found = simulate(one)
    assert found.exact
    assert 0 < found.floor_ps <= found.total_ps
    assert found.floor_ps <= found.bound_ps
    for launch in found.launches:
        assert launch.external_bytes >= launch.bound.bytes
    assert all(0 <= share <= 1 for share in found.busy.values())


def test_a_strided_window_need_not_touch_every_pixel() -> None:
    (launch,) = simulate(VARIED[2]).launches
    assert launch.bound.bytes == 16 * 7 * 7 + 16 * 32 + 4 * 32 * 7 * 7


def test_bounds_of_a_product_by_hand() -> None:
    """32×16×1000 of f32 on 16×16: 2 folds of 1000 steps; 64 GB/s are 32 bytes a cycle."""
    (launch,) = simulate(Workload("t", "f32", lambda: models.product("f32", 32, 16, 1000))).launches
    resources = {name: ps / 500 for name, ps in launch.bound.resources.items()}
    least = 4 * (32 * 1000 + 16 * 1000 + 32 * 16)
    assert resources["array"] == 2000
    assert resources["external"] == resources["dma"] == least / 32
    assert (resources["block_mover"], resources["streamer"]) == (least / 64, least / 128)
    assert launch.bound.limit == "external"


def test_a_ragged_product_has_the_array_of_its_folds() -> None:
    (launch,) = simulate(Workload("t", "int8", lambda: models.product("int8", 1, 160, 160))).launches
    assert launch.bound.resources["array"] == 100 * 16 * 500  # a fold loads 16 rows of weights for one of the left


def test_recurrent_weights_that_no_memory_keeps_come_again() -> None:
    """256 states on kpu-minimal: a MiB of weights, of which 32 + 128 + 256 KiB can stay from step to step."""
    (launch,) = (
        one
        for one in simulate(Workload("t", "t", lambda: models.lstm(3, 1, 16, 256), "kpu-minimal")).launches
        if one.kind == "LSTM"
    )
    weights, kept = 4 * 256 * 256 * 4, 1024 * (32 + 128 + 256)
    assert launch.bound.bytes > weights + 2 * (weights - kept)
    assert launch.bound.bytes < 1.2 * weights + 2 * (weights - kept)
    assert launch.external_bytes >= launch.bound.bytes


def test_narrow_engines_are_the_limit() -> None:
    for one in suites.bandwidth(suites.SMALL, "kpu-16x16"):
        if " in: " in one.name:
            small = replace(one, build=lambda: models.product("f32", 1, 256, 512))
            found = simulate(small)
            assert found.limit.replace("_", "") == one.name.split()[0].lower()
            assert found.busy[found.limit] > 0.9


def test_a_changed_schedule_is_what_runs() -> None:
    one = next(one for one in suites.tiles(suites.SMALL, "kpu-16x16") if "32×32×512" in one.name)
    own = replace(one, build=lambda: models.product("int8", 64, 64, 64))
    chosen, forced = simulate(replace(own, change=None)), simulate(own)
    assert forced.exact
    assert forced.cycles != chosen.cycles


def test_every_size_class_has_every_suite() -> None:
    for suite in suites.SUITES.values():
        for size in suites.SIZES:
            names = [one.name for one in suite.workloads(size, "kpu-16x16")]
            assert names
            assert len(set(names)) == len(names)
    full = [one.name for one in suites.SUITES["matmul"].workloads("full", "kpu-16x16")]
    assert "int8 16384³" in full
    assert set(simulator.HEAD) >= {"predicted", "bound", "limit"}


@pytest.mark.parametrize("after", [[], ["bias", "residual"], ["bias", "Gelu"]])
def test_models_are_what_onnxruntime_computes(after: list[str]) -> None:
    model = models.product("f32", 9, 10, 11, after)
    (want,) = onnxruntime.InferenceSession(model.onnx.SerializeToString()).run(None, dict(model.inputs))
    _, outputs = workload.run(Workload("t", "t", lambda: model))
    np.testing.assert_allclose(next(iter(outputs.values())), want, rtol=1e-5, atol=1e-5)


def test_what_memory_cannot_hold_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Workload("t", "large", lambda: models.product("int8", 64, 48, 32))
    image = workload.compiled_for(one.build(), one).image
    g, schedule = image.gemm_geometries[0], image.schedules[0]
    count = memory.steps(image)
    assert count == np.prod([-(-g[axis] // schedule[f"tile_{axis}"]) for axis in "mnk"])
    monkeypatch.setattr(memory, "available", lambda: int(count * memory.STEP_BYTES / memory.SHARE) - 1)
    with pytest.raises(TfmbsError, match="large: memory for its movements, expected at most"):
        simulate(one)
    monkeypatch.setattr(memory, "available", lambda: None)  # a system that does not tell
    assert simulate(one).exact


@pytest.mark.parametrize("op", ["Add", "Softmax"])
def test_vector_programs_take_about_what_is_predicted(op: str) -> None:
    one = simulate(Workload("vectors", op, lambda: models.vector(op, 256, 512)))
    assert one.exact
    assert one.predicted is not None
    assert abs(one.predicted - one.cycles) <= 0.05 * one.cycles
