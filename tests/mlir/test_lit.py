"""Runs the lit tests below this folder, all of them at once, and reports each file as a test of its own."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent
FILES = sorted(str(file.relative_to(ROOT)) for file in ROOT.rglob("*.mlir") if "Inputs" not in file.parts)
_LIT = "from lit.main import main; main()"  # lit has no module to run
JOBS = min(os.cpu_count() or 1, 8)


@pytest.fixture(scope="session")
def results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """What lit says of each selected file. The workers of one test run share one run of lit."""
    folder = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        folder = folder.parent
    report = folder / "lit.json"
    with (folder / "lit.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not report.exists():
            items = [item for item in request.session.items if isinstance(item, pytest.Function)]
            files = [item.callspec.params["file"] for item in items if item.originalname == test_lit.__name__]
            _run(files, folder)
    tests = json.loads(report.read_text())["tests"]
    return {test["name"].partition(" :: ")[2]: test for test in tests}


def _run(files: list[str], folder: Path) -> None:
    command = [sys.executable, "-c", _LIT, "-q", f"-j{JOBS}", f"--output={folder / 'lit.json'}"]
    command += [f"--param=output={folder / 'lit'}", *(str(ROOT / file) for file in files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (folder / "lit.json").exists(), done.stdout + done.stderr


@pytest.mark.parametrize("file", FILES)
def test_lit(file: str, results: Mapping[str, Any]) -> None:
    result = results[file]
    assert result["code"] == "PASS", result["output"]
