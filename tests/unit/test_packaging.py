"""The wheel: what is in it, what it requires, and that it loads and runs a binary with numpy and blake3 alone."""

from __future__ import annotations

import email
import json
import os
import re
import subprocess
import sys
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import tfmbs

ROOT = Path(__file__).parents[2]
LAYERS = ("compiler", "dialect", "passes", "runtime", "tools")
RUNTIME_REQUIREMENTS = ("numpy", "blake3")
FOREIGN = ("torch_mlir", "onnx", "torch", "onnxruntime", "sklearn")

RUN = """
import importlib.util, json, sys
import numpy as np
import tfmbs
program = tfmbs.load(sys.argv[1])
inputs = dict(np.load(sys.argv[2]))
np.savez(sys.argv[3], **program.run(inputs))
loaded = sorted(sys.modules)
try:
    tfmbs.compile("model.onnx")
except tfmbs.TfmbsError as error:
    refusal = str(error)
print(json.dumps({
    "importable": [name for name in json.loads(sys.argv[4]) if importlib.util.find_spec(name)],
    "loaded": loaded,
    "file": tfmbs.__file__,
    "refusal": refusal,
}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the working tree, built with the build requirements that are installed here."""
    out = tmp_path_factory.mktemp("wheel")
    build = f"--config-settings=build-dir={out / 'build'}"
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", build, "-w", out, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def runtime_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that holds the wheel, numpy and blake3, and nothing else."""
    home = tmp_path_factory.mktemp("runtime-only")
    venv.create(home, with_pip=False, symlinks=True)
    (site,) = home.glob("lib/python3*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    for name in RUNTIME_REQUIREMENTS:
        for file in metadata.files(name) or ():
            top = file.parts[0]
            if top != ".." and not (site / top).exists():
                (site / top).symlink_to(Path(str(file.locate())).parents[len(file.parts) - 1] / top)
    return home / "bin" / "python"


def clean_environment() -> dict[str, str]:
    """No PYTHONPATH or the like: what is importable is what is installed."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def names(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


def test_wheel_holds_every_module_and_data_file(wheel: Path) -> None:
    sources = {
        f"tfmbs/{path.relative_to(ROOT)}"
        for layer in LAYERS
        for suffix in ("py", "pyi", "toml")
        for path in (ROOT / layer).rglob(f"*.{suffix}")
    }
    assert len(sources) > 50
    assert sources <= names(wheel)
    assert {"tfmbs/__init__.py", "tfmbs/py.typed"} <= names(wheel)


def test_wheel_holds_one_native_module_and_no_sources_of_it(wheel: Path) -> None:
    native = [name for name in names(wheel) if Path(name).suffix in {".so", ".cpp", ".h", ".hpp", ".o"}]
    assert len(native) == 1
    assert native[0].startswith("tfmbs/runtime/_native.")


def test_wheel_holds_nothing_beside_the_package(wheel: Path) -> None:
    assert {name.partition("/")[0] for name in names(wheel)} == {"tfmbs", f"tfmbs-{tfmbs.__version__}.dist-info"}


def test_runtime_requirements_are_numpy_and_a_digest_library(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    fields = email.message_from_bytes(archive.read(f"tfmbs-{tfmbs.__version__}.dist-info/METADATA"))
    required = [line for line in fields.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert sorted(required) == ["blake3>=1.0", "numpy>=1.26"]
    assert fields["Requires-Python"] == ">=3.10"
    assert fields["License-Expression"] == "Apache-2.0"
    assert f"tfmbs-{tfmbs.__version__}.dist-info/licenses/LICENSE" in archive.namelist()


def test_runtime_alone_loads_and_runs_a_binary(runtime_python: Path, tmp_path: Path) -> None:
    """A binary compiled here runs there, with the same bytes, where no MLIR, onnx or torch can be imported."""
    program = tfmbs.compile(ROOT / "examples/digits/mlp_ternary.onnx", precision="ternary", dims={"batch": 1})
    program.save(tmp_path / "mlp.tfb")
    inputs = {"input": np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 64)}
    np.savez(tmp_path / "inputs.npz", **inputs)
    files = [tmp_path / name for name in ("mlp.tfb", "inputs.npz", "outputs.npz")]
    result = subprocess.run(
        [runtime_python, "-c", RUN, *files, json.dumps(FOREIGN)],
        cwd=tmp_path, env=clean_environment(), check=True, capture_output=True, text=True,
    )  # fmt: skip
    report = json.loads(result.stdout)
    assert report["importable"] == []
    assert Path(report["file"]).is_relative_to(runtime_python.parents[1])
    assert {name.split(".")[1] for name in report["loaded"] if name.startswith("tfmbs.")} == {"runtime"}
    assert "pip install 'tfmbs[compiler]'" in report["refusal"]
    expected = program.run(inputs)
    outputs = dict(np.load(tmp_path / "outputs.npz"))
    assert {name: value.tobytes() for name, value in outputs.items()} == {
        name: value.tobytes() for name, value in expected.items()
    }


@pytest.mark.parametrize("tool", ["compile", "opt"])
def test_compiler_tools_say_what_the_runtime_alone_lacks(runtime_python: Path, tmp_path: Path, tool: str) -> None:
    result = subprocess.run(
        [runtime_python, "-m", f"tfmbs.tools.{tool}", "model"],
        cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert re.fullmatch(r"error: .*: needs \w+: pip install 'tfmbs\[compiler\]'\n", result.stderr)


def test_importing_tfmbs_loads_neither_mlir_nor_numpy_heavy_parts() -> None:
    script = "import sys, tfmbs; print(*sorted(m for m in sys.modules if m.startswith('tfmbs.') or m == 'numpy'))"
    result = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert result.stdout.split() == ["tfmbs.runtime", "tfmbs.runtime.abi", "tfmbs.runtime.abi.errors"]
