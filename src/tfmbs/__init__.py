"""tfmbs compiles ONNX models to fabric binaries and runs them. `import tfmbs` loads nothing of MLIR, onnx or torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tfmbs.runtime.abi.errors import TfmbsError, not_installed

if TYPE_CHECKING:
    from tfmbs.compiler.api import compile
    from tfmbs.runtime.program import Context, Program, load

__version__ = "0.1.0"
__all__ = ["Context", "Program", "TfmbsError", "__version__", "compile", "load"]

# Public name -> the module that defines it, imported at first use.
_LAZY = {
    "Context": "tfmbs.runtime.program",
    "Program": "tfmbs.runtime.program",
    "load": "tfmbs.runtime.program",
    "compile": "tfmbs.compiler.api",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'tfmbs' has no attribute {name!r}")
    try:
        value = getattr(import_module(_LAZY[name]), name)
    except ModuleNotFoundError as error:
        refused = not_installed(error, f"tfmbs.{name}")
        if refused is None:
            raise
        raise refused from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
