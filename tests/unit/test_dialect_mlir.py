"""The door to the bindings."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tfmbs.dialect import mlir
from tfmbs.dialect.load import load
from tfmbs.dialect.mlir import ir

UNKNOWN = '"no.such"() : () -> ()'


def test_unknown_dialects_are_refused_unless_asked_for() -> None:
    with mlir.context(), pytest.raises(ir.MLIRError, match=r"operation being parsed with an unregistered dialect"):
        ir.Module.parse(UNKNOWN)
    with mlir.context(allow_unregistered=True):
        assert ir.Module.parse(UNKNOWN).operation.verify()


def test_unknown_ops_of_our_dialect_are_always_refused() -> None:
    with mlir.context(allow_unregistered=True), pytest.raises(ir.MLIRError, match=r"unregistered operation 'tfmbs.no'"):
        ir.Module.parse('"tfmbs.no"() : () -> ()')


@pytest.mark.parametrize("dialect", ["tfmbs", "torch", "torch_c", "linalg", "quant", "memref", "llvm"])
def test_dialects_are_there(dialect: str) -> None:
    assert mlir.context().is_dialect_loaded(dialect)


def test_threads_are_off_unless_asked_for() -> None:
    assert mlir.context().get_num_threads() == 1
    assert mlir.context(threads=True).get_num_threads() >= 1


def test_loading_twice_does_nothing() -> None:
    context = mlir.context()
    load(context)
    with context:
        assert ir.Type.parse('!tfmbs.ternary<"pt5">').packing == "pt5"


def test_upstream_modules_are_imported_at_first_use() -> None:
    assert mlir.tensor.EmptyOp.OPERATION_NAME == "tensor.empty"
    with pytest.raises(AttributeError, match="no attribute 'tosa'"):
        _ = mlir.tosa


def test_upstreams_tool_is_there() -> None:
    assert os.access(mlir.opt_tool(), os.X_OK)


def test_the_dialect_needs_neither_onnx_nor_torch() -> None:
    code = (
        "import sys; from tfmbs.dialect import legality, graph, fabric_tables, mlir; mlir.context();"
        "print(sorted({'onnx', 'torch', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
