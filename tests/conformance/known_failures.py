"""Conformance tests that a device is known to fail: (device, test id without the device) -> reason. A test listed here
must fail; when it passes, the entry has to go."""

from __future__ import annotations

_GOLDEN = {
    "groups": ("GROUP_GEMM", ("v1.4", "v1.6", "v1.7")),
    "lstm": ("LSTM", ("v1.6", "v1.7")),
    "sparse": ("GROUP_GEMM", ("v1.7",)),
}

KNOWN_FAILURES: dict[tuple[str, str], str] = {
    ("kpu", f"test_golden_file[{version}-{name}]"): f"the movement rule has no kind {kind}"
    for name, (kind, versions) in _GOLDEN.items()
    for version in versions
}

NOT_COVERED: dict[str, dict[str, str]] = {
    "kpu": {
        "test_groups": "the movement rule has no kind GROUP_GEMM",
        "test_one_scale_for_each_row": "the movement rule has no kind GROUP_GEMM",
        "test_lstm": "the movement rule has no kind LSTM",
    }
}
"""Device -> a part of the names of modules or tests that it does not run -> why."""
