"""A crash of a foreign pass is an error that names the op of the model."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from tfmbs.compiler.blame import blamed
from tfmbs.compiler.guard import run_guarded
from tfmbs.dialect.mlir import context, ir
from tfmbs.runtime.abi.errors import TfmbsError

LOST = "convert-torch-onnx-to-torch"
CRASHING = """
func.func @main(%x: !torch.vtensor<[2],f32>, %scale: !torch.vtensor<[],f32>, %zero: !torch.vtensor<[],ui4>)
    -> (!torch.vtensor<[2],f32>, !torch.vtensor<[2],ui4>) attributes {torch.onnx_meta.opset_version = 21 : si64} {
  %0 = torch.operator "onnx.Relu"(%x) : (!torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32> loc("first")
  %1 = torch.operator "onnx.Abs"(%0) : (!torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32> loc("second")
  %2 = torch.operator "onnx.QuantizeLinear"(%1, %scale, %zero)
      : (!torch.vtensor<[2],f32>, !torch.vtensor<[],f32>, !torch.vtensor<[],ui4>) -> !torch.vtensor<[2],ui4>
      loc("to_u4")
  %3 = torch.operator "onnx.Exp"(%1) : (!torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32> loc("last")
  return %3, %2 : !torch.vtensor<[2],f32>, !torch.vtensor<[2],ui4>
}
"""


def module(text: str = CRASHING) -> Any:
    return ir.Module.parse(text, context())


def test_the_node_is_named_with_the_pass() -> None:
    with pytest.raises(TfmbsError) as caught:
        run_guarded(module(), f"builtin.module(func.func({LOST}))")
    error = caught.value
    assert (error.code, error.location, error.what) == ("pass.crash", "to_u4", f"pass {LOST} crashed with SIGABRT")
    assert error.subject is not None
    assert (error.subject.kind, error.subject.name) == ("node", "to_u4")
    assert "getScalarTypeForType" in error.details


def test_several_functions_are_searched() -> None:
    relu = """
    func.func @other(%x: !torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32> {
      %0 = torch.operator "onnx.Relu"(%x) : (!torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32> loc("other")
      return %0 : !torch.vtensor<[2],f32>
    }
    """
    for text in (relu + CRASHING, CRASHING + relu):
        with pytest.raises(TfmbsError, match="error: to_u4: pass"):
            run_guarded(module(text), f"builtin.module(func.func({LOST}))")


def crash_on(count: int, of: Any) -> Any:
    """Aborts where the first function has at least so many ops, without its terminator."""

    def run() -> None:
        if len(list(of.body.operations[0].regions[0].blocks[0].operations)) > count:
            os.abort()

    return run


@pytest.mark.parametrize(("count", "name"), [(1, "first"), (2, "second"), (4, "last")])
def test_the_first_op_with_which_it_crashes_counts(count: int, name: str) -> None:
    given = module()
    before = str(given)
    found = blamed(given.operation, crash_on(count, given))
    assert found is not None
    assert found.name == name
    assert str(given) == before


def test_a_crash_without_any_op_names_none() -> None:
    given = module()
    assert blamed(given.operation, os.abort) is None


def test_the_search_is_bounded() -> None:
    given, started = module(), time.monotonic()
    assert blamed(given.operation, lambda: time.sleep(60), limit_seconds=0.5) is None
    assert time.monotonic() - started < 10
