"""The golden corpus: every file of every version loads with the meaning it had, or is refused by version."""

import json
from pathlib import Path

import pytest

from tests.golden.build import outputs
from tfmbs.runtime.abi.asm import assemble, disassemble
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.sections import MAJOR, MINOR, OLDEST_MAJOR

GOLDEN = Path(__file__).parents[1] / "golden"
FILES = sorted(GOLDEN.glob("v*/*.tfb"))


def _id(path):
    return f"{path.parent.name}/{path.stem}"


def _version(path):
    """Major and minor of `v1/…`, which is minor 0, and `v1.1/…`."""
    major, _, minor = path.parent.name[1:].partition(".")
    return int(major), int(minor or 0)


def test_every_read_version_has_a_corpus():
    versions = {path.parent.name for path in FILES}
    assert {f"v{major}" for major in range(OLDEST_MAJOR, MAJOR + 1)} <= versions
    assert f"v{MAJOR}.{MINOR}" in versions


@pytest.mark.parametrize("path", FILES, ids=_id)
def test_golden_files_load_or_are_refused_by_version(path):
    major, _ = _version(path)
    if major < OLDEST_MAJOR:
        with pytest.raises(TfmbsError, match="major version is not read"):
            Image.load(path)
        return
    image = Image.load(path)
    assert image.version == _version(path)
    text = path.with_suffix(".s").read_text(encoding="utf-8")
    assert disassemble(image) == text
    assert assemble(text).to_bytes() == path.read_bytes()
    assert image.to_bytes() == path.read_bytes()
    assert Image.load(path, verify="lazy") == image


@pytest.mark.parametrize("path", [path for path in FILES if _version(path)[0] >= OLDEST_MAJOR], ids=_id)
def test_golden_files_compute_what_they_always_did(path):
    assert outputs(Image.load(path)) == json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
