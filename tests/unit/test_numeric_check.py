"""`--verify-each-numerically` names the pass that changes a result, and only that one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tfmbs.compiler.driver import Driver
from tfmbs.compiler.jit import Slot
from tfmbs.compiler.numeric_check import NumericCheck, random_inputs
from tfmbs.compiler.pipeline_text import Placed
from tfmbs.compiler.plan import Step
from tfmbs.dialect.mlir import context, ir
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.passes.registry import Pass
from tfmbs.runtime.abi.errors import TfmbsError

MATMUL = """
func.func @f(%x: tensor<2x8xf32> {tfmbs.name = "x"}) -> (tensor<2x4xf32> {tfmbs.name = "y"}) {
  %w = arith.constant dense<0.3> : tensor<4x8xf32>
  %0 = "tfmbs.matmul"(%x, %w) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []}
      : (tensor<2x8xf32>, tensor<4x8xf32>) -> tensor<2x4xf32>
  %1 = "tfmbs.softmax"(%0) {axis = 1 : i64} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}"""


@pytest.fixture(autouse=True)
def _context() -> Iterator[None]:
    with context(), ir.Location.unknown():
        yield


@dataclass(frozen=True)
class Wrong(Pass):
    """Changes one constant a little."""

    precision: str = "exact"

    def run(self, module: Any) -> None:
        for op in ops_where(module, lambda op: op.operation.name == "arith.constant"):
            value = np.array(op.attributes["value"])
            if value.dtype == np.float32:
                op.attributes["value"] = ir.DenseElementsAttr.get(np.full_like(value, np.nextafter(value.flat[0], 1)))


def step(name: str, ours: Pass) -> Step:
    return Step(Placed(("builtin.module",), name), ours)


def test_passes_that_keep_every_bit_are_silent() -> None:
    module = ir.Module.parse(MATMUL)
    Driver(observers=[NumericCheck()]).run_text(
        module, "builtin.module(tfmbs-decompose,canonicalize,cse,tfmbs-to-kernel)"
    )


def test_one_changed_bit_names_pass_output_and_bits() -> None:
    module = ir.Module.parse(MATMUL)
    with pytest.raises(TfmbsError) as caught:
        Driver(observers=[NumericCheck()]).run(module, [step("wrong", Wrong())])
    text = str(caught.value)
    assert caught.value.code == "pass"
    assert "pass wrong" in text
    assert "elements of output 'y', the first at (0, 0)" in text
    assert "0x" in text


def test_quantization_may_move_values_and_sets_what_follows_must_keep() -> None:
    module = ir.Module.parse(MATMUL)
    quantize = step("tfmbs-quantize", Wrong("int8"))
    Driver(observers=[NumericCheck()]).run(module, [quantize])
    with pytest.raises(TfmbsError, match="pass wrong"):
        Driver(observers=[NumericCheck()]).run(module, [quantize, step("wrong", Wrong())])


TORCH = """
func.func @f(%x: !torch.vtensor<[2],f32> {tfmbs.name = "x"})
    -> (!torch.vtensor<[2],f32> {tfmbs.name = "y"}) {
  %w = torch.vtensor.literal(dense<[0.5, -3.0]> : tensor<2xf32>) : !torch.vtensor<[2],f32>
  %0 = torch.aten.mul.Tensor %x, %w
      : !torch.vtensor<[2],f32>, !torch.vtensor<[2],f32> -> !torch.vtensor<[2],f32>
  return %0 : !torch.vtensor<[2],f32>
}"""


@dataclass(frozen=True)
class WrongLiteral(Pass):
    """Doubles the literals of the torch level."""

    def run(self, module: Any) -> None:
        for op in ops_where(module, lambda op: op.operation.name == "torch.vtensor.literal"):
            op.attributes["value"] = ir.DenseElementsAttr.get(2 * np.array(op.attributes["value"]))


def test_a_pass_at_the_torch_level_that_changes_values_is_named() -> None:
    module = ir.Module.parse(TORCH)
    check = NumericCheck()
    Driver(observers=[check]).run_text(module, "builtin.module(canonicalize,convert-torch-to-tfmbs)")
    with pytest.raises(TfmbsError, match="pass wrong: changed 2 of 2 elements of output 'y'"):
        Driver(observers=[check]).run(module, [step("wrong", WrongLiteral())])


def test_the_first_module_is_held_to_known_outputs() -> None:
    x = np.array([3, 5], np.float32)
    right, wrong = {"y": np.array([1.5, -15], np.float32)}, {"y": np.array([1.5, 15], np.float32)}
    Driver(observers=[NumericCheck(samples=[{"x": x}], known=right)]).run_text(
        ir.Module.parse(TORCH), "builtin.module(canonicalize)"
    )
    with pytest.raises(TfmbsError, match=r"import: changed 1 of 2 elements of output 'y', the first at \(1,\)"):
        Driver(observers=[NumericCheck(samples=[{"x": x}], known=wrong)]).run_text(
            ir.Module.parse(TORCH), "builtin.module(canonicalize)"
        )


def test_inputs_are_seeded() -> None:
    slots = (
        Slot("a", (3,), np.dtype(np.float32)),
        Slot("b", (4,), np.dtype(np.int64)),
        Slot("c", (4,), np.dtype(np.bool_)),
    )
    first, again, other = (random_inputs(slots, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["a"], other["a"])
    assert set(first["b"].tolist()) <= {0, 1}
