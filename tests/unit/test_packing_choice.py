"""Which packing the trits of a layer get, by numbers that are easy to follow."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfmbs.compiler.compilation import Compilation, Options
from tfmbs.compiler.report import html_report
from tfmbs.passes.graph.packing_choice import Home, Weights, choose_packing, cost_of
from tfmbs.runtime.abi.packing import nonzeros_by_row, pack_rows
from tfmbs.runtime.abi.records import Kind
from tfmbs.runtime.abi.target import Feature
from tfmbs.runtime.abi.target_file import load_target
from tfmbs.runtime.abi.types import PACKING_TRITS_PER_BYTE, Packing
from tfmbs.runtime.devices.emulator import Emulator
from tfmbs.runtime.devices.kpu import Kpu

# L2 512 KiB, L3 512 KiB; pJ per byte: L1 write 0.3, L2 0.7, L3 1.5, external 12; per i32 operation 0.08
TARGET = load_target("kpu-16x16")
THIRD = Weights(100, 100, 6667, 80)


def home(trits):
    return Home.of(trits, TARGET)


def test_trits_that_fit_stay_on_the_chip():
    assert (home(5 << 19).name, home(5 << 19).arrival) == ("L2", pytest.approx(2 * 0.7 + 0.3))
    outside = home((5 << 19) + 1)
    assert (outside.name, outside.arrival) == ("external memory", pytest.approx(12 + 2 * 1.5 + 2 * 0.7 + 0.3))


def test_a_larger_l3_keeps_more():
    large = dataclasses.replace(TARGET, l3=dataclasses.replace(TARGET.l3, banks=64))
    assert Home.of((5 << 19) + 1, large).name == "L3"


def test_costs_are_those_of_the_formula():
    assert cost_of(Packing.PT5, THIRD, home(10**9), TARGET) == pytest.approx(0.20 * 16.7 + 3.6 * 0.08)
    assert cost_of(Packing.T2, THIRD, home(10**9), TARGET) == pytest.approx(0.25 * 16.7 + 2 * 0.08)
    assert cost_of(Packing.I8, THIRD, home(10**9), TARGET) == pytest.approx(16.7)


def test_far_trits_are_five_to_a_byte_and_near_ones_four():
    assert choose_packing(THIRD, home(10**9), TARGET).packing is Packing.PT5
    assert choose_packing(THIRD, home(10**4), TARGET).packing is Packing.T2


@pytest.mark.parametrize("width", [2560, 4096, 6912, 14336])
def test_rows_that_fill_blocks_and_groups_lie_side_by_side(width):
    weights = Weights(192, width, 128 * width, width)
    choice = choose_packing(weights, home(10**9), TARGET)
    assert choice.packing is Packing.A5
    assert choice.costs[Packing.A5] == pytest.approx(-(-width // 320) * 64 / width * 16.7 + 3 * 0.08)
    assert Packing.R5 not in choice.costs
    without = dataclasses.replace(TARGET, features=tuple(name for name in TARGET.features if name != "abreast"))
    assert choose_packing(weights, home(10**9), without).packing is Packing.PT5
    assert choose_packing(dataclasses.replace(weights, width=1000), home(10**9), TARGET).packing is Packing.PT5
    fewer = choose_packing(dataclasses.replace(weights, rows=180), home(10**9), TARGET)
    assert fewer.packing is Packing.PT5
    assert fewer.costs[Packing.A5] == pytest.approx(192 / 180 * -(-width // 320) * 64 / width * 16.7 + 3 * 0.08)


def test_sparse_trits_are_flags_and_signs():
    far = home(10**9)
    half, quarter = Weights(100, 1000, 45_000, 490), Weights(100, 1000, 20_000, 240)
    assert cost_of(Packing.S4, quarter, far, TARGET) == pytest.approx(0.157 * 16.7 + (3 + 4 * 0.2) * 0.08)
    assert choose_packing(quarter, far, TARGET).packing is Packing.S4
    assert choose_packing(half, far, TARGET).packing is Packing.S2
    assert Packing.S4 not in choose_packing(half, far, TARGET).costs  # 490 of a row, where it holds 250
    assert choose_packing(Weights(100, 1000, 20_000, 501), far, TARGET).packing is Packing.PT5


def test_groups_are_padded_and_that_counts():
    groups = Weights(100, 4, 267, 4)  # five to a byte as four to a byte: one byte each, but more work
    assert choose_packing(groups, home(10**9), TARGET).packing is Packing.T2


def test_a_packing_that_the_target_lacks_is_no_choice():
    without = dataclasses.replace(TARGET, features=tuple(name for name in TARGET.features if name != "pt5"))
    assert not without.has(Feature.PT5)
    assert choose_packing(THIRD, Home.of(10**9, without), without).packing is Packing.T2


TRITS = hnp.arrays(np.int8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.integers(-1, 1))


@given(TRITS, st.sampled_from([*PACKING_TRITS_PER_BYTE, Packing.R5, Packing.A5]))
def test_zeros_are_counted_in_packed_rows(trits, packing):
    rows, width = trits.shape
    expected = np.count_nonzero(trits, axis=1)
    assert nonzeros_by_row(pack_rows(trits, packing), width, packing, rows).tolist() == expected.tolist()


LAYER = """
func.func @main(%x: tensor<1x{k}xf32> {{tfmbs.name = "x"}}) -> (tensor<1x{n}xf32> {{tfmbs.name = "y"}}) {{
  %w = arith.constant dense<1.0> : tensor<{n}x{k}xf32>
  %0 = "tfmbs.matmul"(%x, %w) ({{}}) {{
    operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []
  }} : (tensor<1x{k}xf32>, tensor<{n}x{k}xf32>) -> tensor<1x{n}xf32>
  return %0 : tensor<1x{n}xf32>
}}
"""


@pytest.mark.parametrize(("n", "packing"), [(8, Packing.T2), (2624, Packing.PT5)])
def test_the_binary_and_its_report_say_which_and_why(tmp_path, n, packing):
    (tmp_path / "m.mlir").write_text(LAYER.format(n=n, k=1000))
    options = Options(precision="ternary", start="torch")
    image = Compilation.of(tmp_path / "m.mlir", options).image()
    (descriptor,) = image.descriptors
    assert image.tensors[descriptor["rhs"]]["packing"] == packing
    ((layer, reason),) = image.meta["packing"].items()
    assert reason.startswith(f"{packing.name.lower()}, ")
    assert "0.0% zeros; " in reason
    assert f"<td>{reason}</td>" in html_report(image, layer, {})


CONVOLUTION = """
func.func @main(%x: tensor<1x{c}x4x4xf32> {{tfmbs.name = "x"}}) -> (tensor<1x{n}x2x2xf32> {{tfmbs.name = "y"}}) {{
  %w = arith.constant dense<1.0> : tensor<{n}x{own}x3x3xf32>
  %0 = "tfmbs.conv2d"(%x, %w) ({{}}) {{
    dilations = array<i64: 1, 1>, groups = {groups} : i64, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>,
    operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []
  }} : (tensor<1x{c}x4x4xf32>, tensor<{n}x{own}x3x3xf32>) -> tensor<1x{n}x2x2xf32>
  return %0 : tensor<1x{n}x2x2xf32>
}}
"""


@pytest.mark.parametrize(
    ("target", "channels", "groups", "packing"),
    [
        ("kpu-16x16", 1024, 1, Packing.A5),
        ("kpu-16x16", 1024, 8, Packing.A5),
        ("kpu-16x16", 960, 10, Packing.PT5),  # 96 rows of a group
        ("kpu-minimal", 1024, 1, Packing.PT5),  # no room for 64 rows in L1
    ],
)
def test_rows_that_the_target_cannot_cut_do_not_lie_side_by_side(tmp_path, target, channels, groups, packing):
    own = 320
    text = CONVOLUTION.format(n=channels, c=own * groups, own=own, groups=groups)
    (tmp_path / "m.mlir").write_text(text)
    options = Options(precision="ternary", start="torch", target=target)
    image = Compilation.of(tmp_path / "m.mlir", options).image()
    x = np.random.default_rng(0).standard_normal((1, own * groups, 4, 4)).astype(np.float32)
    (descriptor,) = (row for row in image.descriptors if row["kind"] == Kind.CONV2D)
    assert image.tensors[descriptor["rhs"]]["packing"] == packing
    expected = Emulator(image).context(1).run("main", {"x": x})["y"]
    assert Kpu(image).context().run("main", {"x": x})["y"].tobytes() == expected.tobytes()
