"""Conformance tests that a device is known to fail: (device, test id without the device) -> reason. A test listed here
must fail; when it passes, the entry has to go."""

from __future__ import annotations

from pathlib import Path

_GOLDEN = Path(__file__).parents[1] / "golden"

KNOWN_FAILURES: dict[tuple[str, str], str] = {
    (
        f"kpu-on-{target}",
        f"test_golden_file[{file.parent.name}-sized]",
    ): "images of sizes are verified; lanes take no f32"
    for target in ("tfmbs-1024", "tfmbs-xc7z020")
    for file in _GOLDEN.glob("v*/sized.tfb")
}
