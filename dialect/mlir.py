"""The one door to the MLIR Python bindings: all that is used of them is named here, so that a switch is one file."""

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch_mlir
from torch_mlir import ir, passmanager, rewrite
from torch_mlir._mlir_libs._torchMlir import register_dialect as register_torch
from torch_mlir.dialects import ext, irdl

if TYPE_CHECKING:
    from torch_mlir.dialects import (
        arith,
        bufferization,
        func,
        linalg,
        math,
        memref,
        quant,
        scf,
        tensor,
        torch,
    )

__all__ = [
    "arith",
    "bufferization",
    "context",
    "execution_engine",
    "ext",
    "func",
    "fx_importer",
    "ir",
    "irdl",
    "linalg",
    "math",
    "memref",
    "memref_descriptors",
    "onnx_importer",
    "opt_tool",
    "passmanager",
    "quant",
    "rewrite",
    "scf",
    "tensor",
    "torch",
]


def __getattr__(name: str) -> Any:
    """An upstream dialect's op builders, imported at first use: all of them take longer than the rest of a start."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = globals()[name] = import_module(f"torch_mlir.dialects.{name}")
    return module


def context(allow_unregistered: bool = False, threads: bool = False) -> ir.Context:
    """A fresh context with every upstream dialect, torch-mlir's and ``tfmbs`` loaded.

    Contexts are independent: several may live at once. ``threads`` turns on MLIR's own thread pool; Python passes and
    verifiers hold the interpreter lock, so it only pays for long upstream pipelines.
    """
    from tfmbs.dialect.load import load

    result = ir.Context()
    result.enable_multithreading(threads)
    result.allow_unregistered_dialects = allow_unregistered
    register_torch(result)
    with result, ir.Location.unknown():
        # torch_c and tm_tensor have no registration of their own: passes that depend on them bring them in.
        passmanager.PassManager.parse(
            "builtin.module(torch-func-backend-type-conversion,func.func(convert-torch-to-tmtensor))"
        ).run(ir.Module.create().operation)
    load(result)
    return result


def name_dialect_module(namespace: str, module: str) -> None:
    """Tells the bindings which loaded module defines the ops of a dialect: else they search for one at each op."""
    sys.modules.setdefault(f"{torch_mlir.__name__}.dialects.{namespace}", sys.modules[module])


def execution_engine() -> Any:
    """The class that compiles and runs an LLVM-dialect module in this process."""
    from torch_mlir.execution_engine import ExecutionEngine

    return ExecutionEngine


def memref_descriptors() -> Any:
    """The module of ctypes structures by which compiled functions take memrefs."""
    from torch_mlir import runtime

    return runtime


def onnx_importer() -> Any:
    """torch-mlir's ONNX importer module. It imports ``onnx``: only ``compiler.importers`` may call this."""
    from torch_mlir.extras import onnx_importer as importer

    return importer


def fx_importer() -> Any:
    """torch-mlir's importer of FX graphs. It imports ``torch``: only ``compiler.importers`` may call this."""
    from torch_mlir.extras import fx_importer as importer

    return importer


def opt_tool() -> Path:
    """Path of the ``torch-mlir-opt`` executable that belongs to these bindings.

    Raises:
        FileNotFoundError: the bindings were installed without it.
    """
    tool = Path(torch_mlir._mlir_libs.__file__).parent / "torch-mlir-opt"
    if not tool.exists():
        raise FileNotFoundError(f"torch-mlir-opt is missing beside the MLIR bindings: {tool}")
    return tool
