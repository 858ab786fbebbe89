"""What each level admits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tfmbs.dialect.base import Tfmbs
from tfmbs.dialect.legality import LEVELS, check_level
from tfmbs.dialect.mlir import context, ir
from tfmbs.runtime.abi.errors import TfmbsError

TORCH = "func.func @f(%x: !torch.int) -> !torch.int {\n  return %x : !torch.int\n}"
GRAPH = """
func.func @f(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = "tfmbs.softmax"(%x) {axis = 1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}"""
KERNEL = """
func.func @f(%x: memref<2x3xf32>, %y: memref<2x3xf32>) {
  %0 = memref.alloc() : memref<2x3xf32>
  "tfmbs.kernel_copy"(%x, %0) : (memref<2x3xf32>, memref<2x3xf32>) -> ()
  "tfmbs.kernel_copy"(%0, %y) : (memref<2x3xf32>, memref<2x3xf32>) -> ()
  return
}"""
FABRIC = '"tfmbs.fabric_mask"() {words = array<i64: 1, 0, 0, 0>} : () -> ()'
LINALG = """
func.func @f(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = linalg.exp ins(%x : tensor<2x3xf32>) outs(%x : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}"""
TEXTS = {"torch": TORCH, "tfmbs": GRAPH, "kernel": KERNEL, "fabric": FABRIC, "linalg": LINALG}
ADMITTED = {(level, level) for level in TEXTS} | {("linalg", "tfmbs"), ("linalg", "torch"), ("tfmbs", "torch")}


@pytest.fixture(autouse=True)
def mlir() -> Iterator[Any]:
    with context() as mlir_context, ir.Location.unknown():
        yield mlir_context


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("level", LEVELS)
def test_levels_admit_their_own_ir(text: str, level: str) -> None:
    module = ir.Module.parse(TEXTS[text])
    if (text, level) in ADMITTED:
        check_level(module, level)
        return
    with pytest.raises(TfmbsError, match=f"at the {level} level, expected one it admits, got ") as caught:
        check_level(module, level)
    assert caught.value.code == "ir.verify"


def test_the_first_illegal_op_is_named_with_its_location() -> None:
    module = ir.Module.parse(
        GRAPH.replace("-> tensor<2x3xf32>\n  return", '-> tensor<2x3xf32> loc("soft/max")\n  return')
    )
    with pytest.raises(TfmbsError) as caught:
        check_level(module, "linalg")
    expected = "error: soft/max: op at the linalg level, expected one it admits, got tfmbs.softmax"
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("level", "type_"),
    [
        ("linalg", "tensor<2x!quant.uniform<i8:f32, 1.0>>"),
        ("linalg", 'tensor<2x!tfmbs.ternary<"i8">>'),
        ("kernel", "tensor<2xf32>"),
        ("tfmbs", "memref<2xf32>"),
        ("torch", "memref<2xf32>"),
    ],
)
def test_types_of_another_level_are_named(level: str, type_: str) -> None:
    module = ir.Module.parse(f"func.func private @g(%x: {type_}) {{\n  return\n}}")
    with pytest.raises(TfmbsError) as caught:
        check_level(module, level)
    assert caught.value.what == f"type of a value of func.func at the {level} level"
    assert str(caught.value.got) == str(ir.Type.parse(type_))


def test_every_op_belongs_to_a_level() -> None:
    assert {op.OPERATION_NAME for op in Tfmbs.operations} <= frozenset().union(*(spec.ops for spec in LEVELS.values()))
