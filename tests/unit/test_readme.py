"""The README's worked example, run as written: each command must print what stands below it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODULES = {"tfmbs-as": "assemble"}
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/adr/README.md", "examples/digits/README.md")


def sessions() -> list[tuple[str, str]]:
    """(command, expected output) of every `$` line, in order; a command goes on while its quotes are open."""
    found = []
    for block in re.findall(r"^```\n(\$ .*?)^```$", README, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.splitlines(keepends=True)
            end = next(n for n in range(1, len(lines) + 1) if "".join(lines[:n]).count('"') % 2 == 0)
            found.append(("".join(lines[:end]).strip(), "".join(lines[end:])))
    return found


def runnable(command: str) -> str:
    """The command with this interpreter's modules instead of installed scripts."""

    def module(match: re.Match[str]) -> str:
        return f"'{sys.executable}' -m tfmbs.tools.{MODULES.get(match[0], match[0].removeprefix('tfmbs-'))}"

    command = re.sub(r"^tfmbs-\w+", module, command)
    return re.sub(r"^python\b", f"'{sys.executable}'", command)


def test_the_worked_example_prints_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    assert len(sessions()) >= 6
    for command, expected in sessions():
        done = subprocess.run(
            runnable(command), shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.stdout + done.stderr == expected, command
        assert done.returncode == (1 if expected.startswith("error:") else 0), command


@pytest.mark.parametrize("page", PAGES)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    path = ROOT / page
    links = re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []
