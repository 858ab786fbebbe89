"""The import directions of docs/architecture.md, checked by import-linter from its contracts in pyproject.toml."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ("compiler", "dialect", "passes", "runtime", "tools")

# An editable install answers `import tfmbs` before sys.path does; the linter must see the folder it is given.
LINT = """
import sys
sys.meta_path[:] = [finder for finder in sys.meta_path if not type(finder).__module__.startswith("_editable")]
sys.path.insert(0, "src")
from importlinter.cli import lint_imports
sys.exit(lint_imports(no_cache=True))
"""


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "200"}  # contract names are not wrapped
    return subprocess.run(
        [sys.executable, "-c", LINT], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The sources of the package with the configuration, to be broken."""
    package = tmp_path / "src" / "tfmbs"
    for layer in LAYERS:
        shutil.copytree(ROOT / layer, package / layer, ignore=shutil.ignore_patterns("__pycache__", "native"))
    for file in (ROOT / "pyproject.toml", *(ROOT / "src" / "tfmbs").glob("*.py")):
        shutil.copy(file, tmp_path / file.relative_to(ROOT))
    return tmp_path


def test_every_contract_is_kept() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert " 0 broken" in result.stdout


@pytest.mark.parametrize(
    ("module", "statement", "contract"),
    [
        ("runtime/program.py", "import tfmbs.compiler", "the runtime imports nothing of the compiler"),
        ("runtime/program.py", "import onnx", "the runtime imports nothing of the compiler"),
        ("dialect/types.py", "import tfmbs.passes", "each imports only what is below it"),
        ("dialect/types.py", "import torch_mlir.ir", "only dialect.mlir imports torch_mlir"),
        ("passes/registry.py", "import tfmbs.runtime.program", "use the ABI only"),
        ("tools/main.py", "import onnx", "and tools.bench import onnx, torch and onnxruntime"),
    ],
)
def test_a_forbidden_import_breaks_its_contract(copy: Path, module: str, statement: str, contract: str) -> None:
    broken = copy / "src" / "tfmbs" / module
    broken.write_text(f"{broken.read_text()}\n{statement}\n")
    result = lint(copy)
    assert result.returncode == 1, result.stdout + result.stderr
    _, _, broken_contracts = result.stdout.partition("\nBroken contracts\n")
    assert contract in broken_contracts, result.stdout
