"""The golden corpus on every device: whole programs, some with state or several entry points, keep their bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conformance.devices import DeviceUnderTest
from tests.golden.build import outputs
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.sections import OLDEST_MAJOR

FILES = [
    path
    for path in sorted((Path(__file__).parents[1] / "golden").glob("v*/*.tfb"))
    if int(path.parent.name[1:].partition(".")[0]) >= OLDEST_MAJOR  # v1, v1.1, …
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_golden_file(device: DeviceUnderTest, path: Path) -> None:
    image = Image.load(path)
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert outputs(image, device.open(image)) == expected
