"""`tfmbs-bench sweep`: points of variations, the Pareto front, and what is refused."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.schema import validate
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.target import Target
from tfmbs.runtime.abi.target_file import load_target, shipped_targets
from tfmbs.tools.bench.main import main
from tfmbs.tools.bench.simulated import area, models, variation
from tfmbs.tools.bench.simulated.point import Point, front

ROOT = Path(__file__).parents[2]


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "model.onnx"
    onnx.save(models.feed_forward(24, 32, 64).onnx, str(path))
    return str(path)


def test_table_json_and_picture(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, plot = tmp_path / "s.json", tmp_path / "s.svg"
    vary = ["--vary", "arrays.rows=8,16", "--vary", "l2.size=64K,512K"]
    assert main(["sweep", model, *vary, "--jobs", "2", "--json", str(out), "--plot", str(plot)]) == 0
    value = json.loads(out.read_text())
    validate(value, json.loads((ROOT / "docs" / "tfmbs-bench-sweep.schema.json").read_text()))
    assert value["vary"] == {"array.rows": [8, 16], "l2.size": [65536, 524288]}
    assert [tuple(one["changes"].values()) for one in value["points"]] == list(product([8, 16], [65536, 524288]))
    assert all(one["exact"] and one["energy_pj"] > 0 for one in value["points"])
    small, large = value["points"][0], value["points"][1]
    assert large["area_mm2"] - small["area_mm2"] == pytest.approx(8 * (524288 - 65536) * 0.346e-6)
    assert any(one["pareto"] for one in value["points"])
    ET.fromstring(plot.read_text())
    said = capsys.readouterr().out
    assert "Pareto" in said
    assert "kpu-16nm: KPU design notes" in said
    # Once more, in one process: the same bytes.
    before = out.read_bytes(), plot.read_bytes()
    assert main(["sweep", model, *vary, "--jobs", "1", "--json", str(out), "--plot", str(plot)]) == 0
    assert (out.read_bytes(), plot.read_bytes()) == before


def test_a_model_that_is_refused_is_one_line(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "absent.onnx", "--vary", "tiles=1,2", "--jobs", "2"]) == 1
    assert capsys.readouterr().err == "error: absent.onnx: cannot read the model, got No such file or directory\n"
    assert main(["sweep", model, "--dim", "batch=1..4", "--vary", "tiles=1"]) == 2
    said = "error: --dim: a sweep runs one size, expected batch=N, got batch=1..4\n"
    assert capsys.readouterr().err == said


def test_energy_is_that_of_the_profile_and_cycles_are_not(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", model, "--vary", "energy=kpu-16nm,horowitz-45nm", "--jobs", "1", "--json", "-"]) == 0
    first, second = json.loads(capsys.readouterr().out)["points"]
    assert first["cycles"] == second["cycles"]
    assert first["energy_pj"] < second["energy_pj"]
    assert second["profile"].startswith("horowitz-45nm: ")


def test_what_a_target_lacks_is_refused_by_name(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["sweep", model, "--target", "tfmbs-1024", "--vary", "tiles=32,64", "--jobs", "1"]
    assert main([*asked, "--json", "-"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["points"] == []
    assert [one["changes"] for one in value["refused"]] == [{"tiles": 32}, {"tiles": 64}]
    assert "expected i8, trit, got f32" in value["refused"][0]["why"]


KEYS = ", ".join(variation.accepted_keys())


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        (["rows=8"], f"error: --vary: key, expected one of {KEYS}, got rows"),
        (["array.operands=f32"], f"error: --vary: key, expected one of {KEYS}, got array.operands"),
        ([], "error: --vary: what varies, expected KEY=V,… at least once, got nothing"),
        (["tiles"], "error: --vary tiles: value, expected a number or a word, got nothing"),
        (["tiles=1,1"], "error: --vary tiles: a value given twice, got 1,1"),
        (["tiles=1", "tiles=2"], "error: --vary: a key given twice, got tiles"),
        (["clocks.core_mhz=nan"], "error: --vary clocks.core_mhz: value, expected a finite number, got nan"),
        (["tiles=" + ",".join(map(str, range(1, 257))), "array.rows=1,2,3,4,5"],
         "error: --vary: combinations, expected at most 1024, got 1280"),
    ],
)  # fmt: skip
def test_usage_is_one_line(vary: list[str], said: str, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", model, *(part for one in vary for part in ("--vary", one))]) == 2
    assert capsys.readouterr().err.splitlines() == [said]


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ("array.rows=8,0", "array.rows=0: array.rows: rows of processing elements; 1 for a lane target, expected an"),
        ("array.rows=many", "array.rows=many: array.rows: rows of processing elements; 1 for a lane target, expected"),
        ("l1.size=1000", "l1.size=1000: l1.size: bytes of a memory, expected a multiple of 4 banks of 32 bytes"),
        ("l1.size=128", "l1.size=128: l1: bytes for the smallest double-buffered tile, expected at least 1280"),
        ("energy=coal", "energy=coal: energy profile, expected one of "),
        ("dma.clock=lunar", "dma.clock=lunar: dma.clock: clock domain, expected one of core, memory, external"),
    ],
)
def test_impossible_values_are_refused_before_anything_runs(
    vary: str, said: str, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", model, "--vary", vary]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {said}")


@given(st.sampled_from(shipped_targets()))
def test_a_target_survives_as_a_file(name: str) -> None:
    table = variation.varied(name, {})
    with variation.target_file(table) as path:
        assert load_target(path) == load_target(name)


def test_every_accepted_key_can_be_set_to_what_it_is() -> None:
    target = load_target("kpu-16x16")
    for key in variation.accepted_keys():
        value: Any = target
        if key in variation.SIZES:
            value = getattr(target, variation.SIZES[key]).size
        elif key == variation.ENERGY:
            value = target.energy.profile
        else:
            for part in key.split("."):
                value = getattr(value, part)
        table = variation.varied("kpu-16x16", {key: value})
        with variation.target_file(table) as path:
            assert load_target(path) == target, key


def test_sizes_set_the_bytes_of_banks() -> None:
    assert Target.from_dict(variation.varied("kpu-16x16", {"l2.size": 1 << 20}), "t").l2.size == 1 << 20


def test_values() -> None:
    texts = {"8": 8, "64K": 65536, "2M": 1 << 21, "1.5": 1.5, "memory": "memory", "K": "K"}
    assert {text: variation.value_of("x", text) for text in texts} == texts
    with pytest.raises(TfmbsError, match="a finite number"):
        variation.value_of("x", "inf")


COSTS = st.integers(0, 3)


@given(st.lists(st.tuples(COSTS, COSTS, COSTS), min_size=1, max_size=8))
def test_the_front_is_what_nothing_beats(costs: list[tuple[int, int, int]]) -> None:
    """By definition: a point is off the front if another one is nowhere worse and somewhere better."""
    blank = Point({}, 0, 0, 0.0, 0.0, 0.0, 0.0, "", exact=True)
    points = [replace(blank, total_ps=t, energy_pj=float(e), area_mm2=float(a)) for t, e, a in costs]
    for one, best in zip(costs, front(points), strict=True):
        worse = [o for o in costs if o != one and o[0] <= one[0] and o[1] <= one[1] and o[2] <= one[2]]
        assert best == (not worse)


def test_area_by_hand() -> None:
    """kpu-16x16: 256 elements with f32 and i8, 8 lanes, 128 + 512 + 512 KiB."""
    element, lane = 7700 + 4184 + 282 + 137, 7700 + 4184 + 3495 + 137
    cells = 8 * 1024 * (128 + 512 + 512) * 0.346
    assert area.area(load_target("kpu-16x16")) == pytest.approx((256 * element + 8 * lane + cells) / 1e6)
    trits = replace(load_target("tfmbs-1024"), array=replace(load_target("tfmbs-1024").array, operands=("i8", "trit")))
    assert area.element_area(trits) == 282 + 137
