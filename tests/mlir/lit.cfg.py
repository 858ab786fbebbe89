"""lit configuration: each ``.mlir`` file below this folder is a test; its RUN lines may use the tools named here."""

import importlib.util
import sys
from pathlib import Path

import lit.formats

config.name = "tfmbs"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir"]
config.excludes = ["Inputs"]
config.test_source_root = str(Path(__file__).parent)

_root = Path(__file__).parents[2]
_build = Path(lit_config.params.get("output", _root / "build" / "lit"))
config.test_exec_root = str(_build)

_python = f"'{sys.executable}'"
_bindings = Path(importlib.util.find_spec("torch_mlir").submodule_search_locations[0])
for _tool in ("opt", "compile", "run", "objdump"):
    config.substitutions.append((rf"\btfmbs-{_tool}\b", f"{_python} -m tfmbs.tools.{_tool}"))
config.substitutions += [
    (r"\btfmbs-as\b", f"{_python} -m tfmbs.tools.assemble"),
    (r"\btorch-mlir-opt\b", str(_bindings / "_mlir_libs" / "torch-mlir-opt")),
    (r"\bfilecheck\b", f"{_python} -m filecheck"),
]
config.environment["PYTHONPATH"] = str(_root / "src")
