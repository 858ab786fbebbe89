import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tfmbs.runtime.abi.energy import CORES, EXTERNAL, energy_profiles
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.target import Feature, Target
from tfmbs.runtime.abi.target_file import TARGETS, load_target, shipped_targets
from tfmbs.runtime.abi.target_table import parameters

# DESIGN: tiles, rows, columns, clock in MHz
SHIPPED = {
    "kpu-16x16": (1, 16, 16, 2000),
    "kpu-minimal": (1, 8, 8, None),
    "kpu-edge": (2, 16, 16, None),
    "kpu-embodied": (64, 24, 24, None),
    "kpu-datacenter": (256, 32, 32, None),
    "tfmbs-xc7z020": (4, 1, 15, 250),
    "tfmbs-1024": (64, 1, 16, None),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_targets_have_the_sizes_of_the_design(name: str) -> None:
    tiles, rows, columns, clock = SHIPPED[name]
    target = load_target(name)
    assert (target.name, target.tiles, target.array.rows, target.array.columns) == (name, tiles, rows, columns)
    assert clock in (None, target.clocks.core_mhz)


def test_every_file_is_a_shipped_target_of_its_own_name() -> None:
    assert set(shipped_targets()) == set(SHIPPED)
    used = {load_target(name).energy.profile for name in shipped_targets()}
    assert used <= set(energy_profiles())


def test_kpu_16x16_has_the_figures_of_the_design() -> None:
    target = load_target("kpu-16x16")
    assert target.peak_gops == 1024
    assert (target.external.channels, target.external.gbytes_per_second) == (4, 16)
    assert target.mover_gbytes_per_second(target.block_mover) == 128
    assert target.mover_gbytes_per_second(target.streamer) == 256
    assert [m.banks for m in (target.l1, target.l2, target.l3)] == [4, 8, 4]
    assert [m.bank_bytes // 1024 for m in (target.l1, target.l2, target.l3)] == [32, 64, 128]
    assert target.vector.lanes == 8


def test_tfmbs_1024_has_1024_lanes() -> None:
    assert load_target("tfmbs-1024").macs_per_cycle == 1024


@pytest.mark.parametrize("name", shipped_targets())
def test_the_canonical_object_survives_json(name: str) -> None:
    target = load_target(name)
    assert Target.from_dict(json.loads(json.dumps(target.to_dict())), "TARGET") == target


def test_feature_bits_are_the_numbers_of_the_features() -> None:
    target = load_target("kpu-16x16")
    assert target.feature_bits == sum(1 << feature for feature in Feature if target.has(feature))
    assert target.has(Feature.PT5)


def _change(table: dict[str, Any], key: str, value: object) -> dict[str, Any]:
    changed = copy.deepcopy(table)
    inner = changed
    *path, last = key.split(".")
    for name in path:
        inner = inner[name]
    inner[last] = value
    return changed


IMPOSSIBLE = [
    (
        "array.rows",
        0,
        "array.rows: rows of processing elements; 1 for a lane target, expected an integer of at least 1, got 0",
    ),
    ("array.rows", -16, "got -16"),
    ("array.rows", 16.0, "expected an integer, got 16.0"),
    ("array.rows", True, "expected an integer, got True"),
    ("array.columns", 10**30, "of at most 4096"),
    ("array.operands", ["f32", "f31"], "expected one of f32, i8, trit, i4, got 'f31'"),
    ("array.operands", ["f32", "f32"], "expected each word once"),
    ("array.operands", ["trit"], "expected f32 or i8 beside trit"),
    ("array.operands", [], "expected a list of words, got []"),
    ("array.operands", "f32", "expected a list of words, got 'f32'"),
    ("array.dataflows", ["row_stationary"], "expected one of output_stationary, weight_stationary, input_stationary"),
    ("tiles", 257, "of at most 256, got 257"),
    ("kind", "torus", "expected one of array, lanes"),
    ("kind", "lanes", "rows of a lane target, expected 1, got 16"),
    ("features", ["warp"], "'warp'"),
    ("zero_skip", ["always"], "'always'"),
    ("clocks.core_mhz", 0, "expected a number above 0, got 0"),
    ("clocks.core_mhz", float("nan"), "got nan"),
    ("clocks.core_mhz", float("inf"), "got inf"),
    ("clocks.core_mhz", "2 GHz", "expected a number, got '2 GHz'"),
    ("l1.banks", 3, "expected a power of two, got 3"),
    ("l1.bank_bytes", 33, "expected a multiple of width_bytes 32, got 33"),
    ("l1.bank_bytes", 32, "l1: bytes for the smallest double-buffered tile, expected at least 1280, got 128"),
    ("l2.clock", "moon", "expected one of core, memory, external"),
    ("dma.count", 0, "got 0"),
    ("vector.lanes", 6, "expected a power of two, got 6"),
    ("vector.functions", ["gamma"], "'gamma'"),
    ("vector.types", ["f32", "i8"], "vector.types: element types, expected i32, got f32/i8"),
    ("vector.types", ["f32", "i32", "trit"], "vector.types: element types it computes with"),
    ("vector.dtypes", ["f32"], "vector.dtypes: unknown key, expected types"),
    ("external.gbytes_per_second", -1.0, "above 0, got -1.0"),
    ("energy.per_op.mac_f32", -0.5, "of at least 0, got -0.5"),
    ("energy.source", "", "expected a text that is not empty"),
    ("energy", 3, "energy: value, expected a table, got 3"),
    ("name", "../x", "lower-case letters"),
    ("arrray", {}, "arrray: unknown key, expected array"),
    ("l1.size", 1, "l1.size: unknown key"),
]


@pytest.mark.parametrize(("key", "value", "message"), IMPOSSIBLE)
def test_impossible_values_are_refused_by_key(key: str, value: object, message: str) -> None:
    table = _change(load_target("kpu-16x16").to_dict(), key, value)
    with pytest.raises(TfmbsError) as caught:
        Target.from_dict(table, "my.toml")
    assert caught.value.code == "target"
    assert str(caught.value).startswith("error: my.toml: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("key", [key for key, _ in parameters(Target)])
def test_every_parameter_is_required(key: str) -> None:
    table = load_target("kpu-16x16").to_dict()
    inner = table
    *path, last = key.split(".")
    for name in path:
        inner = inner[name]
    del inner[last]
    with pytest.raises(TfmbsError, match=f"{key}: missing key"):
        Target.from_dict(table, "my.toml")


def _write(tmp_path, text: str) -> str:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_file_of_the_user_is_read(tmp_path) -> None:
    text = (TARGETS / "kpu-16x16.toml").read_text().replace('name = "kpu-16x16"', 'name = "mine"')
    target = load_target(_write(tmp_path, text))
    assert target.name == "mine"
    assert target.array == load_target("kpu-16x16").array


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rows = = 3", "no TOML"),
        ("", "name: missing key"),
        ('energy = "free"', "kpu-16nm-ddr3, or a table, got 'free'"),
    ],
)
def test_bad_files_name_the_file(tmp_path, text: str, message: str) -> None:
    path = _write(tmp_path, text)
    with pytest.raises(TfmbsError) as caught:
        load_target(path)
    assert caught.value.code == "target"
    assert path in caught.value.location
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["kpu-17x17", "", "../kpu-16x16", "no/such/file.toml", "energy/kpu-16nm"])
def test_unknown_targets_are_refused(name: str) -> None:
    with pytest.raises(TfmbsError) as caught:
        load_target(name)
    assert caught.value.code == "target"


def test_the_page_names_every_parameter(pytestconfig) -> None:
    page = (pytestconfig.rootpath / "docs" / "targets.md").read_text(encoding="utf-8")
    for key, rule in parameters(Target):
        assert f"| `{key}` | {rule.doc} |" in page


def test_the_page_has_every_energy_figure_and_its_source() -> None:
    page = (Path(__file__).parents[2] / "docs" / "targets.md").read_text(encoding="utf-8")
    for name, core in CORES.items():
        figures = (" / ".join(f"{value:g}" for value in values) for values in (core.per_op, core.per_byte))
        assert f"| `{name}` | {' | '.join(figures)} | `{core.external}` | {core.source} |" in page
    for name, (value, source) in EXTERNAL.items():
        assert f"| `{name}` | {value:g} | {source} |" in page
