"""The byte reference as a tool: names, checks of inputs, scalars and booleans, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tfmbs.compiler.jit import Reference
from tfmbs.dialect.mlir import context, ir
from tfmbs.dialect.resources import resource_attr
from tfmbs.runtime.abi.errors import TfmbsError

IDENTITY = """func.func @f(%x: tensor<2x3xf32> {tfmbs.name = "x"}) -> (tensor<2x3xf32> {tfmbs.name = "y"}) {
  return %x : tensor<2x3xf32>
}"""


@pytest.fixture(autouse=True)
def _context() -> Iterator[None]:
    with context(), ir.Location.unknown():
        yield


def test_names_and_an_output_that_is_an_input() -> None:
    reference = Reference(ir.Module.parse(IDENTITY))
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    result = reference.run({"x": x})
    assert list(result) == ["y"]
    assert np.array_equal(result["y"], x)
    assert not np.shares_memory(result["y"], x)


def test_inputs_in_any_layout() -> None:
    x = np.arange(6, dtype=np.float32).reshape(3, 2).T
    assert np.array_equal(Reference(ir.Module.parse(IDENTITY)).run({"x": x})["y"], x)


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ({}, "input.name"),
        ({"x": np.zeros((2, 3), np.float32), "z": np.zeros(1)}, "input.name"),
        ({"x": np.zeros((3, 2), np.float32)}, "input.shape"),
        ({"x": np.zeros((2, 3), np.float64)}, "input.dtype"),
    ],
)
def test_inputs_that_do_not_fit(inputs: dict[str, np.ndarray], code: str) -> None:
    with pytest.raises(TfmbsError) as caught:
        Reference(ir.Module.parse(IDENTITY)).run(inputs)
    assert caught.value.code == code


def test_the_module_is_not_changed() -> None:
    module = ir.Module.parse(IDENTITY)
    before = str(module)
    Reference(module)
    assert str(module) == before


def test_scalars_booleans_and_integers() -> None:
    reference = Reference(
        ir.Module.parse("""func.func @f(%a: tensor<i64>, %b: tensor<3xi1>) -> (tensor<i64>, tensor<3xi1>) {
          %0 = linalg.generic {indexing_maps = [affine_map<() -> ()>], iterator_types = []} outs(%a : tensor<i64>) {
          ^bb0(%x: i64):
            %2 = arith.addi %x, %x : i64
            linalg.yield %2 : i64
          } -> tensor<i64>
          %1 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
              outs(%b : tensor<3xi1>) {
          ^bb0(%x: i1):
            %true = arith.constant true
            %2 = arith.xori %x, %true : i1
            linalg.yield %2 : i1
          } -> tensor<3xi1>
          return %0, %1 : tensor<i64>, tensor<3xi1>
        }""")
    )
    result = reference.run({"arg0": np.array(21), "arg1": np.array([True, False, True])})
    assert result["result0"] == 42
    assert result["result1"].tolist() == [False, True, False]


def test_private_functions_are_inlined() -> None:
    reference = Reference(
        ir.Module.parse("""
        func.func private @g(%x: tensor<2xf32>) -> tensor<2xf32> { return %x : tensor<2xf32> }
        func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
          %0 = call @g(%x) : (tensor<2xf32>) -> tensor<2xf32>
          return %0 : tensor<2xf32>
        }""")
    )
    assert reference.run({"arg0": np.ones(2, np.float32)})["result0"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("rows", [2, 40_000], ids=["inline", "passed"])
def test_constants_of_any_size(rows: int) -> None:
    values = np.random.default_rng(1).standard_normal((rows, 2)).astype(np.float32)
    module = ir.Module.parse(f"""func.func @f(%x: tensor<{rows}x2xf32>) -> tensor<{rows}x2xf32> {{
      %w = arith.constant dense<0.0> : tensor<{rows}x2xf32>
      %0 = linalg.generic {{indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>],
          iterator_types = ["parallel", "parallel"]}}
          ins(%w : tensor<{rows}x2xf32>) outs(%x : tensor<{rows}x2xf32>) {{
      ^bb0(%a: f32, %b: f32):
        %1 = arith.subf %b, %a : f32
        linalg.yield %1 : f32
      }} -> tensor<{rows}x2xf32>
      return %0 : tensor<{rows}x2xf32>
    }}""")
    constant = module.body.operations[0].entry_block.operations[0]
    constant.attributes["value"] = resource_attr(values, "weights")
    reference = Reference(module)
    x = np.ones((rows, 2), np.float32)
    for _ in range(2):
        assert reference.run({"arg0": x})["result0"].tobytes() == (x - values).tobytes()


def test_two_entries_are_refused() -> None:
    twice = "func.func @f() { return }\nfunc.func @g() { return }"
    with pytest.raises(TfmbsError, match="number of public functions, expected 1, got 2"):
        Reference(ir.Module.parse(twice))


def test_what_upstream_cannot_lower_is_refused() -> None:
    module = ir.Module.parse("""func.func @f(%x: tensor<2xi8>) -> tensor<2xf32> {
      %0 = quant.scast %x : tensor<2xi8> to tensor<2x!quant.uniform<i8:f32, 0.5>>
      %1 = quant.dcast %0 : tensor<2x!quant.uniform<i8:f32, 0.5>> to tensor<2xf32>
      return %1 : tensor<2xf32>
    }""")
    with pytest.raises(TfmbsError, match="cannot be interpreted"):
        Reference(module)


def test_dynamic_shapes_are_refused() -> None:
    module = ir.Module.parse("func.func @f(%x: tensor<?xf32>) -> tensor<?xf32> { return %x : tensor<?xf32> }")
    with pytest.raises(TfmbsError, match="expected a tensor of static shape"):
        Reference(module)
