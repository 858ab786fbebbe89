"""Conformance tests that a device is known to fail: (device, test id without the device) -> reason. A test listed here
must fail; when it passes, the entry has to go."""

from __future__ import annotations

from pathlib import Path

_GOLDEN = Path(__file__).parents[1] / "golden"
_LACKING = {"groups": "GROUP_GEMM", "sparse": "GROUP_GEMM", "residues": "GROUP_GEMM", "lstm": "LSTM"}

KNOWN_FAILURES: dict[tuple[str, str], str] = {
    ("kpu", f"test_golden_file[{file.parent.name}-{name}]"): f"the movement rule has no kind {kind}"
    for name, kind in _LACKING.items()
    for file in _GOLDEN.glob(f"v*/{name}.tfb")
}

NOT_COVERED: dict[str, dict[str, str]] = {
    "kpu": {
        "test_groups": "the movement rule has no kind GROUP_GEMM",
        "test_one_scale_for_each_row": "the movement rule has no kind GROUP_GEMM",
        "test_lstm": "the movement rule has no kind LSTM",
    }
}
"""Device -> a part of the names of modules or tests that it does not run -> why."""
