"""What a layer costs at each precision: the formula by hand, and the order of the ladder on every shipped target."""

from pathlib import Path
from typing import Any

import pytest

import tfmbs.runtime.abi
from tests.models.graphs import graph, normal, weights
from tfmbs.compiler.mixed.costs import Stored, energy, is_supported
from tfmbs.dialect import graph as ops
from tfmbs.passes.graph.choices import LADDER
from tfmbs.passes.graph.kernels import ops_of
from tfmbs.runtime.abi.target_file import load_target

TARGETS = sorted(file.stem for file in (Path(tfmbs.runtime.abi.__path__[0]) / "targets").glob("*.toml"))


@pytest.fixture(scope="module")
def module() -> Any:
    return graph({"x": ((3, 64), "f32")}, lambda x: ops.matmul(x, weights(normal(10, 64))).result)


@pytest.fixture(scope="module")
def matmul(module: Any) -> Any:
    return ops_of(module, ops.MatmulOp)[0]


def test_bytes_are_those_of_the_packings() -> None:
    assert Stored("fp32", 10, 64, 0).bytes == 2560
    assert Stored("bf16", 10, 64, 0).bytes == 1280
    assert Stored("int8", 10, 64, 10).bytes == 640 + 40
    assert Stored("int4", 10, 64, 20).bytes == 320 + 80
    assert Stored("ternary", 10, 64, 10).bytes == 10 * 13 + 40
    assert Stored("ternary", 10, 64, 20).bytes == 20 * 7 + 80


def test_energy_is_that_of_the_formula(matmul: Any) -> None:
    target = load_target("kpu-16x16")  # pJ: mac_i8 0.25, mac_trit 0.08, l1_write 0.3, l2 0.7, l3 1.5, external 12
    arriving = 2 * 0.7 + 0.3
    moved = 12 + 2 * 1.5 + arriving
    int8 = 3 * 10 * 64 * 0.25 + 680 * moved + 3 * 64 * arriving
    assert energy(matmul, Stored("int8", 10, 64, 10), True, target) == pytest.approx(int8)
    ternary = 3 * 10 * 64 * 0.08 * 0.4 + 170 * moved + 3 * 64 * arriving
    assert energy(matmul, Stored("ternary", 10, 64, 10, 0.4), True, target) == pytest.approx(ternary)


@pytest.mark.parametrize("name", TARGETS)
def test_each_step_of_the_ladder_costs_more(name: str, matmul: Any) -> None:
    target = load_target(name)
    scales = {"ternary": 10, "int4": 10, "int8": 10}
    costs = [energy(matmul, Stored(p, 10, 64, scales.get(p, 0)), p in scales, target) for p in LADDER]
    assert costs == sorted(costs)


def test_what_a_target_lacks_is_not_supported() -> None:
    lanes = load_target("tfmbs-xc7z020")
    assert [p for p in LADDER if is_supported(p, False, p in ("ternary", "int4", "int8"), lanes)] == ["ternary", "int8"]
    assert not is_supported("ternary", False, False, lanes)
    assert all(is_supported(p, p == "int4", p != "fp32", load_target("kpu-16x16")) for p in ("ternary", "int4", "int8"))
