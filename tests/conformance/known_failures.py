"""Conformance tests that a device is known to fail: (device, test id without the device) -> reason. A test listed here
must fail; when it passes, the entry has to go."""

from __future__ import annotations

KNOWN_FAILURES: dict[tuple[str, str], str] = {}
