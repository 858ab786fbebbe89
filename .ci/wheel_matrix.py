"""Builds the sdist, a wheel from it for each CPython 3.10 to 3.13, and proves in fresh environments that it works.

Each environment first holds the runtime alone and runs a binary compiled here, with the same output bytes; then the
compiler is added and must compile the same model to the same file. Fails if an interpreter is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import tfmbs

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "examples" / "digits" / "mlp_ternary.onnx"
MINORS = (10, 11, 12, 13)

RUN = """
import sys, numpy as np, tfmbs
outputs = tfmbs.load(sys.argv[1]).run(dict(np.load(sys.argv[2])))
expected = np.load(sys.argv[3])
assert {n: v.tobytes() for n, v in outputs.items()} == {n: expected[n].tobytes() for n in expected.files}
"""
COMPILE = """
import sys, pathlib, tfmbs
tfmbs.compile(sys.argv[1], precision="ternary", dims={"batch": 1}).save("again.tfb")
assert pathlib.Path("again.tfb").read_bytes() == pathlib.Path(sys.argv[2]).read_bytes()
"""


def interpreter(minor: int) -> str:
    """The path of CPython 3.`minor`: on PATH, or the newest that pyenv has."""
    home = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = sorted(str(path) for path in home.glob(f"3.{minor}.*/bin/python"))
    for candidate in (*reversed(found), shutil.which(f"python3.{minor}")):
        if candidate and subprocess.run([candidate, "-c", "import venv"], check=False).returncode == 0:
            return candidate
    sys.exit(f"no CPython 3.{minor} found: install it (pyenv install 3.{minor}) or put python3.{minor} on PATH")


def execute(*command: str | Path, cwd: Path) -> None:
    """Runs a command outside the checkout, so that only the installed package can be imported."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run(command, cwd=cwd, env=environment, check=True)


def check(minor: int, sdist: Path, work: Path) -> None:
    """Builds, installs and tries the wheel of one interpreter."""
    home = work / f"3.{minor}"
    execute(interpreter(minor), "-m", "venv", home, cwd=work)
    python = home / "bin" / "python"
    execute(python, "-m", "pip", "wheel", "-q", "--no-deps", "-w", home / "wheel", sdist, cwd=work)
    (wheel,) = (home / "wheel").glob("*.whl")
    execute(python, "-m", "pip", "install", "-q", wheel, cwd=work)
    execute(python, "-c", RUN, "model.tfb", "inputs.npz", "outputs.npz", cwd=work)
    execute(python, "-m", "pip", "install", "-q", f"{wheel}[compiler]", cwd=work)
    execute(python, "-c", COMPILE, MODEL, "model.tfb", cwd=work)
    print(f"CPython 3.{minor}: {wheel.name} loads, runs and compiles with the same bytes", flush=True)


def main() -> None:
    """Everything for every interpreter."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        program = tfmbs.compile(MODEL, precision="ternary", dims={"batch": 1})
        inputs = {"input": np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 64)}
        program.save(work / "model.tfb")
        np.savez(work / "inputs.npz", **inputs)
        np.savez(work / "outputs.npz", **program.run(inputs))
        execute(sys.executable, "-m", "build", "--sdist", "--outdir", work / "sdist", ROOT, cwd=work)
        (sdist,) = (work / "sdist").glob("*.tar.gz")
        for minor in MINORS:
            check(minor, sdist, work)


if __name__ == "__main__":
    main()
